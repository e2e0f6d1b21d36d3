"""How much stable's own instances differ and how their events clump, before the rollout begins.

Requests of a block of time are shared out over the instances; given the block's totals, the
instances' events should scatter by chance alone. Pearson's chi-squared over its degrees of freedom
says how much more they do (`phi`), and the excess on long blocks is the instances' own spread
(the moment estimator of DerSimonian and Laird, 1986). Blocks of several lengths are summed at
once, because the right length, about five events an instance, is known only afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from msgspec import Struct

from . import margins
from .latency import Buckets, middles
from .margins import Margins

LENGTHS_S = (5.0, 15.0, 30.0, 60.0, 120.0)
FEWEST_PODS = 5
MOST_PODS = 40  # by name, in order: more would add nothing but size
FEWEST_DEGREES = 20  # of freedom before clumping is known
EVENTS_FOR_CLUMPS = 5.0  # per instance and block
EVENTS_FOR_SPREAD = 10.0
SAFETY = 1.5  # on clumping that was found
REQUESTS_FOR_SHIFT = 20.0  # per instance and block, for a mean

Cell = tuple[float, float, float]
"""One instance in one block: requests and events, or requests and sums of ln x and (ln x)^2."""


class Blocks(Struct, frozen=True, array_like=True):
    """Blocks of one length: the one being filled, and the sums over those that are done.

    `excess` is the sum of chi-squared, `degrees` of its degrees of freedom, `room` of what a
    spread of 1 between the instances would add to it; `within` of the variance inside instances.
    """

    cells: tuple[Cell, ...] = ()
    filled_s: float = 0.0
    excess: float = 0.0
    degrees: int = 0
    room: float = 0.0
    within: float = 0.0
    counted: float = 0.0  # events (for latency: requests) of all instances
    blocks: int = 0


class Calibration(Struct, frozen=True, array_like=True):
    """What was seen of stable's instances so far."""

    names: tuple[str, ...] = ()
    lengths: tuple[Blocks, ...] = ()
    seconds: float = 0.0


class Scatter(Struct, frozen=True):
    """One block: chi-squared, degrees of freedom, room for a spread, variance within, events."""

    excess: float
    degrees: int
    room: float
    within: float
    counted: float


def with_counts(
    known: Calibration, pods: dict[str, tuple[int, int]], seconds: float
) -> Calibration:
    """The calibration after one look at (requests, events) of each instance."""
    cells = {name: (float(n), float(k), 0.0) for name, (n, k) in pods.items()}
    return _added(known, cells, seconds, scatter_of_counts)


def with_latency(
    known: Calibration, bounds: tuple[float, ...], pods: dict[str, Buckets], seconds: float
) -> Calibration:
    """The calibration after one look at each instance's requests by latency bucket."""
    mids = middles(bounds)
    cells = {}
    for name, counts in pods.items():
        if len(counts) == len(mids):
            pairs = [(n, x) for n, x in zip(counts, mids, strict=True) if n]
            cells[name] = (
                float(sum(n for n, _ in pairs)),
                sum(n * x for n, x in pairs),
                sum(n * x * x for n, x in pairs),
            )
    return _added(known, cells, seconds, scatter_of_latency)


def for_counts(known: Calibration) -> Margins | None:
    """Margins for events, or None when that cannot be told: too few instances, events or time."""
    pods = len(known.names)
    clumps = _clumping(known, EVENTS_FOR_CLUMPS)
    long = _longest(known, EVENTS_FOR_SPREAD)
    if pods < FEWEST_PODS or clumps is None or long is None:
        return None
    return margins.of_counts(clumps, _spread(long, clumps), pods, known.seconds)


def for_latency(known: Calibration) -> Margins | None:
    """Margins for latency, or None when that cannot be told."""
    pods = len(known.names)
    clumps = _clumping(known, REQUESTS_FOR_SHIFT)
    long = _longest(known, REQUESTS_FOR_SHIFT)
    if pods < FEWEST_PODS or clumps is None or long is None:
        return None
    within = sqrt(long.within / long.blocks)
    return margins.of_latency(clumps, _spread(long, clumps), within, pods, known.seconds)


def scatter_of_counts(cells: tuple[Cell, ...]) -> Scatter | None:
    """Pearson's chi-squared of the instances' events given the block's totals; None: no event."""
    requests, events = sum(n for n, _, _ in cells), sum(k for _, k, _ in cells)
    if events <= 0 or events >= requests:
        return None
    expected = [(k, events * n / requests) for n, k, _ in cells if n > 0]
    rest = 1.0 - events / requests
    excess = sum((k - mu) ** 2 / (mu * rest) for k, mu in expected)
    weights = [mu * rest for _, mu in expected]
    return Scatter(excess, len(expected) - 1, _room(weights), 0.0, events)


def scatter_of_latency(cells: tuple[Cell, ...]) -> Scatter | None:
    """The same for the instances' mean ln(latency), in units of the variance within them."""
    filled = [(n, total, squares) for n, total, squares in cells if n > 0]
    requests = sum(n for n, _, _ in filled)
    if len(filled) < 2 or requests <= len(filled):
        return None
    inside = sum(squares - total * total / n for n, total, squares in filled)
    # All in one bucket says the buckets are wide, not that the latency is constant.
    variance = max(inside / (requests - len(filled)), 0.0625)
    middle = sum(total for _, total, _ in filled) / requests
    excess = sum(n * (total / n - middle) ** 2 for n, total, _ in filled) / variance
    return Scatter(
        excess, len(filled) - 1, _room([n / variance for n, _, _ in filled]), variance, requests
    )


def _room(weights: list[float]) -> float:
    whole = sum(weights)
    return whole - sum(w * w for w in weights) / whole if whole > 0 else 0.0


def _added(
    known: Calibration,
    cells: dict[str, Cell],
    seconds: float,
    scatter: Callable[[tuple[Cell, ...]], Scatter | None],
) -> Calibration:
    if len(cells) < 2:
        return known
    names = tuple(sorted(cells)[:MOST_PODS])
    lengths = known.lengths or (Blocks(),) * len(LENGTHS_S)
    if names != known.names:  # an instance came or went: blocks begun with others are no use
        lengths = tuple(_begun(blocks) for blocks in lengths)
    now = tuple(cells[name] for name in names)
    return Calibration(
        names,
        tuple(
            _after(blocks, length, now, seconds, scatter)
            for blocks, length in zip(lengths, LENGTHS_S, strict=True)
        ),
        known.seconds + seconds,
    )


def _begun(blocks: Blocks) -> Blocks:
    return Blocks((), 0.0, blocks.excess, blocks.degrees, blocks.room, blocks.within,
                  blocks.counted, blocks.blocks)  # fmt: skip


def _after(
    blocks: Blocks,
    length: float,
    now: tuple[Cell, ...],
    seconds: float,
    scatter: Callable[[tuple[Cell, ...]], Scatter | None],
) -> Blocks:
    cells = now
    if blocks.cells:
        cells = tuple(
            (a[0] + b[0], a[1] + b[1], a[2] + b[2]) for a, b in zip(blocks.cells, now, strict=True)
        )
    filled = blocks.filled_s + seconds
    if filled < length - 1e-6:
        return Blocks(cells, filled, blocks.excess, blocks.degrees, blocks.room, blocks.within,
                      blocks.counted, blocks.blocks)  # fmt: skip
    found = scatter(cells)
    if found is None:
        return Blocks((), 0.0, blocks.excess, blocks.degrees, blocks.room, blocks.within,
                      blocks.counted, blocks.blocks + 1)  # fmt: skip
    return Blocks(
        (),
        0.0,
        blocks.excess + found.excess,
        blocks.degrees + found.degrees,
        blocks.room + found.room,
        blocks.within + found.within,
        blocks.counted + found.counted,
        blocks.blocks + 1,
    )


def _clumping(known: Calibration, enough: float) -> float | None:
    """`phi`, at the shortest block that has `enough` of what is counted for each instance."""
    for blocks in known.lengths:
        if not _has(known, blocks, enough) or blocks.degrees < FEWEST_DEGREES:
            continue
        phi = blocks.excess / blocks.degrees
        return 1.0 if phi <= 1.0 + 2.0 * sqrt(2.0 / blocks.degrees) else SAFETY * phi
    return None


def _longest(known: Calibration, enough: float) -> Blocks | None:
    """The longest blocks that were filled often enough to show a spread between instances."""
    blocks = known.lengths[-1] if known.lengths else Blocks()
    return blocks if _has(known, blocks, enough) and blocks.degrees >= 2 * FEWEST_PODS else None


def _has(known: Calibration, blocks: Blocks, enough: float) -> bool:
    cells = blocks.blocks * len(known.names)
    return cells > 0 and blocks.counted / cells >= enough


def _spread(blocks: Blocks, phi: float) -> float:
    """The instances' own standard deviation; 0 when it is within one standard error of none."""
    if blocks.room <= 0:
        return 0.0
    square = (blocks.excess - blocks.degrees * phi) / blocks.room
    noise = sqrt(2.0 * blocks.degrees) * phi / blocks.room
    return sqrt(square) if square > noise else 0.0
