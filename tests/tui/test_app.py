"""The application against a real socket: what a person presses and what the screen then says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from hatchway.edge import protocol as wire
from hatchway_tui.app import Dashboard
from hatchway_tui.link import Address
from hatchway_tui.paint.canvas import text_of

DEADLINE = 20.0
SIZES = [(80, 24), (120, 40)]


class Driver:
    """A person at the dashboard."""

    def __init__(self, app: Dashboard, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> str:
        return text_of(self.app.glass.lines)

    async def until(self, *parts: str, gone: str = "\0") -> str:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            text = self.screen
            if all(part in text for part in parts) and gone not in text:
                return text
            await asyncio.sleep(0.02)
        raise AssertionError(
            f"never on the screen: {parts} (or never gone: {gone!r})\n{self.screen}"
        )

    async def that(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not true():
            assert time.monotonic() < end, self.screen
            await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        await asyncio.sleep(0.05)
        await self.pilot.press(key)


@asynccontextmanager
async def dashboard(
    room: Any, size: tuple[int, int] = (80, 24), read_only: bool = False
) -> AsyncIterator[Driver]:
    address = Address(str(room / "backend.sock"), str(room / "governor.sock"), "", read_only, "ana")
    app = Dashboard(address)
    async with app.run_test(size=size) as pilot:
        yield Driver(app, pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_each_state_comes_to_the_screen(
    backend: Any, room: Any, scenes: Any, size: tuple[int, int]
) -> None:
    expected = {
        "checks": "RUNNING", "approval": "WAITING", "unsure": "REGRESS", "paused": "PAUSED",
        "taken": "luis", "held": "UNSURE", "rolled_back": "ROLLED BACK", "promoted": "PROMOTED",
        "failed": "FAILED", "idle": "IDLE", "hostile": "<202E>",
    }  # fmt: skip
    async with dashboard(room, size) as driver:
        await driver.until("PASS", "LIVE")
        for name, word in expected.items():
            await backend.play(scenes.build(name))
            await driver.until(word)


async def test_pause_is_confirmed_with_its_number(backend: Any, governor: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        backend.ack_after = 0.5
        await driver.press("p")
        await driver.until("PAUSING...", gone="PAUSED")
        await driver.until("PAUSED, #4471, pause by ana", "CONTROL  PAUSED")
        assert [each.kind for each in backend.commands] == ["pause"]


async def test_a_refusal_is_shown_with_what_to_do(backend: Any, room: Any) -> None:
    backend.answers["takeover"] = wire.Refused("", "busy", "luis is typing", "ask luis")
    async with dashboard(room, (120, 40)) as driver:
        await driver.until("LIVE")
        await driver.press("o")
        await driver.until("NOT done: luis is typing. ask luis")


async def test_r_then_f_rolls_back(backend: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press("r")
        await driver.until("press f to fire", "AGENT PAUSED")
        await asyncio.sleep(0.2)
        await driver.press("f")
        await driver.until("ROLL BACK ORDERED, #4471", gone="press f")
        assert [each.kind for each in backend.commands] == ["pause", "rollback"]


async def test_r_and_f_at_once_only_pause(backend: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        at = time.monotonic()
        driver.app.pressed("r", "r", at)
        driver.app.pressed("f", "f", at + 0.001)
        await driver.until("press f to fire", "AGENT PAUSED")
        assert [each.kind for each in backend.commands] == ["pause"]


async def test_another_persons_takeover_disarms(backend: Any, room: Any, scenes: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press("r")
        await driver.until("press f to fire", "AGENT PAUSED")
        await backend.set(authority__shop=scenes.authority("person", "luis", 9))
        await driver.until("disarmed", gone="press f to fire")


async def test_a_restart_of_the_backend_disarms(backend: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press("r")
        await driver.until("press f to fire")
        await backend.stop()
        await driver.until("disarmed", gone="press f to fire")
        await backend.start()


async def test_giving_back_asks_why(backend: Any, room: Any, scenes: Any) -> None:
    backend.docs |= scenes.build("paused")
    async with dashboard(room) as driver:
        await driver.until("PAUSED")
        await driver.press("g")
        await driver.until("give back, why?")
        await driver.pilot.press(*"looks good".replace(" ", "_"))
        await driver.until("looks_good")
        await driver.press("enter")
        await driver.until("GIVEN BACK, #4471", "CONTROL  AGENT")
        command = backend.commands[-1]
        assert (command.kind, command.reason, command.expect_epoch) == ("release", "looks_good", 5)


async def test_accept_and_reject_name_the_item(backend: Any, room: Any, scenes: Any) -> None:
    backend.docs |= scenes.build("unsure")
    async with dashboard(room) as driver:
        await driver.until("NEEDS YOU 2")
        await driver.press("a")
        await driver.until("look, then press again")
        assert backend.commands == []
        await asyncio.sleep(1.1)
        await driver.press("a")
        await driver.until("ACCEPTED, #4471")
        await driver.press("down")
        await asyncio.sleep(1.1)
        await driver.press("x")
        await driver.until("reject, why?")
        await driver.press("enter")
        await driver.until("REJECTED")
        assert [(each.kind, each.item) for each in backend.commands] == [
            ("accept", "i1"),
            ("reject", "i2"),
        ]


async def test_read_only_sends_nothing_and_says_so(backend: Any, governor: Any, room: Any) -> None:
    async with dashboard(room, read_only=True) as driver:
        await driver.until("READ-ONLY")
        for key in ("p", "o", "r", "g", "f"):
            await driver.press(key)
            await driver.until("read-only: ask oncall" if key != "f" else "press r first")
        assert backend.commands == []
        assert governor.acted() == []
        assert backend.subscribed[0].read_only


async def test_a_killed_backend_is_said_and_stops_go_to_the_governor(
    backend: Any, governor: Any, room: Any
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await backend.stop()
        began = time.monotonic()
        await driver.until("BACKEND DOWN", "DIRECT", "direct")
        assert time.monotonic() - began < DEADLINE
        await driver.press("p")
        await driver.until("PAUSED, the governor says so", "CONTROL  PAUSED")
        await driver.press("r")
        await driver.until("press f to fire")
        await asyncio.sleep(0.2)
        await driver.press("f")
        await driver.until("ROLL BACK ORDERED")
        assert governor.acted() == ["pause", "pause", "rollback"]
        assert {each["by"] for each in governor.asked if each["op"] != "status"} == {"ana"}
        backend.docs |= {"system": wire.SystemDoc("back")}
        await backend.start()
        await driver.until("LIVE", "BACK", gone="BACKEND")


async def test_stop_all_reaches_the_governor_when_the_backend_is_killed(
    backend: Any, governor: Any, room: Any
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await backend.stop()
        await driver.until("BACKEND DOWN", "DIRECT")
        await driver.press("ctrl+x")
        await driver.until("Press Ctrl+X again")
        await asyncio.sleep(0.8)
        await driver.press("ctrl+x")
        await driver.until("STOPPED ALL, the governor says so")
        await driver.until("CONTROL  STOPPED ALL   by ana")
        (asked,) = (each for each in governor.asked if each["op"] != "status")
        assert (asked["op"], asked["direct"], "service" in asked) == ("stop_all", True, False)


async def test_whoever_may_only_look_asks_oncall_with_the_same_key(
    backend: Any, governor: Any, room: Any
) -> None:
    backend.you = wire.You("ana", ("viewer",), (), False, "viewers cannot pause", ("ask",))
    async with dashboard(room) as driver:
        await driver.until("LIVE", "ask oncall")
        await driver.press("p")
        await driver.until("ask oncall to pause shop, why?")
        for key in "bad":
            await driver.press(key)
        await driver.press("enter")
        await driver.until("ASKED ONCALL, #4471")
        (command,) = backend.commands
        assert (command.kind, command.service, command.item) == ("ask", "shop", "pause")
        assert command.reason == "bad"
        assert governor.acted() == []


async def test_a_silent_backend_is_said_and_resumes(backend: Any, governor: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        backend.mute = True
        await driver.until("BACKEND SILENT", "direct")
        await driver.press("p")
        await driver.until("PAUSED, the governor says so")
        backend.mute = False
        await driver.until("LIVE", gone="SILENT")


async def test_an_answer_that_does_not_come_goes_to_the_governor(
    backend: Any, governor: Any, room: Any
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        backend.ack_after = 3.0
        await driver.press("p")
        await driver.until("PAUSED, the governor says so")
        assert governor.acted() == ["pause"]
        assert backend.commands[0].id == next(e["id"] for e in governor.asked if e["op"] == "pause")


async def test_it_resumes_where_it_was_and_reloads_after_a_hole(
    backend: Any, room: Any, scenes: Any
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await backend.stop()
        await driver.until("BACKEND DOWN")
        await backend.start()
        await driver.until("LIVE")
        assert (backend.subscribed[-1].boot, backend.subscribed[-1].since) == ("boot-1", 100)
        backend.docs["system"] = wire.SystemDoc("hidden")
        await backend.set(skip=3, audit__tail=scenes.audit())
        await driver.until("HIDDEN")
        assert backend.subscribed[-1].since == -1


async def test_without_anybody_it_keeps_trying_in_words(room: Any) -> None:
    async with dashboard(room) as driver:
        text = await driver.until("NO BACKEND", "there is no socket at")
        assert "governor" in text
        await driver.press("p")
        await driver.until("NOT done")


async def test_the_governor_alone_is_enough_to_stop(governor: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("NO BACKEND", "canary 5 %", "AGENT")
        await driver.press("p")
        await driver.until("PAUSED, the governor says so", "CONTROL  PAUSED")


@pytest.mark.parametrize(
    ("key", "title"),
    [("w", "WHY"), ("d", "WHAT SHIPS"), ("l", "LOG"), ("i", "THE RUN"), ("question_mark", "KEYS")],
)
async def test_pages_open_and_close_and_keep_the_buttons(
    backend: Any, room: Any, key: str, title: str
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press(key)
        await driver.until(f"─ {title} ─", "TAKE OVER", "CONTROL")
        await driver.press(key)
        await driver.until("NEEDS YOU")


async def test_a_search_is_typed_kept_and_left_with_the_stops_in_reach(
    backend: Any, governor: Any, room: Any
) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press("d")
        await driver.until("WHAT SHIPS")
        for key in ("slash", "p", "r", "i", "c"):
            await driver.press(key)
        await driver.until("/pric", "pric: 1 of", "Esc clears", "TAKE OVER")
        assert backend.commands == []
        await driver.press("ctrl+p")
        await driver.until("PAUSED")
        assert [command.kind for command in backend.commands] == ["pause"]
        await driver.press("enter")
        await driver.until("pric: 1 of", gone="Esc clears")
        await driver.press("down")
        await driver.until("pric: 2 of")
        await driver.press("escape")
        await driver.until("WHAT SHIPS", gone="pric: ")


async def test_q_leaves_with_zero_and_sends_nothing(backend: Any, governor: Any, room: Any) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press("q")
        await driver.that(lambda: driver.app.return_code == 0)
    assert backend.commands == []
    assert governor.acted() == []


@pytest.mark.parametrize(
    "key", ["ctrl+q", "ctrl+w", "f1", "t", "y", "c", "m", "n", "u", "1", "P", "O", "F"]
)
async def test_other_keys_do_nothing(backend: Any, room: Any, key: str) -> None:
    async with dashboard(room) as driver:
        await driver.until("LIVE")
        await driver.press(key)
        await driver.until("LIVE", "PASS")
        assert driver.app.is_running
        assert driver.app.hands.page == "first"
    assert backend.commands == []


async def test_only_what_changed_is_drawn_again(backend: Any, room: Any, scenes: Any) -> None:
    async with dashboard(room, (120, 40)) as driver:
        await driver.until("LIVE")
        before = driver.app.glass.lines
        audit = backend.docs["audit/tail"]
        line = msgspec.structs.replace(audit.lines[-1], seq=99, text="something new")
        await backend.set(audit__tail=wire.AuditDoc((*audit.lines, line), 44))
        await driver.until("something new")
        after = driver.app.glass.lines
        changed = [y for y, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert len(changed) <= 14
