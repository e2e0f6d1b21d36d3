"""How a histogram of one instance grew between two pages, bucket by bucket."""

from __future__ import annotations

from collections.abc import Iterable

from .port import Page, SeriesKey


def grown(
    keys: Iterable[SeriesKey], before: Page, page: Page
) -> tuple[set[tuple[float, ...]], dict[float, float]]:
    """The sets of upper bounds that are there, and the growth by upper bound (cumulative)."""
    sums: dict[float, float] = {}
    shapes: set[tuple[float, ...]] = set()
    for series in _by_labels(keys).values():
        shapes.add(tuple(sorted(series)))
        if any(key not in before.values for key in series.values()):
            continue  # a new series only sets a base
        # One bucket that fell: the whole histogram was reset, even where another one rose.
        reset = any(page.values[key] < before.values[key] for key in series.values())
        for bound, key in series.items():
            more = page.values[key] - (0.0 if reset else before.values[key])
            sums[bound] = sums.get(bound, 0.0) + more
    return shapes, sums


def slots(bounds: tuple[float, ...], sums: dict[float, float]) -> tuple[int, ...]:
    """Counts per bucket from cumulative ones; never negative."""
    counts, below = [], 0
    for bound in bounds:
        reached = max(below, round(sums.get(bound, 0.0)))
        counts.append(reached - below)
        below = reached
    return tuple(counts)


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
