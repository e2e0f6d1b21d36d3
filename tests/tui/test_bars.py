"""What the dashboard costs, how quick it is and that it is the same over ssh and inside tmux.

The limits are generous, for busy machines; tests/bench/bench_tui.py has the exact figures beside
those of others.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from typing import Any

import pytest
from harness.cost import cpu_seconds, memory_mib, percentile
from harness.feeds import Busy
from harness.roads import over_ssh, sshd, tmux
from harness.tty import Terminal, dashboard, opened, terminal

SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_idle_it_sends_nothing_but_the_minute(
    backend: Any, governor: Any, room: Any, scenes: Any, bar: Any, width: int, height: int
) -> None:
    backend.docs = scenes.build("idle")
    async with terminal(room, width, height) as tty:
        await tty.until("DATA LIVE", "IDLE")
        await asyncio.sleep(2.5)
        size, cpu, began = len(tty.bytes), cpu_seconds(tty.pid), time.monotonic()
        await asyncio.sleep(5)
        sent, spent = len(tty.bytes) - size, time.monotonic() - began
        share = 100 * (cpu_seconds(tty.pid) - cpu) / spent
    bar(
        f"idle {width}x{height}", f"{sent} bytes in {spent:.0f} s, CPU {share:.1f} %", "0 and 0.2 %"
    )
    assert sent <= 200, "at most the clock's minute, and a word on a line that is late"


@pytest.mark.parametrize(("width", "height", "limit"), [(80, 24, 1400), (120, 40, 1600)])
async def test_busy_it_sends_little(
    backend: Any, room: Any, scenes: Any, bar: Any, width: int, height: int, limit: int
) -> None:
    async with terminal(room, width, height) as tty:
        await tty.until("DATA LIVE")
        await asyncio.sleep(2)
        size, began = len(tty.bytes), time.monotonic()
        await Busy(scenes).run(backend, 5)
        rate = (len(tty.bytes) - size) / (time.monotonic() - began)
    bar(f"busy at 4 Hz, {width}x{height}", f"{rate:.0f} B/s", f"{limit} B/s")
    assert rate < 2.5 * limit


async def test_a_key_is_answered_at_once_while_the_data_move(
    backend: Any, room: Any, scenes: Any, bar: Any
) -> None:
    async with terminal(room, 120, 40) as tty:
        await tty.until("DATA LIVE")
        feeding = asyncio.create_task(Busy(scenes).run(backend, 60))
        took = [await page_opens(tty, number) for number in range(24)]
        feeding.cancel()
    bar("key to screen at 4 Hz", f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms", "8 and 50 ms")  # fmt: skip
    assert statistics.median(took) < 150


async def page_opens(tty: Terminal, number: int) -> float:
    """Milliseconds from `?` to its page (or back from it)."""
    await asyncio.sleep(0.08 + number % 5 / 50)
    began = time.monotonic()
    tty.send("?")
    opens = number % 2 == 0
    seen = await (tty.until("─ KEYS ─") if opens else tty.until("CONTROL", gone="─ KEYS ─"))
    return (seen - began) * 1000


async def test_memory_stays_bounded_over_many_events(
    backend: Any, room: Any, scenes: Any, bar: Any
) -> None:
    async with terminal(room, 120, 40) as tty:
        await tty.until("DATA LIVE")
        feed, sizes = Busy(scenes), []
        for _ in range(3):
            for number in range(400):
                await backend.set(**{k.replace("/", "__"): d for k, d in feed.next().items()})
                if number % 20 == 0:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(1.0)
            sizes.append(memory_mib(tty.pid)[0])
    bar("memory after 1,200 events", f"{sizes[-1]:.0f} MiB", "45 MiB after 10,000")
    assert sizes[-1] < 60
    assert sizes[-1] - sizes[0] < 4, sizes


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_inside_tmux_it_is_the_same_screen_also_after_a_detach(
    backend: Any, governor: Any, room: Any, scenes: Any, width: int, height: int
) -> None:
    backend.docs = scenes.build("promoted")
    async with terminal(room, width, height) as plain:
        await plain.until("PROMOTED", "DATA LIVE")
        await plain.quiet(0.5)
        expected = still(plain.text)
    async with tmux(room, dashboard(room), width, height) as server:
        await shown(server, expected)
        other = (120, 40) if width == 80 else (80, 24)
        attach = Terminal([*server.words, "attach"], *other)
        async with opened(attach) as tty:  # somebody with another window comes
            await tty.until("PROMOTED", "PAUSE")
            tty.send("\x02d")
            assert await tty.ended() == 0
        async with opened(Terminal([*server.words, "attach"], width, height)) as tty:
            await tty.that(lambda: still(tty.text) == expected)
            tty.send("p")
            await tty.until("CONTROL  PAUSED")
        assert [each.kind for each in backend.commands] == ["pause"]
        await server.do("send-keys", "q")


async def shown(server: Any, expected: list[str]) -> None:
    """Wait until tmux shows it."""
    end = time.monotonic() + 40
    while still(seen := await server.do("capture-pane", "-p")) != expected:
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.1)


def still(text: str) -> list[str]:
    """The rows without the first, which has the clock, and without ages, which move on."""
    text = re.sub(r"\d+[smh]\b( ago)?", "#", text)
    rows = [re.sub(r" +", " ", row).rstrip() for row in text.rstrip("\n").split("\n")[1:]]
    while rows and not rows[-1]:
        rows.pop()
    return rows


async def test_a_paste_by_tmux_acts_in_no_way(backend: Any, room: Any, scenes: Any) -> None:
    backend.docs = scenes.build("unsure")
    async with tmux(room, dashboard(room), 80, 24) as server:
        end = time.monotonic() + 40
        while "DATA LIVE" not in await server.do("capture-pane", "-p"):
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.2)
        for text in ("of course\nroll back or fix it\nx marks\n" * 30, "orfgax", "rf\nrf\no\no\n"):
            await server.do("set-buffer", text)
            await server.do("paste-buffer")
            await asyncio.sleep(0.4)
        assert [each.kind for each in backend.commands if each.kind != "pause"] == []


@pytest.mark.parametrize("trip", [100, 300])
async def test_over_ssh_a_key_takes_the_round_trip_and_little_more(
    backend: Any, governor: Any, room: Any, scenes: Any, bar: Any, trip: int
) -> None:
    with sshd(room) as (key, port):
        command = over_ssh(key, port, dashboard(room), trip)
        async with opened(Terminal(command, 120, 40)) as tty:
            await tty.until("DATA LIVE", "PASS")
            feeding = asyncio.create_task(Busy(scenes).run(backend, 60))
            took = [await page_opens(tty, number) for number in range(12)]
            feeding.cancel()
            half = statistics.median(took)
            bar(f"key to screen over ssh, {trip} ms away", f"p50 {half:.0f} ms", f"{trip + 100} ms")
            assert half < trip + 400
            tty.send("\x1b")  # a sequence that is cut on the way, and its late rest
            await asyncio.sleep(0.4)
            tty.send("[o")
            await asyncio.sleep(0.2)
            tty.send("or")  # two keys in one packet
            await asyncio.sleep(1.5)
            assert [each.kind for each in backend.commands] == []
            tty.send("p")
            await tty.until("CONTROL  PAUSED")
            tty.send("q")
            assert await tty.ended() == 0
    assert [each.kind for each in backend.commands] == ["pause"]
