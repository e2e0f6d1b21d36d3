"""The wire to the terminal: of what Textual would send again, only the cells that changed go out.

Textual re-sends every dirty region whole. `Wire` keeps a shadow of what the terminal shows and
turns each of Textual's updates into the difference. It touches two private classes of Textual's
compositor; therefore Textual is pinned exactly and a test replays both streams to the same screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

_CLOSE = 4
"""Cells that did not change but are sent again, as moving the cursor over them costs more."""

Cell = tuple[str, Style | None]
_BLANK: Cell = ("\0", None)  # equal to nothing that can be on the screen


@lru_cache(maxsize=1024)
def _sgr(style: Style | None, system: ColorSystem) -> str:
    """The sequence that sets a style from any other."""
    if style is None:
        return "\x1b[0m"
    codes = style.render("x", color_system=system).partition("x")[0]
    return codes.replace("\x1b[", "\x1b[0;", 1) if codes else "\x1b[0m"


class Wire:
    """A shadow of the terminal's screen."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}
        self.sent = 0  # characters, for the tests and the benchmark

    def forget(self) -> None:
        """The terminal shows something unknown: the next update is sent whole."""
        self._rows.clear()

    def thin(self, update: CompositorUpdate) -> CompositorUpdate:
        """The same update with only the changes in it."""
        if isinstance(update, LayoutUpdate | ChopsUpdate):
            return _Thin(self, update)
        self.forget()
        return update

    def render(self, update: LayoutUpdate | ChopsUpdate, console: Console) -> str:
        """The sequences that bring the terminal from the shadow to `update`."""
        system = console._color_system or ColorSystem.TRUECOLOR
        fresh: dict[int, list[Cell]] = {}
        for y, start, segments in _pieces(update):
            x = start
            row = fresh.get(y)
            if row is None:
                row = fresh[y] = list(self._rows.get(y, ()))
            for text, style, _ in segments:
                for char in text:
                    wide = 1 if char.isascii() else cell_len(char)
                    if len(row) < x + wide:
                        row.extend([_BLANK] * (x + wide - len(row)))
                    row[x] = (char, style)
                    if wide == 2:
                        row[x + 1] = ("", style)
                    x += wide
        out: list[str] = []
        pen: Style | str | None = ""
        for y, row in sorted(fresh.items()):
            pen = _row(out, y, self._rows.get(y, []), row, system, pen)
            self._rows[y] = row
        if out:
            out.append("\x1b[0m")
        text = "".join(out)
        self.sent += len(text)
        return text


def _row(
    out: list[str], y: int, old: list[Cell], new: list[Cell], system: ColorSystem,
    pen: Style | str | None,
) -> Style | str | None:  # fmt: skip
    old = old + [_BLANK] * (len(new) - len(old))
    for start, end in _runs(old, new):
        out.append(f"\x1b[{y + 1};{start + 1}H")
        for char, style in new[start:end]:
            if style is not pen and style != pen:
                out.append(_sgr(style, system))
                pen = style
            out.append(char)
    return pen


def _runs(old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
    """The stretches of `new` that differ from `old`; neighbours closer than `_CLOSE` are joined."""
    runs: list[tuple[int, int]] = []
    for x in [x for x, (before, after) in enumerate(zip(old, new, strict=True)) if before != after]:
        start, end = x, x + 1
        while start > 0 and new[start][0] == "":  # never begin inside a wide character
            start -= 1
        while end < len(new) and new[end][0] == "":
            end += 1
        if runs and start - runs[-1][1] <= _CLOSE:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return runs


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


class _Thin(CompositorUpdate):
    """Rendered when Textual writes it, so that the shadow changes only with the terminal."""

    def __init__(self, wire: Wire, update: LayoutUpdate | ChopsUpdate) -> None:
        self._wire, self._update = wire, update

    def render_segments(self, console: Console) -> str:
        return self._wire.render(self._update, console)
