"""THE RUN: its stages and jobs in order, with when they began and how long they took."""

from __future__ import annotations

from hatchway.edge.protocol import JobDoc, StageDoc
from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import MARKS
from hatchway_tui.view import View


def _run(view: View, width: int) -> list[Row]:
    run = view.run
    if run is None:
        return [(Piece("nothing is being released", "dim"),)]
    rows: list[Row] = []
    for stage in run.stages:
        parts: tuple[StageDoc | JobDoc, ...] = (stage, *stage.jobs)
        for each in parts:
            mark, tone = MARKS[each.status]
            end = each.ended_at or view.now
            took = words.lasting(end - each.started_at) if each.started_at else ""
            pad = "" if each is stage else "  "
            rows.append(
                (
                    Piece(f"{words.clock(each.started_at)}  {took:>7}  {pad}", "dim"),
                    Piece(f"{mark} ", tone),
                    Piece(each.name, "hi" if each is stage else "txt", each is stage),
                    Piece(f"  {each.status} {each.detail}", "dim"),
                )
            )
    return rows


PAGE = Page("THE RUN", _run)
