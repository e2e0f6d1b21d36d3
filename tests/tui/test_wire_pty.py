"""The wire on real ptys: slow, stopped, silent and stuttering terminals, and handing one over."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from harness.line import Line, line, storm_of
from harness.tty import Terminal, dashboard, opened, terminal


async def storm(backend: Any, scenes: Any) -> None:
    chance = random.Random(5)
    for number in range(1, 10_000):
        await backend.set(**storm_of(scenes, chance, number))
        await asyncio.sleep(0.1)


def still(text: str) -> list[str]:
    """The rows without those that count seconds, and without the plots, which move on."""
    return [
        row for row in text.split("\n")[2:]
        if not any(word in row for word in ("CANARY", " ago", "oldest", "s  ", "╎", "?"))
        and not any("\u2800" < char <= "\u28ff" for char in row)
    ]  # fmt: skip


async def redrawn(tty: Terminal) -> str:
    """What the screen shows when everything is sent again."""
    seen = len(tty.bytes)
    tty.send("\x0c")
    await tty.that(lambda: len(tty.bytes) > seen + 3000)
    await tty.that(lambda: time.monotonic() - tty.heard[-1][0] > 0.25)
    return tty.text


async def test_a_terminal_that_stops_reading_does_not_stop_the_dashboard(
    backend: Any, room: Any, scenes: Any, bar: Any
) -> None:
    backend.docs = scenes.build("unsure")
    async with line(Line(dashboard(room), 120, 40)) as tty:
        await tty.until("DATA LIVE")
        task = asyncio.create_task(storm(backend, scenes))
        tty.stopped = True
        await asyncio.sleep(4)
        began = time.monotonic()
        tty.send("p")
        await tty.that(lambda: [each.kind for each in backend.commands] == ["pause"], within=5)
        took = time.monotonic() - began
        bar("`p` reaches the backend while the terminal is stopped", f"{took:.2f} s", "2 s")
        assert took < 2
        task.cancel()
        await asyncio.sleep(0.2)
        tty.stopped, began = False, time.monotonic()
        at = await tty.that(lambda: "PAUSED, #4471" in tty.text and "CONTROL  PAUSED" in tty.text)
        bar("the screen is right after it reads again", f"{at - began:.2f} s", "4 s")
        assert at - began < 4
        await asyncio.sleep(0.5)
        assert still(tty.text) == still(await redrawn(tty))


async def test_on_a_slow_line_a_key_overtakes_the_storm(
    backend: Any, room: Any, scenes: Any, bar: Any
) -> None:
    backend.docs = scenes.build("unsure")
    async with line(Line(dashboard(room), 120, 40, rate=8000.0)) as tty:
        await tty.until("DATA LIVE", "▌ ROLL BACK")
        task = asyncio.create_task(storm(backend, scenes))
        await asyncio.sleep(4)
        took = []
        for mark in ("▌ RELEASE", "▌ ROLL BACK", "▌ RELEASE"):
            began = time.monotonic()
            tty.send("\t")
            took.append(await tty.that(lambda mark=mark: mark in tty.text) - began)
            await asyncio.sleep(0.3)
        middle = sorted(took)[1]
        bar("key -> screen on 8 kB/s in a storm", f"{middle:.2f} s", "1.5 s")
        assert middle < 1.5
        task.cancel()
        # what waited was replaced, not queued: the line is free soon after the storm is over
        await asyncio.sleep(2.5)
        assert still(tty.text) == still(await redrawn(tty))


async def test_sizes_change_while_frames_are_on_their_way(
    backend: Any, room: Any, scenes: Any
) -> None:
    backend.docs = scenes.build("unsure")
    async with line(Line(dashboard(room), 100, 30, rate=20_000.0, delay=0.05)) as tty:
        await tty.until("DATA LIVE")
        for width, height in ((60, 20), (132, 43), (40, 12), (9, 2), (120, 40), (80, 24)):
            tty.resize(width, height)
            await asyncio.sleep(0.15)
        await tty.until("NEEDS YOU 2", "one key")
        await asyncio.sleep(1.5)
        assert still(tty.text) == still(await redrawn(tty))


async def test_a_terminal_that_never_answers_shows_everything_all_the_same(
    backend: Any, room: Any, scenes: Any
) -> None:
    async with line(Line(dashboard(room), 80, 24, answers=False)) as tty:
        await tty.until("DATA LIVE", "NEEDS YOU 0", "one key")
        backend.docs = {}
        await backend.play(scenes.build("unsure"))
        began = time.monotonic()
        await tty.until("NEEDS YOU 2", "REGRESS")
        assert time.monotonic() - began < 10
        tty.send("w")
        await tty.until("─ WHY ─")
        tty.send("\x1b")  # a lone Esc is no piece of an answer here: it acts as it always did
        await tty.until("NEEDS YOU 2", gone="─ WHY ─")


async def test_stuttering_answers_are_no_keys(backend: Any, room: Any, scenes: Any) -> None:
    """Cut anywhere, the rest later than Textual waits: nothing acts, nothing is disarmed."""
    async with line(Line(dashboard(room), 80, 24, delay=0.02)) as tty:
        await tty.until("DATA LIVE")
        chance = random.Random(11)
        tty.cut = lambda: (chance.randint(1, 5), chance.choice([0.05, 1.3]))
        tty.send("r")
        await tty.until("press f to fire")
        for _ in range(6):
            await asyncio.sleep(1.0)
            assert "disarmed: any other key" not in tty.text
        assert tty.asked > 3
        assert [each.kind for each in backend.commands] == ["pause"]


async def test_no_answer_reaches_the_shell_after_leaving(
    backend: Any, room: Any, scenes: Any
) -> None:
    """The answers need 0.3 s; the shell looks at what is left for it."""
    backend.docs = scenes.build("unsure")
    script = Path(room) / "shell"
    command = " ".join(f"'{part}'" for part in dashboard(room))
    script.write_text(f"{command}\nIFS= read -rs -n 40 -t 1.2 rest\nprintf 'REST=%q.' \"$rest\"\n")
    async with line(Line(["bash", str(script)], 80, 24, delay=0.3)) as tty:
        await tty.until("DATA LIVE")
        task = asyncio.create_task(storm(backend, scenes))
        await asyncio.sleep(1)
        asked = tty.asked
        await tty.that(lambda: tty.asked > asked)  # one is on its way now
        tty.send("q")
        await tty.that(lambda: b"REST=" in tty.bytes and tty.bytes.endswith(b"."))
        task.cancel()
        assert tty.bytes.rpartition(b"REST=")[2] == b"''."
        assert b"^[" not in tty.bytes, "nor was one echoed"


async def test_stopped_and_continued_it_paints_everything_anew(
    backend: Any, room: Any, scenes: Any
) -> None:
    backend.docs = scenes.build("unsure")
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            before = len(tty.bytes)
            os.kill(tty.pid, number)
            await tty.that(lambda: "T" in state_of(tty.pid))
            if number == signal.SIGTSTP:  # told before, it gives the terminal back
                await tty.that(lambda before=before: b"\x1b[?1049l" in tty.bytes[before:])
            await tty.that(lambda: time.monotonic() - tty.heard[-1][0] > 0.3)
            tty.screen.reset()
            before = len(tty.bytes)
            os.kill(tty.pid, signal.SIGCONT)
            await tty.until("NEEDS YOU 2", "CONTROL  AGENT", "one key")
            assert b"\x1b[?1049h" in tty.bytes[before:]
        tty.send("p")
        await tty.until("PAUSED, #4471")
        tty.send("q")
        assert await tty.ended() == 0


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_the_wire_can_be_switched_off(backend: Any, room: Any) -> None:
    for more, environ in ((["--wire", "plain"], {}), ([], {"HATCHWAY_WIRE": "plain"})):
        colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        async with terminal(room, 80, 24, *more, **colours, **environ) as tty:
            await tty.until("CONTROL  AGENT", "one key")
            assert b"\x1b[6n" not in tty.bytes
            tty.send("q")
            assert await tty.ended() == 0


async def test_inside_tmux_detached_and_attached_with_another_size(
    backend: Any, room: Any, scenes: Any
) -> None:
    backend.docs = scenes.build("unsure")
    tmux = [shutil.which("tmux") or "tmux", "-S", str(Path(room) / "t"), "-f", "/dev/null"]
    command = " ".join(f"'{part}'" for part in dashboard(room))

    def pane() -> str:
        return subprocess.run(
            [*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
        ).stdout

    try:
        async with opened(Terminal([*tmux, "new", "-x", "80", "-y", "25", command], 80, 25)) as tty:
            await tty.until("DATA LIVE", "NEEDS YOU 2")
            assert "one key" in pane()
            subprocess.run([*tmux, "detach-client"], check=True)
            await tty.that(lambda: not tty.child.isalive())
        await backend.play(scenes.build("promoted"))
        async with opened(Terminal([*tmux, "attach"], 120, 41)) as tty:
            await tty.until("PROMOTED", "one key")
            await asyncio.sleep(0.5)
            shown = still(pane())
            tty.send("\x0c")
            await asyncio.sleep(0.7)
            assert still(pane()) == shown
            tty.send("p")
            await tty.until("PAUSED, #4471")
            tty.send("q")
            await tty.that(lambda: not tty.child.isalive())
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
