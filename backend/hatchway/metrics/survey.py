"""What several scrapes of a service say of each metric on each arm, before anything is judged."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from hatchway.core.plan import MetricSpec, ServiceSpec

from .increments import Increment, Source, matching
from .port import Page, Scrape

STALE = "stale"
"""How it begins when a server has not scraped again since the last look, which is no trouble."""


class Arm(Struct, frozen=True):
    """One metric on one arm.

    Requests, events and buckets are those `seconds` long while it was looked at; `ever` is the
    same since the instances started. `levels` are the newest of a gauge, state or series, by
    instance. With `trouble`, in words, there was nothing to read at the end.
    """

    seconds: float = 0.0
    requests: int = 0
    events: int = 0
    ever: tuple[int, int] = (0, 0)
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    ever_buckets: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    instances: int = 0
    counted: bool = True  # whether the series of the events is there (it may come with the first)
    trouble: str = ""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Surveyed(Struct, frozen=True):
    """A metric on both arms."""

    spec: MetricSpec
    stable: Arm
    canary: Arm


def survey(service: ServiceSpec, scrapes: Sequence[Scrape]) -> tuple[Surveyed, ...]:
    """Every metric of the service, from scrapes in order of time (two at least, for counters)."""
    source = Source(service)
    return tuple(
        Surveyed(
            spec,
            _arm(source, spec, "stable", scrapes),
            _arm(source, spec, "canary", scrapes),
        )
        for spec in service.metrics
    )


def _arm(source: Source, spec: MetricSpec, arm: str, scrapes: Sequence[Scrape]) -> Arm:
    query = spec.name if spec.kind == "series" else ""
    base: dict[str, Page] = {}
    seen, before = Arm(trouble="nothing was read"), 0.0
    for scrape in scrapes:
        pages = source.pages(scrape, spec.source, arm, query)
        got = source.increment(spec, arm, base, pages)
        good = {page.url: page for page in pages if not page.trouble}
        if isinstance(got, str):
            first = not base and good and spec.kind in ("counts", "latency")
            waits = seen.seconds > 0 and got.startswith(STALE)
            seen = structs.replace(seen, trouble="" if first or waits else got)
            if not base:
                before = scrape.at
        else:
            seen = _added(seen, got, scrape.at - before)
            before = scrape.at
        base |= good
    if spec.kind in ("counts", "latency") and base and not seen.trouble:
        seen = _ever(source, spec, arm, base, seen)
    return structs.replace(seen, instances=len(base))


def _added(seen: Arm, got: Increment, seconds: float) -> Arm:
    if got.bounds and got.bounds == seen.bounds:
        buckets = tuple(a + b for a, b in zip(seen.buckets, got.buckets, strict=True))
    else:
        buckets = got.buckets
    return structs.replace(
        seen,
        seconds=seen.seconds + seconds,
        requests=seen.requests + got.requests,
        events=seen.events + got.events,
        bounds=got.bounds,
        buckets=buckets,
        levels=got.levels,
        trouble="",
    )


def _ever(source: Source, spec: MetricSpec, arm: str, last: dict[str, Page], seen: Arm) -> Arm:
    """Adds what the counters have held since the instances started."""
    zero = {
        url: structs.replace(page, values=dict.fromkeys(page.values, 0.0), stamps={})
        for url, page in last.items()
    }
    whole = source.increment(spec, arm, zero, last.values())
    if isinstance(whole, str):
        return structs.replace(seen, trouble=whole)
    events = source.narrowed(spec.events, spec.source, arm) if spec.events else None
    return structs.replace(
        seen,
        ever=(whole.requests, whole.events),
        bounds=whole.bounds,
        ever_buckets=whole.buckets,
        counted=not events or any(matching(events, page.values) for page in last.values()),
    )
