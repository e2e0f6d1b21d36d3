"""What is no longer so is never shown as if it were: silence, a lost line, a lost focus, a gap."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import msgspec
import pytest
from harness.tty import terminal
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Heard, Lost, Model, fold
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.view import View

SIZES = [(80, 24), (120, 40)]


def view_of(docs: dict[str, msgspec.Struct], now: float) -> View:
    raw = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in docs.items()}
    you = wire.You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
    model = fold(Model(governor_known=True), Heard(wire.Hello(1, "s", "b", you, 1, now), 100.0))
    model = fold(model, Heard(wire.Snapshot(1, raw), 100.0))
    return View(model, Hands(service="shop"), Rights(name="ana"), now, 100.0)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_after_three_seconds_of_silence_row_one_says_so_even_if_the_link_says_nothing(
    scenes: Any, width: int, height: int
) -> None:
    view = view_of(scenes.build("canary"), scenes.now)
    for silent, word in ((0.5, "DATA LIVE"), (2.9, "BACKEND SILENT"), (30.0, "BACKEND SILENT")):
        later = replace(view, at=100.0 + silent, now=scenes.now + silent)
        first = text_of(paint(later, width, height)).split("\n")[0]
        assert word in first, (silent, first)
        assert ("LIVE" in first) == (word == "DATA LIVE")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_lost_line_counts_down_to_the_next_try(scenes: Any, width: int, height: int) -> None:
    view = view_of(scenes.build("canary"), scenes.now)
    lost = fold(view.model, Lost("down", 101.0, "the backend went away", 104.0))
    said = []
    for at in (101.2, 102.2, 103.2):
        later = replace(view, model=lost, at=at)
        found = re.search(r"trying again in ([\d.]+)s", text_of(paint(later, width, height)))
        assert found, at
        said.append(float(found[1]))
    assert said == sorted(said, reverse=True)
    assert "BACKEND DOWN" in text_of(paint(later, width, height)).split("\n")[0]


def test_a_gap_while_the_line_was_lost_is_marked_in_the_plots(scenes: Any) -> None:
    view = view_of(scenes.build("canary"), scenes.now)
    docs: Any = scenes.metrics()
    after = replace(
        docs, at=scenes.now + 40,
        metrics=tuple(
            replace(each, points=((scenes.now + 40.0, 0.5, 0.6), (scenes.now + 41.0, 0.5, 0.6)))
            for each in docs.metrics
        ),
    )  # fmt: skip
    raw = {"metrics/r1": msgspec.Raw(msgspec.json.encode(after))}
    model = fold(view.model, Lost("down", 101.0, "the backend went away", 104.0))
    model = fold(model, Heard(wire.Delta(1, 2, raw), 141.0))
    again = replace(view, model=model, now=scenes.now + 41, at=141.0)
    assert "DATA LIVE" in text_of(paint(again, 120, 40))

    def marks(each: View) -> int:
        rows = text_of(paint(each, 120, 40)).split("\n")
        return sum(row.count("?") for row in rows if re.fullmatch(r"[ ?⠀-⣿┈╎limt]+", row))

    assert marks(again) >= 6, text_of(paint(again, 120, 40))
    assert marks(view) == 0


async def test_silence_is_on_row_one_within_three_seconds(
    backend: Any, governor: Any, room: Any, bar: Any
) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        backend.mute = True
        began = time.monotonic()
        took = await tty.that(lambda: "DATA LIVE" not in tty.screen.display[0]) - began
        bar("silence on row 1", f"{took:.1f} s", "3 s")
        assert "BACKEND SILENT" in tty.screen.display[0]
        assert took < 6  # a beat may just have come, and the machine may be busy


async def test_a_lost_focus_disarms_and_the_next_f_does_nothing(backend: Any, room: Any) -> None:
    async with terminal(room) as tty:
        await tty.until("DATA LIVE")
        tty.send("r")
        await tty.until("press f to fire")
        tty.send("\x1b[O")
        await tty.until("roll back disarmed: the terminal lost focus", gone="press f to fire")
        tty.send("\x1b[I")
        await asyncio.sleep(0.3)
        tty.send("f")
        await tty.until("press r first")
        assert [each.kind for each in backend.commands] == ["pause"]
