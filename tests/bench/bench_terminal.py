"""What the wire to the terminal costs and stands: bytes, a slow line, a terminal that stops reading.

Bars: 8 kB/s line under a storm of changes, key -> screen p50 <= 200 ms; stalled for 25 s: `p`
still reaches the backend and the screen is right 2 s after it reads again; idle 0 B/s; busy at
4 Hz <= 1.4 kB/s at 80x24 and 1.6 at 120x40, acknowledgements included. `--wire plain` (Textual's
own writer, whole regions) runs beside it as the peer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tui"))

from harness.line import Line, line, storm_of  # noqa: E402
from harness.tty import dashboard  # noqa: E402

import conftest as kit  # noqa: E402

SIZES = ((120, 40), (80, 24))


@asynccontextmanager
async def shown(
    scene: str, width: int, height: int, *more: str, **how: Any
) -> AsyncIterator[tuple[Line, Any]]:
    """A dashboard on a line, live, and the scripted backend behind it."""
    room = Path(tempfile.mkdtemp(prefix="hw"))
    backend = kit.Backend(room / "backend.sock", kit.Scenes().build(scene))
    await backend.start()
    try:
        async with line(Line(dashboard(room, *more), width, height, **how)) as tty:
            await tty.until("DATA LIVE")
            yield tty, backend
    finally:
        await backend.stop()
        shutil.rmtree(room, ignore_errors=True)


async def _feed(backend: Any, start: float) -> None:
    """Ten documents a second, as a real release sends them: metrics every second, and so on."""
    scenes, sent = kit.Scenes(start), 0
    step = scenes.build("canary")["run/r1"].step
    while True:
        second, tenth = divmod(sent, 10)
        fresh = kit.Scenes()
        if tenth == 0:
            await backend.set(metrics__r1=fresh.metrics())
        elif tenth == 5:
            doc = fresh.canary(fresh.verdict(), version=17 + second)
            doc = msgspec.structs.replace(doc, step=step, started_at=start - 130)
            await backend.set(run__r1=doc)
        elif tenth == 8 and second % 5 == 0:
            await backend.set(audit__tail=fresh.audit())
        else:
            await backend.set(system=kit.wire.SystemDoc("prod", "demo", 10, journal_seq=sent))
        sent += 1
        await asyncio.sleep(0.1)


async def _storm(backend: Any) -> None:
    """Ten times a second everything changes, who is in control too: every change is drawn at once."""
    chance, number = random.Random(3), 0
    while True:
        number += 1
        await backend.set(**storm_of(kit.Scenes(), chance, number))
        await asyncio.sleep(0.1)


@asynccontextmanager
async def during(work: Any) -> AsyncIterator[None]:
    """While that goes on beside it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def bytes_a_second(width: int, height: int, busy: bool, seconds: float, *more: str) -> tuple[float, float]:  # fmt: skip
    """(bytes a second, CPU share) once the screen is there."""
    async with shown("canary" if busy else "idle", width, height, *more) as (tty, backend):
        await asyncio.sleep(2)
        work = _feed(backend, time.time()) if busy else asyncio.sleep(seconds)
        async with during(work):
            await asyncio.sleep(1)
            before, cpu, began = len(tty.bytes), _cpu(tty.pid), time.monotonic()
            await asyncio.sleep(seconds)
            spent = time.monotonic() - began
            return (len(tty.bytes) - before) / spent, (_cpu(tty.pid) - cpu) / spent


async def keys_on_a_slow_line(presses: int, *more: str) -> list[float]:
    """Seconds from a key until its answer is shown. Everything on the screen changes all the time.

    The line carries 8 kB/s. The key marks the other card, which is another look of eleven rows.
    """
    took = []
    room = shown("unsure", 120, 40, *more, rate=8000.0)
    async with room as (tty, backend), during(_storm(backend)):
        await asyncio.sleep(3)
        for _ in range(presses):
            await asyncio.sleep(0.7)
            before, began = _marked(tty), time.monotonic()
            tty.send("\t")
            took.append(
                await _change(tty, lambda was=before: _marked(tty) not in {was, ""}) - began
            )
            if took[-1] == float("inf"):
                break
    return took


async def keys_from_far(presses: int, delay: float) -> list[float]:
    """Seconds beyond the round trip until a key's answer is shown, on a fast line far away."""
    took = []
    room = shown(
        "unsure", 120, 40, delay=delay
    )  # of the terminal's answers: what is shown is shown at once
    async with room as (tty, backend), during(_feed(backend, time.time())):
        await asyncio.sleep(4)
        for _ in range(presses):
            await asyncio.sleep(0.61)
            before, began = _marked(tty), time.monotonic()
            tty.send("\t")
            took.append(await _change(tty, lambda was=before: _marked(tty) != was) - began)
    return took


async def _change(tty: Line, true: Any, within: float = 70.0) -> float:
    """When that had become true. Looks only when something has come: looking costs, too."""
    end, seen = time.monotonic() + within, -1
    while time.monotonic() < end:
        if seen != len(tty.heard):
            seen = len(tty.heard)
            if true():
                return tty.heard[-1][0]
        await asyncio.sleep(0.002)
    return float("inf")


def _marked(tty: Line) -> str:
    """Which card is in focus, by its title."""
    for y in range(20, 36):
        row = tty.screen.buffer[y]
        if row[70].data == "▌" and row[72].data == "R":
            return "".join(row[x].data for x in range(72, 76))
    return ""


async def stall(seconds: float, *more: str) -> tuple[float, float]:
    """(seconds until `p` reached the backend, seconds until the screen was right afterwards)."""
    async with shown("unsure", 120, 40, *more) as (tty, backend):
        async with during(_storm(backend)):
            await asyncio.sleep(1)
            tty.stopped = True
            await asyncio.sleep(seconds)
        began = time.monotonic()
        tty.send("p")
        while not backend.commands and time.monotonic() - began < 15:
            await asyncio.sleep(0.005)
        reached = time.monotonic() - began if backend.commands else float("inf")
        word = f"seen again {os.getpid()}"
        tty.stopped, began = False, time.monotonic()
        scenes = kit.Scenes()
        verdict = scenes.verdict("UNSURE")
        why = tuple(msgspec.structs.replace(each, text=word) for each in verdict.why)
        verdict = msgspec.structs.replace(verdict, why=why)
        doc = scenes.canary(verdict, status="held", version=9999)
        await backend.set(run__r1=doc)
        try:
            await tty.that(lambda: word in tty.text and "PAUSED" in tty.text, within=60)
        except AssertionError:
            return reached, float("inf")
        return reached, time.monotonic() - began


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bar(what: str, figure: float, limit: float, unit: str) -> bool:
    """Print one line; True when it is held."""
    held = figure <= limit
    print(f"{what:58} {figure:9.1f} {unit:4} bar {limit:7.1f}  {'held' if held else 'MISSED'}")
    return held


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12, help="of each count of bytes")
    parser.add_argument("--stall", type=float, default=25)
    parser.add_argument("--keys", type=int, default=25)
    parser.add_argument("--peer", action="store_true", help="also without the wire")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    good = []
    for width, height in SIZES:
        limit = 1600 if width == 120 else 1400
        rate, share = asyncio.run(bytes_a_second(width, height, True, asked.seconds))
        good.append(
            bar(f"busy, 10 documents/s, {width}x{height} (cpu {share:.1%})", rate, limit, "B/s")
        )
        if asked.peer:
            peer, share = asyncio.run(bytes_a_second(width, height, True, asked.seconds, "--wire", "plain"))  # fmt: skip
            print(f"    without the wire {peer:.0f} B/s, cpu {share:.1%}: {peer / rate:.1f} times")
        rate, share = asyncio.run(bytes_a_second(width, height, False, asked.seconds))
        good.append(bar(f"idle {width}x{height} (cpu {share:.1%})", rate, 1, "B/s"))
    took = asyncio.run(keys_on_a_slow_line(asked.keys))
    good.append(bar("key -> screen p50, 8 kB/s line in a storm", statistics.median(took) * 1000, 200, "ms"))  # fmt: skip
    print(f"    all of them, ms: {'  '.join(f'{each * 1000:.0f}' for each in sorted(took))}")
    if asked.peer:
        peer_took = asyncio.run(keys_on_a_slow_line(2, "--wire", "plain"))
        print(f"    without the wire {max(peer_took):.1f} s")
    for delay in (0.1, 0.3):
        far = statistics.median(asyncio.run(keys_from_far(asked.keys, delay))) * 1000
        good.append(bar(f"key -> screen p50 beyond a round trip of {delay * 1000:.0f} ms", far, 100, "ms"))  # fmt: skip
    reached, right = asyncio.run(stall(asked.stall))
    good.append(bar(f"terminal stopped for {asked.stall:g} s: `p` at the backend", reached * 1000, 500, "ms"))  # fmt: skip
    good.append(bar("  its screen right after it reads again", right * 1000, 2000, "ms"))
    if asked.peer:
        reached, right = asyncio.run(stall(asked.stall, "--wire", "plain"))
        print(f"    without the wire: `p` after {reached:.1f} s, right after {right:.1f} s")
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
