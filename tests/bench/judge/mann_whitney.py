"""Is the canary's series High against stable's? The Mann-Whitney test with its confidence interval.

The interval for the shift of location are order statistics of all differences between a point of
the canary and one of stable; the estimate (Hodges-Lehmann) is their median.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Real = NDArray[np.float64]

CONFIDENCE = 0.98
TOLERANCE = 0.25
CRITICAL = float(norm.ppf(0.5 + CONFIDENCE / 2))
WORTH_A_LOOK = 1.2  # z below which not even the best correction for ties could be significant


def first_high(canary: Real, stable: Real) -> NDArray[np.int64]:
    """For each row the first point at which the canary is High; -1 for never. NaN: no point."""
    rows, points = canary.shape
    found = np.full(rows, -1)
    u = np.zeros(rows)
    for j in range(points):
        new_c, new_s = canary[:, j : j + 1], stable[:, j : j + 1]
        u += _wins(new_c, stable[:, : j + 1]) + _wins(canary[:, :j], new_s)
        n = (~np.isnan(canary[:, : j + 1])).sum(axis=1)
        m = (~np.isnan(stable[:, : j + 1])).sum(axis=1)
        spread = np.sqrt(np.maximum(1, n * m) * (n + m + 1) / 12)
        for i in np.flatnonzero((found < 0) & (u - n * m / 2 > WORTH_A_LOOK * spread)):
            if is_high(canary[i, : j + 1], stable[i, : j + 1]):
                found[i] = j
    return found


def is_high(canary: Real, stable: Real) -> bool:
    """Whether the interval's lower end lies above TOLERANCE of the estimate's size."""
    canary, stable = canary[~np.isnan(canary)], stable[~np.isnan(stable)]
    n, m = canary.size, stable.size
    if n == 0 or m == 0 or np.array_equal(canary, stable):
        return False
    both = n + m
    _, ties = np.unique(np.concatenate([canary, stable]), return_counts=True)
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (both * (both - 1))
    spread = np.sqrt(n * m / 12 * max(0.0, both + 1 - tied))
    rank = int(np.floor(n * m / 2 - CRITICAL * spread - 0.5))
    if rank < 0:
        return False
    differences = np.sort(np.subtract.outer(canary, stable).ravel())
    return bool(differences[rank] > TOLERANCE * abs(np.median(differences)))


def _wins(canary: Real, stable: Real) -> Real:
    """Pairs that the canary wins, a draw counting half."""
    return np.asarray(((canary > stable) + 0.5 * (canary == stable)).sum(axis=1))
