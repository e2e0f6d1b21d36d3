"""A recording of a dashboard as one animated SVG: no script, no fonts, plays in any browser's `<img>`.

A row that was seen before is drawn once and used again, so that minutes fit into a few hundred
kilobytes. Long times in which little happens are shortened, and said so by the clock on the screen.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from hatchway_tui.app import Dashboard
from hatchway_tui.paint.canvas import Line
from hatchway_tui.paint.ink import PALETTES

sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))

from drawn import CELL, ROW, svg

Screen = tuple[Line, ...]
LEAST, MOST, LAST = 0.25, 1.6, 4.0
"""Seconds that a picture stays at least and at most, and the last one."""


class Film:
    """Remembers what a dashboard shows from now on, whenever it shows something else."""

    def __init__(self, screen: Dashboard, palette: str = "dark") -> None:
        self._screen, self._palette = screen, palette
        self.frames: list[tuple[float, Screen]] = []

    def look(self) -> None:
        """Take a picture if it is another one than the last."""
        lines = self._screen.glass.lines
        if lines and (not self.frames or lines != self.frames[-1][1]):
            self.frames.append((time.monotonic(), lines))

    def write(self, file: Path) -> None:
        """The animated SVG."""
        file.write_text(animated(self.frames, self._palette), encoding="utf-8")


def shortened(frames: list[tuple[float, Screen]]) -> list[tuple[float, Screen]]:
    """How long each picture stays; what came and went too quickly to be seen is left out."""
    kept: list[tuple[float, Screen]] = []
    for index, (at, screen) in enumerate(frames):
        following = frames[index + 1][0] if index + 1 < len(frames) else at + LAST
        stays = following - at
        if stays < LEAST and index + 1 < len(frames):
            continue
        kept.append((LAST if index + 1 == len(frames) else min(stays, MOST), screen))
    return kept


def animated(frames: list[tuple[float, Screen]], palette: str) -> str:
    """One SVG of all pictures, over and over; without animation it shows the first."""
    shown = shortened(frames)
    whole = sum(stays for stays, _ in shown)
    width = sum(len(text) for text, _ in shown[0][1][0]) * CELL
    height = len(shown[0][1]) * ROW
    rows: dict[str, str] = {}
    groups, rules, at = [], [], 0.0
    for number, (stays, screen) in enumerate(shown):
        uses = []
        for y, row in enumerate(_rows(screen, palette)):
            name = rows.setdefault(row, f"r{len(rows)}")
            uses.append(f'<use href="#{name}" y="{y * ROW}"/>')
        groups.append(f'<g class="f" id="f{number}">{"".join(uses)}</g>')
        begin, end = 100 * at / whole, 100 * (at + stays) / whole
        at += stays
        hidden = "0%{visibility:hidden}" if number else ""
        left = f"{end:.3f}%{{visibility:hidden}}" if number + 1 < len(shown) else ""
        rules.append(f"@keyframes k{number}{{{hidden}{begin:.3f}%{{visibility:visible}}{left}}}")
        rules.append(f"#f{number}{{animation-name:k{number}}}")
    style = (
        f".f{{visibility:hidden;animation:{whole:.2f}s step-end infinite}}#f0{{visibility:visible}}"
        "@media (prefers-reduced-motion){.f{animation:none!important}}" + "".join(rules)
    )
    defs = "".join(f'<g id="{name}">{row}</g>\n' for row, name in rows.items())
    back = PALETTES[palette].get("bg", "#000000")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"'
        f' font-size="13"><style>{style}</style><defs>\n{defs}</defs>'
        f'<rect width="100%" height="100%" fill="{back}"/>\n' + "\n".join(groups) + "\n</svg>\n"
    )


def _rows(screen: Screen, palette: str) -> list[str]:
    """Each row as it is drawn at the top, so that the same row is the same text anywhere."""
    return [svg((line,), palette).split("\n")[1] for line in screen]


def frames_in(drawing: str) -> int:
    """How many pictures a recording has."""
    return len(re.findall(r'<g class="f"', drawing))
