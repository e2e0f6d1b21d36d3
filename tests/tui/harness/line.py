"""A terminal at the end of a slow line, or one that stops reading, or never answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec.structs import replace

from harness.tty import Terminal

_TICK = 0.01


class Line(Terminal):
    """Reads at most `rate` bytes a second; its answers and keys arrive `delay` seconds later.

    `cut`: answers arrive in two pieces, `pause` seconds apart, cut after as many bytes as it says.
    """

    def __init__(
        self, command: Sequence[str], width: int = 80, height: int = 24, *, rate: float = 1e9,
        delay: float = 0.0, answers: bool = True, environ: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(command, width, height, answers=answers, environ=environ)
        self.rate, self.delay = rate, delay
        self.stopped = False
        self.asked = 0  # questions that were read
        self.cut: Callable[[], tuple[int, float]] | None = None
        if answers:
            self.screen.answer = self._answer
        self._owed: deque[tuple[float, bytes]] = deque()

    def _answer(self, data: str) -> None:
        self.asked += 1
        raw, at = data.encode(), time.monotonic() + self.delay
        if self._owed:
            at = max(at, self._owed[-1][0])
        if self.cut is None:
            self._owed.append((at, raw))
            return
        where, pause = self.cut()
        self._owed.append((at, raw[:where]))
        self._owed.append((at + pause, raw[where:]))

    async def carry(self) -> None:
        """Carry bytes until the other end is gone."""
        room, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            # no credit beyond one tick's worth: a line does not catch up on what it idled
            room, last = min(room + (now - last) * self.rate, max(self.rate * 0.05, 1)), now
            while self._owed and self._owed[0][0] <= now:
                with suppress(OSError):
                    self.send(self._owed.popleft()[1])
            if not self.stopped and room >= 1:
                room -= self._take(min(int(room), 65536))

    def _take(self, most: int) -> int:
        try:
            data = os.read(self.child.child_fd, most)
        except BlockingIOError:
            return 0
        except OSError:
            return 0
        self.bytes += data
        self.heard.append((time.monotonic(), len(self.bytes)))
        self.feed(data)
        return len(data)


@asynccontextmanager
async def line(made: Line) -> AsyncIterator[Line]:
    """Carry all the time; at the end nothing of it is left."""
    os.set_blocking(made.child.child_fd, False)
    task = asyncio.create_task(made.carry())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if not made.child.closed:
            made.child.close(force=True)


def storm_of(scenes: Any, chance: Any, number: int) -> dict[str, Any]:
    """Documents of which nearly every row is another one than before; 4 kB a screen."""
    word = "".join(chance.choice("abcdefgh ") for _ in range(60))
    verdict = scenes.verdict("UNSURE", word)
    verdict = replace(verdict, why=tuple(replace(each, text=word) for each in verdict.why))
    metrics = scenes.metrics()
    wild = tuple(
        replace(each, canary=chance.random() * 9, stable=chance.random() * 9) for each in metrics.metrics
    )  # fmt: skip
    points = {
        name: tuple((at, chance.random() * 9, chance.random() * 9) for at, _, _ in scenes.points(5, 1))
        for name in ("errors", "latency", "orders", "db")
    }  # fmt: skip
    return {
        "metrics__r1": replace(metrics, metrics=wild),
        "history__r1": type(scenes.history())("r1", points),
        "run__r1": scenes.canary(verdict, status="held", version=17 + number, next=word[::-1]),
        "authority__shop": scenes.authority("agent", epoch=4 + number),
    }
