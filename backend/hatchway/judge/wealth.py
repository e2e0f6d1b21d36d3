"""Wealth that bets against "the canary is no worse" and may be read at every look.

A mixture of e-processes, one per tilt, with a reserve that enters later so that a late
regression is not found late because of quiet hours before it. If the hypothesis holds, the
chance that the total ever reaches 1/a is at most a, for any number of looks (Ville 1939).
"""

from __future__ import annotations

from math import exp

from msgspec import Struct, structs

BURST_NATS = 2.5
"""The most one second of data may add. One stall of one process hits many requests at once and is
one fact, not many; capping an e-value keeps it valid and asks that trouble lasts some seconds."""

TRICKLE = 0.002  # of the reserve put into play each second, besides the releases
_TOP = 1e130  # sums and products stay far from what a float can hold
_MOST_NATS = 700.0  # of one look: e to more than that is no number


class Wealth(Struct, frozen=True, array_like=True):
    """The wealth on each tilt, and the reserve (of 1) that is not in play yet.

    `due` is the share of the reserve that the next bet puts into play. `now` is the evidence
    against the hypothesis: 1 at the start, large when it looks wrong; `peak` its highest so far.
    """

    parts: tuple[float, ...] = ()
    reserve: float = 1.0
    due: float = 0.5
    now: float = 1.0
    peak: float = 1.0


def released(wealth: Wealth, share: float = 0.5) -> Wealth:
    """The same wealth, with `share` of the reserve entering at the next bet."""
    return structs.replace(wealth, due=share)


def bet(wealth: Wealth, gains: tuple[float, ...], seconds: float) -> Wealth:
    """Wealth after one look; `gains` are ln e of each tilt, `seconds` the length of the look."""
    cap = min(_MOST_NATS, BURST_NATS * max(1.0, seconds))
    entering = wealth.reserve * (wealth.due or min(0.5, TRICKLE * seconds))
    start = entering / len(gains)
    parts = []
    now = reserve = wealth.reserve - entering
    for old, gain in zip(wealth.parts or (0.0,) * len(gains), gains, strict=True):
        part = (old + start) * exp(gain if gain < cap else cap)
        parts.append(part if part < _TOP else _TOP)
        now += parts[-1]
    return Wealth(tuple(parts), reserve, 0.0, now, now if now > wealth.peak else wealth.peak)
