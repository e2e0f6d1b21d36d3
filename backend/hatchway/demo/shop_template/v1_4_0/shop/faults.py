"""Faults that can be switched on in a drill, by a private Unix socket: "errors on", "slow off"."""

import asyncio
import random
from collections.abc import Callable

NAMES = (
    "errors",
    "slow",
    "orders-drop",
    "metrics-silent",
    "both-arms",
    "dependency-down",
    "hang",
    "staging-broken",
)


class Faults:
    """Which faults are on, and what they do to a request."""

    def __init__(self, on: set[str], error_rate: float, seed: str) -> None:
        self.on = on
        self._rate = error_rate
        self._random = random.Random(seed)  # noqa: S311  a drill, not a secret
        self.changed: Callable[[], None] = lambda: None

    def switch(self, command: str) -> str:
        """Obey "NAME on" or "NAME off"; the answer is "ok" or says what is wrong."""
        name, _, wanted = command.strip().partition(" ")
        if name not in NAMES or wanted not in ("on", "off"):
            return f"error: write NAME on|off with a name of: {', '.join(NAMES)}"
        if wanted == "on":
            self.on.add(name)
        else:
            self.on.discard(name)
        self.changed()
        return "ok"

    def delay(self, usual: float) -> float:
        """How long this request takes, in seconds; `usual` is the median."""
        seconds = usual * self._random.lognormvariate(0.0, 0.35) if usual else 0.0
        if "slow" in self.on and self._random.random() < 0.30:
            seconds += self._random.uniform(0.25, 0.40)
        return seconds

    def failure(self, path: str) -> int:
        """The status with which this request fails, or 0."""
        if "dependency-down" in self.on and path == "/checkout":
            return 503
        if "staging-broken" in self.on and path == "/cart":
            return 500
        rate = self._rate
        if "errors" in self.on:
            rate += 0.20
        if "both-arms" in self.on:
            rate += 0.15
        return 500 if rate and self._random.random() < rate else 0

    def order_lost(self) -> bool:
        """Whether an order that is answered well never becomes one."""
        return "orders-drop" in self.on and self._random.random() < 0.60

    def wobble(self, most: int) -> int:
        """A little noise for a gauge, 0..most."""
        return self._random.randint(0, most)


async def listen(faults: Faults, path: str) -> asyncio.Server:
    """Take commands at a Unix socket, one a line."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(f"{faults.switch(line.decode(errors='replace'))}\n".encode())
                await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(talk, path, limit=4096)
