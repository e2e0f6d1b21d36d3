"""A keyboard in virtual time: Textual's own input thread, its parser and the rules of the keys.

The bytes of a read go through the parser as the input thread feeds it (a read, then a tick; a tick
every 0.1 s while nothing comes), and what comes out through `hands.press` as the app calls it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from textual import constants
from textual.events import Key

from hatchway.edge.protocol import You
from hatchway_tui import hands as rules
from hatchway_tui import keyboard
from hatchway_tui.__main__ import SETTINGS
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Leave, Send
from hatchway_tui.mirror import Model

TICK = 0.1
_days = itertools.count(1)
"""Each keyboard has a day of its own: the parser remembers the times of crowded reads."""
CAN = ("pause", "takeover", "rollback", "release", "approve")


def model_of(docs: dict[str, Any]) -> Model:
    """A live model of a scene."""
    return Model(
        phase="live", rev=1, boot="b", you=You("ana", ("operator",), CAN), system=docs["system"],
        runs={"r1": docs["run/r1"]}, authority={"shop": docs["authority/shop"]},
        needs=docs["needs-you"], governor_known=True,
    )  # fmt: skip


class Keyboard:
    """One person, one terminal, one clock that only moves when told to."""

    def __init__(self, model: Model) -> None:
        self.model, self.rights = model, Rights(name="ana")
        self.now = next(_days) * 86_400.0
        self.hands = rules.settle(Hands(service="shop"), model, self.now - 60)
        self.sent: list[Send] = []
        self.left = 0
        self.armed = 0  # how often a roll back was armed
        self.opened = 0  # how often a line to type in was opened
        self._parser = keyboard.OneRead()
        self._ticked = self.now

    @property
    def kinds(self) -> list[str]:
        """What was sent."""
        return [each.kind for each in self.sent]

    @property
    def guarded(self) -> list[str]:
        """What was sent but for pauses: what no accident may do."""
        return [kind for kind in self.kinds if kind != "pause"]

    def read(self, data: str) -> None:
        """These characters are there to be read now, all at once."""
        self._deal(self._parser.feed(data))
        self._deal(self._parser.tick())

    def type(self, keys: str, every: float) -> None:
        """One key after the other."""
        for key in keys:
            self.read(key)
            self.wait(every)

    def wait(self, seconds: float) -> None:
        """Time goes by; nothing comes."""
        end = self.now + seconds
        while self._ticked + TICK <= end:
            self._ticked += TICK
            self.now = max(self.now, self._ticked)
            self._deal(self._parser.tick())
        self.now = end

    def _deal(self, messages: Any) -> None:
        for message in messages:
            if isinstance(message, Key):
                crowded = keyboard.in_a_crowd(message.time)
                self._press(message.key, message.character, message.time, crowded)

    def _press(self, key: str, char: str | None, at: float, crowded: bool) -> None:
        self.hands = rules.settle(self.hands, self.model, at)
        before = self.hands
        self.hands, intents = rules.press(
            self.hands, self.model, self.rights, key, char, at, crowded
        )
        self.armed += self.hands.armed is not None and self.hands.armed != before.armed
        self.opened += self.hands.entry is not None and before.entry is None
        self.sent += [each for each in intents if isinstance(each, Send)]
        self.left += sum(isinstance(each, Leave) for each in intents)


@contextmanager
def keyboards() -> Iterator[Callable[[Model], Keyboard]]:
    """Makes keyboards; Textual's clock is that of the newest one meanwhile."""
    keyboard.install()
    newest: list[Keyboard] = []

    def clock() -> float:
        return newest[-1].now if newest else 0.0

    def make(model: Model) -> Keyboard:
        made = Keyboard(model)
        newest[:] = [made]
        return made

    with (
        patch.object(constants, "ESCAPE_DELAY", int(SETTINGS["ESCDELAY"]) / 1000),
        patch("textual._time.get_time", clock),
        patch("textual._parser.get_time", clock),
    ):
        yield make
