"""Messages come faster than they can be read: the keyboard's turn still comes all the time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hatchway.edge import protocol
from hatchway_tui.link import Address, Link
from hatchway_tui.mirror import Heard

MESSAGES = 4000


async def test_the_loop_comes_round_while_the_socket_is_drained(
    backend: Any, room: Any, bar: Any
) -> None:
    heard, done = 0, asyncio.Event()

    def tell(event: Any) -> None:
        nonlocal heard
        if isinstance(event, Heard) and isinstance(event.message, protocol.Delta):
            heard += 1
            time.sleep(0.0002)  # as folding and drawing cost
            if heard >= MESSAGES:
                done.set()

    link = Link(Address(str(backend.path)), tell)
    task = asyncio.create_task(link.run())
    gaps: list[float] = []

    async def tick() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    try:
        async with asyncio.timeout(60):
            while not link.live:
                await asyncio.sleep(0.01)
            doc = protocol.SystemDoc("prod")
            ticker = asyncio.create_task(tick())
            for _ in range(MESSAGES):
                await backend.set(system=doc)
            await done.wait()
            ticker.cancel()
    finally:
        task.cancel()
    long = [gap for gap in gaps if gap > 0.1]
    bar("a flood of messages: the loop was away for 100 ms", f"{len(long)} times", "6 times")
    assert len(long) <= 6
