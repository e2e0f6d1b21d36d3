"""From scrapes to looks: differences of counters that add up exactly, whatever goes missing.

A look needs both arms for the same interval. When one cannot be read, nothing is counted for
either and the next look covers both intervals, so no request is lost or counted twice.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.plan import MetricSpec, ServiceSpec
from hatchway.judge.look import Counts, Gauge, Latency, Look, Missing, Sample

from .increments import Increment, Source
from .port import Page, Scrape


class Window(Struct, frozen=True):
    """When the last look was, and the last page that was counted by endpoint and address."""

    at: float | None = None
    base: dict[str, dict[str, Page]] = {}


def look(service: ServiceSpec, window: Window, scrape: Scrape, weight: int) -> tuple[Window, Look]:
    """The window after a scrape, and what happened since the window before.

    `weight` is the canary's share in percent while the interval lasted. The first scrape only
    sets the base: all its counters are `Missing`.
    """
    source = Source(service)
    seconds = service.scrape_s if window.at is None else max(1e-3, scrape.at - window.at)
    samples: dict[str, Sample] = {}
    base = dict(window.base)
    for endpoint in service.endpoints:
        known = window.base.get(endpoint.name, {})
        for spec in service.metrics:
            if spec.source == endpoint.name:
                samples[spec.name] = _sample(source, spec, known, scrape)
        readable = all(
            any(not page.trouble for page in source.pages(scrape, endpoint.name, arm))
            for arm in ("stable", "canary")
        )
        fresh = {
            page.url: page
            for page in scrape.pages
            if page.endpoint == endpoint.name
            and not page.trouble
            and (readable or page.url not in known)
        }
        base[endpoint.name] = {**known, **fresh}
    for spec in service.metrics:
        samples.setdefault(spec.name, Missing(f"no series: no endpoint {spec.source}"))
    return Window(scrape.at, base), Look(
        t=scrape.at, seconds=seconds, weight=weight, samples=samples
    )


def _sample(source: Source, spec: MetricSpec, known: dict[str, Page], scrape: Scrape) -> Sample:
    stable, canary = (
        source.increment(spec, arm, known, source.pages(scrape, spec.source, arm))
        for arm in ("stable", "canary")
    )
    if spec.kind in ("gauge", "state"):
        if isinstance(stable, str) and isinstance(canary, str):
            return _missing(stable, canary)
        return Gauge(_levels(canary), _levels(stable))
    if isinstance(stable, str) or isinstance(canary, str):
        return _missing(stable, canary)
    if spec.kind == "latency":
        if stable.bounds != canary.bounds:
            return Missing("the arms have different latency buckets")
        return Latency(stable.bounds, canary.buckets, stable.buckets)
    return Counts((canary.requests, canary.events), (stable.requests, stable.events))


def _missing(stable: Increment | str, canary: Increment | str) -> Missing:
    if isinstance(stable, str) and isinstance(canary, str):
        return Missing(stable) if stable == canary else Missing(f"{stable}; canary: {canary}")
    if isinstance(canary, str):
        return Missing(canary, "canary")
    return Missing(stable if isinstance(stable, str) else "", "stable")


def _levels(increment: Increment | str) -> tuple[float, ...]:
    return () if isinstance(increment, str) else increment.levels
