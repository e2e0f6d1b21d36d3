"""KEYS: every key and what it does, out of the registry."""

from __future__ import annotations

from hatchway_tui import safe_text
from hatchway_tui.keys import ACTIONS, shown
from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View


def _keys(view: View, width: int) -> list[Row]:
    rows: list[Row] = []
    for action in ACTIONS:
        names = " ".join(shown(key) for key in action.keys)
        texts = safe_text.wrap(action.help, max(width - 22, 20), 4)
        rows.append((Piece(f"{names:<20} ", "acc", True), Piece(texts[0])))
        rows += [(Piece(" " * 21), Piece(text)) for text in texts[1:]]
    rows += [
        (),
        (Piece("Guarded keys (o r f g a x) are ignored right after another key and for 1 s", "dim"),),
        (Piece("after Esc, [ or O: late pieces of escape sequences look like typed letters.", "dim"),),
    ]  # fmt: skip
    return rows


PAGE = Page("KEYS", _keys)
