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
    "dim": "#828c9a", "faint": "#666f7c", "hi": "#e8edf3", "acc": "#7cc4ff", "warn": "#f2b02f",
    "bad": "#f16344", "ok": "#a4d2a8", "stable": "#828c9d", "env": "#c7ced8", "ink": "#101317",
    "limit": "#a5854b", "limitline": "#6b5530",
}  # fmt: skip
LIGHT = {
    "bg": "#fbfbf9", "panel": "#f0f1ef", "btn": "#e6e8e6", "line": "#c9cdd2", "txt": "#333a44",
    "dim": "#5b636f", "faint": "#79818c", "hi": "#0d1117", "acc": "#0a5fa8", "warn": "#865e00",
    "bad": "#8c1a10", "ok": "#217043", "stable": "#5f656d", "env": "#39414d", "ink": "#ffffff",
    "limit": "#7d6232", "limitline": "#c2a878",
}  # fmt: skip
# The hues of Okabe and Ito (bluish green, yellow, vermillion, sky blue), moved in lightness until
# any two of them stay apart under each kind of colour blindness (tests/tui/test_palettes.py).
BLIND = DARK | {
    "ok": "#42f1b6", "warn": "#fdf74d", "bad": "#fc6a32", "acc": "#5694da", "stable": "#858b94",
}  # fmt: skip
BLIND_LIGHT = LIGHT | {"acc": "#0c54d8", "bad": "#7d1510"}
# The terminal's own colours. Its "bright black" is the ground itself in some schemes, so nothing
# that is to be read has it; what is secondary asks for half the brightness instead.
ANSI = {
    "line": "bright_black", "acc": "cyan", "warn": "yellow", "bad": "red", "ok": "green",
    "env": "white", "ink": "black", "limit": "yellow", "limitline": "yellow",
}  # fmt: skip
MONO: dict[str, str] = {}

PALETTES: dict[str, dict[str, str]] = {
    "dark": DARK, "light": LIGHT, "blind": BLIND, "blind-light": BLIND_LIGHT, "ansi": ANSI,
    "mono": MONO,
}  # fmt: skip
THEMES = ("auto", *PALETTES)
"""What --theme takes."""
_GROUNDS = {"bg", "panel", "btn"}
_STRONG = {"hi", "warn", "bad"}
_SECONDARY = {"dim", "faint"}
_MONO_TERMS = {"", "dumb", "vt100", "vt102", "vt220", "xterm-mono"}
_RICH_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "wezterm", "foot", "tmux-direct")


@lru_cache(maxsize=1024)
def style_of(palette: str, look: Look) -> Style:
    """The terminal style of a look."""
    colours = PALETTES[palette]
    chip = look.bg not in _GROUNDS
    if "bg" in colours:
        return Style(color=colours[look.fg], bgcolor=colours[look.bg], bold=look.bold)
    if palette == "mono":
        return Style(bold=look.bold or look.fg in _STRONG or None, reverse=chip or None)
    return Style(
        color=colours.get(look.fg),
        bgcolor=colours.get(look.bg) if chip else None,
        bold=look.bold or look.fg == "hi" or None,
        dim=look.fg in _SECONDARY or None,
    )


def palette_for(environ: Mapping[str, str], asked: str = "auto") -> str:
    """Which palette fits the terminal that the environment describes; `asked` goes before it."""
    light = environ.get("COLORFGBG", "").rpartition(";")[2] in {"7", "15"}
    if asked == "blind" and light:
        return "blind-light"
    if asked in PALETTES:
        return asked
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in _MONO_TERMS:
        return "mono"
    rich = "256" in term or environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    if not rich and not term.startswith(_RICH_TERMS):
        return "mono" if light else "ansi"  # its yellow cannot be read on white
    return "light" if light else "dark"


_MARKS = {
    "─": "-", "━": "=", "┏": "+", "┓": "+", "┗": "+", "┛": "+", "┃": "|", "▎": "|", "▌": "|",
    "✓": "+", "✗": "x", "→": ">", "·": ".", "…": ".", "┈": "-", "╎": ":", "▶": ">", "‖": "!", "␛": "?",
    "▒": "%", "░": ":", "├": "[", "┤": "]", "●": "o", "◆": "*", "│": "|",
    **dict(zip("▁▂▃▄▅▆▇█", "__..-==#", strict=True)),
}  # fmt: skip


def _dots(pattern: int) -> str:
    upper, lower = pattern & 0b00011011, pattern & 0b11100100
    if upper and lower:
        return ":"
    return "'" if upper else "." if lower else " "


ASCII = str.maketrans(_MARKS | {chr(0x2800 + dots): _dots(dots) for dots in range(256)})
"""For terminals that are not UTF-8: every mark the painters use, as one ASCII character."""
