"""The palettes: which colours the painters' words for looks stand for.

Calm grey by default, one accent, colour only for what is abnormal or needs a hand. Meaning never
hangs on colour: `mono` paints the same words with bold and reverse alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style

from hatchway_tui.paint.canvas import Look

DARK = {
    "bg": "#101317", "panel": "#161a20", "btn": "#1d232b", "line": "#2b313a", "txt": "#b9c1cc",
    "dim": "#6d7683", "faint": "#4a525e", "hi": "#e8edf3", "acc": "#7cc4ff", "warn": "#e9b44c",
    "bad": "#ff7a5c", "ok": "#8fb996", "stable": "#8792a3", "env": "#c7ced8", "ink": "#101317",
    "limit": "#8a6d3b", "limitline": "#6b5530",
}  # fmt: skip
LIGHT = {
    "bg": "#fbfbf9", "panel": "#f0f1ef", "btn": "#e6e8e6", "line": "#c9cdd2", "txt": "#333a44",
    "dim": "#69717d", "faint": "#9aa1ab", "hi": "#0d1117", "acc": "#0a5fa8", "warn": "#8f5e00",
    "bad": "#b5310f", "ok": "#2f6b3a", "stable": "#7b8494", "env": "#39414d", "ink": "#ffffff",
    "limit": "#8a6d3b", "limitline": "#c2a878",
}  # fmt: skip
ANSI = {
    "line": "bright_black", "faint": "bright_black", "dim": "bright_black", "acc": "cyan",
    "warn": "yellow", "bad": "red", "ok": "green", "env": "white", "ink": "black",
    "limit": "yellow", "limitline": "yellow",
}  # fmt: skip
MONO: dict[str, str] = {}

PALETTES: dict[str, dict[str, str]] = {"dark": DARK, "light": LIGHT, "ansi": ANSI, "mono": MONO}
_GROUNDS = {"bg", "panel", "btn"}
_STRONG = {"hi", "warn", "bad"}


@lru_cache(maxsize=1024)
def style_of(palette: str, look: Look) -> Style:
    """The terminal style of a look."""
    colours = PALETTES[palette]
    chip = look.bg not in _GROUNDS
    if palette in {"dark", "light"}:
        return Style(color=colours[look.fg], bgcolor=colours[look.bg], bold=look.bold)
    if palette == "mono":
        return Style(bold=look.bold or look.fg in _STRONG or None, reverse=chip or None)
    return Style(
        color=colours.get(look.fg),
        bgcolor=colours.get(look.bg) if chip else None,
        bold=look.bold or look.fg == "hi" or None,
    )


def palette_for(environ: Mapping[str, str], asked: str = "auto") -> str:
    """Which palette fits the terminal that the environment describes."""
    if asked in PALETTES:
        return asked
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in {"", "dumb", "vt100", "vt102", "vt220", "xterm-mono"}:
        return "mono"
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    rich = "256" in term or environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    if not rich and not term.startswith(("xterm-kitty", "alacritty", "foot", "tmux-direct")):
        return "ansi"
    return "light" if ground in {"7", "15"} else "dark"


_MARKS = {
    "─": "-", "━": "=", "┏": "+", "┓": "+", "┗": "+", "┛": "+", "┃": "|", "▎": "|", "▌": "|",
    "✓": "+", "✗": "x", "→": ">", "·": ".", "…": ".", "┈": "-", "╎": ":", "▶": ">", "‖": "!", "␛": "?",
    **dict(zip("▁▂▃▄▅▆▇█", "__..-==#", strict=True)),
}  # fmt: skip


def _dots(pattern: int) -> str:
    upper, lower = pattern & 0b00011011, pattern & 0b11100100
    if upper and lower:
        return ":"
    return "'" if upper else "." if lower else " "


ASCII = str.maketrans(_MARKS | {chr(0x2800 + dots): _dots(dots) for dots in range(256)})
"""For terminals that are not UTF-8: every mark the painters use, as one ASCII character."""
