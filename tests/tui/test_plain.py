"""The plain mode: all that the screen says as sentences, and words that obey the rules of the keys."""

from __future__ import annotations

import asyncio
import io
import os
import queue
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pexpect
import pytest
import tui_states as states
from msgspec.structs import replace

from hatchway_tui.hands import Send
from hatchway_tui.link import Address
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.plain import typed
from hatchway_tui.plain.session import Session
from hatchway_tui.plain.typed import SPOKEN, Typing
from hatchway_tui.plain.words import sentences, spoken

TUI = "import sys; from hatchway.cli.tui import main; sys.exit(main(sys.argv[1:]))"


def said(facts: states.Facts) -> str:
    view = states.view_of(facts)
    typing = typed.settled(Typing(), view.model, states.AT)
    return "\n".join(each.text for each in sentences(view, typing.numbers))


def heard(facts: states.Facts, *lines: str, typing: Typing | None = None) -> typed.Heard:
    """The last line's consequence; each is typed five seconds after the one before."""
    view, at = states.view_of(facts), states.AT
    typing = typed.settled(typing or Typing(), view.model, at)
    result = typed.Heard(typing)
    for line in lines:
        at += 5.0
        result = typed.typed(result.typing, view.model, view.rights, line, at)
    return result


def sent(result: typed.Heard) -> list[tuple[str, str, str]]:
    return [(i.kind, i.item, i.reason) for i in result.intents if isinstance(i, Send)]


BASES = (
    states.Facts(), states.Facts(mode="paused", holder="luis", items=("rollback", "release")),
    states.Facts(run="waiting", items=("release",)), states.Facts(run="promoted"),
    states.Facts(link="down", age=40.0),
)  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_whatever_differs_on_the_screen_differs_in_the_sentences(base: states.Facts) -> None:
    same = []
    for name, variants in states.variations(base):
        if name in {"armed", "entry", "notice"}:
            continue  # that is what the person does, and is answered to them
        texts = {each: said(each) for each in variants}
        same += [
            f"{name}: {getattr(one, name)!r}, {getattr(other, name)!r}"
            for one, other in states.pairs(variants)
            if texts[one] == texts[other] and name != "age"
        ]
    assert same == []


def test_it_says_who_what_why_next_and_how_to_answer() -> None:
    text = said(
        states.Facts(run="held", verdict="REGRESS", items=("rollback",), drift="9 %, wanted 5 %")
    )
    for part in (
        "Control: AGENT, acts within policy.", "Data: live.", "You are ana and may pause",
        "shop 1.4.0 to 1.5.0: CANARY 5% HELD", "risk MEDIUM", "REGRESS:", "Against it: errors",
        "Next: HELD: a person said stay", "errors: canary 6.40 % of 1220 requests, stable 0.50 %, limit at most 2.00 %: worse",
        "Item 1: ROLL BACK shop to 1.4.0", "Type: accept 1; or: reject 1 WHY", "DRIFT: 9 %, wanted 5 %.",
    ):  # fmt: skip
        assert part in text, text
    assert "No agent may do anything: STOP ALL by luis" in said(
        states.Facts(stop_all="STOP ALL by luis")
    )


def test_pause_is_heard_at_any_time() -> None:
    assert sent(heard(states.Facts(), "pause")) == [("pause", "", "")]
    assert (
        sent(heard(states.Facts(mode="paused", holder="ana"), "rollback", "pause"))[0][0] == "pause"
    )
    assert sent(heard(states.Facts(link="down", age=40.0), "PAUSE")) == [("pause", "", "")]


def test_a_roll_back_is_fired_by_typing_the_name_and_by_nothing_else() -> None:
    facts = states.Facts(mode="paused", holder="ana")
    assert sent(heard(facts, "rollback")) == [("pause", "", "before a roll back")]
    assert sent(heard(facts, "rollback", "shop")) == [("rollback", "", "")]
    for other in ("Shop", "shop!", "yes", "fire", "f", ""):
        assert ("rollback", "", "") not in sent(heard(facts, "rollback", other)), other
        assert ("rollback", "", "") not in sent(heard(facts, "rollback", other, "shop")), other
    assert sent(heard(facts, "shop")) == []
    armed, view = heard(facts, "rollback").typing, states.view_of(facts)
    for after in (0.5, typed.CONFIRM_WITHIN + 1):
        at = states.AT + 5 + after
        assert sent(typed.typed(armed, view.model, view.rights, "shop", at)) == [], after


def test_where_going_back_may_not_be_safe_the_name_is_enough_and_needed() -> None:
    facts = states.Facts(mode="paused", holder="ana", undo="NO: schema 119 is not read by 1.4.0")
    assert sent(heard(facts, "rollback", "shop")) == [("rollback", "", "")]
    assert sent(heard(facts, "rollback", "why", "shop")) == []
    assert heard(facts, "rollback", "why").page == "why", "a word is a word, not a part of the name"
    assert sent(heard(facts, "rollback", "pause")) == [("pause", "", "")]


def test_stop_all_takes_two_words() -> None:
    assert sent(heard(states.Facts(), "stopall")) == []
    assert sent(heard(states.Facts(), "stopall", "stopall")) == [("stop_all", "", "")]


def test_a_plan_lapses_when_its_ground_moves() -> None:
    facts = states.Facts(mode="paused", holder="ana")
    armed = heard(facts, "rollback").typing
    moved = states.view_of(replace(facts, weight=25, run="held"))
    result = typed.typed(armed, moved.model, moved.rights, "shop", states.AT + 9)
    assert sent(result) == []


def test_items_are_answered_by_their_number_and_reasons_stand_in_the_line() -> None:
    facts = states.Facts(run="held", items=("rollback", "release"), risk="HIGH")
    assert sent(heard(facts, "accept 1")) == [("accept", "i1", "")]
    assert sent(heard(facts, "accept 2")) == [], "HIGH asks why"
    assert sent(heard(facts, "accept 2 seen by two")) == [("accept", "i2", "seen by two")]
    assert sent(heard(facts, "reject 1 not now")) == [("reject", "i1", "not now")]
    assert sent(heard(facts, "accept")) == [], "which one?"
    assert "does not wait" in heard(facts, "accept 9").says[0]
    only = replace(facts, items=("rollback",))
    assert sent(heard(only, "accept")) == [("accept", "i1", "")]


def test_a_number_is_never_another_items() -> None:
    first = heard(states.Facts(run="held", items=("rollback",)), "status").typing
    assert first.numbers == {"i1": 1}
    later = states.view_of(states.Facts(run="held", items=("release",)))
    result = typed.typed(first, later.model, later.rights, "accept 1", states.AT + 60)
    assert sent(result) == []
    assert result.typing.numbers["i2"] == 2


def test_what_came_up_just_now_was_not_read_yet() -> None:
    view = states.view_of(states.Facts(run="held", items=("rollback",)))
    result = typed.typed(Typing(), view.model, view.rights, "accept 1", states.AT)
    assert sent(result) == []
    assert "look" in result.says[0]


def test_giving_back_and_taking_from_somebody_ask_for_more() -> None:
    facts = states.Facts(mode="person", holder="luis")
    assert sent(heard(facts, "takeover")) == []
    assert sent(heard(facts, "takeover", "takeover")) == [("takeover", "", "")]
    assert sent(heard(facts, "release")) == []
    assert "WHY" in heard(facts, "release").says[0]
    assert sent(heard(facts, "resume all is well")) == [("release", "", "all is well")]


@pytest.mark.parametrize("action", SPOKEN)
def test_whoever_only_reads_sends_nothing_by_any_word(action: Any) -> None:
    result = heard(
        states.Facts(read_only=True, can=(), items=("rollback",)), f"{action.id} 1 because"
    )
    assert [each for each in sent(result) if each[0] in {"pause", "takeover", "rollback", "release", "accept"}] == []  # fmt: skip


def test_a_row_that_only_eyes_can_read_is_left_out() -> None:
    assert spoken("⣠⢤⣀ limit") == ""
    assert spoken("─ LAST ──── 3 ─") == "LAST  3"
    assert spoken("✓ tests   passed") == "✓ tests  passed"


@asynccontextmanager
async def session(room: Path, **more: Any) -> AsyncIterator[tuple[queue.Queue[str], io.StringIO]]:
    lines: queue.Queue[str] = queue.Queue()
    out = io.StringIO()
    address = Address(str(room / "backend.sock"), str(room / "governor.sock"), name="ana", **more)
    running = asyncio.create_task(Session(address, "", out, lines.get).run())
    yield lines, out
    lines.put("quit\n")
    assert await running == 0


async def until(out: io.StringIO, *parts: str) -> str:
    end = time.monotonic() + 20
    while not all(part in out.getvalue() for part in parts):
        assert time.monotonic() < end, f"{parts} in\n{out.getvalue()}"
        await asyncio.sleep(0.02)
    return out.getvalue()


async def test_a_session_says_changes_only_and_its_words_reach_the_backend(
    backend: Any, governor: Any, room: Path, scenes: Any
) -> None:
    async with session(room) as (lines, out):
        text = await until(
            out, "Control: AGENT", "PASS: No worse", "Nothing waits for you.", "Type help"
        )
        assert "\x1b" not in text
        lines.put("pause\n")
        await until(out, "PAUSING...", "PAUSED, #4471, pause by ana", "Control: PAUSED")
        await backend.play(scenes.build("unsure"))
        await until(out, "Item 1: ROLL BACK shop to 1.4.0", "REGRESS:")
        lines.put("why\n")
        await until(out, "WHY")
        await asyncio.sleep(1.1)  # an item must have been there for a second
        lines.put("reject 1 not at night\n")
        await until(out, "REJECTED")
        assert out.getvalue().count("PASS: No worse") == 1
    done = {(command.kind, command.item, command.reason) for command in backend.commands}
    assert done == {("pause", "", ""), ("reject", "i1", "not at night")}


async def test_every_page_can_be_read(backend: Any, room: Path) -> None:
    pages = [action.id for action in SPOKEN if action.page and action.id != "keys"]
    assert set(pages) <= set(PAGES)
    async with session(room) as (lines, out):
        await until(out, "Type help")
        for page in pages:
            lines.put(f"{page}\n")
        await until(out, *(PAGES[page].title for page in pages))
        lines.put("help\n")
        text = await until(out, "rollback, then the name of the service")
    assert not {char for char in text if 0x2800 < ord(char) < 0x2900}


async def test_a_dead_backend_is_said_and_the_stop_goes_to_the_governor(
    backend: Any, governor: Any, room: Path
) -> None:
    async with session(room) as (lines, out):
        await until(out, "Type help")
        await backend.stop()
        await until(out, "Data: BACKEND", "go straight to the governor")
        lines.put("pause\n")
        await until(out, "PAUSING... (direct)", "PAUSED")
    assert governor.acted() == ["pause"]


async def test_a_pipe_is_answered_without_a_terminal_and_nothing_of_textual(
    backend: Any, room: Path
) -> None:
    code = TUI.replace("sys.exit(main(sys.argv[1:]))", "code = main(sys.argv[1:]); sys.exit(7 if 'textual' in sys.modules else code)")  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "--dir", str(room), "--plain",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    out, _ = await process.communicate(b"takeover\nquit\n")
    assert process.returncode == 0
    assert b"YOU HAVE THE WHEEL, #4471" in out
    assert b"\x1b" not in out
    assert [command.kind for command in backend.commands] == ["takeover"]


async def test_a_dumb_terminal_gets_the_plain_mode(backend: Any, governor: Any, room: Path) -> None:
    def drive() -> int:
        child = pexpect.spawn(
            sys.executable, ["-c", TUI, "--dir", str(room)], timeout=40,
            env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip
        child.expect_exact("the plain mode")
        child.expect_exact("Type help")
        child.sendline("quit")
        child.expect(pexpect.EOF)
        child.close()
        assert b"\x1b" not in child.before
        return int(child.exitstatus)

    assert await asyncio.to_thread(drive) == 0


async def test_hostile_text_is_made_visible(backend: Any, room: Path, scenes: Any) -> None:
    await backend.play(scenes.build("hostile"))
    async with session(room) as (lines, out):
        await until(out, "Type help")
        lines.put("changes\nlog\n")
        lines.put("log\n")
        text = await until(out, "LOG")
    bad = [char for char in text if char != "\n" and not char.isprintable()]
    assert bad == []
    assert msgspec.json.encode(text)
