"""What calls a person who looks elsewhere: the bell, the terminal's title, a notification.

BEL and the title pass raw terminals, tmux and mosh; a notification (OSC 9) is only sent while the
terminal has not the focus. Pure but for what it remembers: `due` gives the bytes, the app writes
them. Everything in a title went through `safe_text`, so no text can end the sequence early.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway_tui import safe_text
from hatchway_tui.control import live
from hatchway_tui.mirror import interrupts, items
from hatchway_tui.paint.top import control_words, data_words
from hatchway_tui.view import View

RING_EVERY = 2.0
"""Seconds between two bells for what waits: who floods this screen with requests does not make it
scream. A change of control always rings, at once."""
LONGEST = 80
PUSH = "\x1b[22;0t"
"""Has the terminal remember the title it has."""
POP = "\x1b]2;\x1b\\\x1b[23;0t"
"""And put it back. Without memory it has none, which is better than a mode that is long over."""
_PLAIN_TERMINALS = {"", "dumb", "linux", "vt100", "vt102", "vt220", "cons25"}


class Wanted(Struct, frozen=True):
    """Which channels are used."""

    bell: bool = True
    title: bool = True
    notify: bool = True


def fitting(wanted: Wanted, term: str) -> Wanted:
    """Without titles and notifications where the terminal would print them as text."""
    return Wanted(wanted.bell, False, False) if term in _PLAIN_TERMINALS else wanted


def title(view: View) -> str:
    """`HATCHWAY PROD: PAUSED, 2 need you`, in safe text; also says when nothing is live."""
    system = view.model.system
    environment = f" {system.environment.upper()}" if system and system.environment else ""
    said = ["REPLAY" if view.model.replay is not None else control_words(view)[0]]
    if not live(view.model):
        said.append(data_words(view)[0].strip(","))
    waiting = len(items(view.model))
    if waiting:
        said.append(f"{waiting} need you" if waiting > 1 else "1 needs you")
    return safe_text.fit(f"HATCHWAY{environment}: {', '.join(said)}", LONGEST, "...")


class Alert:
    """Remembers what was told, so that only a change is told."""

    def __init__(self, wanted: Wanted, ascii_only: bool = False) -> None:
        self._wanted, self._ascii = wanted, ascii_only
        self._title = ""
        self._known: tuple[str, str, frozenset[str]] | None = None
        self._rang = -1e9

    def due(self, view: View, away: bool) -> str:
        """What is to be written to the terminal now; mostly nothing."""
        out = ""
        name = title(view)
        if self._ascii:
            name = name.encode("ascii", "replace").decode()
        known = view.model.phase != "connecting"
        if self._wanted.title and known and name != self._title:
            out += ("" if self._title else PUSH) + f"\x1b]2;{name}\x1b\\"
            self._title = name
        if self._calls(view):
            out += "\a" if self._wanted.bell else ""
            out += f"\x1b]9;{name}\x1b\\" if self._wanted.notify and away else ""
        return out

    def _calls(self, view: View) -> bool:
        """Whether control changed hands, or something new waits that is not of LOW risk."""
        if view.model.rev < 0:
            return False
        waiting = frozenset(item.id for item in items(view.model) if interrupts(item))
        now = (view.control.mode, view.control.holder, waiting)
        before = self._known
        changed = before is not None and now[:2] != before[:2]
        calls = changed or (before is not None and bool(waiting - before[2]))
        if calls and not changed and view.at - self._rang < RING_EVERY:
            return False  # what is known stays as it was: told when it may ring again
        self._known = now
        if calls:
            self._rang = view.at
        return calls

    def left(self) -> str:
        """What gives the terminal its own title back."""
        return POP if self._title else ""
