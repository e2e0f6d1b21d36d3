"""What the dashboard costs and how quick it is, beside others on the same pty in the same run.

    python tests/bench/bench_tui.py [--quick] [--runs 3] [--only bytes memory keys paint many]

Peers: Textual's own widgets with the same data (peer_textual.py), a bare Textual hello, and htop and
btop at about the same rate, where they are installed. All figures are medians of the runs; one line
a bar at the end. Bytes and ratios hold on a busy machine as well; times and CPU do not, so the
machine's load is printed with them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tui"))

from harness.cost import cpu_seconds, load, memory_mib, percentile  # noqa: E402
from harness.feeds import Busy, scripted  # noqa: E402
from harness.tty import COLOURS, QuickTerminal, Terminal, dashboard, opened  # noqa: E402

PEER = [sys.executable, str(HERE / "peer_textual.py")]
SIZES = ((80, 24), (120, 40))
FEEDS = HERE.parent / "tui" / "harness" / "feeds.py"


class Cost(NamedTuple):
    """Of one program over a while."""

    bytes_s: float
    cpu: float


class Bar(NamedTuple):
    """A line of the table. `limit` None: nothing is demanded, it is there to compare with."""

    what: str
    figure: float
    unit: str
    limit: float | None = None
    peer: str = ""

    def line(self, width: int) -> str:
        """In words."""
        shown = f"{self.figure:9.2f} {self.unit:5}"
        bar = "" if self.limit is None else f"bar {self.limit:g} {self.unit}"
        over = self.limit is not None and self.figure > self.limit
        verdict = "" if self.limit is None else "MISSED" if over else "met"
        return f"{self.what:{width}} {shown} {bar:16} {verdict:7} {self.peer}".rstrip()


class Bench:
    """The rooms, the options and the table."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.quick: bool = asked.quick
        self.runs: int = 1 if asked.quick else asked.runs
        self.seconds = 6.0 if asked.quick else 15.0
        self.kit = scripted()
        self.bars: list[Bar] = []

    def add(self, *bar: Any) -> None:
        """One more line, also while it runs."""
        made = Bar(*bar)
        self.bars.append(made)
        print(made.line(44), flush=True)

    @contextlib.asynccontextmanager
    async def backend(self, scene: str) -> AsyncIterator[tuple[Any, Path]]:
        """A scripted backend in a directory of its own."""
        room = Path(tempfile.mkdtemp(prefix="hw"))
        made = self.kit.Backend(room / "backend.sock", self.kit.Scenes().build(scene))
        await made.start()
        try:
            yield made, room
        finally:
            await made.stop()
            shutil.rmtree(room, ignore_errors=True)


async def over(tty: Terminal, seconds: float, feed: Any) -> Cost:
    """What it writes and burns in a while, once it is calm."""
    await asyncio.sleep(2.5)
    size, cpu, began = len(tty.bytes), cpu_seconds(tty.pid), time.monotonic()
    if feed is None:
        await asyncio.sleep(seconds)
    else:
        await feed(seconds)
    spent = time.monotonic() - began
    return Cost((len(tty.bytes) - size) / spent, 100 * (cpu_seconds(tty.pid) - cpu) / spent)


def median(costs: list[Cost]) -> Cost:
    """Of each figure."""
    return Cost(*(statistics.median(each) for each in zip(*costs, strict=True)))


async def with_data(
    bench: Bench, command: Callable[[Path], list[str]], word: str, size: tuple[int, int], scene: str
) -> Cost:
    """A program that follows the scripted backend: in the scene as it is, or with a busy feed."""
    costs = []
    for _ in range(bench.runs):
        busy = scene == "busy"
        async with (
            bench.backend("canary" if busy else scene) as (backend, room),
            opened(Terminal(command(room), *size)) as tty,
        ):
            await tty.until(word)
            feed = Busy(bench.kit.Scenes())
            costs.append(
                await over(tty, bench.seconds, (lambda s: feed.run(backend, s)) if busy else None)  # noqa: B023
            )
    return median(costs)


async def others(bench: Bench, size: tuple[int, int]) -> dict[str, Cost]:
    """htop and btop, about four times a second."""
    found = {}
    config = Path(tempfile.mkdtemp(prefix="hw"))
    (config / "btop").mkdir()
    (config / "btop" / "btop.conf").write_text("update_ms = 250\n")
    for name, words in (("htop", ["-d", "3"]), ("btop", [])):
        binary = shutil.which(name)
        if binary is None:
            print(f"({name} is not installed: not compared with)")
            continue
        environ = COLOURS | {"XDG_CONFIG_HOME": str(config), "LANG": "C.UTF-8"}
        async with opened(Terminal([binary, *words], *size, environ=environ)) as tty:
            await tty.that(lambda tty=tty: len(tty.bytes) > 1000)  # type: ignore[misc]
            found[name] = await over(tty, bench.seconds, None)
    shutil.rmtree(config)
    return found


def peer(room: Path) -> list[str]:
    """The command of the peer for a directory's backend."""
    return [*PEER, str(room / "backend.sock")]


async def bytes_and_cpu(bench: Bench) -> None:
    """Idle and busy, at both sizes."""
    for size in SIZES:
        name = f"{size[0]}x{size[1]}"
        theirs = await with_data(bench, peer, "AGENT".lower(), size, "busy")
        ours = await with_data(bench, dashboard, "LIVE", size, "busy")
        programs = {"widgets": theirs, **await others(bench, size)}
        ratios = ", ".join(f"1/{each.bytes_s / max(ours.bytes_s, 0.1):.0f} of {who}" for who, each in programs.items())  # fmt: skip
        limit = 1600 if size[0] == 120 else 1400
        bench.add(f"busy 4 Hz, {name}", ours.bytes_s, "B/s", limit, ratios)
        shares = ", ".join(f"{who} {each.cpu:.1f} %" for who, each in programs.items())
        bench.add(f"busy 4 Hz, {name}, CPU", ours.cpu, "%", None, shares)
        idle = await with_data(bench, dashboard, "LIVE", size, "idle")
        hello = await with_data(bench, lambda _: [*PEER, "hello"], "hello", size, "idle")
        bench.add(f"idle, {name}", idle.bytes_s, "B/s", 2, "only the clock, once a minute")
        bench.add(f"idle, {name}, CPU", idle.cpu, "%", 0.2, f"bare Textual hello {hello.cpu:.2f} %")


async def memory(bench: Bench) -> None:
    """After 10,000 events, and after 10,000 more: what grows without end would show."""
    events = 2_500 if bench.quick else 10_000
    async with opened(Terminal([*PEER, "hello"], 120, 40)) as tty:
        await tty.until("hello")
        await asyncio.sleep(1)
        hello, hello_own = memory_mib(tty.pid)
    async with (
        bench.backend("canary") as (backend, room),
        opened(Terminal(dashboard(room), 120, 40)) as tty,
    ):
        await tty.until("LIVE")
        start, _ = memory_mib(tty.pid)
        sizes = []
        for _ in range(2):
            feed = Busy(bench.kit.Scenes())
            for number in range(events):
                named = {key.replace("/", "__"): doc for key, doc in feed.next().items()}
                await backend.set(**named)
                if number % 50 == 0:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(3)
            sizes.append(memory_mib(tty.pid))
    (rss, own), (later, _) = sizes
    compared = f"hello {hello:.0f} ({hello_own:.0f} its own), own {own:.0f}, at start {start:.0f}"
    bench.add(f"memory after {events:,} events", rss, "MiB", 45, compared)
    bench.add(f"... and {events:,} more", later - rss, "MiB", 1.0, "growth")


async def keys(bench: Bench) -> None:
    """From a key to its page on the screen: calm, four times a second, and in a flood."""
    rounds = 40 if bench.quick else 200
    async with opened(Terminal([*PEER, "hello"], 120, 40)) as tty:
        await tty.until("hello")
        theirs = percentile(await changed(tty, rounds), 0.5)
    async with (
        bench.backend("canary") as (backend, room),
        opened(QuickTerminal(dashboard(room), 120, 40)) as tty,
    ):
        await tty.says(b"LIVE", 0)
        feeding = asyncio.create_task(Busy(bench.kit.Scenes()).run(backend, 600))
        took = await pressed(tty, rounds)
        feeding.cancel()
    half = percentile(took, 0.5)
    compared = f"x{half / theirs:.1f} of a bare Textual hello's {theirs:.1f} ms"
    bench.add("key to screen at 4 Hz, p50", half, "ms", 8, compared)
    bench.add("key to screen at 4 Hz, p99", percentile(took, 0.99), "ms", 50)
    room = Path(tempfile.mkdtemp(prefix="hw"))
    words = [sys.executable, str(FEEDS), str(room / "backend.sock"), "5000"]
    flood = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert flood.stdout is not None
        await asyncio.to_thread(flood.stdout.readline)
        async with opened(QuickTerminal(dashboard(room), 120, 40)) as tty:
            await tty.says(b"LIVE", 0)
            took = await pressed(tty, rounds)
        bench.add("key to screen at 5,000 messages/s, p99", percentile(took, 0.99), "ms", 50,
                  f"p50 {percentile(took, 0.5):.1f} ms")  # fmt: skip
    finally:
        flood.kill()
        flood.wait()
        shutil.rmtree(room, ignore_errors=True)


async def pressed(tty: QuickTerminal, rounds: int) -> list[float]:
    """Milliseconds from the key `?` until its page is there (and back), at any phase of the clock."""
    took = []
    for number in range(rounds):
        await asyncio.sleep(0.11 + (number % 7) / 40)
        before, began = len(tty.bytes), time.monotonic()
        tty.send("?")
        seen = await tty.says(b" KEYS " if number % 2 == 0 else b" WHAT SHIPS ", before)
        took.append((seen - began) * 1000)
    return took


async def changed(tty: Terminal, rounds: int) -> list[float]:
    """Milliseconds from a key until anything is written for it."""
    took = []
    for number in range(rounds):
        await asyncio.sleep(0.11 + (number % 7) / 40)
        before, began = len(tty.heard), time.monotonic()
        tty.send("x")
        await tty.that(lambda before=before: len(tty.heard) > before)  # type: ignore[misc]
        took.append((tty.heard[before][0] - began) * 1000)
    return took


async def paint(bench: Bench) -> None:
    """From exec to the first words on the wire, in turns with the bare hello."""
    hello, ours, true = [], [], []
    for _ in range(5 if bench.quick else 12):
        async with opened(Terminal([*PEER, "hello"], 120, 40)) as tty:
            hello.append(await tty.until("HATCHWAY hello") - tty.started)
        async with (
            bench.backend("canary") as (_, room),
            opened(Terminal(dashboard(room), 120, 40)) as tty,
        ):
            ours.append(await tty.until("HATCHWAY") - tty.started)
            true.append(await tty.until("DATA LIVE") - tty.started)
    ratio = statistics.median(ours) / statistics.median(hello)
    bench.add("first paint, of a bare Textual hello's", ratio, "x", 1.25,
              f"{statistics.median(ours) * 1000:.0f} ms of {statistics.median(hello) * 1000:.0f} ms")  # fmt: skip
    bench.add("first true screen", statistics.median(true) * 1000, "ms")


async def many(bench: Bench) -> None:
    """200 services, each with a run, ten of which change every second."""
    from msgspec.structs import replace

    async with bench.backend("canary") as (backend, room):
        scenes = bench.kit.Scenes()
        for number in range(199):
            name = f"service-{number:03}"
            run = replace(scenes.canary(scenes.verdict()), id=name, service=name)
            backend.docs[f"run/{name}"] = run
            backend.docs[f"authority/{name}"] = replace(scenes.authority("agent"), service=name)
        async with opened(Terminal(dashboard(room), 120, 40)) as tty:
            await tty.until("LIVE")

            async def feed(seconds: float) -> None:
                end, number = time.monotonic() + seconds, 0
                while time.monotonic() < end:
                    key = f"run/service-{number % 199:03}"
                    run = replace(backend.docs[key], version=number)
                    await backend.set(**{key.replace("/", "__"): run})
                    number += 1
                    await asyncio.sleep(0.1)

            cost = await over(tty, bench.seconds, feed)
            rss, _ = memory_mib(tty.pid)
    bench.add(
        "200 services, 10 changes a second",
        cost.bytes_s,
        "B/s",
        1600,
        f"CPU {cost.cpu:.1f} %, {rss:.0f} MiB",
    )


PARTS = {"many": many, "bytes": bytes_and_cpu, "memory": memory, "keys": keys, "paint": paint}


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="about a minute: one run, shorter")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a first start would measure the compiler
    bench = Bench(asked)
    began = load()
    for name in asked.only:
        asyncio.run(PARTS[name](bench))
    print(f"\n== bars of the dashboard (load {began:.1f} at the start, {load():.1f} at the end)")
    width = max(len(bar.what) for bar in bench.bars)
    for bar in bench.bars:
        print(bar.line(width))
    return int(any(bar.limit is not None and bar.figure > bar.limit for bar in bench.bars))


if __name__ == "__main__":
    sys.exit(main())
