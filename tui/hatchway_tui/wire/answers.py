"""Takes what the terminal answers out of what the keyboard sends. Pure: times are passed in.

Answers and keys come through the same pipe, in pieces cut at any byte. A piece of an answer that
comes too late would look like typed letters. So a control sequence is kept until it is whole,
however long that takes, and only then it is given to Textual or, if it is an answer, not. What is
kept never hides a key: the next character that cannot belong to it sets it free.

Only a lone Esc must go on after a while, as it may be the key. While an answer is due it waits
longer, for the answer then comes soon and shows what the Esc was.
"""

from __future__ import annotations

import re

from hatchway_tui.wire.flow import COLUMNS, ROW

HOLD = 5.0
"""How long a lone Esc waits for the rest of an answer that is due, in seconds."""

TAIL = 60.0
"""How long the rest of an answer may come after its Esc was taken for a key."""

_WHERE = re.compile(r"\x1b\[(\d+);(\d+)R")
_REPORT = re.compile(r"\x1b\[(\?[\d;]*R|[?>=]?[\d;]*[nc])")
_LONGEST = 24  # parameters of a sequence that anybody answers with
_TAIL_WHOLE = re.compile(r"\[\d+;\d+R")
_TAIL_PART = re.compile(r"\[(\d+(;\d*)?)?")


class Answers:
    """One keyboard's stream."""

    def __init__(self) -> None:
        self._held = ""
        self._since = 0.0
        self._tail_until = -1.0
        self.due = False  # whether an answer is awaited
        self.columns: list[int] = []  # of the answers that have come

    def feed(self, data: str, at: float) -> str:
        """What was read at `at`; gives out what is not an answer, and whole."""
        out: list[str] = []
        for char in data:
            if not self._held:
                if char == "\x1b" or (char == "[" and at < self._tail_until):
                    self._held, self._since = char, at
                else:
                    out.append(char)
                continue
            if char == "\x1b":
                out.append(self._held)  # the next one begins
                self._held, self._since = char, at
                continue
            held, self._since = self._held + char, at
            self._held = held
            if held[0] == "[":
                self._tail(out)
            elif len(held) == 2:
                if char != "[":
                    self._release(out)
            elif not "\x20" <= char <= "\x3f" or len(held) > _LONGEST:
                self._whole(out)
        return "".join(out)

    def late(self, at: float, patience: float) -> str:
        """What waited for its rest for too long and must go on, as it may be keys."""
        held, due = self._held, self.due
        if held == "\x1b[" and due:
            return ""  # nobody's key: the next character shows what it is
        wait = HOLD if due and held == "\x1b" else patience
        if held not in {"\x1b", "\x1b[", "["} or at - self._since < wait:
            return ""
        self._held = ""
        if due and held == "\x1b":
            self._tail_until = at + TAIL
        return held

    def _release(self, out: list[str]) -> None:
        out.append(self._held)
        self._held = ""

    def _whole(self, out: list[str]) -> None:
        where = _WHERE.fullmatch(self._held)
        if where is not None and where[1] != "1":
            if int(where[1]) == ROW and int(where[2]) in COLUMNS:
                self.columns.append(int(where[2]))
            self._held = ""
        elif _REPORT.fullmatch(self._held):
            self._held = ""
        else:
            self._release(out)

    def _tail(self, out: list[str]) -> None:
        """The rest of an answer whose Esc has already gone on."""
        if _TAIL_WHOLE.fullmatch(self._held):
            self._held = "\x1b" + self._held
            self._tail_until = -1.0
            self._whole(out)
        elif not _TAIL_PART.fullmatch(self._held):
            self._release(out)
