"""Scraping: every way in which an endpoint fails has its own words, and none takes long."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from hatchway.metrics.port import Metrics, Scrape
from hatchway.metrics.scrape import ScrapeMetrics

Page = Callable[..., str]


async def scrape_one(serve: Any, make_service: Any, **lie: Any) -> tuple[Scrape, Any]:
    endpoint = await serve(**lie)
    service = make_service(stable=(endpoint.url,), canary=(), edge="")
    metrics: Metrics = ScrapeMetrics(service, timeout_s=1.0)
    scrape = await metrics.look(1000.0)
    await metrics.close()
    return scrape, endpoint


async def test_a_page_is_cut_to_the_series_that_are_asked_for(
    serve: Any, make_service: Any, app_page: Page
) -> None:
    body = app_page(fast=10, slow=2, orders=3) + 'other_total{a="b"} 7\n'
    scrape, endpoint = await scrape_one(serve, make_service, body=body)
    (page,) = scrape.pages
    assert (scrape.at, page.endpoint, page.arm, page.url) == (1000, "app", "stable", endpoint.url)
    assert page.trouble == ""
    assert page.values["shop_orders_total", ()] == 3
    assert page.values["http_request_duration_seconds_bucket", (("le", "0.1"),)] == 10
    assert page.values["shop_dependency_up", (("dependency", "payments"),)] == 1
    assert not any(name == "other_total" for name, _ in page.values)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"how": "hang"}, "no whole answer within 1 s"),
        ({"how": "drip"}, "no whole answer within 1 s"),
        ({"how": "half", "body": "shop_orders_total 3\n"}, "the answer broke off"),
        ({"how": "silent"}, "the answer broke off"),
        ({"how": "garbage"}, "not an HTTP answer"),
        ({"how": "flood"}, "more than 4 MB"),
        ({"how": "login"}, "a web page instead of metrics"),
        ({"body": "<html>hello</html>"}, "a web page instead of metrics"),
        ({"body": '{"ok": true}\n'}, "JSON instead of metrics"),
        ({"how": "unavailable"}, "HTTP 503"),
        ({"how": "moved"}, "HTTP 302"),
        ({"body": "shop_orders_total 3\nshop_ord"}, "breaks off in the middle of a line"),
        (
            {"body": "shop_orders_total 3\n", "content_type": "application/openmetrics-text"},
            "breaks off before its end",
        ),
        ({"body": 'shop_orders_total{a="b 3\n'}, "a line is not a metric"),
        ({"body": "shop_orders_total three\n"}, "a line is not a metric"),
        ({"body": f"shop_orders_total {'9' * 400}\n"}, "a line is not a metric"),
        (
            {"body": "shop_orders_total NaN\nhttp_requests_total 4\n"},
            "1 of 2 values are not numbers",
        ),
        (
            {"body": "".join(f'http_requests_total{{u="{i}"}} 1\n' for i in range(3000))},
            "3000 matching series, more than 2000",
        ),
    ],
)
async def test_each_lie_has_its_own_words(
    lie: dict[str, str], said: str, serve: Any, make_service: Any
) -> None:
    scrape, _ = await scrape_one(serve, make_service, **lie)
    (page,) = scrape.pages
    assert said in page.trouble
    assert page.values == {}


async def test_a_refused_connection_is_called_that(make_service: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        service = make_service(stable=(f"http://127.0.0.1:{port}/metrics",), canary=(), edge="")
        scrape = await ScrapeMetrics(service).look(1.0)
    assert scrape.pages[0].trouble == "connection refused"


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x/", "http://", "http://127.0.0.1:99999/", "http://[/", "http://127.0.0.1/a b"],
)
async def test_an_address_that_is_none_is_trouble_not_an_error(url: str, make_service: Any) -> None:
    scrape = await ScrapeMetrics(make_service(stable=(url,), canary=(), edge="")).look(1.0)
    assert scrape.pages[0].trouble


async def test_a_chunked_openmetrics_page_is_read(serve: Any, make_service: Any) -> None:
    body = (
        'shop_orders_total 3.0 # {trace="a"} 0.5\nhttp_requests_total{code="200"} 8 1700.5\n# EOF\n'
    )
    scrape, _ = await scrape_one(
        serve, make_service, body=body, how="chunked", content_type="application/openmetrics-text"
    )
    (page,) = scrape.pages
    assert page.trouble == ""
    assert page.values["shop_orders_total", ()] == 3


async def test_labels_may_hold_anything(serve: Any, make_service: Any) -> None:
    body = 'http_requests_total{path="/a}b, \\"c\\" {d=\\"e\\"} 5",code="200"} 8\n'
    scrape, _ = await scrape_one(serve, make_service, body=body)
    ((_, labels),) = scrape.pages[0].values
    assert dict(labels)["path"] == '/a}b, "c" {d="e"} 5'


async def test_one_hanging_instance_does_not_delay_the_others(
    serve: Any, make_service: Any, app_page: Page, edge_page: Page
) -> None:
    good = [await serve(app_page(1)) for _ in range(3)]
    edge = await serve(edge_page((95, 1), (5, 0)))
    bad = [await serve(how="hang") for _ in range(5)]
    service = make_service(
        stable=tuple(endpoint.url for endpoint in (*good, *bad)), canary=(), edge=edge.url
    )
    began = time.monotonic()
    scrape = await ScrapeMetrics(service, timeout_s=1.0).look(1.0)
    assert time.monotonic() - began < 4  # in parallel: not 5 x 1 s
    assert sum(not page.trouble for page in scrape.pages) == 4


async def test_a_cancelled_look_leaves_nothing_behind(serve: Any, make_service: Any) -> None:
    endpoint = await serve(how="hang")
    service = make_service(stable=(endpoint.url,), canary=(), edge="")
    before = len(asyncio.all_tasks())
    look = asyncio.create_task(ScrapeMetrics(service, timeout_s=60).look(1.0))
    async with asyncio.timeout(20):
        while not endpoint.asked:
            await asyncio.sleep(0.01)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    endpoint.stop_hanging()
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)
