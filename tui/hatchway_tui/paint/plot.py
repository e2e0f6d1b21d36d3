"""Plots in braille dots: the canary over the stable version, the limit, steps and gaps.

The time axis starts at the first point and is as long as the next duration of a fixed ladder, so
that new data only touch the last columns; the whole plot moves only when the ladder's next rung is
needed. The same holds for the value axis. That is what keeps the wire quiet.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from math import floor, isfinite, log10

from msgspec import Struct

from hatchway_tui.mirror import Series
from hatchway_tui.paint.canvas import Canvas

_SPANS = (
    30, 45, 60, 90, 120, 150, 180, 240, 300, 420, 600, 780, 960, 1200, 1500, 1800, 2400, 3000, 3600,
    5400, 7200, 10800, 14400, 21600, 43200, 86400,
)  # fmt: skip
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BARS = "▁▂▃▄▅▆▇█"
HUGE = 1e15
"""Larger figures are not drawn: they are mistakes, and would flatten everything else."""


class Axis(Struct, frozen=True):
    """Time of the left edge and the seconds shown; `cadence` is the usual time between points."""

    start: float
    span: float
    cadence: float
    last: float  # time of the newest point


def axis_of(points: tuple[tuple[float, float | None, float | None], ...]) -> Axis:
    """The time axis for a series; `span` 0 when there is nothing to show."""
    if not points:
        return Axis(0.0, 0.0, 1.0, 0.0)
    gaps = sorted(after[0] - before[0] for before, after in itertools.pairwise(points))
    cadence = max(gaps[len(gaps) // 2], 0.2) if gaps else 1.0
    first, last = points[0][0], points[-1][0]
    span = float(next((each for each in _SPANS if each >= last - first), 2 * (last - first)))
    step = span / 8
    start = floor(first / step) * step  # so that a window that slides moves in few, large steps
    while start + span < last:
        span = float(next((each for each in _SPANS if each > span), 2 * span))
    return Axis(start, span, cadence, last)


def _columns(
    points: tuple[tuple[float, float | None, float | None], ...], arm: int, axis: Axis, count: int
) -> list[float | None]:
    """Means of the points in `count` equal times; short holes are joined, long ones stay open."""
    sums, numbers = [0.0] * count, [0] * count
    for point in points:
        value = point[arm]
        if value is None or not _usable(value):
            continue
        column = int((point[0] - axis.start) / axis.span * count)
        if 0 <= column < count:
            sums[column] += value
            numbers[column] += 1
    means: list[float | None] = [
        total / number if number else None for total, number in zip(sums, numbers, strict=True)
    ]
    reach = max(int(3 * axis.cadence / axis.span * count + 1), 1)
    known = [column for column, mean in enumerate(means) if mean is not None]
    for left, right in itertools.pairwise(known):
        if 1 < right - left <= reach:
            low, high = means[left], means[right]
            assert low is not None
            assert high is not None
            for column in range(left + 1, right):
                means[column] = low + (high - low) * (column - left) / (right - left)
    return means


def nice_range(low: float, high: float) -> tuple[float, float]:
    """A calm value axis around [low, high]: round numbers, from 0 unless all is far from it."""
    low, high = max(min(low, high), -HUGE), min(max(low, high), HUGE)
    base = 0.0
    if low > 0.6 * high > 0 or low < 0:
        room = _round_up(max(high - low, abs(high) * 1e-3, abs(low) * 1e-3, 1e-9)) / 4
        base = (floor(low / room) - 1) * room
        base = max(base, 0.0) if low >= 0 else base
    return base, base + _round_up(max((high - base) * 1.08, abs(base) * 1e-3, 1e-9))


def _round_up(value: float) -> float:
    scale = 10.0 ** floor(log10(value))
    steps = (1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.5, 8)
    return next((step * scale for step in steps if step * scale >= value), 10 * scale)


def _usable(value: float | None) -> bool:
    return value is not None and isfinite(value) and abs(value) <= HUGE


def _dots(values: list[float | None], rows: int, low: float, high: float) -> list[list[int]]:
    cells = [[0] * ((len(values) + 1) // 2) for _ in range(rows)]
    last: int | None = None
    for column, value in enumerate(values):
        if value is None:
            last = None
            continue
        dot = round((1 - (value - low) / (high - low)) * (rows * 4 - 1))
        dot = max(0, min(rows * 4 - 1, dot))
        before = dot if last is None else last
        for each in range(min(dot, before), max(dot, before) + 1):
            cells[each // 4][column // 2] |= _DOTS[each % 4][column % 2]
        last = dot
    return cells


def extent(series: Series, limit: float | None) -> tuple[float, float]:
    """The value axis for a series and its limit."""
    values = [
        value
        for point in series.points
        for value in point[1:]
        if value is not None and _usable(value)
    ]
    if limit is not None and _usable(limit):
        values.append(limit)
    return nice_range(min(values), max(values)) if values else (0.0, 1.0)


@lru_cache(maxsize=16)
def plot(
    series: Series, width: int, height: int, limit: float | None, steps: tuple[float, ...],
    until: float,
) -> Canvas:  # fmt: skip
    """`width` x `height` cells of plot. After the newest point until `until`, `?` says no data."""
    canvas = Canvas(width, height)
    axis = axis_of(series.points)
    if width < 4 or height < 1 or axis.span <= 0:
        if height:
            canvas.put(0, height // 2, "no data yet", "faint")
        return canvas
    low, high = extent(series, limit)
    limit_row = -1
    if limit is not None and _usable(limit):
        row = round((1 - (limit - low) / (high - low)) * (height * 4 - 1)) // 4
        row = max(0, min(height - 1, row))
        for x in range(0, width - 6, 2):
            canvas.put(x, row, "┈", "limitline")
        limit_row = row
    for step in steps:
        x = int((step - axis.start) / axis.span * width)
        if 0 < x < width:
            for row in range(height):
                canvas.put(x, row, "╎", "faint")
    stable = _dots(_columns(series.points, 1, axis, width * 2), height, low, high)
    canary = _dots(_columns(series.points, 2, axis, width * 2), height, low, high)
    for row in range(height):
        for x in range(width):
            if canary[row][x]:
                # where both are, one cell has one colour: the canary's, with all the dots
                canvas.put(x, row, chr(0x2800 + (canary[row][x] | stable[row][x])), "acc")
            elif stable[row][x]:
                canvas.put(x, row, chr(0x2800 + stable[row][x]), "stable")
    if limit_row >= 0:
        canvas.put(width - 6, limit_row, " limit", "limit")
    for x in holes(series, axis, width, until):
        canvas.put(x, height - 1, "?", "warn")
    return canvas


def holes(series: Series, axis: Axis, width: int, until: float) -> list[int]:
    """The columns in which nothing was heard, of holes that are longer than usual."""
    patience = max(4 * axis.cadence, 3.0)
    times = [point[0] for point in series.points if point[1] is not None or point[2] is not None]
    out: list[int] = []
    for before, after in zip(times, [*times[1:], max(until, axis.last)], strict=False):
        if after - before > patience:
            left = int((before + axis.cadence - axis.start) / axis.span * width) + 1
            right = int((after - axis.start) / axis.span * width)
            out.extend(range(max(left, 0), min(right, width)))
    return out


@lru_cache(maxsize=32)
def sparkline(series: Series, width: int, limit: float | None, until: float) -> str:
    """The canary's (else the stable version's) course in one row of `width` cells."""
    axis = axis_of(series.points)
    if axis.span <= 0 or width < 1:
        return " " * max(width, 0)
    canary = _columns(series.points, 2, axis, width)
    stable = _columns(series.points, 1, axis, width)
    values = [low if high is None else high for high, low in zip(canary, stable, strict=True)]
    low, high = extent(series, limit)
    missing = set(holes(series, axis, width, until))
    out = []
    for column, value in enumerate(values):
        if value is None:
            out.append("?" if column in missing else " ")
        else:
            level = int((value - low) / (high - low) * len(_BARS))
            out.append(_BARS[max(0, min(len(_BARS) - 1, level))])
    return "".join(out)
