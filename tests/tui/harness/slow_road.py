"""An ssh ProxyCommand with a round trip: what goes in comes out later, both ways.

python slow_road.py HOST PORT MILLISECONDS_OF_ROUND_TRIP
"""

from __future__ import annotations

import asyncio
import os
import sys
import time


async def carry(read: asyncio.StreamReader, write: asyncio.StreamWriter, later: float) -> None:
    """Every piece as it came, that much later; any number of them on the way at once."""
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await way.get()
            await asyncio.sleep(max(due - time.monotonic(), 0))
            if not data:
                write.close()
                return
            write.write(data)
            await write.drain()

    delivering = asyncio.create_task(deliver())
    while data := await read.read(65536):
        way.put_nowait((time.monotonic() + later, data))
    way.put_nowait((time.monotonic() + later, b""))
    await delivering


async def main(host: str, port: int, trip_ms: float) -> None:
    """Between this process's standard streams and the port, until one end closes."""
    loop = asyncio.get_running_loop()
    there_read, there_write = await asyncio.open_connection(host, port)
    here_read = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(here_read), os.fdopen(0, "rb")
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(1, "wb")
    )
    here_write = asyncio.StreamWriter(transport, protocol, None, loop)
    half = trip_ms / 2000
    ways = (carry(here_read, there_write, half), carry(there_read, here_write, half))
    tasks = [asyncio.create_task(way) for way in ways]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
