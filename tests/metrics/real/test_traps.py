"""The traps of real metrics servers, each shown to be there, and not stepped into."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec
from hatchway.judge.look import Counts, Gauge, Look, Missing, Series
from hatchway.metrics.levels import Level, Levels, levels
from hatchway.metrics.port import Scrape
from hatchway.metrics.prometheus import PrometheusMetrics
from hatchway.metrics.window import Window, look

BOTH = pytest.mark.parametrize("kind", ["prometheus", "victoria-metrics"])
PATIENCE_S = 60.0


def series(name: str, query: str) -> MetricSpec:
    return MetricSpec(
        name=name, label=name, kind="series", source="app", total=SeriesRef(""), query=query
    )


def counted(seen: Look) -> bool:
    return isinstance(seen.samples["errors"], Counts)


class Reader:
    """Looks at a service through one adapter, as often as anybody asks."""

    def __init__(self, service: ServiceSpec, timeout_s: float = 20.0) -> None:
        self.service = service
        self.metrics = PrometheusMetrics(service, timeout_s=timeout_s)
        self.window, self.levels = Window(), Levels()
        self.shown: dict[str, Level] = {}
        self.scrape = Scrape(0.0, ())

    async def look(self) -> Look:
        self.scrape = await self.metrics.look(time.time())
        self.levels, shown = levels(self.service, self.levels, self.scrape)
        self.shown = {level.name: level for level in shown}
        self.window, seen = look(self.service, self.window, self.scrape, 5)
        return seen

    async def until(self, true: Callable[[Look], bool]) -> Look:
        """The first look that is so: on a busy machine a scrape may fail, and the next be fine."""
        async for seen in self.looks():
            if true(seen):
                return seen
        raise AssertionError

    async def looks(self) -> AsyncIterator[Look]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            yield await self.look()
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{self.scrape}")


@pytest.fixture
def reader(servers: Any, farm: Any, make_service: Callable[..., ServiceSpec]) -> Any:
    """A reader at a server of the kind, of the instances selected, with more metrics."""

    def make(
        kind: str, *more: MetricSpec, select: str = 'job="shop"', timeout_s: float = 20.0
    ) -> Reader:
        endpoint = EndpointSpec(
            "app", prometheus=servers[kind].url, arm_label="track", select=select
        )
        return Reader(make_service(endpoint, *more), timeout_s)

    return make


@BOTH
async def test_an_empty_vector_is_not_zero_percent(kind: str, reader: Any, servers: Any) -> None:
    query = 'sum(rate(http_requests_total{code="599",track="%s"}[5s]))'
    assert servers[kind].ask(query % "canary", nocache="1") == []
    at = reader(kind, series("never", query % "{arm}"))
    seen = await at.until(lambda seen: isinstance(seen.samples["never"], Series))
    assert seen.samples["never"] == Series(None, None)


@BOTH
async def test_the_string_nan_is_not_zero_percent(kind: str, reader: Any, servers: Any) -> None:
    idle = 'sum(rate(http_requests_total{path="/b",track="%s"}[9s]))'
    query = f"{idle} / {idle}"
    end = time.monotonic() + PATIENCE_S
    expected = ["NaN"] if kind == "prometheus" else []  # VictoriaMetrics leaves it out
    while True:  # a rate needs two samples
        answers = servers[kind].ask(query % ("canary", "canary"), nocache="1")
        if [answer["value"][1] for answer in answers] == expected:
            break
        assert time.monotonic() < end, answers
        await asyncio.sleep(0.1)
    raw = MetricSpec(
        name="raw", label="raw", kind="gauge", source="app", total=SeriesRef("no_number")
    )
    at = reader(kind, series("idle", query % ("{arm}", "{arm}")), raw)
    seen = await at.until(lambda seen: isinstance(seen.samples["idle"], Series))
    assert seen.samples["idle"] == Series(None, None)
    assert seen.samples["raw"] == Missing("no series no_number")
    assert isinstance(seen.samples["db"], Gauge)  # one value that is no number spoils no other


@BOTH
async def test_a_hung_target_still_yields_a_rate_and_is_called_down(
    kind: str, reader: Any, servers: Any, farm: Any
) -> None:
    rate = 'sum(rate(http_requests_total{code="200",path="/a",track="%s"}[40s]))'
    at = reader(kind, series("rate", rate % "{arm}"))
    await at.until(lambda seen: getattr(seen.samples["rate"], "canary", None) is not None)
    farm.canary.signal(signal.SIGSTOP)
    why = "scrape failed: up is 0: the server cannot scrape it"
    down = Missing(why, "canary")
    await at.until(lambda seen: seen.samples["rate"] == seen.samples["errors"] == down)
    assert servers[kind].ask(rate % "canary", nocache="1")  # the server goes on making it up
    assert f"canary: {why}" in at.shown["errors"].trouble


@BOTH
async def test_a_quantile_is_only_as_fine_as_its_buckets(
    kind: str, reader: Any, servers: Any, farm: Any
) -> None:
    """All requests take 51 ms. Both we and the server say 97.5 ms: only the bucket is true."""
    at = reader(kind)
    await at.until(counted)
    farm.canary.add(slow=1000)
    async for _ in at.looks():
        if at.shown["latency"].canary:
            break
    assert at.shown["latency"].canary == pytest.approx(97.5, abs=0.1)
    assert at.shown["latency"].text_canary == "between 50 and 100 ms"
    quantile = "histogram_quantile(0.95, sum by (le) (rate(%s[%s])))"
    which = 'http_request_duration_seconds_bucket{job="shop",track="canary"}'
    (answer,) = servers[kind].ask(quantile % (which, "20s"), nocache="1")
    assert float(answer["value"][1]) > 0.09


@BOTH
async def test_six_seconds_of_discovery_are_no_series_never_zero(
    kind: str, farm: Any, one_server: Any, make_service: Any
) -> None:
    options = ["-search.latencyOffset=0s"] if kind == "victoria-metrics" else []
    server = one_server(kind, farm.config(), *options)
    endpoint = EndpointSpec("app", prometheus=server.url, arm_label="track", select='job="shop"')
    at = Reader(make_service(endpoint))
    first = await at.look()
    (said,) = await at.metrics.about()  # and nothing of 30 s: this server hides none
    if first.samples["errors"] != Missing("first scrape: counters need two"):
        assert "no series" in first.samples["errors"].why
    if "no samples of these instances yet" not in said:
        assert "time between scrapes" in said
    async for seen in at.looks():
        if isinstance(seen.samples["errors"], Counts):
            break
        assert seen.samples["errors"].why.startswith(("no series", "first scrape", "stale"))


async def test_a_rate_over_one_second_is_empty_and_an_event_is_seen_at_once(
    reader: Any, servers: Any, farm: Any
) -> None:
    """At a scrape every second. We read raw samples: the first one after the event will do."""
    rate = 'rate(http_requests_total{job="pool",code="500"}[1s])'
    at = reader("prometheus", select='job="pool"')
    took = []
    for _ in range(3):
        await at.until(counted)
        farm.canary.add(bad=2)
        event = time.time()
        async for seen in at.looks():
            assert servers["prometheus"].ask(rate) == []
            sample = seen.samples["errors"]
            if isinstance(sample, Counts) and sample.canary[1]:
                assert sample.canary == (2, 2)
                break
        (canary,) = [page for page in at.scrape.pages if page.arm == "canary"]
        took.append(max(canary.stamps.values()) - event)
    assert min(took) < 2.5  # the machine may be busy, not three times


async def test_the_thirty_seconds_that_victoriametrics_hides_are_said(
    reader: Any, servers: Any
) -> None:
    at = reader("victoria-metrics")
    plain, exact = (servers["victoria-metrics"].ask("time()", **more)[0]["value"][1]
                    for more in ({}, {"nocache": "1"}))  # fmt: skip
    assert float(exact) - float(plain) > 25
    of_samples, of_hiding = await at.metrics.about()
    assert "scrapes 2 instances, time between scrapes: 0.5 s" in of_samples
    assert of_hiding.startswith("this server hides the newest 30 s from queries: start it with -s")
    assert "not so the raw samples that are read here" in of_hiding


async def test_prometheus_hides_nothing_and_nothing_is_said(reader: Any) -> None:
    (said,) = await reader("prometheus").metrics.about()
    assert "scrapes 2 instances, time between scrapes: 0.5 s" in said
    assert "older than 5 s counts as no data" in said


@BOTH
async def test_what_two_jobs_scrape_is_counted_once(kind: str, reader: Any, farm: Any) -> None:
    at = reader(kind, select='job=~"shop|pool"')
    await at.until(counted)
    farm.canary.add(good=10)
    twice = ["the same instance as job=pool: counted once"] * 2
    requests, looks_after = 0, 0
    async for seen in at.looks():
        sample = seen.samples["errors"]
        requests += sample.canary[0] if isinstance(sample, Counts) else 0
        looks_after += requests > 0
        said = [page.trouble for page in at.scrape.pages if page.trouble]
        if looks_after > 20 and said == twice:
            break
    assert requests == 10


@BOTH
async def test_stable_is_seen_by_instance_and_by_part(kind: str, reader: Any, farm: Any) -> None:
    at = reader(kind, select='job="pool"')
    await at.until(counted)
    farm.stable.add(good=5, bad=1, fast=5)
    farm.second.add(good=7)
    pods: dict[str, int] = {}
    parts: dict[str, int] = {}
    async for seen in at.looks():
        sample = seen.samples["errors"]
        if isinstance(sample, Counts):
            assert sum(n for n, _ in sample.pods.values()) == sample.stable[0]
            for pod, (n, _) in sample.pods.items():
                pods[pod] = pods.get(pod, 0) + n
            for part, (_, (n, _)) in sample.parts.items():
                parts[part] = parts.get(part, 0) + n
        if sum(pods.values()) == 13:
            break
    url = at.service.endpoints[0].prometheus
    assert pods == {
        f"{url}#stable/{farm.stable.instance}": 6,
        f"{url}#stable/{farm.second.instance}": 7,
    }
    assert parts == {"/a": 13, "/b": 0}


@BOTH
async def test_a_refused_query_is_told_in_the_servers_words(kind: str, reader: Any) -> None:
    at = reader(
        kind,
        series("wrong", 'sum(rate(http_requests_total{track="{arm}"}[5s])'),
        series("many", 'http_requests_total{job="shop",track="{arm}"}'),
    )
    seen = await at.until(lambda seen: "HTTP 4" in getattr(seen.samples["wrong"], "why", ""))
    said = "HTTP 400, bad_data: " if kind == "prometheus" else "HTTP 422, 422: "
    assert said in seen.samples["wrong"].why
    assert "3 series for one arm, it must give one number" in seen.samples["many"].why
    await at.until(counted)  # a wrong query spoils nothing else


@BOTH
async def test_a_server_that_hangs_is_missing_and_made_up_for(
    kind: str, reader: Any, servers: Any, farm: Any
) -> None:
    at = reader(kind, timeout_s=0.9)
    await at.until(counted)
    process = servers[kind].process
    process.send_signal(signal.SIGSTOP)
    try:
        farm.canary.add(good=9)
        farm.stable.add(good=20)
        seen = await at.look()
        assert seen.samples["errors"] == Missing("scrape failed: no whole answer within 0.9 s")
    finally:
        process.send_signal(signal.SIGCONT)
    requests = [0, 0]
    async for seen in at.looks():
        sample = seen.samples["errors"]
        if isinstance(sample, Counts):
            requests = [requests[0] + sample.canary[0], requests[1] + sample.stable[0]]
        if requests == [9, 20]:
            break
