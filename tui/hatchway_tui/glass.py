"""The one widget: shows painted lines and repaints only those that changed."""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from hatchway_tui.paint.canvas import Line
from hatchway_tui.paint.ink import ASCII, style_of


@lru_cache(maxsize=128)
def _strip(line: Line, palette: str, ascii_only: bool) -> Strip:
    cells = 0
    segments = []
    for text, look in line:
        shown = text.translate(ASCII) if ascii_only else text
        if ascii_only and not shown.isascii():
            shown = shown.encode("ascii", "replace").decode()
        segments.append(Segment(shown, style_of(palette, look)))
        cells += Segment(shown).cell_length
    return Strip(segments, cells)


class Glass(Widget):
    """Fills the screen with lines from a painter; no layout, no styles of its own, no markup."""

    DEFAULT_CSS = "Glass { width: 100%; height: 100%; }"

    def __init__(self, palette: str, ascii_only: bool) -> None:
        super().__init__()
        self.palette = palette
        self._ascii = ascii_only
        self.lines: tuple[Line, ...] = ()

    def show(self, lines: tuple[Line, ...]) -> list[int]:
        """Show `lines`. Returns the rows that changed; who draws them is not decided here."""
        before, self.lines = self.lines, lines
        if len(before) != len(lines):
            return list(range(len(lines)))
        return [y for y, (old, new) in enumerate(zip(before, lines, strict=True)) if old != new]

    def draw(self, rows: list[int]) -> None:
        """Have Textual draw these rows."""
        if len(rows) == len(self.lines):
            self.refresh()
        elif rows:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in rows))

    def render_lines(self, crop: Region) -> list[Strip]:
        """The painted rows of `crop`, without the detour over Textual's style cache."""
        strips = [self.row(y) for y in crop.line_range]
        if crop.x == 0 and crop.width >= self.size.width:
            return strips
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def row(self, y: int) -> Strip:
        """One painted row, as wide as the screen."""
        width = self.size.width
        if 0 <= y < len(self.lines) and self.lines[y]:
            strip = _strip(self.lines[y], self.palette, self._ascii)
            if strip.cell_length == width:
                return strip
            return strip.adjust_cell_length(width)
        return Strip.blank(width)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as the terminal."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as the terminal."""
        return container.height
