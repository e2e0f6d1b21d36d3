"""What one second of traffic adds to the evidence on average, by the judge's own formulas.

The bets themselves are asked, on every outcome that a look can have, weighted by its chance: no
second formula has to be kept true to the first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, pairwise
from math import comb, exp, floor, log, sqrt

from msgspec import Struct

from . import counts, latency
from .wealth import BURST_NATS

Shares = tuple[float, ...]
"""How requests spread over latency buckets: shares that add up to 1, one more than bounds."""

_FEW = 6.0  # expected events of an arm in a look; above, three points stand for their spread
_MANY = 1_000_000  # requests a distribution is scaled to where only proportions matter


class Traffic(Struct, frozen=True):
    """Requests a second on both arms together, and the canary's part of them (0 to 1)."""

    rate: float
    weight: float
    look_s: float = 1.0

    def of_look(self) -> tuple[int, int, float]:
        """Requests on canary and stable in a typical look that has some on both, and its seconds."""
        small = min(self.weight, 1.0 - self.weight)
        few = max(1, round(self.rate * self.look_s * small))
        many = max(1, round(few * (1.0 - small) / small))
        canary, stable = (few, many) if self.weight <= 0.5 else (many, few)
        return canary, stable, (canary + stable) / self.rate


def events_worse(
    traffic: Traffic,
    chances: tuple[float, float],
    ratio: float,
    tilts: tuple[float, ...],
    phi: float,
    *,
    down: bool = False,
) -> tuple[float, ...]:
    """Nats a second of each tilt against "no worse than `ratio`" (see `counts.at_most`).

    `chances` are those of an event, on canary and stable. `down`: fewer events are worse.
    """
    return _events(traffic, chances, ratio, tilts, phi, above=True, down=down)


def events_healthy(
    traffic: Traffic,
    chances: tuple[float, float],
    ratio: float,
    tilts: tuple[float, ...],
    phi: float,
    *,
    down: bool = False,
) -> tuple[float, ...]:
    """The same against "worse than `ratio` at least" (see `counts.at_least`)."""
    return _events(traffic, chances, ratio, tilts, phi, above=False, down=down)


def shift(
    traffic: Traffic,
    bounds: tuple[float, ...],
    canary: Shares,
    stable: Shares,
    tolerance: float,
    phi: float,
) -> tuple[float, ...]:
    """Nats a second of each tilt against "slower by `tolerance` at most" (`latency.shift_gains`)."""
    at_canary = scaled(canary, traffic.weight)
    at_stable = scaled(stable, 1.0 - traffic.weight)
    gains = latency.shift_gains(bounds, at_canary, at_stable, scaled(stable), tolerance, phi)
    if gains is None:
        return (0.0,) * len(latency.SHIFT_TILTS)
    seconds = (sum(at_canary) + sum(at_stable)) / traffic.rate
    return tuple(min(gain / seconds, BURST_NATS) for gain in gains)


def scaled(shares: Shares, part: float = 1.0) -> tuple[int, ...]:
    """The distribution as whole requests, so many that only its shape matters."""
    return tuple(round(share * part * _MANY) for share in shares)


def slowed(bounds: tuple[float, ...], shares: Shares, factor: float) -> Shares:
    """The distribution after every request took `factor` times as long.

    Between bounds the share of slower requests falls evenly on the logarithmic scale (below the
    middle of the distribution, the share of faster ones rises so): requests crowd at the side of a
    bucket that is nearer to the middle. The first bucket is taken to begin at half its bound and
    the last to end at twice its own, as the judge takes their middles.
    """
    step = log(factor)
    inner = [log(max(bound, 1e-9)) for bound in bounds]
    edges = [inner[0] - log(2.0), *inner, inner[-1] + log(2.0)]
    below = [0.0, *accumulate(shares)]
    reached = [_below(edges, below, edge - step) for edge in inner]
    return tuple(b - a for a, b in pairwise([0.0, *reached, below[-1]]))


def _below(edges: list[float], below: list[float], x: float) -> float:
    """The share of requests below `x` (all logarithms), from the shares below each edge."""
    index = bisect_right(edges, x)
    if index == 0:
        return 0.0
    if index == len(edges):
        return below[-1]
    low, high = below[index - 1], below[index]
    part = (x - edges[index - 1]) / max(edges[index] - edges[index - 1], 1e-9)
    slow, fast = below[-1] - low, below[-1] - high
    if low + high >= below[-1] and fast > 1e-12:
        return below[-1] - _between(slow, fast, part)
    if low + high < below[-1] and low > 1e-12:
        return _between(low, high, part)
    return low + (high - low) * part


def _between(a: float, b: float, part: float) -> float:
    """The geometric mean of two shares, `part` of the way to `b`."""
    return exp((1.0 - part) * log(a) + part * log(b))


def _events(
    traffic: Traffic,
    chances: tuple[float, float],
    ratio: float,
    tilts: tuple[float, ...],
    phi: float,
    *,
    above: bool,
    down: bool,
) -> tuple[float, ...]:
    n_c, n_s, seconds = traffic.of_look()
    cap = BURST_NATS * max(1.0, seconds)
    stratum_of = counts.at_most if above else counts.at_least
    whole = [0.0] * len(tilts)
    others = _outcomes(n_s, chances[1])
    for k, chance in _outcomes(n_c, chances[0]):
        for m, chance_m in others:
            canary, stable = (n_c, k), (n_s, m)
            suspect, other = (stable, canary) if down else (canary, stable)
            stratum = stratum_of(ratio, suspect, other)
            if stratum is None:
                continue
            for index, gain in enumerate(counts.gains(stratum, tilts, phi)):
                whole[index] += chance * chance_m * min(gain, cap)
    return tuple(gain / seconds for gain in whole)


def _outcomes(n: int, p: float) -> list[tuple[int, float]]:
    """How many of `n` requests are events, with what chance; the mean is exactly `n p`."""
    mean = n * p
    if mean > _FEW:
        sd = sqrt(mean * (1.0 - p))
        points = ((-sqrt(3.0), 1 / 6), (0.0, 2 / 3), (sqrt(3.0), 1 / 6))
        return list(_whole(((mean + z * sd, chance) for z, chance in points), n))
    found, left = [], 1.0
    for k in range(n + 1):
        chance = comb(n, k) * p**k * exp((n - k) * log(1.0 - p)) if p < 1.0 else float(k == n)
        found.append((k, chance))
        left -= chance
        if k > mean and left < 1e-7:
            break
    return found


def _whole(points: Iterable[tuple[float, float]], n: int) -> Iterable[tuple[int, float]]:
    """Points between two whole numbers are shared out to both, so that the mean stays."""
    for point, chance in points:
        x = min(float(n), max(0.0, point))
        low = floor(x)
        yield low, chance * (1.0 - (x - low))
        if low < n:
            yield low + 1, chance * (x - low)
