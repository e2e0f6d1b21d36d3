"""Numbers about a service as a scenario says, in the form that real endpoints give them.

Counters grow by what the traffic and the levels come to, nothing by chance. Everything after that
is the real way of a number: increments, looks, the judge.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

import msgspec

from hatchway.core.plan import Attests, EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.metrics.exposition import Unreadable, parse, wanted
from hatchway.metrics.port import Page, Scrape, SeriesKey
from hatchway.rehearse.scenario import Feeds, Levels

BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, math.inf)
SPREAD = 0.5  # of the logarithm of a latency
P95 = 1.645
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of it are spread evenly: so each share of the requests is met without any chance."""

ENDPOINT = "app"
FLEET = "fleet"  # a page for each instance, with its version
ARMS = ("stable", "canary")

_REQUESTS: SeriesKey = ("requests_total", ())
_ERRORS: SeriesKey = ("errors_total", ())
_ORDERS: SeriesKey = ("orders_total", ())
_BUCKETS: tuple[SeriesKey, ...] = tuple(
    ("duration_seconds_bucket", (("le", "+Inf" if bound == math.inf else f"{bound:g}"),))
    for bound in BOUNDS
)
WARNINGS: SeriesKey = ("log_warnings", ())
UP: SeriesKey = ("dependency_up", (("dependency", "payments"),))

SERVICE_METRICS = (
    MetricSpec(
        name="errors",
        label="errors",
        kind="counts",
        source=ENDPOINT,
        total=SeriesRef("requests_total"),
        events=SeriesRef("errors_total"),
        shown_as="percent",
        limit=2.0,
        weight=4.0,
    ),
    MetricSpec(
        name="latency",
        label="latency p95",
        kind="latency",
        source=ENDPOINT,
        total=SeriesRef("duration_seconds"),
        shown_as="ms",
        limit=300.0,
        weight=3.0,
    ),
    MetricSpec(
        name="orders",
        label="orders",
        kind="counts",
        source=ENDPOINT,
        total=SeriesRef("requests_total"),
        events=SeriesRef("orders_total"),
        worse="down",
        excludes=2.0,
        shown_as="per_minute",
        weight=2.0,
    ),
    MetricSpec(
        name="warnings",
        label="warnings in the log",
        kind="gauge",
        source=ENDPOINT,
        total=SeriesRef("log_warnings"),
        shown_as="per_minute",
        limit=60.0,
    ),
    MetricSpec(
        name="payments",
        label="payments dependency",
        kind="state",
        source=ENDPOINT,
        total=SeriesRef("dependency_up", {"dependency": "payments"}),
        judged=False,
        shared=True,
    ),
)
"""What is watched of a rehearsed service: the same kinds of numbers as of a real one."""


def service_of(name: str, every_s: float, *, attests: bool) -> ServiceSpec:
    """The service that is rehearsed, under the name that the pipeline gives it.

    `attests`: its instances say which version they run.
    """
    endpoints = [EndpointSpec(ENDPOINT, stable=("stable",), canary=("canary",))]
    if attests:
        endpoints.append(EndpointSpec(FLEET, stable=("stable",), canary=("canary",)))
    return ServiceSpec(
        name=name,
        repo="repo",
        pipeline="pipeline.yaml",
        target=TargetSpec("haproxy", "rehearsed.sock"),
        endpoints=tuple(endpoints),
        attests=Attests(FLEET) if attests else None,
        metrics=SERVICE_METRICS,
        scrape_s=every_s,
    )


class RehearsedMetrics:
    """Passes for a source of scrapes (`metrics.port.Metrics`)."""

    def __init__(self, traffic: float, stable: Levels, canary: Levels) -> None:
        self.levels = {"stable": stable, "canary": canary}
        self.how: dict[str, Feeds] = {"stable": "ok", "canary": "ok"}
        self.instances: dict[str, dict[str, str]] = {"stable": {}, "canary": {}}
        self.share: Callable[[], int] = lambda: 0  # of the canary, in percent
        self._traffic = traffic
        self._at: float | None = None
        self._sums = {
            arm: dict.fromkeys((_REQUESTS, _ERRORS, _ORDERS, *_BUCKETS), 0.0) for arm in ARMS
        }
        self._due = {arm: dict.fromkeys((_REQUESTS, _ERRORS, _ORDERS), 0.0) for arm in ARMS}
        self._nth = dict.fromkeys(ARMS, 0)
        self._last: dict[str, Page] = {}
        self._names = wanted(SERVICE_METRICS)

    async def about(self) -> tuple[str, ...]:
        return ()

    async def close(self) -> None:
        pass

    async def look(self, now: float) -> Scrape:
        """What happened since the last look, and each arm's page as it arrives."""
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        canary = self.share() / 100.0
        for arm, share in (("stable", 1.0 - canary), ("canary", canary)):
            self._grow(arm, self._traffic * share * passed)
        fleet = [
            _instance(arm, name, version)
            for arm in ARMS
            for name, version in self.instances[arm].items()
        ]
        return Scrape(now, (*(self._page(arm, now) for arm in ARMS), *fleet))

    def _grow(self, arm: str, requests: float) -> None:
        """Whole requests, one by one: each is in one bucket, and is an error or an order or not."""
        due = self._due[arm]
        due[_REQUESTS] += requests
        sums, levels = self._sums[arm], self.levels[arm]
        shares = _shares(levels.p95_ms)
        whole = int(due[_REQUESTS] + 1e-9)
        due[_REQUESTS] -= whole
        for _ in range(whole):
            self._nth[arm] += 1
            sums[_BUCKETS[bisect_right(shares, self._nth[arm] * GOLDEN % 1.0)]] += 1.0
        sums[_REQUESTS] += whole
        for key, percent in ((_ERRORS, levels.errors), (_ORDERS, levels.orders)):
            due[key] += whole * percent / 100.0
            happened = int(due[key] + 1e-9)
            due[key] -= happened
            sums[key] += happened

    def _page(self, arm: str, now: float) -> Page:
        up = 1.0 if self.levels[arm].payments else 0.0
        values = _cumulative(self._sums[arm]) | {WARNINGS: self.levels[arm].warnings}
        page = Page(ENDPOINT, arm, arm, {**values, UP: up})
        match self.how[arm]:
            case "refused":
                return Page(ENDPOINT, arm, arm, trouble="connection refused")
            case "absent":
                return msgspec.structs.replace(page, values={UP: up})
            case "zero":
                return msgspec.structs.replace(page, values={**dict.fromkeys(values, 0.0), UP: up})
            case "frozen":
                last = self._last.setdefault(arm, _stamped(page, now))
                return msgspec.structs.replace(page, values=last.values, stamps=last.stamps)
            case "nan":
                return self._read(arm, "".join(f"{_text(key)} NaN\n" for key in page.values))
            case "html":
                return self._read(arm, "<!doctype html><title>Sign in</title>\n")
            case "ok":
                return page

    def _read(self, arm: str, body: str) -> Page:
        """Through the real reader of pages: what it says of it is the point."""
        try:
            read = parse(body.encode(), "text/plain", self._names)
        except Unreadable as error:
            return Page(ENDPOINT, arm, arm, trouble=str(error))
        return Page(ENDPOINT, arm, arm, read.values, read.stamps, read.dropped)


def _instance(arm: str, name: str, version: str) -> Page:
    said: dict[SeriesKey, float] = {("build_info", (("version", version),)): 1.0} if version else {}
    return Page(FLEET, arm, f"{arm}#{name}", said)


def _shares(p95_ms: float) -> tuple[float, ...]:
    """The share of requests that take up to each bound but the last."""
    middle = math.log(p95_ms / 1000.0) - P95 * SPREAD
    width = SPREAD * math.sqrt(2.0)
    return tuple(0.5 * (1.0 + math.erf((math.log(b) - middle) / width)) for b in BOUNDS[:-1])


def _cumulative(sums: dict[SeriesKey, float]) -> dict[SeriesKey, float]:
    """As histograms are exposed: each bucket counts those below it too."""
    values, below = dict(sums), 0.0
    for key in _BUCKETS:
        below += sums[key]
        values[key] = below
    return values


def _stamped(page: Page, now: float) -> Page:
    return msgspec.structs.replace(page, stamps=dict.fromkeys(page.values, now))


def _text(key: SeriesKey) -> str:
    name, labels = key
    inside = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inside}}}" if inside else name
