"""Rows of a page: a label on the left, and its text beside it, folded under itself."""

from __future__ import annotations

from collections.abc import Iterable

from hatchway_tui import safe_text
from hatchway_tui.pages.page import Row
from hatchway_tui.paint.canvas import Piece

LABEL = 13
MOST_ROWS = 6
"""No text of one field takes more rows than this; it ends in an ellipsis then."""


def field(label: str, texts: Iterable[str], width: int, tone: str = "txt") -> list[Row]:
    """The texts under one another, the label before the first; no rows where there is no text."""
    rows: list[Row] = []
    for text in filter(None, texts):
        for part in safe_text.wrap(text, max(width - LABEL, 8), MOST_ROWS):
            name = safe_text.fit(label if not rows else "", LABEL - 1)
            lead = name + " " * (LABEL - safe_text.width(name))
            rows.append((Piece(lead, "dim"), Piece(part, tone)))
    return rows


def folded(
    text: str, width: int, tone: str = "txt", indent: int = 0, bold: bool = False
) -> list[Row]:
    """A text in as many rows as it needs, within reason."""
    lead = Piece(" " * indent)
    parts = safe_text.wrap(text, max(width - indent, 8), MOST_ROWS)
    return [(lead, Piece(part, tone, bold)) for part in parts]
