"""Quantiles read from the buckets of a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def quantile(bounds: Sequence[float], counts: Sequence[float], q: float) -> float | None:
    """The q-quantile by interpolation inside its bucket; None without any count.

    `counts` are per bucket (not cumulative), one more than `bounds`. No finer than the buckets;
    what lies above the last bound is shown as the last bound.
    """
    index = bucket_of(counts, q)
    if index is None or not bounds:
        return None
    if index >= len(bounds):
        return bounds[-1]
    low = bounds[index - 1] if index else min(0.0, bounds[0])
    below = sum(counts[:index])
    share = (q * sum(counts) - below) / counts[index]
    return low + (bounds[index] - low) * min(1.0, max(0.0, share))


def bucket_of(counts: Sequence[float], q: float) -> int | None:
    """The index of the bucket that holds the q-quantile; None without any count."""
    whole = sum(counts)
    if whole <= 0:
        return None
    seen = 0.0
    for index, count in enumerate(counts):
        seen += count
        if count > 0 and seen >= q * whole:
            return index
    return max(i for i, count in enumerate(counts) if count > 0)


def bound_above(bounds: Sequence[float], counts: Sequence[float], q: float) -> float:
    """The upper bound of the bucket that holds the q-quantile; infinite above the last bound."""
    index = bucket_of(counts, q)
    return inf if index is None or index >= len(bounds) else bounds[index]
