"""Texts that somebody outside can put where Hatchway shows them."""

from __future__ import annotations

ESCAPES = {
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "title": "\x1b]0;owned\x1b\\",
    "link": "\x1b]8;;file:///etc/passwd\x1b\\x\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "colour": "\x1b[31mred\x1b[0m",
    "answer": "\x1b[6n\x1b[c",
    "mouse": "\x1b[?1003h",
    "paste": "\x1b[?2004l",
    "screen": "\x1b[?1049l",
    "device": "\x1bP1$qm\x1b\\",
    "8-bit control": "\x9b31m\x9d52;c;ZXZpbA==\x9c",
    "kitty": "\x1b_Gf=100;AAAA\x1b\\",
    "reset": "\x1bc",
    "charset": "\x0e\x1b(0",
}
CHARACTERS = {
    "null": "a\x00b",
    "bell": "\x07",
    "backspace": "safe\x08\x08\x08\x08evil",
    "return": "PASS\rFAIL",
    "lines": "one\ntwo\r\nthree\x0bfour\x0cfive\x85six\u2028seven\u2029eight",
    "bidi": "\u202etxt.exe\u202c \u2066x\u2069 \u200f",
    "zero width": "ad\u200bmin \u200d \u2060 \ufeff",
    "tags": "a\U000e0041\U000e0042b",
    "private": "\ue000\uf8ff\U0010ffff",
    "combining": "e" + "\u0301" * 400,
    "variation": "x\ufe0f\ufe0e",
    "deleted": "\x7f\x7f",
    "invalid": "\ufffd\ufffe\uffff",
}
MARKUP = {
    "action": "[@click=app.quit]press me[/]",
    "stray end": "[/foo]",
    "style": "[red on red]hidden[/red on red]",
    "open": "[bold",
    "rich link": "[link=javascript:alert(1)]x[/link]",
    "html": "<script>alert(1)</script>",
    "format": "{0.__class__} %s %n ${HOME} $(id)",
}
LENGTH = {
    "wide": "漢" * 5_000,
    "long": "A" * 100_000,
    "words": "word " * 20_000,
    "no content": "",
    "spaces": " " * 3_000,
}
FORMULAS = {
    "formula": '=HYPERLINK("http://x.invalid/","y")',
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "plus": "+1+cmd",
    "quoted": ' "=1+1',
}

TEXTS: dict[str, str] = {**ESCAPES, **CHARACTERS, **MARKUP, **LENGTH, **FORMULAS}

LEAKS = (
    "\x1b]52", "\x1b]0;", "\x1b]8;", "\x1bP", "\x1b_G", "\x1bc", "\x1b(0", "\x1b[6n", "\x1b[c",
    "\x9b", "\x9c", "\x9d", "\x00", "\x07", "\x08", "\x0b", "\x0c", "\x0e", "\x7f", "\x85",
    "\u202e", "\u202c", "\u2066", "\u2069", "\u200f", "\u200b", "\u2060", "\ufeff",
    "\u2028", "\u2029", "\U000e0041", "\ue000", "\uf8ff", "\U0010ffff", "\u0301" * 5,
)  # fmt: skip
"""What must never reach a terminal from a text: none of it is anything that Hatchway writes."""
