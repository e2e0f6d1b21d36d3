"""From scrapes to looks: differences of counters that add up exactly, whatever goes missing.

A look needs both arms for the same interval. When one cannot be read, nothing is counted for
either and the next look covers both intervals, so no request is lost or counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hatchway.core.plan import EndpointSpec, MetricSpec, ServiceSpec
from hatchway.judge.look import Counts, Gauge, Latency, Look, Missing, Sample, Series

from .increments import Base, Increment, Source, stale
from .port import Page, Scrape, SeriesKey

MOST_PARTS = 50
"""So many values of a label are looked at one by one, those with the most requests ever."""

SAME_FROM = 200.0
"""Two arms whose numbers are equal, look after look, and this large are one and the same."""


class Window(Struct, frozen=True):
    """When the last look was, and the last page that was counted by endpoint and address."""

    at: float | None = None
    base: dict[str, dict[str, Page]] = {}


def look(service: ServiceSpec, window: Window, scrape: Scrape, weight: int) -> tuple[Window, Look]:
    """The window after a scrape, and what happened since the window before.

    `weight` is the canary's share in percent while the interval lasted. The first scrape only
    sets the base: all its counters are `Missing`.
    """
    return _look(service, window, scrape, weight, ("stable", "canary"))


def before(service: ServiceSpec, window: Window, scrape: Scrape) -> tuple[Window, Look]:
    """The same before a rollout, when only stable counts: the canary may be down or not there.

    The canary's side of every sample is empty: no requests, no levels, no number.
    """
    return _look(service, window, scrape, 0, ("stable",))


def _look(
    service: ServiceSpec, window: Window, scrape: Scrape, weight: int, arms: tuple[str, ...]
) -> tuple[Window, Look]:
    source = Source(service)
    seconds = service.scrape_s if window.at is None else max(1e-3, scrape.at - window.at)
    samples: dict[str, Sample] = {}
    base = dict(window.base)
    for endpoint in service.endpoints:
        known = window.base.get(endpoint.name, {})
        same = len(arms) > 1 and _same(source, endpoint, known, scrape)
        for spec in service.metrics:
            if spec.source == endpoint.name:
                samples[spec.name] = SAME if same else _sample(source, spec, known, scrape, arms)
        counted = not same and all(
            _fresh(known, source.pages(scrape, endpoint.name, arm)) for arm in arms
        )
        base[endpoint.name] = _after(endpoint.name, known, scrape, counted)
    for spec in service.metrics:
        samples.setdefault(spec.name, Missing(f"no series: no endpoint {spec.source}"))
    return Window(scrape.at, base), Look(
        t=scrape.at, seconds=seconds, weight=weight, samples=samples
    )


def _after(endpoint: str, known: Base, scrape: Scrape, counted: bool) -> dict[str, Page]:
    """The base for the next look: the pages that were counted, and those that still wait for it."""
    pages = [page for page in scrape.pages if page.endpoint == endpoint and not page.query]
    good = {page.url: page for page in pages if not page.trouble}
    if not counted:
        return {**good, **known}
    listed = {page.url for page in pages}  # an instance that is gone for good is forgotten
    return {url: page for url, page in known.items() if url in listed} | good


SAME = Missing("both arms show the same numbers: one instance under two addresses?")


def _same(source: Source, endpoint: EndpointSpec, known: Base, scrape: Scrape) -> bool:
    """Whether stable and canary are one process, read twice.

    Then all their numbers are equal, were so at the base, and changed meanwhile. Two arms that
    did the same few things by chance are not meant.
    """
    stable, canary = (
        [page for page in source.pages(scrape, endpoint.name, arm) if page.values]
        for arm in ("stable", "canary")
    )
    if not stable or len(stable) != len(canary) or stable == canary:
        return False  # the last: one page for both arms, which a label tells apart
    changed, most = False, 0.0
    for one, other in zip(stable, canary, strict=True):
        then, others = known.get(one.url), known.get(other.url)
        if then is None or others is None:
            return False
        for first, second in ((one, other), (then, others)):
            if sum(first.values.values()) != sum(second.values.values()):
                return False  # soon found out, for the usual case
            if _bare(first, endpoint) != _bare(second, endpoint):
                return False
        changed |= one.values != then.values
        most = max(most, *one.values.values())
    return changed and most >= SAME_FROM


def _bare(page: Page, endpoint: EndpointSpec) -> dict[SeriesKey, float]:
    """A page's values without the labels that say where they are from."""
    place = (endpoint.arm_label, "instance", "job")
    return {
        (name, tuple(pair for pair in labels if pair[0] not in place)): value
        for (name, labels), value in page.values.items()
    }


def _fresh(known: Base, pages: Iterable[Page]) -> bool:
    """Whether an arm can be counted: something was read, and not all of it was read before."""
    return any(
        not page.trouble and (page.url not in known or not stale(known[page.url], page))
        for page in pages
    )


def _sample(
    source: Source, spec: MetricSpec, known: Base, scrape: Scrape, arms: tuple[str, ...]
) -> Sample:
    query = spec.name if spec.kind == "series" else ""
    stable = source.increment(
        spec, "stable", known, source.pages(scrape, spec.source, "stable", query)
    )
    canary: Increment | str = Increment()
    if "canary" in arms:
        canary = source.increment(
            spec, "canary", known, source.pages(scrape, spec.source, "canary", query)
        )
    elif isinstance(stable, Increment):
        canary = Increment(bounds=stable.bounds, buckets=(0,) * len(stable.buckets))
    else:
        return Missing(stable, "stable")
    if spec.kind in ("gauge", "state"):
        if isinstance(stable, str) and isinstance(canary, str):
            return _missing(stable, canary)
        return Gauge(_levels(canary), _levels(stable))
    if isinstance(stable, str) or isinstance(canary, str):
        return _missing(stable, canary)
    if spec.kind == "series":
        return Series(next(iter(canary.levels), None), next(iter(stable.levels), None))
    if spec.kind == "latency":
        if stable.bounds != canary.bounds:
            return Missing("the arms have different latency buckets")
        pod_buckets = stable.pod_buckets if len(stable.pod_buckets) > 1 else {}
        return Latency(stable.bounds, canary.buckets, stable.buckets, pod_buckets)
    return Counts(
        (canary.requests, canary.events),
        (stable.requests, stable.events),
        stable.pods if len(stable.pods) > 1 else {},
        _parts(canary, stable),
    )


def _parts(
    canary: Increment, stable: Increment
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    # By requests ever, not in this look: so that the same ones are looked at every time.
    def ever(part: str) -> tuple[float, str]:
        return -sum(arm.parts.get(part, (0, 0, 0.0))[2] for arm in (canary, stable)), part

    most = sorted({*canary.parts, *stable.parts}, key=ever)[:MOST_PARTS]
    none = (0, 0, 0.0)
    return {
        part: (canary.parts.get(part, none)[:2], stable.parts.get(part, none)[:2]) for part in most
    }


def _missing(stable: Increment | str, canary: Increment | str) -> Missing:
    if isinstance(stable, str) and isinstance(canary, str):
        return Missing(stable) if stable == canary else Missing(f"{stable}; canary: {canary}")
    if isinstance(canary, str):
        return Missing(canary, "canary")
    return Missing(stable if isinstance(stable, str) else "", "stable")


def _levels(increment: Increment | str) -> tuple[float, ...]:
    return () if isinstance(increment, str) else increment.levels
