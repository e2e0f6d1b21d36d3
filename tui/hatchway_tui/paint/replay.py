"""What a replay adds to the screen: where one is on the run's time, and that nothing here is now."""

from __future__ import annotations

import time

from hatchway.edge.docs.replay import KINDS, ReplayDoc
from hatchway_tui import safe_text
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.view import View

TONES = {"plain": "hi", "good": "ok", "warn": "warn", "bad": "bad", "dim": "dim"}


def day(at: float) -> str:
    """`2026-01-31`."""
    return time.strftime("%Y-%m-%d", time.gmtime(at)) if at > 0 else ""


def draw(canvas: Canvas, view: View, doc: ReplayDoc, y: int, pad: int) -> None:
    """Two rows: the record and what it says; the bar."""
    end = canvas.width - pad
    if doc.trouble:
        end = canvas.right(end, y, Piece(_trouble(doc, canvas.width), "warn", True)) - 2
    kind = KINDS.get(doc.mark, "")
    canvas.say(
        pad, y, Piece(f"seq {doc.seq} of {doc.last}", "hi", True),
        Piece(f", {words.clock(doc.at)}Z, ", "txt"), Piece("event: ", "dim"),
        Piece(f"{kind.partition(' ')[0].upper()} " if kind else "", TONES[doc.tone], True),
        Piece(f"{doc.who}: " if doc.who else "", "dim"), Piece(doc.event, "txt"), end=end,
    )  # fmt: skip
    _bar(canvas, doc, y + 1, pad)


def _trouble(doc: ReplayDoc, width: int) -> str:
    """It has half of the row: the whole of it is on the why page."""
    return safe_text.fit(doc.trouble, max(width // 2, 20))


def _bar(canvas: Canvas, doc: ReplayDoc, y: int, pad: int) -> None:
    """The run's time from left to right, the letters of what mattered, and where one is."""
    left, right = f"{words.clock(doc.began)} ", f" {words.clock(doc.ended)}"
    place = f"  {doc.place} of {doc.marked}"
    x = canvas.say(pad, y, Piece(left, "dim"))
    end = canvas.right(canvas.width - pad, y, Piece(right, "dim"), Piece(place, "dim"))
    cells = end - x
    if cells < 3:
        return
    canvas.put(x, y, "─" * cells, "line")
    for mark in doc.marks:
        canvas.put(x + column(doc, mark.at, cells), y, mark.kind, TONES[mark.tone])
    here = column(doc, doc.at, cells)
    canvas.put(x + here, y, doc.mark or "#", "ink", True, "acc")
    # also without colours: what stands beside the letter says which one it is
    if here > 0:
        canvas.put(x + here - 1, y, ">", "acc", True)
    if here + 1 < cells:
        canvas.put(x + here + 1, y, "<", "acc", True)


def column(doc: ReplayDoc, at: float, cells: int) -> int:
    """Where a time stands on a bar of so many cells."""
    whole = max(doc.ended - doc.began, 1e-9)
    return min(max(int((at - doc.began) / whole * (cells - 1) + 0.5), 0), cells - 1)
