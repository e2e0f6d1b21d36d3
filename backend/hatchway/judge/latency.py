"""Latency on buckets: a shift of the whole distribution, and its tail.

The shift: standardised log-latencies, and Hoeffding's theorem 4 (1963) for sampling without
replacement from what both arms had in the look, so that a common cause cancels. The tail:
requests slower than a quantile of stable are events, judged like errors.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import exp, log, sqrt

from .quantile import bucket_of

SHIFT_TILTS = (0.15, 0.4, 1.0)
TAILS = ((0.95, (1.5, 3.0)), (0.99, (2.0, 6.0)), (0.999, (5.0, 30.0)))
TAIL_SHARE = (0.15, 0.2, 0.25)  # of the wealth; the shift has the rest
SHIFT_SHARE = 0.4
CLIP = 4.0
NARROW = 0.95  # of stable's requests in one bucket: then nobody knows how far from its edge
ENOUGH = 100  # requests of stable before its middle and spread are known

Buckets = tuple[int, ...]


@lru_cache(maxsize=64)
def middles(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """ln of the geometric middle of each bucket, the one above the last bound included."""
    edges = [max(bound, 1e-9) for bound in bounds]
    inner = (0.5 * (log(low) + log(high)) for low, high in pairwise(edges))
    return (log(edges[0]) - 0.35, *inner, log(edges[-1]) + 0.35)


def shift_gains(
    bounds: tuple[float, ...],
    canary: Buckets,
    stable: Buckets,
    known: Buckets,
    tolerance: float,
    phi: float,
) -> tuple[float, ...] | None:
    """ln e of each tilt against "the canary is slower by at most `tolerance`" (0.2: 20 %).

    `known` is what stable had before this look; None when that is too little, or an arm is empty.
    """
    n, m = sum(canary), sum(stable)
    scale = _scale(bounds, known)
    if scale is None or n == 0 or m == 0:
        return None
    mids, mean, spread = scale
    allowed = log(1.0 + tolerance)
    at_canary = [
        (count, _clip((x - mean) / spread)) for x, count in zip(mids, canary, strict=True) if count
    ]
    at_stable = [
        (count, _clip((x + allowed - mean) / spread))
        for x, count in zip(mids, stable, strict=True)
        if count
    ]
    moved = sum([count * z for count, z in at_canary])
    pairs = at_canary + at_stable
    gains = []
    for tilt in SHIFT_TILTS:
        pooled = sum([count * exp(tilt * z) for count, z in pairs])
        gains.append((tilt * moved - n * log(pooled / (n + m))) / phi)
    return tuple(gains)


def tail_bucket(known: Buckets, q: float) -> int | None:
    """The last bucket that is not slow: slower ones lie beyond stable's q-quantile.

    None when stable had too few requests to know, or when no bucket is left above.
    """
    if sum(known) * (1.0 - q) < 5:
        return None
    index = bucket_of(known, q)
    return None if index is None or index >= len(known) - 1 else index


def slower(counts: Buckets, index: int) -> tuple[int, int]:
    """Requests, and those of them above bucket `index`."""
    return sum(counts), sum(counts[index + 1 :])


def next_bucket(known: Buckets, seen: Buckets) -> int | None:
    """The bucket that has nearly all of stable, when the canary is in it or in the next one.

    Then how much slower the canary is cannot be told: from 99 to 101 ms is enough to move from one
    bucket to the next, and that is no harm. None in all other cases.
    """
    n, m = sum(known), sum(seen)
    if n < ENOUGH or not m or len(known) != len(seen):
        return None
    index = max(range(len(known)), key=known.__getitem__)
    if known[index] < NARROW * n or index + 2 >= len(known):
        return None
    return index if sum(seen[index + 2 :]) <= (1.0 - NARROW) * m else None


def _scale(
    bounds: tuple[float, ...], known: Buckets
) -> tuple[tuple[float, ...], float, float] | None:
    n = sum(known)
    if n < ENOUGH or not bounds:
        return None
    mids = middles(bounds)
    mean = sum([count * x for x, count in zip(mids, known, strict=True) if count]) / n
    square = sum([count * (x - mean) ** 2 for x, count in zip(mids, known, strict=True) if count])
    # All in one bucket says the buckets are wide, not that the latency is constant.
    return mids, mean, max(sqrt(square / n), 0.25)


def _clip(z: float) -> float:
    return max(-CLIP, min(CLIP, z))
