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


def visible(text: str) -> str:
    """`text` on one line, with every control, escape, bidi and zero-width character visible.

    ESC becomes ␛, a right-to-left override ‹U+202E›, a tab four spaces. Letters of every script
    stay as they are.
    """
    if text.isprintable() and (text.isascii() or not _BLANK.search(text)):
        return text
    return text.translate(_GLYPHS)
