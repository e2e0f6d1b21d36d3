"""The dashboard in a replay: it says so in words, steps, and reaches nobody whatever is pressed."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hatchway.edge.docs.replay import ReplayDoc
from hatchway.edge.replay import Recording
from hatchway_tui import hands as rules
from hatchway_tui.app import Dashboard
from hatchway_tui.control import NOTHING_IS_SENT, Rights
from hatchway_tui.hands import Hands, Leave, Redraw, press
from hatchway_tui.keys import ACTIONS, SHIPPED
from hatchway_tui.link import Address
from hatchway_tui.mirror import Model
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.paint.replay import column
from hatchway_tui.player import Player
from hatchway_tui.steps import FAR, Play, stepped
from hatchway_tui.view import View


def told(recording: Recording, seq: int) -> Model:
    """What the dashboard knows at a record."""
    player: list[Model] = [Model()]

    def tell(event: Any) -> None:
        from hatchway_tui.mirror import fold

        player[0] = fold(player[0], event)

    Player(recording, seq, tell)._show()
    return player[0]


def screen(recording: Recording, seq: int, width: int = 120, height: int = 40, **hands: Any) -> str:
    model = told(recording, seq)
    assert model.replay is not None
    at = time.monotonic()
    view = View(model, Hands(service="shop", **hands), Rights(name="ana"), model.replay.at, at)
    return text_of(paint(view, width, height))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 20), (200, 50)])
def test_row_one_says_replay_and_as_of_when_in_words(
    recording: Recording, width: int, height: int
) -> None:
    rows = screen(recording, 63, width, height).splitlines()
    assert rows[0].split()[0] == "REPLAY"
    assert "AS OF 14:14:23Z" in rows[0]
    assert "LIVE" not in rows[0]
    assert "nothing is sent from here" in rows[1]
    assert rows[2].split()[:4] == ["seq", "63", "of", "85,"]
    assert "event: VERDICT" in rows[2]
    assert ">V<" in rows[3]  # where one is, also without colours


@pytest.mark.parametrize("page", ["first", "why", "changes", "log", "run", "keys"])
def test_every_screen_says_it_and_no_button_offers_to_act(recording: Recording, page: str) -> None:
    for seq in (recording.first, 66, recording.last):
        text = screen(recording, seq, page=page)
        assert text.splitlines()[0].split()[0] == "REPLAY"
        buttons = text.splitlines()[-3]
        assert buttons.count("REPLAY") == 3
        assert "one key" not in text
        assert "ROLL BACK then f" not in " ".join(buttons.split())


def test_the_clock_is_the_moment_s_and_stands_still(recording: Recording) -> None:
    at_63 = screen(recording, 63)
    assert "CANARY 5% 2s of 10m" in at_63
    time.sleep(0.01)
    assert screen(recording, 63) == at_63


def test_where_no_course_was_journaled_that_is_said(recording: Recording) -> None:
    assert "no plots were journaled: figures as the judge saw them" in screen(recording, 63)
    assert "course not journaled" in screen(recording, 63, 80, 24)
    assert "not journaled" not in screen(recording, 40)


def test_a_broken_journal_is_said_on_the_screen() -> None:
    doc = ReplayDoc("2", "shop", 5, 1, 5, 5.0, 1.0, 5.0, "held", trouble="BROKEN at record 6: why")
    view = View(Model(replay=doc, rev=1, phase="live"), Hands(), Rights(), 5.0, 5.0)
    assert "BROKEN at record 6" in text_of(paint(view, 80, 24)).splitlines()[2]


def test_hostile_words_of_a_record_stay_words() -> None:
    doc = ReplayDoc("2", "shop", 5, 1, 5, 5.0, 1.0, 5.0, "\x1b]0;x\x07[red]\n", who="\x1b[2J")
    view = View(Model(replay=doc, rev=1, phase="live"), Hands(), Rights(), 5.0, 5.0)
    text = text_of(paint(view, 120, 40))
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert "[red]" in text


@pytest.mark.parametrize("seq", [63, 66])
def test_no_key_acts_in_a_replay(recording: Recording, seq: int) -> None:
    model = told(recording, seq)
    for first in SHIPPED.actions:
        for second in ("a", "enter", "f", "p"):
            hands, at = rules.settle(Hands(service="shop"), model, 0.0), 100.0
            for key in (first, second):
                at += 5.0
                hands, intents = press(hands, model, Rights(name="ana"), key, None, at)
                assert all(isinstance(each, Play | Leave | Redraw) for each in intents), key
            assert hands.armed is None
            assert hands.entry is None or hands.entry.kind in {"filter", "palette"}


@pytest.mark.parametrize("action", [each for each in ACTIONS if each.rule != "free"])
def test_an_acting_key_says_that_nothing_is_sent(recording: Recording, action: Any) -> None:
    model = told(recording, 63)
    hands, intents = press(Hands(service="shop"), model, Rights(), action.keys[0], None, 100.0)
    assert intents == []
    assert hands.notice is not None
    assert action.id in {"fire", "accept", "reject"} or NOTHING_IS_SENT in hands.notice.text


@pytest.mark.parametrize(
    "key", ["left_square_bracket", "right_square_bracket", "left_curly_bracket"]
)
def test_the_keys_of_a_replay_do_nothing_live_and_are_strays_as_before(key: str) -> None:
    char = {"left_square_bracket": "[", "right_square_bracket": "]"}.get(key, "{")
    hands, intents = press(Hands(service="shop"), Model(), Rights(), key, char, 100.0)
    assert intents == []
    assert (hands.stray_until > 100.0) is (char == "[")
    after, intents = press(hands, Model(), Rights(), "o", "o", 100.5)
    assert intents == []
    assert (after.notice is not None and "ignored" in after.notice.text) is (char == "[")


def test_steps_go_from_what_matters_to_what_matters_and_stop_at_the_ends() -> None:
    marks = tuple(range(10, 200, 10))

    def at(seq: int, step: Any) -> int:
        return stepped(marks, 5, 195, seq, step)

    assert (at(50, "earlier"), at(50, "later"), at(55, "earlier"), at(55, "later")) == (
        40,
        60,
        50,
        60,
    )
    assert (at(150, "much_earlier"), at(50, "much_later")) == (150 - 10 * FAR, 50 + 10 * FAR)
    assert (at(10, "earlier"), at(190, "later")) == (5, 195)
    assert (at(30, "much_earlier"), at(180, "much_later")) == (5, 195)
    assert (at(50, "begin"), at(50, "finish")) == (5, 195)


def test_the_bar_runs_from_the_first_to_the_last_moment() -> None:
    doc = ReplayDoc("2", "shop", 5, 1, 9, 5.0, 1.0, 9.0, "")
    assert [column(doc, at, 41) for at in (0.0, 1.0, 5.0, 9.0, 99.0)] == [0, 0, 20, 40, 40]


async def test_nothing_is_reached_whatever_is_pressed(recording: Recording, tmp_path: Path) -> None:
    """A backend's and a governor's socket are there and listen; every key is pressed."""
    listeners = []
    for name in ("backend.sock", "governor.sock"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / name))
        listener.listen()
        listener.setblocking(False)
        listeners.append(listener)
    reached: list[str] = []
    watching = True

    def watch(event: str, _: tuple[Any, ...]) -> None:
        if watching and event in {
            "socket.connect",
            "socket.sendto",
            "socket.bind",
            "subprocess.Popen",
        }:
            reached.append(event)

    sys.addaudithook(watch)  # there is no way to take it away again
    try:
        address = Address(
            str(tmp_path / "backend.sock"), str(tmp_path / "governor.sock"), name="ana"
        )
        app = Dashboard(address, service="shop", play=partial(Player, recording, recording.last))
        async with app.run_test(size=(80, 24)) as pilot:
            while app.model.replay is None:
                await asyncio.sleep(0.01)
            for key in [key for key in SHIPPED.actions if SHIPPED.actions[key].id != "leave"]:
                await pilot.press("enter", key, "escape")
            assert app.player is not None
            await pilot.press("home")
            while app.model.replay.seq != recording.first:
                await asyncio.sleep(0.01)
            await pilot.press("right_square_bracket")
            while app.model.replay.seq != recording.marks[1]:
                await asyncio.sleep(0.01)
            app.draw()
            assert f"seq {recording.marks[1]} of 85" in text_of(app.glass.lines)
            await pilot.press("p", "o", "r", "f")
            assert "nothing is sent" in text_of(app.glass.lines)
            assert app.link is app.player
    finally:
        watching = False
    assert reached == []
    for listener in listeners:
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
