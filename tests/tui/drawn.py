"""A painted screen as a small SVG: one row of the screen is one line of the file.

So a snapshot can be looked at in any browser, and what differs reads as rows. Colours, bold and
reverse are those that the terminal would get.
"""

from __future__ import annotations

import re
from html import escape

from hatchway_tui.paint.canvas import Line
from hatchway_tui.paint.ink import PALETTES, style_of

CELL, ROW, SIZE = 8, 17, 13
HARD = "\u00a0"
"""Browsers make one of several spaces; not of these."""
FRONT, BACK = "#d0d0d0", "#000000"


def svg(lines: tuple[Line, ...], palette: str) -> str:
    """The screen in a palette; the same bytes for the same screen."""
    width = sum(len(text) for text, _ in lines[0]) if lines else 0
    back = PALETTES[palette].get("bg", BACK)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * CELL}" height="{len(lines) * ROW}"'
        f' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}"'
        f'><rect width="100%" height="100%" fill="{back}"/>'
    )
    return "\n".join(
        [head, *(_row(line, y, palette, back) for y, line in enumerate(lines)), "</svg>\n"]
    )


def _row(line: Line, y: int, palette: str, back: str) -> str:
    grounds, texts, x = [], [], 0
    for text, look in line:
        style, cells = style_of(palette, look), len(text)
        front = style.color.get_truecolor().hex if style.color else FRONT
        ground = style.bgcolor.get_truecolor().hex if style.bgcolor else back
        if style.reverse:
            front, ground = ground, front
        if ground != back:
            grounds.append(
                f'<rect x="{x * CELL}" y="{y * ROW}" width="{cells * CELL}" height="{ROW}" fill="{ground}"/>'
            )
        bare = text.strip()
        if bare:
            at = x + len(text) - len(text.lstrip())
            bold = ' font-weight="bold"' if style.bold else ""
            texts.append(
                f'<tspan x="{at * CELL}" textLength="{len(bare) * CELL}" fill="{front}"{bold}>{escape(bare.replace(" ", HARD))}</tspan>'
            )
        x += cells
    return f'{"".join(grounds)}<text y="{y * ROW + SIZE}">{"".join(texts)}</text>'


def words(drawing: str) -> list[str]:
    """The rows of a drawing as text, each span where it begins."""
    rows = []
    for line in re.findall(r"<text .*?</text>", drawing):
        row = ""
        for x, text in re.findall(r'<tspan x="(\d+)"[^>]*>(.*?)</tspan>', line):
            row = row.ljust(int(x) // CELL) + text
        rows.append(row)
    return [row.replace(HARD, " ") for row in rows]
