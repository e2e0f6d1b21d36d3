"""What one metric did on one arm between two scrapes, instance by instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from msgspec import Struct

from hatchway.core.plan import MetricSpec, SeriesRef, ServiceSpec

from .port import Page, Scrape, SeriesKey

Base = Mapping[str, Page]  # by address: the last good page that was counted


class Increment(Struct, frozen=True):
    """Requests and events, or requests by latency bucket, or levels, since the base."""

    requests: int = 0
    events: int = 0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()


class Source:
    """Which pages and which label value belong to an arm of a service."""

    def __init__(self, service: ServiceSpec) -> None:
        self.service = service
        self._labels = {endpoint.name: endpoint.arm_label for endpoint in service.endpoints}
        self._values = {"stable": service.target.stable, "canary": service.target.canary}

    def pages(self, scrape: Scrape, endpoint: str, arm: str) -> list[Page]:
        """The pages of a scrape that speak of this arm."""
        return [
            page for page in scrape.pages if page.endpoint == endpoint and page.arm in (arm, "")
        ]

    def narrowed(self, ref: SeriesRef, endpoint: str, arm: str, name: str = "") -> SeriesRef:
        """The series of one arm: on a shared page the arm's label is part of the question."""
        labels = dict(ref.labels)
        if self._labels.get(endpoint):
            labels[self._labels[endpoint]] = self._values[arm]
        return SeriesRef(name or ref.name, labels)

    def increment(
        self, spec: MetricSpec, arm: str, base: Base, pages: Iterable[Page]
    ) -> Increment | str:
        """The metric's increment on this arm, or why there is none, in words."""
        pages = list(pages)
        good = [page for page in pages if not page.trouble]
        if not good:
            why = "; ".join(sorted({page.trouble for page in pages}))
            return f"scrape failed: {why}" if why else "no series: no endpoint"
        if spec.kind in ("gauge", "state"):
            ref = self.narrowed(spec.total, spec.source, arm)
            levels = tuple(page.values[key] for page in good for key in matching(ref, page.values))
            return Increment(levels=levels) if levels else f"no series {spec.total.name}"
        pairs = [(base[page.url], page) for page in good if page.url in base]
        if not pairs:
            return "first scrape: counters need two"
        if all(_stale(before, page) for before, page in pairs):
            return "stale: the sample times stand still"
        if spec.kind == "latency":
            ref = self.narrowed(spec.total, spec.source, arm, f"{spec.total.name}_bucket")
            return _histogram(ref, pairs)
        total = self.narrowed(spec.total, spec.source, arm)
        if not any(matching(total, page.values) for page in good):
            return f"no series {spec.total.name}"
        events = self.narrowed(spec.events, spec.source, arm) if spec.events else None
        return Increment(
            requests=round(sum(_delta(total, *pair) for pair in pairs)),
            events=round(sum(_delta(events, *pair) for pair in pairs)) if events else 0,
        )


def matching(ref: SeriesRef, values: Iterable[SeriesKey]) -> list[SeriesKey]:
    """The series that a reference means: its name, and every label that it names."""
    found = []
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


def _delta(ref: SeriesRef, before: Page, page: Page) -> float:
    """A counter that fell was reset: what it shows came since. A new series only sets a base."""
    whole = 0.0
    for key in matching(ref, page.values):
        old, new = before.values.get(key), page.values[key]
        if old is not None:
            whole += new - old if new >= old else new
    return whole


def _histogram(ref: SeriesRef, pairs: list[tuple[Page, Page]]) -> Increment | str:
    sums: dict[float, float] = {}
    shapes: set[tuple[float, ...]] = set()
    for before, page in pairs:
        for series in _by_labels(matching(ref, page.values)).values():
            shapes.add(tuple(sorted(series)))
            if any(key not in before.values for key in series.values()):
                continue  # a new series only sets a base
            reset = any(page.values[key] < before.values[key] for key in series.values())
            for bound, key in series.items():
                grown = page.values[key] - (0.0 if reset else before.values[key])
                sums[bound] = sums.get(bound, 0.0) + grown
    if not shapes:
        return f"no series {ref.name}"
    if len(shapes) > 1:
        return "instances with different latency buckets"
    bounds = next(iter(shapes))
    if bounds[-1] != inf or len(bounds) < 2:
        return "a histogram without finite buckets or without +Inf"
    counts, below = [], 0
    for bound in bounds:
        reached = max(below, round(sums.get(bound, 0.0)))
        counts.append(reached - below)
        below = reached
    return Increment(requests=below, bounds=bounds[:-1], buckets=tuple(counts))


def _by_labels(keys: Iterable[SeriesKey]) -> dict[SeriesKey, dict[float, SeriesKey]]:
    """Bucket series grouped into histograms, by upper bound."""
    grouped: dict[SeriesKey, dict[float, SeriesKey]] = {}
    for key in keys:
        name, labels = key
        rest = tuple(pair for pair in labels if pair[0] != "le")
        try:
            bound = float(dict(labels).get("le", ""))
        except ValueError:
            continue
        grouped.setdefault((name, rest), {})[bound] = key
    return grouped


def _stale(before: Page, page: Page) -> bool:
    stamps = page.stamps
    return bool(stamps) and all(before.stamps.get(key) == stamps[key] for key in stamps)
