"""PIPELINES: every service on one row. The marked one is the service on the screen.

Header and buttons are about the marked row, which moves with Up and Down and stays with its
service while rows come and go. Nothing here ticks: times are in whole minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hatchway_tui import pipelines as fleet
from hatchway_tui import safe_text
from hatchway_tui.pages.page import Lazily, Page, Row
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.pipelines import Pipeline, pipelines
from hatchway_tui.view import View

OLD = 10.0
"""Seconds after which data are said to be old."""
RISK = {"LOW": "ok", "MEDIUM": "warn", "HIGH": "bad"}
CONTROL = {"AGENT": "dim", "PAUSED": "warn", "PERSON": "warn"}
GROUPS = ("need you", "rolling back", "held", "in canary", "on the way", "idle")


class Column(NamedTuple):
    """`least` cells, up to `most` when there is room; the lowest `worth` is left out first."""

    head: str
    least: int
    most: int
    worth: int


COLUMNS = (
    Column("service", 10, 28, 100),
    Column("needs you", 9, 15, 90),
    Column("stage", 14, 24, 80),
    Column("verdict", 7, 8, 70),
    Column("control", 7, 14, 75),
    Column("version", 9, 24, 50),
    Column("risk", 6, 6, 55),
    Column("data", 7, 7, 60),
    Column("since", 5, 5, 30),
)


def columns(width: int, longest: int = 28) -> list[tuple[str, int]]:
    """The columns that fit into `width` cells, with a gap of one, and their cells.

    `longest`: cells that the longest name of a service takes.
    """
    kept = [COLUMNS[0]._replace(most=max(min(COLUMNS[0].most, longest), 10)), *COLUMNS[1:]]
    while len(kept) > 1 and sum(each.least + 1 for each in kept) - 1 > width:
        kept.remove(min(kept, key=lambda each: each.worth))
    cells = {each.head: each.least for each in kept}
    left = width - sum(each.least + 1 for each in kept) + 1
    for each in sorted(kept, key=lambda each: -each.worth):
        more = max(min(each.most - each.least, left), 0)
        cells[each.head] += more
        left -= more
    return [(each.head, cells[each.head]) for each in kept]


def _shown(view: View) -> list[Pipeline]:
    return pipelines(view.model, view.hands.sort, view.hands.filter)


def _head(view: View, width: int) -> list[Row]:
    heads = [Piece(f"{name:<{cells}} ", "dim") for name, cells in _shape(view, width)]
    said = [
        Piece(text, "hi", not index)
        for index, text in enumerate(safe_text.wrap(summary(view), width, 2))
    ]
    rows: list[Row] = [(each,) for each in said]
    if _marked(view) < 0 and view.hands.service:
        rows.append(
            (Piece(f"on the screen: {view.hands.service}, which is not in this list", "warn"),)
        )
    return [*rows, tuple(heads)]


def _shape(view: View, width: int) -> list[tuple[str, int]]:
    longest = max((safe_text.width(each.service) for each in pipelines(view.model)), default=10)
    return columns(width, longest)


def summary(view: View) -> str:
    """How many there are of what."""
    every = pipelines(view.model)
    numbers = fleet.counts(every)
    needing = numbers[fleet.NEEDS]
    told = [f"{needing} need{'s' if needing == 1 else ''} you"]
    told += [f"{numbers[group]} {GROUPS[group]}" for group in range(1, 6) if numbers[group]]
    paused = sum(each.control.startswith("PAUSED") for each in every)
    people = sum(each.control.startswith("PERSON") for each in every)
    unknown = sum(each.alarming for each in every)
    also = [
        f"{number} {what}"
        for number, what in ((unknown, "control UNKNOWN"), (paused, "paused"), (people, "with a person"))
        if number
    ]  # fmt: skip
    text = f"{words.count(len(every), 'service')}: {', '.join(told)}"
    return f"{text}; {', '.join(also)}" if also else text


def _rows(view: View, width: int) -> Sequence[Row]:
    shape, found = _shape(view, width), _shown(view)
    if not found:
        some = "no service matches" if view.hands.filter.strip() else "no service is known yet"
        return [(Piece(some, "dim"),)]
    return Lazily(len(found), lambda index: _row(view, found[index], shape))


def _row(view: View, pipe: Pipeline, shape: list[tuple[str, int]]) -> Row:
    marked = pipe.service == view.hands.service
    row: list[Piece] = []
    for name, cells in shape:
        text, tone, bold = _cell(view, pipe, name, cells)
        text = safe_text.fit(text, cells)
        pad = " " * (cells - safe_text.width(text) + 1)
        bg = "panel" if marked else ""
        row.append(Piece(text + pad, tone, bold or (marked and name == "service"), bg))
    return tuple(row)


def _cell(view: View, pipe: Pipeline, name: str, cells: int) -> tuple[str, str, bool]:
    match name:
        case "service":
            marked = pipe.service == view.hands.service
            return pipe.service, "hi" if marked or pipe.asks else "txt", bool(pipe.asks)
        case "needs you":
            if not pipe.asks:
                return "", "dim", False
            since = roughly(view.now - pipe.asked_at)
            text = f"{pipe.asks} {since}" if cells >= 15 else f"YES {since}"
            return text, "warn", True
        case "stage":
            return pipe.where, pipe.tone, pipe.group in {fleet.BACK, fleet.HELD}
        case "verdict":
            return pipe.verdict or "-", pipe.verdict_tone, pipe.verdict_tone in {"bad", "warn"}
        case "control":
            text = f"{pipe.control} {pipe.holder}" if cells > 8 else pipe.control
            tone = CONTROL.get(pipe.control, "warn")
            return text.rstrip(), tone, tone == "warn"
        case "version":
            before, after = pipe.versions
            text = f"{before} → {after}"
            return (text if safe_text.width(text) <= cells else f"→ {after}") if after else "", "dim", False  # fmt: skip
        case "risk":
            return pipe.risk or "-", RISK.get(pipe.risk, "dim"), pipe.risk == "HIGH"
        case "data":
            old = view.now - pipe.read_at
            if not pipe.read_at:
                return "none", "warn", False
            return ("live", "dim", False) if old <= OLD else (f"OLD {roughly(old)}", "warn", True)
    return (roughly(view.now - pipe.since) if pipe.since else "-"), "dim", False


def roughly(seconds: float) -> str:
    """How long, in whole minutes, hours or days: what does not change every second."""
    minutes = int(max(seconds, 0.0) // 60)
    if minutes < 1:
        return "<1m"
    if minutes < 100:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 48 * 60 else f"{minutes // 1440}d"


def _marked(view: View) -> int:
    return next(
        (i for i, each in enumerate(_shown(view)) if each.service == view.hands.service), -1
    )


def _says(view: View) -> str:
    return f"by {view.hands.sort} ({view.keys.of('sort')})"


PAGE = Page("PIPELINES", _rows, filters=True, head=_head, marked=_marked, says=_says)
