"""A grid of characters to draw on: nothing can be drawn outside it, and nothing unsafe inside it."""

from __future__ import annotations

from typing import NamedTuple

from hatchway_tui import safe_text


class Look(NamedTuple):
    """How a cell looks, in words of the palette (see `ink.py`)."""

    fg: str = "txt"
    bg: str = "bg"
    bold: bool = False


Span = tuple[str, Look]
Line = tuple[Span, ...]

_PLAIN = Look()


class Piece(NamedTuple):
    """A bit of text for `Canvas.say`; `bg` "" keeps the background that is there."""

    text: str
    fg: str = "txt"
    bold: bool = False
    bg: str = ""


def _looks(before: list[Look], fg: str, bold: bool, bg: str) -> list[Look]:
    """The looks of cells that are drawn over; without a `bg` of its own each keeps its ground."""
    if bg or all(each.bg == before[0].bg for each in before):
        ground = bg or (before[0].bg if before else "bg")
        return [Look(fg, ground, bold)] * len(before)
    return [Look(fg, each.bg, bold) for each in before]


def _put(
    chars: list[str], looks: list[Look], x: int, text: str, fg: str, bold: bool, bg: str
) -> int:
    """Any safe text, cell by cell, from `x`; returns the cell after it."""
    made: dict[str, Look] = {}
    limit = len(chars)
    for char in text:
        wide = safe_text.char_width(char)
        if x >= 0 and x + wide <= limit:
            ground = bg or looks[x].bg
            look = made.get(ground)
            if look is None:
                look = made[ground] = Look(fg, ground, bold)
            chars[x], looks[x] = char, look
            if wide == 2:
                chars[x + 1], looks[x + 1] = "", look
        x += wide
    return x


class Canvas:
    """`width` x `height` cells. All drawing clips; wide characters never hang over the edge."""

    def __init__(self, width: int, height: int, bg: str = "bg") -> None:
        self.width, self.height = max(width, 0), max(height, 0)
        look = Look("txt", bg) if bg != "bg" else _PLAIN
        self._chars = [[" "] * self.width for _ in range(self.height)]
        self._looks = [[look] * self.width for _ in range(self.height)]

    def put(
        self, x: int, y: int, text: str, fg: str = "txt", bold: bool = False, bg: str = ""
    ) -> int:
        """Write `text` from cell `x` of row `y`; returns the cell after it."""
        if not 0 <= y < self.height:
            return x + safe_text.width(text)
        chars, looks, limit = self._chars[y], self._looks[y], self.width
        if 0 < x < limit and chars[x] == "":  # the half of a wide character that is drawn over
            chars[x - 1] = " "
        shown = safe_text.safe(text)
        if 0 <= x < limit and shown.isascii():  # nearly all there is: a cell a character
            end = min(x + len(shown), limit)
            chars[x:end] = shown[: end - x]
            looks[x:end] = _looks(looks[x:end], fg, bold, bg)
            x += len(shown)
        else:
            x = _put(chars, looks, x, shown, fg, bold, bg)
        if 0 <= x < limit and chars[x] == "":
            chars[x] = " "
        return x

    def say(self, x: int, y: int, *pieces: Piece, end: int | None = None) -> int:
        """Write pieces one after the other, cut with an ellipsis at cell `end`."""
        end = self.width if end is None else min(end, self.width)
        for piece in pieces:
            if x >= end:
                break
            x = self.put(x, y, safe_text.fit(piece.text, end - x), piece.fg, piece.bold, piece.bg)
        return x

    def right(self, end: int, y: int, *pieces: Piece) -> int:
        """Write pieces so that they end before cell `end`; returns where they start."""
        start = end - sum(safe_text.width(safe_text.safe(piece.text)) for piece in pieces)
        self.say(max(start, 0), y, *pieces)
        return start

    def fill(self, x: int, y: int, width: int, height: int, bg: str) -> None:
        """Colour the ground of a rectangle; text in it is kept."""
        for row in range(max(y, 0), min(y + height, self.height)):
            looks, last, made = self._looks[row], None, _PLAIN
            for column in range(max(x, 0), min(x + width, self.width)):
                look = looks[column]
                if look is not last:
                    last, made = look, Look(look.fg, bg, look.bold)
                looks[column] = made

    def rule(self, y: int, title: str = "", tone: str = "dim", right: str = "", x: int = 0) -> None:
        """A horizontal line with a title on the left and a word on the right."""
        self.put(x, y, "─" * (self.width - x), "line")
        if title:
            self.put(x + 1, y, f" {title} ", tone, tone != "dim")
        if right:
            self.right(self.width - 1, y, Piece(f" {right} ", "dim"))

    def blit(self, x: int, y: int, other: Canvas) -> None:
        """Copy another canvas onto this one, clipped."""
        width = min(other.width, self.width - x)
        if width <= 0:
            return
        for row in range(min(other.height, self.height - y)):
            self._chars[y + row][x : x + width] = other._chars[row][:width]
            self._looks[y + row][x : x + width] = other._looks[row][:width]

    def lines(self) -> tuple[Line, ...]:
        """Rows as spans of one look each; every row is exactly `width` cells wide."""
        return tuple(
            _line(chars, looks) for chars, looks in zip(self._chars, self._looks, strict=True)
        )


def _line(chars: list[str], looks: list[Look]) -> Line:
    spans: list[Span] = []
    start, count = 0, len(chars)
    for x in range(1, count + 1):
        if x == count or (looks[x] is not looks[start] and looks[x] != looks[start]):
            spans.append(("".join(chars[start:x]), looks[start]))
            start = x
    return tuple(spans) if count else ()


def text_of(lines: tuple[Line, ...]) -> str:
    """The words alone, a row a line: what a person without colours reads."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
