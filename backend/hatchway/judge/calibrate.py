"""How much stable's own instances differ and how their events clump, before the rollout begins.

Time is cut into blocks. In each, what happened is shared out over the instances by their traffic,
and the rest, observed less expected, is kept: it scatters about each instance's own level as
events clump (`phi`: its square over its variance, per degree of freedom), and the levels
themselves scatter as the instances differ (moment estimator of DerSimonian and Laird, 1986).
With one instance the differences between neighbouring blocks still tell how events clump.
Blocks of several lengths are summed at once: the right length, about five events an instance, is
known only afterwards.
"""

from __future__ import annotations

from math import sqrt

from msgspec import Struct, structs

from .latency import Buckets, middles
from .margins import Margins, of_clumps, of_counts, of_latency

LENGTHS_S = (5.0, 15.0, 30.0, 60.0, 120.0)
FEWEST_PODS = 5
MOST_PODS = 20  # by name, in order: more would add little but size
FEWEST_DEGREES = 20  # of freedom before clumping is known
ENOUGH = 5.0  # events for each instance in a block
ENOUGH_REQUESTS = 20.0  # for a mean latency
ENOUGH_IN_ALL = 10.0  # events for each instance before its level is known
SAFETY = 1.5  # on clumping that was found

Cell = tuple[float, float, float]
"""One instance in one block: requests and events, or requests and sums of ln x and (ln x)^2."""


class Blocks(Struct, frozen=True, array_like=True):
    """Blocks of one length.

    `cells` is the block being filled. Of the done ones with these instances: `rest` sums each
    instance's observed less expected, `room` its variance, `squares` the sum of rest^2 / variance.
    `excess` and `degrees` are about own levels, `apart`, `levels` and `spread` about the levels,
    with other instances before. `before` is the last whole block of all instances together;
    `steps`, `jumps` count neighbouring blocks and the squares of their differences.
    """

    cells: tuple[Cell, ...] = ()
    filled_s: float = 0.0
    blocks: int = 0
    seen: float = 0.0
    rest: tuple[float, ...] = ()
    room: tuple[float, ...] = ()
    squares: float = 0.0
    within: float = 0.0
    excess: float = 0.0
    degrees: int = 0
    apart: float = 0.0
    levels: int = 0
    spread: float = 0.0
    cells_done: int = 0
    before: Cell | None = None
    steps: int = 0
    jumps: float = 0.0


class Calibration(Struct, frozen=True, array_like=True):
    """What was seen of stable so far. `timed`: of latency, not of events."""

    names: tuple[str, ...] = ()
    lengths: tuple[Blocks, ...] = (Blocks(),) * len(LENGTHS_S)
    seconds: float = 0.0
    timed: bool = False


def with_counts(
    known: Calibration, whole: tuple[int, int], pods: dict[str, tuple[int, int]], seconds: float
) -> Calibration:
    """The calibration after one look at (requests, events): of all, and of each instance."""
    cells = {name: (float(n), float(k), 0.0) for name, (n, k) in pods.items()}
    return _added(known, cells or {"": (float(whole[0]), float(whole[1]), 0.0)}, seconds)


def with_latency(
    known: Calibration,
    bounds: tuple[float, ...],
    whole: Buckets,
    pods: dict[str, Buckets],
    seconds: float,
) -> Calibration:
    """The calibration after one look at requests by latency bucket."""
    mids = middles(bounds)
    cells = {}
    for name, counts in (pods or {"": whole}).items():
        if len(counts) == len(mids):
            pairs = [(n, x) for n, x in zip(counts, mids, strict=True) if n]
            cells[name] = (
                float(sum(n for n, _ in pairs)),
                sum(n * x for n, x in pairs),
                sum(n * x * x for n, x in pairs),
            )
    return _added(structs.replace(known, timed=True), cells, seconds)


def measured(known: Calibration) -> Margins | None:
    """What is known of the margins; None: nothing, for too few instances, events or time."""
    enough = ENOUGH_REQUESTS if known.timed else ENOUGH
    done = [_closed(blocks, known.timed) for blocks in known.lengths]
    for blocks in done:
        if len(known.names) < FEWEST_PODS or blocks.degrees < FEWEST_DEGREES:
            continue
        if blocks.seen < enough * blocks.cells_done or blocks.levels < FEWEST_PODS - 1:
            continue
        if blocks.seen < ENOUGH_IN_ALL * len(known.names):
            continue
        phi = blocks.excess / blocks.degrees
        clumps = 1.0 if phi <= 1.0 + 2.0 * sqrt(2.0 / blocks.degrees) else SAFETY * phi
        spread = _spread(blocks, max(1.0, phi))
        pods, seconds = len(known.names), known.seconds
        if not known.timed:
            return of_counts(clumps, spread, pods, seconds)
        return of_latency(clumps, spread, sqrt(blocks.within), pods, seconds)
    return _in_time(known, done, enough)


def _in_time(known: Calibration, done: list[Blocks], enough: float) -> Margins | None:
    """Clumping alone, from neighbouring blocks; it can only make the judge more careful."""
    for blocks in done:
        if blocks.steps < FEWEST_DEGREES or blocks.seen < enough * blocks.steps:
            continue
        phi = blocks.jumps / blocks.steps
        # Each block is in two differences: their mean scatters as that of two thirds as many.
        return (
            of_clumps(SAFETY * phi, known.seconds) if phi > 1 + 2 * sqrt(3 / blocks.steps) else None
        )
    return None


def _spread(blocks: Blocks, phi: float) -> float:
    """The instances' own standard deviation; 0 when it is within one standard error of none."""
    if blocks.spread <= 0:
        return 0.0
    square = (blocks.apart - blocks.levels * phi) / blocks.spread
    noise = sqrt(2.0 * blocks.levels) * phi / blocks.spread
    return sqrt(square) if square > noise else 0.0


def _added(known: Calibration, cells: dict[str, Cell], seconds: float) -> Calibration:
    if not cells:
        return known
    names = tuple(sorted(cells)[:MOST_PODS])
    lengths = known.lengths
    if names != known.names:  # an instance came or went: what is summed so far is closed
        lengths = tuple(_closed(blocks, known.timed) for blocks in lengths)
    now = tuple(cells[name] for name in names)
    return Calibration(
        names,
        tuple(
            _filled(blocks, length, now, seconds, known.timed)
            for blocks, length in zip(lengths, LENGTHS_S, strict=True)
        ),
        known.seconds + seconds,
        known.timed,
    )


def _filled(
    blocks: Blocks, length: float, now: tuple[Cell, ...], seconds: float, timed: bool
) -> Blocks:
    if blocks.cells:
        now = tuple(_plus(a, b) for a, b in zip(blocks.cells, now, strict=True))
    filled = blocks.filled_s + seconds
    if filled < length - 1e-6:
        return structs.replace(blocks, cells=now, filled_s=filled)
    blocks = _stepped(blocks, now, timed)
    found = (_rest_of_latency if timed else _rest_of_counts)(now)
    if found is None:
        return blocks
    rest, room, within = found
    squares = sum(r * r / v for r, v in zip(rest, room, strict=True) if v > 0)
    return structs.replace(
        blocks,
        blocks=blocks.blocks + 1,
        cells_done=blocks.cells_done + len(now),
        seen=blocks.seen + sum(n if timed else k for n, k, _ in now),
        rest=_sums(blocks.rest, rest),
        room=_sums(blocks.room, room),
        squares=blocks.squares + squares,
        within=blocks.within + (within - blocks.within) / (blocks.blocks + 1),
    )


def _closed(blocks: Blocks, timed: bool) -> Blocks:
    """The sums over these instances brought to an end; others may follow."""
    pods = len([v for v in blocks.room if v > 0])
    between = sum(r * r / v for r, v in zip(blocks.rest, blocks.room, strict=True) if v > 0)
    whole = sum(blocks.room)
    closed = Blocks(
        seen=blocks.seen,
        within=blocks.within,
        excess=blocks.excess,
        degrees=blocks.degrees,
        apart=blocks.apart,
        levels=blocks.levels,
        spread=blocks.spread,
        cells_done=blocks.cells_done,
        before=blocks.before,
        steps=blocks.steps,
        jumps=blocks.jumps,
    )
    if blocks.blocks < 2 or pods < 2:
        return closed
    return structs.replace(
        closed,
        excess=blocks.excess + max(0.0, blocks.squares - between),
        degrees=blocks.degrees + (pods - 1) * (blocks.blocks - 1),
        apart=blocks.apart + between,
        levels=blocks.levels + pods - 1,
        spread=blocks.spread + whole - sum(v * v for v in blocks.room) / whole,
    )


Rest = tuple[tuple[float, ...], tuple[float, ...], float]
"""Observed less expected and its variance, by instance, and the variance within instances."""


def _rest_of_counts(cells: tuple[Cell, ...]) -> Rest | None:
    """Events beyond the instance's share by its traffic, and their variance."""
    requests, events = sum(n for n, _, _ in cells), sum(k for _, k, _ in cells)
    if events <= 0 or events >= requests:
        return None
    expected = [events * n / requests for n, _, _ in cells]
    others = 1.0 - events / requests
    rest = tuple(k - mu for (_, k, _), mu in zip(cells, expected, strict=True))
    return rest, tuple(mu * others for mu in expected), 0.0


def _rest_of_latency(cells: tuple[Cell, ...]) -> Rest | None:
    """Requests times how far the instance's mean ln(latency) is off, in units that make n the
    variance of it."""
    requests = sum(n for n, _, _ in cells)
    variance = _variance(cells)
    if variance is None:
        return None
    middle, sd = sum(total for _, total, _ in cells) / requests, sqrt(variance)
    rest = tuple((total - n * middle) / variance for n, total, _ in cells)
    return rest, tuple(n / variance for n, _, _ in cells), sd * sd


def _variance(cells: tuple[Cell, ...]) -> float | None:
    """Of ln(latency) within instances."""
    filled = [(n, total, squares) for n, total, squares in cells if n > 0]
    requests = sum(n for n, _, _ in filled)
    if requests <= len(filled):
        return None
    inside = sum(squares - total * total / n for n, total, squares in filled)
    # All in one bucket says the buckets are wide, not that the latency is constant.
    return max(inside / (requests - len(filled)), 0.0625)


def _stepped(blocks: Blocks, cells: tuple[Cell, ...], timed: bool) -> Blocks:
    """The block is done: how far is all of stable from the block before?"""
    now = (sum(c[0] for c in cells), sum(c[1] for c in cells), sum(c[2] for c in cells))
    jump = None if blocks.before is None else _jump(blocks.before, now, timed)
    blocks = structs.replace(blocks, cells=(), filled_s=0.0, before=now)
    if jump is None:
        return blocks
    return structs.replace(blocks, steps=blocks.steps + 1, jumps=blocks.jumps + jump)


def _jump(one: Cell, two: Cell, timed: bool) -> float | None:
    """The square of the difference of two blocks over its variance."""
    if one[0] <= 0 or two[0] <= 0:
        return None
    if timed:
        variance = _variance((one, two))
        if variance is None:
            return None
        gap = two[1] / two[0] - one[1] / one[0]
        return gap * gap / (variance * (1 / one[0] + 1 / two[0]))
    ratio = two[0] / one[0]
    variance = two[1] + ratio * ratio * one[1]
    rest = 1.0 - (one[1] + two[1]) / (one[0] + two[0])
    return (two[1] - ratio * one[1]) ** 2 / (variance * rest) if variance > 0 and rest > 0 else None


def _plus(a: Cell, b: Cell) -> Cell:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _sums(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True)) if a else b
