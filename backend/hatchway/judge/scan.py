"""Where is it? The metric by the values of a label (an endpoint), each with its own bets.

A fault on one endpoint of ten is diluted by the other nine in the whole; among its own requests it
is plain. Every label has its own bets against "no worse than stable"; their mean over L labels
is a fair bet again and costs ln L against the one label that turns out to be it. Which labels,
and how many, is decided by their requests before anything is bet, so nothing is picked after the
fact.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from . import counts
from .counts import WORSE_TILTS, Arm
from .wealth import Wealth, bet, released

MOST = 12  # labels by themselves; the rest together are one more
MOST_SEEN = 50
REST = "other"
SHARE = 0.5  # of the metric's evidence; the rest is its bets on all requests together
NAMED = 3.0  # evidence of a label before it is named
_LONGEST = 40  # characters of a label kept by itself: the state stays small

Parts = Mapping[str, tuple[Arm, Arm]]


class Part(Struct, frozen=True, array_like=True):
    """One label: its bets, and its sums of this step."""

    worse: Wealth = Wealth()
    canary: Arm = (0, 0)
    stable: Arm = (0, 0)


class Scan(Struct, frozen=True, array_like=True):
    """Labels in a fixed order, REST the last, and their parts; none before the first look.

    `seen` counts requests by label until the labels are fixed.
    """

    labels: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    seen: dict[str, int] = {}

    @property
    def e(self) -> float:
        """The evidence that the canary is worse on some label: 1 is none."""
        if not self.parts:
            return 1.0
        return sum([part.worse.now for part in self.parts]) / len(self.parts)


def before(scan: Scan, parts: Parts) -> Scan:
    """Requests by label before the rollout: they decide which labels are looked at."""
    if scan.labels or not parts:
        return scan
    seen = dict(scan.seen)
    for label, (canary, stable) in parts.items():
        if len(label) <= _LONGEST:
            seen[label] = seen.get(label, 0) + canary[0] + stable[0]
    return Scan(seen=dict(_most(seen, MOST_SEEN)))


def observed(
    scan: Scan,
    parts: Parts,
    *,
    ratio: float,
    phi: float,
    seconds: float,
    down: bool,
    warming: bool,
) -> Scan:
    """The scan after one look; the first one fixes the labels. Nothing is bet in warm-up.

    `ratio` and `phi` are the metric's margins, `down` says that fewer events are worse.
    """
    if not parts:
        return scan
    if not scan.labels:
        scan = _fixed(before(scan, parts))
    sums = _by_label(scan.labels, parts)
    seen = []
    for part, (canary, stable) in zip(scan.parts, sums, strict=True):
        if canary == stable == (0, 0):
            seen.append(part)
            continue
        worse = part.worse
        suspect, other = (stable, canary) if down else (canary, stable)
        idle = warming or not canary[1] + stable[1]
        stratum = None if idle else counts.at_most(ratio, suspect, other)
        if stratum is not None:
            worse = bet(worse, counts.gains(stratum, WORSE_TILTS, phi), seconds)
        seen.append(Part(worse, _plus(part.canary, canary), _plus(part.stable, stable)))
    return Scan(scan.labels, tuple(seen))


def raised(scan: Scan) -> Scan:
    """After a raise: fresh wealth for every label, and sums of the new step."""
    parts = tuple(Part(released(part.worse)) for part in scan.parts)
    return structs.replace(scan, parts=parts)


def suspected(scan: Scan, *, down: bool) -> tuple[str, Part, bool] | None:
    """The label with the most evidence, and whether most of the damage of this step is there.

    None while no label stands out. Damage are events above (`down`: below) what stable's share of
    events lets expect.
    """
    if not scan.parts:
        return None
    index = max(range(len(scan.parts)), key=lambda i: scan.parts[i].worse.now)
    part = scan.parts[index]
    if part.worse.now < NAMED:
        return None
    damage = [max(0.0, _damage(other, down)) for other in scan.parts]
    return scan.labels[index], part, damage[index] > 0.5 * sum(damage)


def _damage(part: Part, down: bool) -> float:
    if not part.stable[0]:
        return 0.0
    expected = part.canary[0] * part.stable[1] / part.stable[0]
    return expected - part.canary[1] if down else part.canary[1] - expected


def _fixed(scan: Scan) -> Scan:
    labels = [label for label, _ in _most(scan.seen, MOST) if label != REST]
    return Scan((*labels, REST), (Part(),) * (len(labels) + 1))


def _most(seen: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """Those with the most requests; by name among equals, so that a replay picks the same."""
    return sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:most]


def _by_label(labels: tuple[str, ...], parts: Parts) -> list[tuple[Arm, Arm]]:
    """Sums in the order of `labels`; labels that are not among them go to the last."""
    sums: dict[str, tuple[Arm, Arm]] = dict.fromkeys(labels, ((0, 0), (0, 0)))
    for label, (canary, stable) in parts.items():
        name = label if label in sums else REST
        known = sums[name]
        sums[name] = (_plus(known[0], canary), _plus(known[1], stable))
    return list(sums.values())


def _plus(a: Arm, b: Arm) -> Arm:
    return a[0] + b[0], a[1] + b[1]
