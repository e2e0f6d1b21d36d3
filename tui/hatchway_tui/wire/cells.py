"""The cells of the screen: what it should show, what the terminal shows, and the difference.

Pure: no clock, no input, no output. Rows go out whole or not at all, so that no half of a new
figure ever stands beside half of an old one for longer than its bytes need.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import ne

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate

Cell = tuple[str, Style | None]
_NOTHING: Cell = ("\0", None)
"""What is not known: the terminal may show anything, or nobody has said yet what it should show."""

Pen = Style | str | None
_UNSET = "unset"  # a pen that nobody knows


class Cells:
    """A screen of `width` x `height` as it should be, beside the one that the terminal shows."""

    def __init__(self, width: int = 0, height: int = 0) -> None:
        self.width = self.height = 0
        self._want: list[list[Cell]] = []
        self._shown: list[list[Cell]] = []
        self._behind: set[int] = set()
        self._from = 0  # the row after the last one that was sent, so that every row has its turn
        self.resize(width, height)

    @property
    def behind(self) -> bool:
        """Whether the terminal may show something else than it should."""
        return bool(self._behind)

    def is_behind(self, y: int) -> bool:
        """Whether that row is one of those."""
        return y in self._behind

    def resize(self, width: int, height: int) -> None:
        """Another size: nothing is known of it yet."""
        self.width, self.height = max(width, 0), max(height, 0)
        self._want = [[_NOTHING] * self.width for _ in range(self.height)]
        self._from = 0
        self.forget()

    def forget(self) -> None:
        """The terminal shows something unknown: everything goes out again."""
        self._shown = [[_NOTHING] * self.width for _ in range(self.height)]
        self._behind = set(range(self.height))

    def take(self, update: LayoutUpdate | ChopsUpdate) -> None:
        """What Textual wants to show. Cells outside the screen are left out."""
        for y, x, segments in _pieces(update):
            self.put(y, x, segments)

    def put(self, y: int, x: int, segments: Iterable[Segment]) -> None:
        """What row `y` should show from cell `x` on."""
        if not 0 <= y < self.height:
            return
        self._behind.add(y)
        row = self._want[y]
        start, end = x, self._write(row, x, segments)
        if 0 < start < self.width and row[start][0] != "" and cell_len(row[start - 1][0]) == 2:
            row[start - 1] = (" ", row[start - 1][1])  # its other half was written over
        if 0 < end < self.width and row[end][0] == "" and cell_len(row[end - 1][0]) != 2:
            row[end] = (" ", row[end][1])

    @staticmethod
    def _write(row: list[Cell], x: int, segments: Iterable[Segment]) -> int:
        """Put characters into cells from `x` on; returns the cell after them."""
        width = len(row)
        for text, style, _ in segments:
            if x >= 0 and x + len(text) <= width and _one_cell_each(text):
                row[x : x + len(text)] = [(char, style) for char in text]
                x += len(text)
                continue
            for char in text:
                wide = 1 if char.isascii() else cell_len(char)
                if wide == 0 or x < 0:
                    x += wide  # painters let none through; it cannot stand in a cell of its own
                    continue
                if x + wide > width:
                    if x < width:
                        row[x] = (" ", style)  # half a character cannot be shown
                    return width
                row[x] = (char, style)
                if wide == 2:
                    row[x + 1] = ("", style)
                x += wide
        return x

    def frame(self, first: Sequence[int], budget: int, system: ColorSystem) -> str:
        """The sequences that bring the terminal nearer, `first` rows first.

        At most `budget` bytes (UTF-8), but at least one row; and one more in its turn, however
        much there is to say of the first ones: no row waits for ever. From then on the terminal
        counts as showing it, so it must be written. Empty when there is nothing to say.
        """
        out: list[str] = []
        size = 0
        pen: Pen = _UNSET
        head = [y for y in dict.fromkeys(first) if y in self._behind]
        for rows, least in ((head, 0), (self._turns(), 1)):
            sent = 0
            for y in rows:
                text, after = _row(y, self._shown[y], self._want[y], pen, system)
                length = len(text.encode())
                if out and text and size + length > budget and sent >= least:
                    break
                self._shows(y)
                if text:
                    out.append(text)
                    size, pen, sent = size + length, after, sent + 1
                    if rows is not head:
                        self._from = y + 1
        if out:
            out.append("\x1b[0m")
        return "".join(out)

    def _turns(self) -> Iterator[int]:
        """The rows that are still behind, from the one whose turn it is."""
        rows = sorted(self._behind)
        start = bisect_left(rows, self._from)
        for y in rows[start:] + rows[:start]:
            if y in self._behind:
                yield y

    def _shows(self, y: int) -> None:
        """From now on the terminal counts as showing that row."""
        want = self._want[y]
        if _NOTHING in want:
            shown = zip(self._shown[y], want, strict=True)
            self._shown[y] = [old if new is _NOTHING else new for old, new in shown]
        else:
            self._shown[y] = want.copy()
        self._behind.discard(y)


def _row(
    y: int, old: list[Cell], new: list[Cell], pen: Pen, system: ColorSystem
) -> tuple[str, Pen]:
    """The sequences that turn a row from `old` to `new`, and the pen after them."""
    out: list[str] = []
    at = -1  # where the cursor is known to be
    for start, end in _runs(old, new):
        if at >= 0 and start > at:
            out.append(f"\x1b[{start - at}C" if start - at > 1 else "\x1b[C")
        elif at != start:
            out.append(f"\x1b[{y + 1};{start + 1}H")
        at = start
        for x in range(start, end):
            char, style = new[x]
            if char == "":
                continue
            if at != x:  # after a wide character: the terminal may count it differently
                out.append(f"\x1b[{y + 1};{x + 1}H")
            if style is not pen and style != pen:
                out.append(_sgr(pen, style, system))
                pen = style
            out.append(char)
            at = x + 1 if char.isascii() or cell_len(char) == 1 else -1
        if end == len(new):
            at = -1  # in the last column it may stand before or behind the edge
    return "".join(out), pen


def _runs(old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
    """The stretches of `new` that differ from `old`.

    Neighbours are joined where sending what is between them is not dearer than stepping over it.
    """
    runs: list[tuple[int, int]] = []
    begin = end = -1  # of the run that may still grow
    for x in [x for x, other in enumerate(map(ne, old, new)) if other]:
        if new[x] is _NOTHING:
            continue
        if x != end:
            start = x
            while start > 0 and new[start][0] == "":  # never begin inside a wide character
                start -= 1
            if end < 0 or not (start <= end or _close(new[end - 1 : start])):
                if end >= 0:
                    runs.append((begin, end))
                begin = start
        end = max(end, x + 1)
        while end < len(new) and new[end][0] == "":
            end += 1
    if end >= 0:
        runs.append((begin, end))
    return runs


def _close(gap: list[Cell]) -> bool:
    """Whether the cells after the first, all unchanged, are cheaper to send than to step over."""
    style = gap[0][1]
    return (
        len(gap) <= 5
        and all(cell[1] == style and cell[0].isascii() and cell is not _NOTHING for cell in gap[1:])
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _one_cell_each(text: str) -> bool:
    """Whether every character stands in a cell of its own."""
    return text.isascii() or all(cell_len(char) == 1 for char in text)


@lru_cache(maxsize=1024)
def _codes(style: Style | None, system: ColorSystem) -> tuple[str, str, str]:
    """What sets the attributes, the text's colour and the ground's, from a pen without any."""
    if style is None:
        return "", "39", "49"
    fg = style.color.downgrade(system).get_ansi_codes() if style.color else ("39",)
    bg = style.bgcolor.downgrade(system).get_ansi_codes(foreground=False) if style.bgcolor else ("49",)  # fmt: skip
    plain = style.without_color.render("x", color_system=system).partition("x")[0]
    return plain.removeprefix("\x1b[").removesuffix("m"), ";".join(fg), ";".join(bg)


@lru_cache(maxsize=4096)
def _sgr(before: Pen, after: Style | None, system: ColorSystem) -> str:
    """The sequence that turns the pen `before` into `after`."""
    plain, fg, bg = _codes(after, system)
    full = ["0", *([plain] if plain else []), *([fg] if fg != "39" else []), *([bg] if bg != "49" else [])]  # fmt: skip
    whole = f"\x1b[{';'.join(full)}m"
    if isinstance(before, str):
        return whole
    was, fg_was, bg_was = _codes(before, system)
    if was != plain:
        return whole
    change = [new for new, old in ((fg, fg_was), (bg, bg_was)) if new != old]
    if not change:
        return ""
    part = f"\x1b[{';'.join(change)}m"
    return part if len(part) <= len(whole) else whole


def _pieces(
    update: LayoutUpdate | ChopsUpdate,
) -> Iterable[tuple[int, int, Iterable[Segment]]]:
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, [segment for strip in strips for segment in strip]
        return
    for y in {y for y, _, _ in update.spans}:
        for x, strip in update.chops[y].items():
            if strip is not None:
                yield y, x, strip
