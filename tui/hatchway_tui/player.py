"""Plays a recorded run in the place of the line to a backend: nothing here can reach anybody.

It has the face of `Link`. What it tells the dashboard comes off a tape in this very process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from hatchway.edge.docs.replay import Tape
from hatchway.edge.protocol import PROTOCOL, Command, Hello, Snapshot, You
from hatchway_tui.control import NOTHING_IS_SENT
from hatchway_tui.link import Answer
from hatchway_tui.mirror import Event, Heard
from hatchway_tui.steps import Step, stepped


class Player:
    """Where on the tape one is, and the messages that a backend would have sent there."""

    live = True

    def __init__(self, tape: Tape, seq: int, tell: Callable[[Event], None]) -> None:
        self.tape, self.seq = tape, seq
        self._tell = tell
        self._rev = 0

    async def run(self) -> None:
        """Show the first moment; then there is nothing to wait for."""
        hello = Hello(PROTOCOL, "replay", "replay", You(""), 0, time.time())
        self._tell(Heard(hello, time.monotonic()))
        self._show()
        await asyncio.Event().wait()

    def step(self, step: Step) -> bool:
        """Go there; False at the end of the tape."""
        tape = self.tape
        seq = stepped(tape.marks, tape.first, tape.last, self.seq, step)
        if seq == self.seq:
            return False
        self.seq = seq
        self._show()
        return True

    def _show(self) -> None:
        self._rev += 1
        docs = self.tape.documents(self.seq)
        self._tell(Heard(Snapshot(self._rev, docs), time.monotonic()))

    async def ask(self, kind: str, about: str) -> None:
        """The answer of the time; it comes as an event like any other."""
        seq = self.seq
        answer = await self.tape.ask(seq, kind, about)
        if seq == self.seq:
            self._tell(Heard(answer, time.monotonic()))

    async def order(self, command: Command) -> Answer:
        """Never sent. The rules of the keys let no command come so far."""
        return Answer(False, NOTHING_IS_SENT)
