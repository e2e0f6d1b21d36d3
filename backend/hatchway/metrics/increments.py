"""What one metric did on one arm between two scrapes, instance by instance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec
from hatchway.judge.look import STALE

from .histogram import grown, slots
from .port import NO_SERIES, Page, Scrape, SeriesKey

Base = Mapping[str, Page]  # by address: the last good page that was counted
Pair = tuple[Page, Page]  # an instance then and now

FEW = 10.0
"""So much, or as much as the rest of its metric grew, is believed of a series that is new."""


class Increment(Struct, frozen=True):
    """Requests and events, or requests by latency bucket, or levels, since the base.

    `pods` and `pod_buckets` have the same by instance; `parts` by the value of the label that the
    metric is scanned by, with the requests since the instances started behind them.
    """

    requests: int = 0
    events: int = 0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    pods: dict[str, tuple[int, int]] = {}
    pod_buckets: dict[str, tuple[int, ...]] = {}
    parts: dict[str, tuple[int, int, float]] = {}


def arm_values(service: ServiceSpec, endpoint: EndpointSpec) -> dict[str, str]:
    """The value of the arm's label for each arm: the target's names unless others are given."""
    return {"stable": service.target.stable, "canary": service.target.canary} | endpoint.arms


class Source:
    """Which pages and which label value belong to an arm of a service."""

    def __init__(self, service: ServiceSpec) -> None:
        self.service = service
        self._labels = {endpoint.name: endpoint.arm_label for endpoint in service.endpoints}
        self._values = {
            endpoint.name: arm_values(service, endpoint) for endpoint in service.endpoints
        }

    def pages(self, scrape: Scrape, endpoint: str, arm: str, query: str = "") -> list[Page]:
        """The pages of a scrape that speak of this arm (or answer this metric's query for it)."""
        return [
            page
            for page in scrape.pages
            if page.endpoint == endpoint and page.arm in (arm, "") and page.query == query
        ]

    def narrowed(self, ref: SeriesRef, endpoint: str, arm: str, name: str = "") -> SeriesRef:
        """The series of one arm: on a shared page the arm's label is part of the question."""
        labels = dict(ref.labels)
        if self._labels.get(endpoint):
            labels[self._labels[endpoint]] = self._values[endpoint][arm]
        plus = tuple(self.narrowed(other, endpoint, arm) for other in ref.plus)
        return SeriesRef(name or ref.name, labels, plus)

    def increment(
        self, spec: MetricSpec, arm: str, base: Base, pages: Iterable[Page]
    ) -> Increment | str:
        """The metric's increment on this arm, or why there is none, in words."""
        pages = list(pages)
        good = [page for page in pages if not page.trouble]
        if not good:
            return _why(pages)
        if spec.kind in ("gauge", "state"):
            ref = self.narrowed(spec.total, spec.source, arm)
            levels = tuple(
                page.values[key] for page in good for key in sorted(matching(ref, page.values))
            )
            return Increment(levels=levels) if levels else f"{NO_SERIES} {spec.total.name}"
        if spec.kind == "series":
            return Increment(levels=tuple(value for page in good for value in page.values.values()))
        pairs = [(base[page.url], page) for page in good if page.url in base]
        if not pairs:
            return "first scrape: counters need two"
        if all(stale(before, page) for before, page in pairs):
            return STALE
        if spec.kind == "latency":
            ref = self.narrowed(spec.total, spec.source, arm, f"{spec.total.name}_bucket")
            return _latency(ref, pairs)
        total = self.narrowed(spec.total, spec.source, arm)
        if not any(matching(total, page.values) for page in good):
            return f"{NO_SERIES} {spec.total.name}"
        events = self.narrowed(spec.events, spec.source, arm) if spec.events else None
        return _counts(total, events, pairs, spec.by)


def _why(pages: list[Page]) -> str:
    """Why no page of an arm could be read."""
    why = "; ".join(sorted({page.trouble for page in pages}))
    if all(page.trouble.startswith(NO_SERIES) for page in pages):
        return why or f"{NO_SERIES}: no endpoint"
    return f"scrape failed: {why}"


def matching(ref: SeriesRef, values: Collection[SeriesKey]) -> list[SeriesKey]:
    """The series that a reference means: its name, and every label that it names."""
    found = [key for other in ref.plus for key in matching(other, values)]
    for key in values:
        if key[0] != ref.name:
            continue
        labels = dict(key[1])
        for name, allowed in ref.labels.items():
            has = labels.get(name)
            if has != allowed if isinstance(allowed, str) else has not in allowed:
                break
        else:
            found.append(key)
    return found


def stale(before: Page, page: Page) -> bool:
    """Whether a page's samples are still those of before, by the times that they carry."""
    stamps = page.stamps
    return bool(stamps) and all(before.stamps.get(key) == stamps[key] for key in stamps)


def _counts(total: SeriesRef, events: SeriesRef | None, pairs: list[Pair], by: str) -> Increment:
    pods = {
        page.url: (_grown(total, before, page), _grown(events, before, page))
        for before, page in pairs
    }
    return Increment(
        requests=round(sum(requests for requests, _ in pods.values())),
        events=round(sum(events for _, events in pods.values())),
        pods={url: (round(requests), round(events)) for url, (requests, events) in pods.items()},
        parts=_parts(total, events, pairs, by) if by else {},
    )


def _grown(ref: SeriesRef | None, before: Page, page: Page) -> float:
    if ref is None:
        return 0.0
    return sum(_delta(before, page, key) for key in matching(ref, page.values))


def _delta(before: Page, page: Page, key: SeriesKey) -> float:
    """A counter that fell was reset: what it shows came since.

    A new series counts from zero where it was surely born since then, else it only sets a base.
    """
    old, new = before.values.get(key), page.values[key]
    if old is None:
        return new if _born(before, page, key[0]) else 0.0
    return new - old if new >= old else new


def _born(before: Page, page: Page, name: str) -> bool:
    """Whether the series of a metric that are new on a page began since the page before.

    A client makes an error's series with the first error. A canary has just started: were all its
    series to begin with a base, the first error of each route would be lost, and on stable none.
    Where series went away as well, or the new ones are too large for the time, they are older.
    """
    known = [key for key in before.values if key[0] == name]
    if not known or any(key not in page.values for key in known):
        return False
    new = sum(
        value for key, value in page.values.items() if key[0] == name and key not in before.values
    )
    return new <= max(FEW, sum(_delta(before, page, key) for key in known))


def _parts(
    total: SeriesRef, events: SeriesRef | None, pairs: list[Pair], by: str
) -> dict[str, tuple[int, int, float]]:
    sums: dict[str, list[float]] = {}  # requests, events, requests ever
    for before, page in pairs:
        for ref, place in ((total, 0), (events, 1)):
            for key in matching(ref, page.values) if ref else ():
                part = sums.setdefault(dict(key[1]).get(by, ""), [0.0, 0.0, 0.0])
                part[place] += _delta(before, page, key)
                if place == 0:
                    part[2] += page.values[key]
    sums.pop("", None)  # series without the label belong to no part
    return {part: (round(n), round(bad), ever) for part, (n, bad, ever) in sums.items()}


def _latency(ref: SeriesRef, pairs: list[Pair]) -> Increment | str:
    found = {page.url: grown(matching(ref, page.values), before, page) for before, page in pairs}
    shapes = {shape for shapes, _ in found.values() for shape in shapes}
    if not shapes:
        return f"{NO_SERIES} {ref.name}"
    if len(shapes) > 1:
        return "instances with different latency buckets"
    bounds = next(iter(shapes))
    if bounds[-1] != float("inf") or len(bounds) < 2:
        return "a histogram without finite buckets or without +Inf"
    whole: dict[float, float] = {}
    for _, sums in found.values():
        for bound, count in sums.items():
            whole[bound] = whole.get(bound, 0.0) + count
    buckets = slots(bounds, whole)
    return Increment(
        requests=sum(buckets),
        bounds=bounds[:-1],
        buckets=buckets,
        pod_buckets={url: slots(bounds, sums) for url, (_, sums) in found.items()},
    )
