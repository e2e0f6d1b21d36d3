"""Text from outside, made safe to show: what steers a terminal or hides is turned into a glyph."""

from __future__ import annotations

import re
import unicodedata

# Letters and marks by category, but nothing is seen of them: the fillers of Hangul and Khmer, the
# joiner that joins nothing.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")


class _Glyphs(dict[int, str]):
    """A table for str.translate that is worked out as characters turn up."""

    def __missing__(self, code: int) -> str:
        glyph = self[code] = _glyph(chr(code))
        return glyph


def _glyph(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(char) == "Zs":
        return " "
    if char.isprintable() and not _BLANK.match(char):
        return char
    return f"‹U+{code:04X}›"


_GLYPHS = _Glyphs()

MOST_MARKS = 4
"""Accents on one letter. No script needs more in a row."""


def visible(text: str) -> str:
    """`text` on one line, with every control, escape, bidi and zero-width character visible.

    ESC becomes ␛, a right-to-left override ‹U+202E›, a tab four spaces. Letters of every script
    stay as they are, with up to `MOST_MARKS` marks on each; of more the number is said.
    """
    if text.isascii():
        return text if text.isprintable() else text.translate(_GLYPHS)
    if not text.isprintable() or _BLANK.search(text):
        text = text.translate(_GLYPHS)
    return _unstacked(text)


def _unstacked(text: str) -> str:
    """No letter carries so many marks that it covers the lines above and below it."""
    kept: list[str] = []
    marks = 0
    for char in text:
        if ord(char) >= 0x300 and unicodedata.category(char)[0] == "M":
            marks += 1
        else:
            if marks > MOST_MARKS:
                kept.append(f"‹{marks - MOST_MARKS} marks›")
            marks = 0
        if marks <= MOST_MARKS:
            kept.append(char)
    if marks > MOST_MARKS:
        kept.append(f"‹{marks - MOST_MARKS} marks›")
    return "".join(kept)
