"""The one choke point for text that comes from outside: what leaves here is safe to print.

Commit messages, logs, metric names and agents' prose may hold escape sequences, right-to-left
overrides or zero-width characters. All of them are made *visible*, none is dropped, and the width
in terminal cells is known exactly: every character that stays is one or two cells wide on its own.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

CAP = 2000
"""No text longer than this many characters is looked at; the screen could not show it anyway."""

_FLAGS = range(0x1F1E6, 0x1F200)  # two of them make one glyph: width depends on the terminal
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FILLERS = {0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0}  # look like nothing, are not a space
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me", "Mc"}


@lru_cache(maxsize=4096)
def _shown(char: str) -> tuple[str, int]:
    """What is printed for one character, and its width in cells."""
    code = ord(char)
    if code < 0x20:
        return (" ", 1) if char == "\t" else (chr(0x2400 + code), 1)
    if code == 0x7F:
        return "\u2421", 1
    if (
        unicodedata.category(char) in _UNSAFE
        or code in _FLAGS
        or code in _SKIN_TONES
        or (code in _FILLERS)
    ):
        text = f"<{code:04X}>"
        return text, len(text)
    if unicodedata.category(char) == "Zs":
        return " ", 1
    cells = cell_len(char)
    if cells == 0:  # medial jamo and the like: the terminal would join it to its neighbour
        text = f"<{code:04X}>"
        return text, len(text)
    return char, cells


def safe(text: str) -> str:
    """`text` with everything visible: no control, bidi, zero-width or private-use character."""
    if text.isascii() and text.isprintable():
        return text[:CAP]
    return "".join(_shown(char)[0] for char in unicodedata.normalize("NFC", text[:CAP]))


def width(text: str) -> int:
    """Cells that `safe(text)` takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_shown(char)[1] for char in text)


def char_width(char: str) -> int:
    """Cells of one safe character."""
    return 1 if char.isascii() else _shown(char)[1]


def fit(text: str, cells: int, more: str = "…") -> str:
    """`safe(text)` in at most `cells` cells, ending in `more` when something was cut."""
    text = safe(text)
    if width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    room, kept = cells - width(more), []
    for char in text:
        room -= char_width(char)
        if room < 0:
            break
        kept.append(char)
    return ("".join(kept).rstrip() + more)[:cells] if cells > width(more) else more[:cells]


def wrap(text: str, cells: int, lines: int) -> list[str]:
    """`safe(text)` broken at spaces into at most `lines` lines of at most `cells` cells."""
    rest = safe(text).strip()
    out: list[str] = []
    while rest and len(out) < lines:
        if len(out) == lines - 1 or width(rest) <= cells:
            out.append(fit(rest, cells))
            break
        cut, used = 0, 0
        for index, char in enumerate(rest):
            used += char_width(char)
            if used > cells:
                break
            cut = index + 1
        space = rest.rfind(" ", 0, cut + 1)
        cut = space if space > cells // 3 else max(cut, 1)
        out.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return out
