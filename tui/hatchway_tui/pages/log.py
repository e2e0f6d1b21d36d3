"""LOG: the jobs of every stage, and what the running one prints."""

from __future__ import annotations

from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import MARKS
from hatchway_tui.view import View


def _log(view: View, width: int) -> list[Row]:
    run = view.run
    rows: list[Row] = []
    if run is not None:
        for stage in run.stages:
            for job in stage.jobs:
                mark, tone = MARKS[job.status]
                rows.append(
                    (
                        Piece(f"{mark} ", tone),
                        Piece(f"{stage.name} / {job.name} {job.status}  ", "dim"),
                        Piece(job.detail, "bad" if job.status == "failed" else "dim"),
                    )
                )
        doc = view.model.logs.get(run.id)
        if doc is not None:
            rows.append(())
            rows += [(Piece(f"{line.job:<10} ", "dim"), Piece(line.text)) for line in doc.lines]
    return rows or [(Piece("nothing has been printed", "dim"),)]


PAGE = Page("LOG", _log, tail=True)
