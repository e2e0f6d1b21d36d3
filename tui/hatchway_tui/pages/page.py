"""What a page is: rows of text under a title, and what it has to ask the backend for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.view import View

Row = tuple[Piece, ...]
Ask = tuple[str, str]
"""The kind of a query (see `asked.py`) and what it is about."""


def _nothing(_: View) -> Ask | None:
    return None


class Page(NamedTuple):
    """`rows` makes all rows for a width; `paint` shows those that fit."""

    title: str
    rows: Callable[[View, int], list[Row]]
    tail: bool = False  # shows its end, and is scrolled up from there
    asks: Callable[[View], Ask | None] = _nothing  # asked when it opens and every 2 s after


def paint(page: Page, view: View, width: int, height: int) -> Canvas:
    """The page, scrolled as the hands have it."""
    canvas = Canvas(width, height)
    rows = page.rows(view, width - 4)
    most = max(len(rows) - (height - 1), 0)
    top = max(most - view.hands.scroll, 0) if page.tail else min(view.hands.scroll, most)
    place = f"{top + 1}-{min(top + height - 1, len(rows))} of {len(rows)}" if most else ""
    canvas.rule(0, page.title, "hi", place)
    for y, row in enumerate(rows[top : top + height - 1], start=1):
        canvas.say(2, y, *row)
    return canvas


def answer_to(view: View, kind: str, about: str) -> object | None:
    """The backend's answer to a page's query; None while it has not come."""
    return view.model.told.get(f"{kind}/{about}")


def not_yet(view: View, kind: str, about: str) -> list[Row]:
    """What a page says while it has no answer: that it asks, or why it cannot know."""
    why = view.model.untold.get(f"{kind}/{about}", "")
    if why:
        return [(Piece(why, "warn"),)]
    if view.model.phase != "live":
        return [(Piece("only the backend knows this, and it does not answer", "warn"),)]
    return [(Piece("asking the backend ...", "dim"),)]
