"""What a page is: rows of text under a title, and what it has to ask the backend for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple, overload

from msgspec.structs import replace

from hatchway_tui import safe_text
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.reading import Extent, placed
from hatchway_tui.view import View

Row = tuple[Piece, ...]
Ask = tuple[str, str]
"""The kind of a query (see `asked.py`) and what it is about."""


def _nothing(_: View) -> Ask | None:
    return None


def _zero(_: View) -> int:
    return 0


def _always(_: View) -> bool:
    return True


def _no_rows(_: View, _width: int) -> list[Row]:
    return []


def _no_words(_: View) -> str:
    return ""


class Lazily(Sequence[Row]):
    """Rows that are made when they are shown: of many, few are."""

    def __init__(self, count: int, make: Callable[[int], Row]) -> None:
        self._all, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self._make(index) for index in self._all[at]]
        return self._make(self._all[at])


class Page(NamedTuple):
    """`rows` makes all rows for a width; `paint` shows those that fit.

    A page with `filters` leaves rows out by `view.hands.filter` itself; on every other page the
    text after `/` is searched for, and Down and Up go from match to match.
    """

    title: str
    rows: Callable[[View, int], Sequence[Row]]
    tail: bool = False  # shows its end, and is scrolled up from there
    asks: Callable[[View], Ask | None] = _nothing  # asked when it opens and every 2 s after
    filters: bool = False
    first: Callable[[View], int] = _zero  # rows that are no longer there, before the first
    head: Callable[[View, int], list[Row]] = _no_rows  # rows that stay on top
    flows: Callable[[View], bool] = _always  # whether more may come in at the end
    marked: Callable[[View], int] | None = None  # the row that is marked and always to be seen
    says: Callable[[View], str] = _no_words  # said beside the title


def paint(page: Page, view: View, width: int, height: int) -> Canvas:
    """The page, scrolled as the hands have it."""
    canvas = Canvas(width, height)
    head, rows, extent = _laid_out(page, view, width, height)
    _title(canvas, page, view, extent)
    for y, row in enumerate(head, start=1):
        canvas.say(2, y, *row)
    mark = page.marked(view) if page.marked is not None else extent.match
    skipped = extent.top - extent.first
    shown = rows[skipped : skipped + extent.room]
    for index, row in enumerate(shown):
        y, number = 1 + len(head) + index, extent.top + index
        if extent.matches:
            row = marked(row, view.hands.filter, number == extent.match)  # noqa: PLW2901
        if number == mark:
            canvas.put(0, y, "▶", "acc", True)
        canvas.say(2, y, *row)
    return canvas


def extent_of(page: Page, view: View, width: int, height: int) -> Extent:
    """What of the page is on the screen."""
    return _laid_out(page, view, width, height)[2]


def _laid_out(
    page: Page, view: View, width: int, height: int
) -> tuple[list[Row], Sequence[Row], Extent]:
    head = page.head(view, width - 4)[: max(height - 2, 0)]
    rows, first = page.rows(view, width - 4), page.first(view)
    wanted = "" if page.filters else folded(view.hands.filter.strip())
    matches: tuple[int, ...] = ()
    if wanted:
        matches = tuple(
            first + index for index, row in enumerate(rows) if wanted in folded(_text(row))
        )
    room = max(height - 1 - len(head), 1)
    hands = view.hands
    if page.marked is not None:  # by whole screens: then few cells change
        hands = replace(hands, scroll=max(page.marked(view), 0) // room * room)
    return head, rows, placed(hands, first, len(rows), room, page.tail, matches)


def _title(canvas: Canvas, page: Page, view: View, extent: Extent) -> None:
    """The title, what is searched for and found, and what of the page is to be seen."""
    said = [told] if (told := page.says(view)) else []
    wanted = view.hands.filter.strip()
    if wanted and page.filters:
        clears = view.keys.clears()
        said.append(f"only {safe_text.fit(wanted, 20)}" + (f" ({clears}: all)" if clears else ""))
    elif wanted and not extent.matches:
        said.append(f"{safe_text.fit(wanted, 20)}: not found")
    elif wanted:
        nth = extent.matches.index(extent.match) + 1
        said.append(f"{safe_text.fit(wanted, 20)}: {nth} of {len(extent.matches)}")
    last = min(extent.top + extent.room, extent.total)
    if extent.most > extent.first:
        said.append(f"{extent.top + 1}-{last} of {extent.total}")
    if page.tail and extent.total:
        below, hands = extent.total - last, view.hands
        if below:
            new = max(extent.total - hands.seen, 0) if hands.seen else 0
            end = view.keys.of("end")
            said.append(f"{new} NEW BELOW ({end})" if new else f"{below} below ({end})")
        else:
            follows = not hands.end and not wanted and page.flows(view)
            said.append("FOLLOWING" if follows else "AT THE END")
    right = ", ".join(said)
    loud = "NEW BELOW" in right or "not found" in right
    canvas.rule(0, page.title, "hi")
    cells = canvas.width - len(page.title) - 7
    if right and cells > 8:
        text = f" {safe_text.fit(right, cells)} "
        canvas.right(canvas.width - 1, 0, Piece(text, "warn" if loud else "dim"))


def folded(text: str) -> str:
    """For comparing without regard to case, character by character, so that places stay."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _text(row: Row) -> str:
    return "".join(safe_text.safe(piece.text) for piece in row)


def marked(row: Row, wanted: str, current: bool) -> Row:
    """The row with what was searched for standing out, by more than colour alone."""
    wanted, text = folded(wanted.strip()), folded(_text(row))
    found, at = set[int](), text.find(wanted) if wanted else -1
    while at >= 0:
        found.update(range(at, at + len(wanted)))
        at = text.find(wanted, at + len(wanted))
    if not found:
        return row
    fg, bg = ("ink", "acc") if current else ("hi", "line")
    out: list[Piece] = []
    index = 0
    for piece in row:
        shown = safe_text.safe(piece.text)
        for inside, chars in groupby(enumerate(shown, index), lambda each: each[0] in found):
            part = "".join(char for _, char in chars)
            out.append(Piece(part, fg, True, bg) if inside else piece._replace(text=part))
        index += len(shown)
    return tuple(out)


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
