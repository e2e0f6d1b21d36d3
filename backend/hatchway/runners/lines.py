"""The bytes of a job's output as lines that are safe to show."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from hatchway.runners.visible import visible

WIDTH = 2_000
"""Characters of a line that are given; of a longer one the rest is counted."""


class Lines:
    """Feed bytes as they come, get the lines that are complete.

    UTF-8, what is not becomes U+FFFD. A carriage return starts the line over, as on a terminal: of
    a progress bar the last state is given. Keeps at most `WIDTH` characters between calls.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._line = ""
        self._more = 0  # characters beyond WIDTH
        self._returned = False  # the next character overwrites the line
        self._open = False  # something came after the last newline

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that end within `data`."""
        *complete, rest = self._decode(data).split("\n")
        for text in complete:
            self._add(text)
            yield self._take()
        self._add(rest)

    def finish(self) -> Iterator[str]:
        """The last line, if no newline ended it."""
        self._add(self._decode(b"", final=True))
        if self._open:
            yield self._take()

    def _add(self, text: str) -> None:
        if not text:
            return
        self._open = True
        for i, part in enumerate(text.split("\r")):
            self._returned = self._returned or i > 0
            if not part:
                continue
            if self._returned:
                self._line, self._more, self._returned = "", 0, False
            room = WIDTH - len(self._line)
            self._line += part[:room]
            self._more += max(0, len(part) - room)

    def _take(self) -> str:
        text, more = visible(self._line), self._more
        self._line, self._more, self._returned, self._open = "", 0, False, False
        if not more and len(text) <= WIDTH:
            return text
        note = f"… ({more + max(0, len(text) - WIDTH):,} more)"
        return text[: WIDTH - len(note)] + note


def last_lines(data: bytes, count: int) -> tuple[str, ...]:
    """The newest `count` lines of `data`, blank ones at the end left out."""
    lines = Lines()
    found = [*lines.feed(data), *lines.finish()]
    while found and not found[-1].strip():
        found.pop()
    return tuple(found[-count:])
