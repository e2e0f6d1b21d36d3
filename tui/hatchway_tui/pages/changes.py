"""WHAT SHIPS: commits, files, risk."""

from __future__ import annotations

from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View


def _changes(view: View, width: int) -> list[Row]:
    run = view.run
    if run is None:
        return [(Piece("nothing is being released", "dim"),)]
    rows: list[Row] = [
        (
            Piece(f"{run.service} {run.from_version} → {run.to_version}  ", "hi", True),
            Piece(run.commit, "dim"),
        ),
        (Piece("risk ", "dim"), Piece(run.risk or "unknown", "warn", True)),
    ]
    rows += [(Piece("  because ", "dim"), Piece(text)) for text in run.risk_reasons]
    rows += [(Piece("  look at ", "dim"), Piece(text, "warn")) for text in run.attention]
    rows += [(), (Piece(words.count(len(run.changes), "commit"), "hi", True),)]
    rows += [
        (
            Piece(f"  {each.commit[:8]}  ", "dim"),
            Piece(each.title),
            Piece(f"  {each.author}", "dim"),
        )
        for each in run.changes
    ]
    rows += [(), (Piece(words.count(len(run.files), "file"), "hi", True),)]
    rows += [(Piece(f"  {each}"),) for each in run.files]
    return rows


PAGE = Page("WHAT SHIPS", _changes)
