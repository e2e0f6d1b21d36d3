"""What Textual's keyboard parser must do differently on a screen where keys act.

Private parts of Textual, so Textual is pinned exactly and the pty tests hold them to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import cast

from textual import _time
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import BRACKETED_PASTE_START, SPECIAL_SEQUENCES, XTermParser
from textual.drivers import linux_driver
from textual.events import Key
from textual.message import Message


class OneRead(XTermParser):
    """All keys of one read get the time of that read.

    Textual stamps each key when it comes out of the parser. On a busy machine two keys of one
    paste may then look like two presses of a person.
    """

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what was read."""
        return _stamped(super().feed(data))

    def tick(self) -> Iterable[Message]:
        """Give out what waited for the rest of a sequence that did not come."""
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
