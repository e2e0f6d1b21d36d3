"""The real backend, which falls ill as the file DIR/sick says: one word, looked at all the time.

    python tests/system/stops/sick_backend.py DIR

loop: a C call that holds the interpreter's lock has the event loop for seconds at a time.
brain hung, brain crashed, brain flooding: the brain never answers, raises, wishes without end.
DIR/ill counts how often it has been ill, so that a test knows that it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

from hatchway.brains.port import Situation, Wish
from hatchway.brains.rules import RulesBrain
from hatchway.core.events import Evidence
from hatchway.settings.load import load_all
from hatchway.wiring import backend

HELD_S = 2.0
FLOOD = 3_000
C = ctypes.PyDLL(None)  # calls through it keep the GIL: no thread of this process runs meanwhile


class Illness:
    """What the file says now."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._times = 0

    def has(self, word: str) -> bool:
        try:
            ill = (self._directory / "sick").read_text() == word
        except OSError:
            return False
        if ill:
            self._times += 1
            with contextlib.suppress(OSError):  # also with a full disk it is ill
                (self._directory / "ill").write_text(f"{word} {self._times}")
        return ill


class SickBrain:
    """The built-in rules, as long as they are well."""

    name = "rules-1"

    def __init__(self, illness: Illness) -> None:
        self._illness = illness
        self._rules = RulesBrain()

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        if self._illness.has("brain hung"):
            await asyncio.Event().wait()
        if self._illness.has("brain crashed"):
            raise RuntimeError("this brain has crashed")
        if self._illness.has("brain flooding"):
            evidence = tuple(Evidence(f"E{i}", "?", "more " * 50, "flood", 0.0) for i in range(10))
            wish = Wish(capability="hold", confidence=0.5, headline="hold!", evidence=evidence)
            return (wish,) * FLOOD
        return await self._rules.propose(situation)


async def hold_the_loop(illness: Illness) -> None:
    while True:
        if illness.has("loop"):
            C.usleep(int(HELD_S * 1e6))
        await asyncio.sleep(0.01)


async def main(directory: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    illness = Illness(directory)
    settings = load_all(directory / "config")
    async with backend(directory, settings, stop.set, brain=SickBrain(illness)):
        (directory / "backend.pid").write_text(f"{os.getpid()}\n")
        holding = asyncio.create_task(hold_the_loop(illness))
        await stop.wait()
        holding.cancel()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    asyncio.run(main(Path(sys.argv[1])))
