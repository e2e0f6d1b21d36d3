"""A histogram of durations: counts by bound and a sum, plain numbers until they are told."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate


class Durations:
    """Durations in seconds. `bounds` rise; what is equal to a bound is counted below it."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """The counts up to each bound (as text, "+Inf" last), and the sum of all durations."""
        bounds = [*map(str, self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True)), self._sum
