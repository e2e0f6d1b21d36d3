"""A metric that comes and goes: good, bad, good, bad.

What flaps is switched by something: a cache that expires, one bad host, a half-written file that
is replaced and comes back. It is named, because a single window of it proves little, and a calm
one proves nothing.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from msgspec import Struct, structs

from .counts import Arm

BLOCK_S = 10.0
"""One block is judged good or bad, and two of a kind in a row make a change."""

REMEMBERED_S = 30 * 60.0
"""Bad spells that began longer ago are forgotten."""

MOST = 6
FACTOR = 2.0  # a block is bad when events come this many times as often as in calm ones, and surely
SIGMAS = 4.0


class Swings(Struct, frozen=True, array_like=True):
    """The bad spells of one arm.

    `usual` is (requests, events) of calm blocks; `bad` whether a bad spell lasts; `spells` has
    (beginning, end) of those remembered, the end 0 while it lasts.
    """

    block: Arm = (0, 0)
    block_s: float = 0.0
    usual: tuple[float, float] = (0.0, 0.0)
    bad: bool = False
    doubt: int = 0  # blocks in a row that speak against `bad`
    spells: tuple[tuple[float, float], ...] = ()


def swung(
    swings: Swings, seen: Arm, t: float, seconds: float, usual: tuple[float, float] | None = None
) -> Swings:
    """The swings after a look that ends at `t` with `seen` (requests, events).

    `usual` is (requests, events) of calm times elsewhere; without it the arm's own are learned.
    """
    block = (swings.block[0] + seen[0], swings.block[1] + seen[1])
    filled = swings.block_s + seconds
    if filled < BLOCK_S - 1e-6 or block[0] == 0:
        return Swings(
            block, min(filled, BLOCK_S), swings.usual, swings.bad, swings.doubt, swings.spells
        )
    spells = tuple(s for s in swings.spells if s[1] == 0 or t - s[0] <= REMEMBERED_S)
    swings = structs.replace(swings, block=(0, 0), block_s=0.0, spells=spells)
    judged = _judged(block, swings.usual if usual is None else usual)
    if judged == "unknown":
        return structs.replace(swings, usual=_plus(swings.usual, block))
    if usual is None and judged == "calm" and _far_below(block, swings.usual):
        # What was taken for usual was a bad spell: it began before anything calm was seen.
        return Swings(usual=(float(block[0]), float(block[1])), spells=((t - 2 * BLOCK_S, t),))
    if judged == "calm" and not swings.bad:
        return structs.replace(swings, doubt=0, usual=_plus(swings.usual, block))
    if judged != ("calm" if swings.bad else "bad"):
        return structs.replace(swings, doubt=0)
    if swings.doubt == 0:
        return structs.replace(swings, doubt=1)
    began = t - 2 * BLOCK_S
    if not swings.bad:
        spells = (*swings.spells[-MOST + 1 :], (began, 0.0))
    else:
        spells = (*swings.spells[:-1], (swings.spells[-1][0], began))
    return structs.replace(swings, bad=not swings.bad, doubt=0, spells=spells)


def flapping(swings: Swings, t: float) -> bool:
    """Whether it came, went and came again, and has not been calm for two periods since."""
    between = period(swings)
    if between is None:
        return False
    return swings.bad or t - swings.spells[-1][1] <= 2 * between


def period(swings: Swings) -> float | None:
    """Seconds from one beginning to the next, the mean; None for fewer than two spells."""
    starts = [begin for begin, _ in swings.spells]
    return (starts[-1] - starts[0]) / (len(starts) - 1) if len(starts) > 1 else None


def _judged(block: Arm, usual: tuple[float, float]) -> Literal["bad", "calm", "between", "unknown"]:
    """A block against what is usual; what is neither clearly bad nor clearly calm is between."""
    if usual[0] < 100:
        return "unknown"
    expected = block[0] * (usual[1] + 0.5) / usual[0]
    noise = sqrt(max(expected, 1.0))
    if block[1] > FACTOR * expected + SIGMAS * noise:
        return "bad"
    return "calm" if block[1] <= expected + 2.0 * noise else "between"


def _far_below(block: Arm, usual: tuple[float, float]) -> bool:
    expected = block[0] * usual[1] / usual[0]
    return expected > FACTOR * block[1] + SIGMAS * sqrt(max(block[1], 1.0)) and expected > 10


def _plus(usual: tuple[float, float], block: Arm) -> tuple[float, float]:
    """Old blocks fade over some twenty minutes, so that a slow drift is not a spell."""
    return usual[0] * 0.99 + block[0], usual[1] * 0.99 + block[1]
