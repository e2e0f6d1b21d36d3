"""Does the traffic really split as planned? A share that is off makes every comparison doubtful.

Each request falls to the canary with the planned share or it does not: evidence on the share, in
both directions, with a tolerance. It is evidence about now: what spoke for the planned share is
not saved up, and a split that is right again is believed again within some looks.
"""

from __future__ import annotations

from math import log, log1p

from msgspec import Struct

TOLERANCE = 1.2
"""Odds of the canary up to 20 % off the plan are not called a mismatch."""

MORE_TILTS = (1.3, 2.0)
LESS_TILTS = (0.77, 0.5)
PHI = 2.0  # requests of one connection or session go the same way: they are not one fact each
MISMATCH_AT = 100.0
_TOP = log(1000.0)


class Split(Struct, frozen=True, array_like=True):
    """Logarithms of the evidence for a larger and for a smaller share than planned, and what was
    seen lately (canary, stable), halved every half a minute."""

    more: tuple[float, ...] = (0.0, 0.0)
    less: tuple[float, ...] = (0.0, 0.0)
    seen: tuple[float, float] = (0.0, 0.0)


def observed(split: Split, canary: int, stable: int, weight: int, seconds: float) -> Split:
    """The evidence after a look; `weight` is the planned share in percent, 1 to 99."""
    n = canary + stable
    if n == 0 or not 0 < weight < 100:
        return split
    share = weight / 100.0
    high = TOLERANCE * share / (1.0 - share + TOLERANCE * share)
    low = share / (share + TOLERANCE * (1.0 - share))
    fade = 0.5 ** (seconds / 30.0)
    return Split(
        tuple(
            _after(x, tilt, canary, n, high) for x, tilt in zip(split.more, MORE_TILTS, strict=True)
        ),
        tuple(
            _after(x, tilt, canary, n, low) for x, tilt in zip(split.less, LESS_TILTS, strict=True)
        ),
        (split.seen[0] * fade + canary, split.seen[1] * fade + stable),
    )


def mismatched(split: Split) -> float | None:
    """The share in percent that the canary really gets, when it is surely not the planned one."""
    if max(*split.more, *split.less) < log(MISMATCH_AT):
        return None
    canary, stable = split.seen
    return 100.0 * canary / (canary + stable) if canary + stable > 0 else 0.0


def _after(x: float, tilt: float, canary: int, n: int, share: float) -> float:
    gain = (canary * log(tilt) - n * log1p(share * (tilt - 1.0))) / PHI
    return min(_TOP, max(0.0, x + gain))
