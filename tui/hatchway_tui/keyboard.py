"""What Textual's keyboard parser must do differently on a screen where keys act.

Private parts of Textual, so Textual is pinned exactly and the pty tests hold them to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

from textual import _time, constants
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import BRACKETED_PASTE_START, SPECIAL_SEQUENCES, XTermParser
from textual.drivers import linux_driver
from textual.events import Key
from textual.message import Message

from hatchway_tui.wire.answers import Answers


class Ear:
    """Where the terminal's answers are heard, in the thread that reads the keyboard."""

    def __init__(self) -> None:
        self.awaits = 0  # the column of the newest question, 0 when no answer is due
        self.tell: Callable[[int, float], None] = lambda column, at: None

    def heard(self, column: int, at: float) -> None:
        """An answer from `column` came at `at` (monotonic)."""
        if column == self.awaits:
            self.awaits = 0
        self.tell(column, at)


EAR = Ear()
"""A process has one keyboard."""


class OneRead(XTermParser):
    """All keys of one read get the time of that read.

    Textual stamps each key when it comes out of the parser. On a busy machine two keys of one
    paste may then look like two presses of a person.
    """

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._answers = Answers()

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what was read."""
        if not data:  # the end
            return super().feed(data)
        self._answers.due = bool(EAR.awaits)
        at = _time.get_time()
        keys = self._answers.feed(data, at)
        while self._answers.columns:
            EAR.heard(self._answers.columns.pop(0), at)
        return _stamped(super().feed(keys)) if keys else ()

    def tick(self) -> Iterable[Message]:
        """Give out what waited for the rest of a sequence that did not come."""
        self._answers.due = bool(EAR.awaits)
        keys = self._answers.late(_time.get_time(), constants.ESCAPE_DELAY)
        if keys:
            messages = list(super().feed(keys))
            self._timeout_time = 0.0  # it has waited here, so not again there
            return _stamped([*messages, *super().tick()])
        return _stamped(super().tick())

    def _parse_extended_key(self, sequence: str) -> list[Key] | None:  # type: ignore[override]
        """A key in the kitty protocol's spelling, or None.

        Textual's own fails on a key's release and on numbers that are no character, and would take
        the dashboard down with it: no bytes of a terminal may do that.
        """
        try:
            return super()._parse_extended_key(sequence)  # remembered there
        except (ValueError, OverflowError):
            return None


_crowds: deque[float] = deque(maxlen=256)


def in_a_crowd(at: float) -> bool:
    """Whether the read at `at` held several keys: a paste or a flood, not a person's one press."""
    return at in _crowds


def _stamped(messages: Iterable[Message]) -> list[Message]:
    at, read = _time.get_time(), list(messages)
    for message in read:
        message.time = at
    if sum(isinstance(message, Key) for message in read) > 1:
        _crowds.append(at)
    return read


def install() -> None:
    """Use `OneRead`, and make the parser unable to swallow a `p`.

    The beginning of a bracketed paste whose end got lost would swallow every key from then on, and
    the keypad's code for 0 is what Esc, O and p look like in one read. This dashboard switches
    neither mode on, so nobody sends them on purpose.
    """
    linux_driver.XTermParser = OneRead  # type: ignore[attr-defined]
    SPECIAL_SEQUENCES.discard(BRACKETED_PASTE_START)
    cast("dict[str, object]", ANSI_SEQUENCES_KEYS).pop("\x1bOp", None)
