"""Looks in which one arm had no request are merged into the next: strata add up exactly.

At two requests a second the canary has one every ten seconds. Alone with the one or two requests
that stable had in that second it says little; with all that came meanwhile it says what it can.
When a merged look is whole depends on the requests only, never on how they ended.
"""

from __future__ import annotations

from .counts import Arm
from .look import Counts, Latency

MOST_S = 30.0
"""Older looks are not waited for: what came and went meanwhile would be taken for a difference."""

Pair = Counts | Latency


def whole(sample: Pair, weight: int) -> bool:
    """Whether both arms had requests; at 100 % there is only one."""
    canary, stable = requests(sample)
    return canary > 0 and (stable > 0 or weight >= 100)


def requests(sample: Pair) -> tuple[int, int]:
    """Requests of canary and stable."""
    if isinstance(sample, Counts):
        return sample.canary[0], sample.stable[0]
    return sum(sample.canary), sum(sample.stable)


def merged(owed: Pair | None, sample: Pair) -> Pair:
    """Both looks as one. Latency in other buckets than before cannot be added: the newer stands."""
    match owed, sample:
        case Counts(), Counts():
            parts = dict(owed.parts)
            for label, (canary, stable) in sample.parts.items():
                known = parts.get(label, ((0, 0), (0, 0)))
                parts[label] = (plus(known[0], canary), plus(known[1], stable))
            return Counts(
                plus(owed.canary, sample.canary), plus(owed.stable, sample.stable), parts=parts
            )
        case Latency(), Latency() if owed.bounds == sample.bounds:
            return Latency(
                sample.bounds,
                tuple(map(sum, zip(owed.canary, sample.canary, strict=True))),
                tuple(map(sum, zip(owed.stable, sample.stable, strict=True))),
            )
    return sample


def plus(a: Arm, b: Arm) -> Arm:
    """Requests and events of two looks."""
    return a[0] + b[0], a[1] + b[1]
