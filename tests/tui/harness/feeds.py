"""What a backend has to say: as in a release, four times a second, or as fast as it can.

    python tests/tui/harness/feeds.py SOCKET MESSAGES_A_SECOND

serves the flood from a process of its own, so that it does not take the time of who measures.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from hatchway.edge import protocol as wire


def scripted() -> ModuleType:
    """The scripted backend of the dashboard's tests, for who is not one of them."""
    if "scripted" in sys.modules:
        return sys.modules["scripted"]
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("scripted", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["scripted"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Busy:
    """A canary that is looked at: every figure, every newest point, four times a second."""

    def __init__(self, scenes: Any) -> None:
        self.scenes = scenes
        self.started = scenes.now
        self.step = scenes.build("canary")["run/r1"].step
        self.tick = 0

    def next(self) -> dict[str, msgspec.Struct]:
        """The documents that changed in this quarter of a second."""
        self.tick += 1
        fresh = type(self.scenes)()
        docs: dict[str, msgspec.Struct] = {"metrics/r1": self._moved(fresh.metrics(age=0.2))}
        if self.tick % 4 == 2:
            run = fresh.canary(fresh.verdict(), version=17 + self.tick)
            docs["run/r1"] = msgspec.structs.replace(
                run, step=self.step, started_at=self.started - 130
            )
        if self.tick % 20 == 7:
            docs["audit/tail"] = fresh.audit()
        return docs

    def _moved(self, doc: Any) -> Any:
        wave = 1 + 0.03 * ((self.tick * 7) % 5 - 2)
        moved = tuple(
            msgspec.structs.replace(
                metric, canary=metric.canary * wave, n=(metric.n or 0) + 3 * self.tick,
                points=((doc.at, metric.stable, metric.canary * wave),),
            )
            if metric.canary is not None else metric
            for metric in doc.metrics
        )  # fmt: skip
        return msgspec.structs.replace(doc, metrics=moved)

    async def run(self, backend: Any, seconds: float, hertz: float = 4.0) -> None:
        """Feed it for a while."""
        end, due = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            named = {key.replace("/", "__"): doc for key, doc in self.next().items()}
            await backend.set(**named)
            due += 1 / hertz
            await asyncio.sleep(max(due - time.monotonic(), 0))


async def flood(path: Path, per_second: int) -> None:
    """A backend that says so many messages a second, each of them a change to be seen."""
    kit = scripted()
    scenes = kit.Scenes()
    backend = kit.Backend(path, scenes.build("canary"))
    await backend.start()
    busy, due, said = Busy(scenes), time.monotonic(), 0
    changes = [backend._raw(busy.next()) for _ in range(200)]
    print("ready", flush=True)
    while True:
        for client in list(backend._clients):
            backend.rev += 1
            delta = wire.Delta(backend.rev - 1, backend.rev, changes[said % 200])
            await backend._say(client, delta)
            said += 1
        due += 1 / per_second
        if due > time.monotonic():
            await asyncio.sleep(due - time.monotonic())
        elif said % 50 == 0:
            await asyncio.sleep(0)  # its commands are to be answered


if __name__ == "__main__":
    asyncio.run(flood(Path(sys.argv[1]), int(sys.argv[2])))
