"""The rules of reading a page: scrolling, following, and the text after `/`. Pure.

Rows have numbers that stay with them: lines that come in at the end of a log, or leave at its
front, do not move what a person reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

if TYPE_CHECKING:
    from hatchway_tui.held import Hands

LONGEST = 80
"""Characters of a filter."""

Move = Literal["next", "previous", "page_down", "page_up", "home", "end"]
MOVES: frozenset[str] = frozenset({"next", "previous", "page_down", "page_up", "home", "end"})


class Extent(NamedTuple):
    """What of the open page is on the screen. Rows are numbered; `total` is after the last."""

    first: int = 0  # more than 0 when older rows are no longer there
    total: int = 0
    room: int = 0  # rows that fit; 0 when nothing has been painted yet
    top: int = 0  # the first row on the screen
    tail: bool = False  # whether the page follows its end
    matches: tuple[int, ...] = ()  # rows in which the text after `/` was found
    match: int = -1  # the one that is looked at

    @property
    def most(self) -> int:
        """The last row that can be on top."""
        return max(self.total - self.room, self.first)


def placed(
    hands: Hands, first: int, count: int, room: int, tail: bool, matches: tuple[int, ...] = ()
) -> Extent:
    """Where a page of `count` rows stands, as the hands have it; `first` is its first row's number."""
    total = first + count
    most = max(total - room, first)
    followed = hands.end - room if hands.end else most
    top = followed if tail else hands.scroll
    top = max(min(top, most), first)
    match = hands.match
    if matches and match not in matches:  # the text has just changed: the nearest one
        below = [row for row in matches if row >= top]
        above = [row for row in matches if row < top + room]
        match = (above or list(matches))[-1] if tail else (below or list(matches))[0]
        if not top <= match < top + room:
            top = max(min(match - room // 2, most), first)
    return Extent(first, total, room, top, tail, matches, match if matches else -1)


def move(hands: Hands, action: Move) -> Hands:
    """Scroll; with a text after `/` that was found, `next` and `previous` go from match to match."""
    extent = hands.extent
    if extent.matches and action in {"next", "previous"}:
        return _to_match(hands, 1 if action == "next" else -1)
    page = max(extent.room - 1, 1)
    steps = {"next": 1, "previous": -1, "page_down": page, "page_up": -page}
    if action == "home":
        return _to(hands, extent.first)
    if action == "end":
        return _to(hands, extent.most if extent.room else 1_000_000)
    return _to(hands, (extent.top if extent.room else hands.scroll) + steps[action])


def _to(hands: Hands, top: int) -> Hands:
    extent = hands.extent
    if extent.room:
        top = max(min(top, extent.most), extent.first)
    if not extent.tail:
        return replace(hands, scroll=max(top, 0))
    if top >= extent.most:
        return replace(hands, end=0, seen=0)
    return replace(hands, end=top + extent.room, seen=hands.seen or extent.total)


def _to_match(hands: Hands, step: int) -> Hands:
    extent = hands.extent
    here = extent.matches.index(extent.match)
    row = extent.matches[(here + step) % len(extent.matches)]
    if extent.top <= row < extent.top + extent.room:
        return replace(_stay(hands), match=row)
    return replace(_to(hands, row - extent.room // 2), match=row)


def _stay(hands: Hands) -> Hands:
    """What was found stays where it is, also when the page follows its end."""
    extent = hands.extent
    if not extent.tail or not extent.room:
        return replace(hands, scroll=extent.top if extent.room else hands.scroll)
    return replace(hands, end=extent.top + extent.room, seen=hands.seen or extent.total)


def typed(hands: Hands, key: str, char: str | None) -> Hands:
    """A key while the text after `/` is typed: it works as it is typed. Enter keeps it, Esc clears."""
    entry = hands.entry
    assert entry is not None
    text = entry.text
    match key:
        case "escape" | "ctrl+c":
            return cleared(hands)
        case "enter" | "ctrl+j":
            return kept(hands)
        case "up" | "down":
            return move(hands, "next" if key == "down" else "previous")
        case "pageup" | "pagedown":
            return move(hands, "page_down" if key == "pagedown" else "page_up")
        case "backspace" | "ctrl+h":
            if not text:
                return cleared(hands)
            text = text[:-1]
        case "ctrl+u":
            text = ""
        case _ if char and char.isprintable() and len(text) < LONGEST:
            text += char
        case _:
            return hands
    return replace(hands, entry=replace(entry, text=text), filter=text, match=-1)


def kept(hands: Hands) -> Hands:
    """Typing is over; the text stays, and so does what it found."""
    hands = replace(hands, entry=None, filter=hands.filter.strip())
    if hands.filter and hands.extent.matches:
        hands = replace(_stay(hands), match=hands.extent.match)
    return hands


def cleared(hands: Hands) -> Hands:
    """Without the text, where the page stood before."""
    return replace(hands, entry=None, filter="", match=-1)


def opened(hands: Hands, page: str) -> Hands:
    """Another page, from its beginning (or its end, when it follows)."""
    return replace(
        hands, page=page, scroll=0, end=0, seen=0, filter="", match=-1, across=0, extent=Extent()
    )
