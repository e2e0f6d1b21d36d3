"""The dashboard as a process on a real terminal: what it writes, and how it leaves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from typing import Any

import pytest
from harness.tty import COLOURS, restored, terminal


async def test_q_leaves_with_zero_and_a_clean_terminal(backend: Any, room: Any) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE", "PASS")
        assert b"\x1b[?1003h" not in tty.bytes  # the mouse is off
        assert b"\x1b[?2004h" not in tty.bytes  # so is bracketed paste
        tty.send("q")
        assert await tty.ended() == 0
        assert restored(tty.bytes)
    assert backend.commands == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it_soon_and_cleanly(
    backend: Any, governor: Any, room: Any, number: int
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        os.kill(tty.child.pid, number)
        assert await tty.ended() == 128 + number
        assert restored(tty.bytes)
    assert backend.commands == []
    assert governor.acted() == []


async def test_a_closed_terminal_ends_it_and_changes_nothing(
    backend: Any, governor: Any, room: Any
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.hang_up()
        assert await tty.ended() in {129, 1, -1}
    assert backend.commands == []
    assert governor.acted() == []


async def test_pause_from_a_real_key(backend: Any, room: Any) -> None:
    async with terminal(room, 120, 40) as tty:
        await tty.until("DATA LIVE")
        tty.send("p")
        await tty.until("PAUSED, #4471", "CONTROL  PAUSED")


SEQUENCES = (
    "\x1bOo", "\x1b[o", "\x1bOr", "\x1b[200~", "\x1b[1;5r", "\x1bOa", "\x1b[x", "\x1bOg",
    "\x1b[<0;1;1M", "\x1b[0n", "\x1b[?1;2c", "\x1b[24;80R", "\x1bOf", "\x1b", "\x1bO", "\x1b[",
)  # fmt: skip


async def test_split_escape_sequences_never_act(backend: Any, governor: Any, room: Any) -> None:
    """Pieces that come later than the parser waits arrive as letters: none may act."""
    chance = random.Random(7)
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        for sequence in SEQUENCES[:13]:
            cut = chance.randint(1, len(sequence) - 1)
            tty.send(sequence[:cut])
            await asyncio.sleep(chance.choice([0.03, 1.15]))
            tty.send(sequence[cut:])
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.2)
        assert [each.kind for each in backend.commands] == []
        tty.send("p")
        await tty.until("PAUSED, #4471")


@pytest.mark.parametrize("sequence", SEQUENCES)
async def test_no_sequence_before_it_makes_p_deaf(
    backend: Any, governor: Any, room: Any, sequence: str
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.send(sequence)
        await asyncio.sleep(0.02)
        tty.send("p")
        await tty.that(lambda: [each.kind for each in backend.commands] == ["pause"])


async def test_a_paste_and_a_held_key_act_in_no_way(backend: Any, room: Any) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.send("orfgax" * 40)
        await tty.until("ignored, press again")
        await asyncio.sleep(0.3)
        assert backend.commands == []


async def test_the_thin_wire_shows_the_same_screen(backend: Any, room: Any, scenes: Any) -> None:
    async with terminal(room, 120, 40) as tty:
        await tty.until("DATA LIVE")
        for name in ("unsure", "checks", "hostile", "canary"):
            await backend.play(scenes.build(name))
            await asyncio.sleep(0.6)
        await tty.until("PASS", gone="<202E>")
        thin = tty.text
        tty.send("\x0c")  # everything is drawn again
        seen = len(tty.bytes)
        await tty.that(lambda: len(tty.bytes) > seen + 5000)
        await asyncio.sleep(0.3)

        def still(text: str) -> list[str]:
            return [line for line in text.split("\n")[2:] if "CANARY" not in line]

        clocks = [(a, b) for a, b in zip(still(thin), still(tty.text), strict=True) if a != b]
        assert all("s  " in a or "s ago" in a or "oldest" in a for a, b in clocks), clocks


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "vt100"},
        {**COLOURS, "NO_COLOR": "1"},
        {"TERM": "xterm"},
        {**COLOURS, "COLORFGBG": "0;15"},
    ],
)
async def test_poor_terminals_lose_no_words(
    backend: Any, room: Any, scenes: Any, environ: dict[str, str]
) -> None:
    backend.docs = scenes.build("unsure")
    async with terminal(room, 80, 24, **environ) as tty:
        await tty.until("CONTROL", "AGENT", "REGRESS", "NEEDS YOU 2", "PAUSE", "DATA LIVE")
        if environ["TERM"] == "vt100" or "NO_COLOR" in environ:
            assert b"38;" not in tty.bytes
            assert b"48;" not in tty.bytes


async def test_without_utf8_it_draws_in_ascii(backend: Any, room: Any) -> None:
    async with terminal(room, 80, 24, **COLOURS, PYTHONIOENCODING="ascii", LC_ALL="C") as tty:
        await tty.until("DATA LIVE", "NEEDS YOU", "PAUSE")
        assert tty.bytes.isascii()


async def test_a_resize_paints_everything_anew(backend: Any, room: Any) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.resize(120, 40)
        await tty.until("WHAT SHIPS", "ALSO WATCHED")
        tty.resize(60, 15)
        await tty.until("PAUSE", gone="WHAT SHIPS")


@pytest.mark.parametrize("how", ["q", "signal"])
async def test_the_title_says_who_is_in_control_and_is_given_back(
    backend: Any, room: Any, scenes: Any, how: str
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        await tty.that(lambda: tty.screen.title == "HATCHWAY PROD: AGENT")
        rang = tty.screen.bells
        await backend.play(scenes.build("unsure"))
        await tty.that(lambda: tty.screen.title == "HATCHWAY PROD: AGENT, 2 need you")
        await tty.that(lambda: tty.screen.bells == rang + 1)
        tty.send("p")
        await tty.that(lambda: tty.screen.title == "HATCHWAY PROD: PAUSED, 2 need you")
        if how == "q":
            tty.send("q")
        else:
            os.kill(tty.pid, signal.SIGHUP)
        await tty.ended()
        assert tty.bytes.count(b"\x1b[22;0t") == tty.bytes.count(b"\x1b[23;0t") == 1
        assert b"\x1b]2;\x1b\\\x1b[23;0t" in tty.bytes
        assert restored(tty.bytes)


async def test_without_titles_and_bells_none_is_written(
    backend: Any, room: Any, scenes: Any
) -> None:
    off = ("--bell", "off", "--title", "off", "--notify", "off")
    async with terminal(room, 80, 24, *off) as tty:
        await tty.until("DATA LIVE")
        tty.send("\x1b[O")  # looks elsewhere
        await backend.play(scenes.build("unsure"))
        await tty.until("NEEDS YOU 2")
        await asyncio.sleep(0.2)
        tty.send("q")
        await tty.ended()
        raw = tty.bytes.replace(b"\x1b]22;default\x07", b"")  # Textual's own, the pointer
        assert b"\a" not in raw
        assert b"\x1b]" not in raw
        assert b"\x1b[22;0t" not in raw


async def test_a_notification_comes_while_one_looks_elsewhere(
    backend: Any, room: Any, scenes: Any
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.send("\x1b[O")
        await asyncio.sleep(0.2)
        await backend.play(scenes.build("unsure"))
        await tty.that(lambda: b"\x1b]9;HATCHWAY PROD: AGENT, 2 need you\x1b\\" in tty.bytes)
