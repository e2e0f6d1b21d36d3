"""`hatchway metrics check` at real metrics servers: what is there is listed and surveyed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, SeriesRef, ServiceSpec
from hatchway.metrics.catalogue import missing
from hatchway.metrics.listing import Unlisted, listed
from hatchway.metrics.open import opened
from hatchway.metrics.port import Scrape
from hatchway.metrics.prospects import prospects
from hatchway.metrics.survey import survey

BOTH = pytest.mark.parametrize("kind", ["prometheus", "victoria-metrics"])
PATIENCE_S = 60.0


def endpoint(server: Any) -> EndpointSpec:
    return EndpointSpec("app", prometheus=server.url, arm_label="track", select='job="shop"')


@BOTH
async def test_what_a_server_has_of_an_arm_is_listed(servers: Any, farm: Any, kind: str) -> None:
    found = await listed(endpoint(servers[kind]), "stable")
    assert found["http_request_duration_seconds"].kind == "histogram"
    assert found["http_requests_total"].label("track") == ("stable",)
    wrong = SeriesRef("http_request_total", {"track": "stable"})
    assert "did you mean http_requests_total" in missing(wrong, found)


@BOTH
async def test_an_arm_that_the_server_does_not_know_is_told_which_there_are(
    servers: Any, farm: Any, kind: str
) -> None:
    found = await listed(endpoint(servers[kind]), "production")
    wrong = SeriesRef("http_requests_total", {"track": "production"})
    assert missing(wrong, found) == (
        'http_requests_total has no track="production" (there is: canary, stable)'
    )


async def test_a_server_that_is_gone_lists_nothing() -> None:
    gone = EndpointSpec("app", prometheus="http://127.0.0.1:1", arm_label="track")
    with pytest.raises(Unlisted, match="connection refused"):
        await listed(gone, "stable")


@BOTH
async def test_counters_at_a_server_are_surveyed_like_a_page(
    servers: Any, farm: Any, make_service: Callable[..., ServiceSpec], kind: str
) -> None:
    service = make_service(endpoint(servers[kind]))
    metrics = opened(service)
    scrapes: list[Scrape] = []
    deadline = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            farm.stable.add(good=40, bad=1)
            scrapes.append(await metrics.look(time.time()))
            errors = survey(service, scrapes)[0]
            if errors.stable.requests >= 100 and errors.stable.events >= 2:
                break
            await asyncio.sleep(0.3)
    finally:
        await metrics.close()
    assert errors.stable.trouble == ""
    assert errors.stable.instances == 1
    assert 0 < errors.stable.events < errors.stable.requests
    found = prospects(service, survey(service, scrapes), None)
    assert found[0].rate > 0
    assert found[0].problems == ()
