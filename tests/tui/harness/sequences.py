"""What terminals send besides letters: every key Textual knows, and every answer to a question."""

from __future__ import annotations

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

KEYS = tuple(
    sorted(each for each in ANSI_SEQUENCES_KEYS if each.startswith("\x1b") and len(each) > 1)
)
ANSWERS = (
    "\x1b[24;80R", "\x1b[1;1R", "\x1b[0n", "\x1b[?1;2c", "\x1b[>41;354;0c", "\x1b[?62;22;52c",
    "\x1b[?2026;2$y", "\x1b[?2048;0$y", "\x1b[?2004;1$y", "\x1b[8;24;80t", "\x1b[48;24;80;480;800t",
    "\x1b]11;rgb:1010/1313/1717\x1b\\", "\x1b]10;rgb:ffff/a0a0/0f0f\x07", "\x1b]52;c;b3JmZ2F4\x07",
    "\x1bP>|tmux 3.3a\x1b\\", "\x1bP1+r544e=787465726d\x1b\\", "\x1b_Gi=31;OK\x1b\\",
    "\x1b[?1u", "\x1bP!|00000000\x1b\\",
)  # fmt: skip
MOUSE = (
    "\x1b[<0;1;1M", "\x1b[<0;33;23M", "\x1b[<35;120;40m", "\x1b[<64;8;8M", "\x1b[M !!", "\x1b[32;1;1M",
)  # fmt: skip
FOCUS = ("\x1b[I", "\x1b[O")
PASTES = tuple(
    f"\x1b[200~{text}\x1b[201~" for text in ("o", "r", "rf", "of course", "a\r", "x\r\r")
)
KITTY = tuple(
    # keys that do nothing here, and the release of those that do (the press would be a press)
    f"\x1b[{ord(key)};{more}u"
    for key, more in (("e", "1"), ("m", "5"), ("9", "3:1"), *((key, "1:3") for key in "orfgaxp"))
)
MADE_UP = tuple(
    lead + key for lead in ("\x1bO", "\x1b[", "\x1b[1;5", "\x1b[?25;") for key in "orfgaxhlq"
)
BROKEN = ("\x1b[99999999999u", "\x1b[1114112;1u", "\x1b[55296;1u", "\x1b[1:2:3;x~", "\x1b[;;u")
ALL = KEYS + ANSWERS + MOUSE + FOCUS + PASTES + KITTY + MADE_UP + BROKEN
