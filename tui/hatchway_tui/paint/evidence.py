"""The statistics of a verdict as pictures in text: intervals against their limit, evidence on a scale.

Both shares are drawn with the interval that holds 95 of 100 times (Wilson's). It is for the eye: the
judge does not decide by it but by its evidence, which holds however often one looks.
"""

from __future__ import annotations

from math import isfinite, log10, sqrt
from typing import NamedTuple

from hatchway.edge.docs.why import MetricWhy, WhyDoc
from hatchway_tui import safe_text
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece

Row = tuple[Piece, ...]
Arm = tuple[int, int]

Z = 1.959964


class Interval(NamedTuple):
    """A share of events, 0 to 1, with its bounds."""

    low: float
    at: float
    high: float


def interval(arm: Arm) -> Interval:
    """The share of events in (requests, events): of nothing, anything is possible."""
    n, k = max(arm[0], 0), min(max(arm[1], 0), max(arm[0], 0))
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    share, square = k / n, Z * Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(max(min(middle - half, share), 0.0), share, min(max(middle + half, share), 1.0))


def margin(stable: float, ratio: float, worse: str) -> float:
    """The share at which the canary's odds are `ratio` times stable's: up to it is not worse."""
    if not 0.0 < stable < 1.0 or not isfinite(ratio) or ratio <= 0:
        return stable
    odds = stable / (1 - stable) * (1 / ratio if worse == "down" else ratio)
    return odds / (1 + odds)


def intervals(metric: MetricWhy, width: int) -> list[Row]:
    """Both arms on one axis, the margin under them, in cells of `width`."""
    stable, canary = interval(metric.stable), interval(metric.canary)
    edge = margin(stable.at, metric.ratio, metric.worse)
    name, figures = 9, 42 if width >= 90 else 24
    cells = max(width - name - figures, 10)
    top = _round_up(max(canary.high if canary.at else canary.at * 3, stable.high, edge * 1.15, canary.at * 1.2))  # fmt: skip
    rows: list[Row] = []
    for who, arm, found, tone in (
        ("stable", metric.stable, stable, "stable"), ("canary", metric.canary, canary, "acc"),
    ):  # fmt: skip
        shown = f"{_percent(found.at)}  {arm[1]:,} of {arm[0]:,}"
        if width >= 90:
            shown += f"  ({_percent(found.low)} to {_percent(found.high)})"
        rows.append(
            (
                Piece(f"  {who:<7}", "dim"),
                *_whisker(found, top, cells, tone),
                Piece(f"  {safe_text.fit(shown, figures - 2)}", "hi" if who == "canary" else "txt"),
            )
        )
    place = _cell(edge, top, cells)
    label = "not less than here" if metric.worse == "down" else "up to here is not worse"
    label = f"a tail {label}" if metric.kind == "latency" else label
    said = f"{label}: {_percent(edge)}"
    left = min(place, max(cells + figures - len(said) - 4, 0))
    rows.append((Piece(" " * name + " " * left, "dim"), Piece("^ ", "limit", True), Piece(said, "dim")))  # fmt: skip
    rows.append(_axis(top, name, cells))
    return rows


def _whisker(found: Interval, top: float, cells: int, tone: str) -> list[Piece]:
    low, at, high = (_cell(value, top, cells) for value in found)
    row = [" "] * cells
    for cell in range(low, high + 1):
        row[cell] = "─"
    row[low], row[high] = "├", "┤" if found.high <= top else "─"
    row[at] = "●"
    return [Piece("".join(row), tone, True)]


def _cell(value: float, top: float, cells: int) -> int:
    return min(max(round(value / top * (cells - 1)), 0), cells - 1) if top > 0 else 0


def _axis(top: float, name: int, cells: int) -> Row:
    right = _percent(top)
    middle = _percent(top / 2)
    row = "0%" + " " * cells
    half = max((cells - 1) // 2 - len(middle) // 2, 4)
    row = row[:half] + middle + row[half + len(middle) :]
    row = row[: max(cells - len(right), 0)] + right
    return (Piece(" " * name + row[:cells], "faint"),)


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 of a power of ten; at most all."""
    if value <= 0 or not isfinite(value):
        return 0.01
    size = 10.0 ** (len(str(int(value * 1e6))) - 7)
    while size > value:
        size /= 10
    for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if value <= step * size:
            return min(step * size, 1.0)
    return 1.0


def _percent(share: float) -> str:
    value = 100 * share
    if value == 0:
        return "0%"
    return f"{value:.2f}%" if value < 1 else f"{value:.1f}%" if value < 10 else f"{value:.0f}%"


def odds(e: float) -> str:
    """An evidence as a figure: 3.2, 41, 1,204, more than 1,000,000."""
    if not isfinite(e) or e >= 1e6:
        return "more than 1,000,000"
    return f"{e:,.0f}" if e >= 100 else f"{e:.3g}"


def scale(e: float, marks: tuple[tuple[float, str], ...], width: int, tone: str) -> list[Row]:
    """Evidence from 1 on, by powers of ten, with what happens at which figure."""
    cells = max(width - 14, 10)
    top = max([at for at, _ in marks] + [10.0]) * 1.6

    def cell(value: float) -> int:
        part = log10(max(value, 1.0)) / log10(top) if isfinite(value) else 1.0
        return min(max(round(part * (cells - 1)), 0), cells - 1)

    full = cell(e)
    row: list[Piece] = [Piece(f"  {odds(e)[:10]:>10}  ", "hi", True)]
    row.append(Piece("━" * full + "●", tone, True))
    row.append(Piece("·" * (cells - full - 1), "faint"))
    line = [" "] * cells
    for at, label in sorted(marks):
        place, said = cell(at), f"{label} {at:g} ^"
        begin = place - len(said) + 1
        if begin >= 0 and all(char == " " for char in line[max(begin - 1, 0) : place + 1]):
            line[begin : place + 1] = said
        else:
            line[place] = "^"
    return [tuple(row), (Piece(" " * 14 + "".join(line[:cells]), "dim"),)]


def progress(part: float, width: int) -> str:
    """A bar of a part of the whole."""
    full = round(min(max(part, 0.0), 1.0) * width)
    return "━" * full + "·" * (width - full)


def lead(doc: WhyDoc) -> tuple[MetricWhy, ...]:
    """The metrics in the order in which they matter: what carries the verdict first."""
    order = {"worse": 0, "no data": 1, "UNSURE": 2}
    return tuple(
        sorted(
            doc.metrics,
            key=lambda m: (m.name != doc.lead, not m.judged, order.get(m.word, 3)),
        )
    )


def would_change(doc: WhyDoc) -> list[str]:
    """What would make the verdict another one, in words."""
    said: list[str] = []
    compared = [m for m in doc.metrics if m.judged and m.compared]
    unclear = [m for m in compared if m.healthy < doc.healthy_at]
    if doc.word == "REGRESS":
        said.append(
            "it stays REGRESS for this rollout: harm that was certain once is not taken back"
        )
    elif doc.e < doc.hold_at:
        more = doc.hold_at / max(doc.e, 1e-9)
        said.append(f"held at evidence of harm {doc.hold_at:g}: {more:.2g} times what there is")
    if doc.word != "REGRESS":
        said.append(f"REGRESS and a roll back at evidence of harm {doc.rollback_at:g}")
    if doc.word in {"UNSURE", "NO_DATA"}:
        blind = [m.label for m in doc.metrics if m.judged and m.trouble]
        if blind:
            said.append(f"data of {', '.join(blind[:3])} must come again first")
        if unclear:
            names = ", ".join(
                f"{m.label} ({odds(m.healthy)} of {doc.healthy_at:g})" for m in unclear[:4]
            )
            said.append(
                f"PASS when it is excluded that it is {unclear[0].excludes:g}x worse: {names}"
            )
    if doc.word == "PASS":
        said.append("UNSURE again when the figures of a metric move towards its margin")
    if doc.word != "NO_DATA":
        said.append("NO DATA when a judged metric stops coming")
    return said


def enough(doc: WhyDoc, metric: MetricWhy) -> str:
    """`n of about N requests`, where it can be told how many are needed; else how many there are."""
    n = metric.canary[0]
    ahead = doc.live_forecast_s if doc.live_at else doc.forecast_s
    if ahead is None or doc.since_raise_s <= 0 or n <= 0:
        return f"{n:,} requests on the canary in this step"
    whole = n * (doc.since_raise_s + ahead) / doc.since_raise_s
    size = 10 ** max(len(str(int(whole))) - 2, 0)
    about = max(int(round(whole / size) * size), n)
    return f"{n:,} of about {about:,} requests, {words.lasting(ahead)} more at this traffic"
