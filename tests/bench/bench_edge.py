"""The edge alone, in a process of its own: how fast a stop is acknowledged and what serving costs.

    python tests/bench/bench_edge.py [--seconds 10]

100 changes of a metrics document a second, 2 viewers and 1 commander, on a Unix socket. The door
answers at once, so this is the edge's own part of the way from a key to the fence.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import unix_connect

from hatchway.core.plan import Installation
from hatchway.edge import protocol
from hatchway.edge.door import Answer
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.server import serve

PUBLISHES_A_SECOND = 100
ACK_BAR_MS = 100.0  # key to fence, of which the edge is a part
DROP_BAR_S = 5.0


class AtOnce:
    """A door that answers at once."""

    async def command(self, command: protocol.Command, who: Any) -> Answer:
        return protocol.Ack(command.id, 1, "PAUSED")

    async def start(self, request: Any, who: Any) -> Answer:
        return protocol.Ack(request.id, 1)


def metrics(number: int) -> protocol.MetricsDoc:
    """A look at 5 metrics with 15 points each, as the dashboard gets it (about 4 KB)."""
    rnd = random.Random(number)
    points = tuple((float(n), rnd.random(), rnd.random()) for n in range(15))
    return protocol.MetricsDoc(
        "1",
        float(number),
        tuple(
            protocol.MetricDoc(name, name, "%", rnd.random(), rnd.random(), "same", points=points)
            for name in ("errors", "latency", "orders", "database", "payments")
        ),
    )


async def serve_until_killed(directory: Path, rate: int) -> None:
    hub = Hub("bench")
    installation = Installation("prod", "bench", (), everyone=("operator",))
    async with serve(directory, installation, hub=hub, door=AtOnce(), health=Health()):
        number = 0
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if rate:
                number += 1
                hub.publish("metrics/1", metrics(number))
                due += 1 / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
            else:
                await asyncio.sleep(3600)


def cpu_of(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.asynccontextmanager
async def edge(rate: int) -> Any:
    with tempfile.TemporaryDirectory(prefix="hw-") as directory:
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--serve", directory, "--rate", str(rate)
        )
        try:
            path = Path(directory, "backend.sock")
            while not path.exists():
                await asyncio.sleep(0.02)
            yield str(path), child.pid
        finally:
            child.terminate()
            await child.wait()


async def view(path: str, heard: list[int]) -> None:
    async with unix_connect(path, compression=None) as socket:
        await socket.send(protocol.encode(protocol.Subscribe()), text=True)
        while True:
            heard[0] += len(await socket.recv(decode=False))
            heard[1] += 1


async def command(path: str, seconds: float, every: float) -> list[float]:
    """Milliseconds from sending a pause to having its acknowledgement, each."""
    took: list[float] = []
    async with unix_connect(path, compression=None) as socket:
        await socket.send(protocol.encode(protocol.Subscribe()), text=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sent = time.perf_counter()
            id = str(len(took))
            await socket.send(protocol.encode(protocol.Command(id, "pause")), text=True)
            while True:
                message = protocol.decode_server(await socket.recv(decode=False))
                if isinstance(message, protocol.Ack | protocol.Refused) and message.id == id:
                    assert isinstance(message, protocol.Ack), message
                    break
            took.append((time.perf_counter() - sent) * 1e3)
            until = time.monotonic() + every
            while (left := until - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await socket.recv(decode=False)
    return took


async def scene(rate: int, viewers: int, seconds: float, every: float) -> dict[str, float]:
    heard = [0, 0]
    async with edge(rate) as (path, pid), asyncio.TaskGroup() as tasks:
        views = [tasks.create_task(view(path, heard)) for _ in range(viewers)]
        await asyncio.sleep(1.0)
        heard[:] = [0, 0]
        cpu, began = cpu_of(pid), time.monotonic()
        took: list[float] = []
        if every:
            took = sorted(await command(path, seconds, every))
        else:
            await asyncio.sleep(seconds)
        span = time.monotonic() - began
        figures = {
            "cpu": 100 * (cpu_of(pid) - cpu) / span,
            "rss": rss_of(pid),
            "kb": heard[0] / span / 1000 / max(1, viewers),
            "messages": heard[1] / span / max(1, viewers),
        }
        if took:
            figures["p50"] = statistics.median(took)
            figures["p99"] = took[min(len(took) - 1, int(len(took) * 0.99))]
            figures["n"] = len(took)
        for task in views:
            task.cancel()
    return figures


async def drop_after() -> float:
    """Seconds until a client that stops reading is cut."""
    async with edge(PUBLISHES_A_SECOND) as (path, _):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(path)
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        subscribe = protocol.encode(protocol.Subscribe())
        raw.recv(1024)
        raw.sendall(b"\x81" + bytes([0x80 | len(subscribe)]) + bytes(4) + subscribe)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 30:
                await asyncio.sleep(0.02)
                raw.send(b"\x8a\x80\x00\x00\x00\x00")  # an unasked pong, to learn of the cut
        raw.close()
        return time.monotonic() - began


async def bench(seconds: float) -> None:
    idle = await scene(rate=0, viewers=3, seconds=seconds, every=0)
    print(f"idle, 3 viewers:      {idle['cpu']:5.1f} % of a core, {idle['rss']:.0f} MB")
    quiet = await scene(PUBLISHES_A_SECOND, viewers=0, seconds=seconds, every=0)
    print(f"publishing, 0 viewers:{quiet['cpu']:5.1f} % (making and encoding the documents)")
    live = await scene(PUBLISHES_A_SECOND, viewers=2, seconds=seconds, every=0.06)
    print(
        f"2 viewers, commander: {live['cpu']:5.1f} %, of which serving "
        f"{live['cpu'] - quiet['cpu']:.1f}; a viewer hears {live['messages']:.1f} messages/s, "
        f"{live['kb']:.0f} kB/s"
    )
    print(
        f"pause to ack:         p50 {live['p50']:.2f} ms, p99 {live['p99']:.2f} ms "
        f"(n={live['n']:.0f}; {live['p99'] / ACK_BAR_MS:.2f} of the bar of {ACK_BAR_MS:.0f} ms)"
    )
    many = await scene(PUBLISHES_A_SECOND, viewers=50, seconds=seconds, every=0)
    each = (many["cpu"] - quiet["cpu"]) / 50
    print(f"50 viewers:           {many['cpu']:5.1f} %, {each:.2f} for each; {many['rss']:.0f} MB")
    cut = await drop_after()
    print(
        f"never reads:          cut after {cut:.1f} s ({cut / DROP_BAR_S:.2f} of the bar of "
        f"{DROP_BAR_S:.0f} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, default=PUBLISHES_A_SECOND, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve_until_killed(args.serve, args.rate))
    else:
        asyncio.run(bench(args.seconds))


if __name__ == "__main__":
    main()
