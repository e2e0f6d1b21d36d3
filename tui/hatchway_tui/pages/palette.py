"""GO TO: what the palette finds, each with its key, what it does, or why it cannot be done now."""

from __future__ import annotations

from collections.abc import Sequence

from hatchway_tui import palette, safe_text
from hatchway_tui.pages.page import Lazily, Page, Row
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.palette import Choice
from hatchway_tui.view import View


def _found(view: View) -> list[Choice]:
    return palette.matching(view.hands, view.model, view.rights)


def _rows(view: View, width: int) -> Sequence[Row]:
    found = _found(view)
    if not found:
        return [(Piece("nothing is called so", "dim"),)]
    mark = palette.at_mark(view.hands, found)
    return Lazily(len(found), lambda index: _row(found[index], width, index == mark))


def _row(choice: Choice, width: int, marked: bool) -> Row:
    bg = "panel" if marked else ""
    cells = max(min(width // 2, 40), 12)
    tone = "faint" if choice.why_not else "hi" if marked else "txt"
    label = safe_text.fit(choice.label, cells)
    label += " " * (cells - safe_text.width(label))
    key = f"{choice.key:<10}" if width >= 60 else ""
    said = f"NOT NOW: {choice.why_not}" if choice.why_not else choice.tip
    return (
        Piece(label + " ", tone, marked or choice.acts, bg), Piece(key, "acc", False, bg),
        Piece(said, "warn" if choice.why_not else "dim", False, bg),
    )  # fmt: skip


def _marked(view: View) -> int:
    return palette.at_mark(view.hands, _found(view))


def _says(view: View) -> str:
    return f"{len(_found(view))} found"


PAGE = Page("GO TO", _rows, filters=True, marked=_marked, says=_says)
