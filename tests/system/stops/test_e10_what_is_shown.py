"""E10 and E11: the screen says what is confirmed, how old it is, and rings when control changes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

BANNER_S = 3.0
ALARM_S = 1.0
BUSY_S = 5.0

Terminal = Callable[..., Any]


@pytest.fixture
def screen(stack: Any, terminal: Terminal) -> Iterator[Any]:
    """A dashboard of an installation that is well and with the agent."""
    stack.give_back()
    stack.set_weight()
    stack.until(stack.healthy, "all is well")
    dashboard = terminal(
        sys.executable, "-m", "hatchway", "tui", "--dir", str(stack.d), width=120, height=40
    )
    dashboard.until("CONTROL", "AGENT", "DATA LIVE")
    yield dashboard
    dashboard.press("q")


def on_first_row(screen: Any, *words: str, seconds: float) -> float:
    """Seconds until the first row has one of the words."""
    began = time.monotonic()
    while not any(word in screen.first_row for word in words):
        assert time.monotonic() - began < seconds, f"none of {words}:\n{screen.text}"
        time.sleep(0.01)
    return time.monotonic() - began


def test_e10_a_backend_that_is_cut_off_is_said_within_3_seconds(
    stack: Any, screen: Any, bar: Callable[..., None]
) -> None:
    took = {}
    stack.backend.send_signal(signal.SIGSTOP)
    try:
        words = ("BACKEND SILENT", "BACKEND DOWN")
        took["silent"] = on_first_row(screen, *words, seconds=BANNER_S + BUSY_S)
        assert "DATA LIVE" not in screen.first_row
    finally:
        stack.backend.send_signal(signal.SIGCONT)
    screen.until("DATA LIVE")
    stack.kill(stack.backend)
    words = ("BACKEND DOWN", "BACKEND SILENT")
    took["cut"] = on_first_row(screen, *words, seconds=BANNER_S + BUSY_S)
    stack.start_backend()
    screen.until("DATA LIVE", "AGENT")
    bar("E10 banner", f"{took['silent']:.1f} s silent, {took['cut']:.1f} s cut", f"{BANNER_S:g} s")


def test_e10_paused_is_shown_only_when_the_governor_has_confirmed_it(
    stack: Any, screen: Any
) -> None:
    stack.governor_process.send_signal(signal.SIGSTOP)
    try:
        screen.press("p")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert "PAUSED" not in screen.first_row, screen.text
            time.sleep(0.02)
    finally:
        stack.governor_process.send_signal(signal.SIGCONT)
    screen.until("CONTROL  PAUSED")
    assert stack.status()["mode"] == "paused"


def set_by_hand(stack: Any, percent: int) -> None:
    """Past Hatchway, at the target's own socket."""
    for arm, weight in (("canary", percent), ("stable", 100 - percent)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(stack.d / "splitter.sock"))
            s.sendall(f"set server be/{arm} weight {weight}\n".encode())
            s.makefile().read()


def test_e10_a_target_that_lies_is_named_on_the_screen(stack: Any, screen: Any) -> None:
    set_by_hand(stack, 40)  # it said 5 % and has 40 %
    try:
        screen.until("40 %", seconds=10 + BUSY_S)
        assert "5 % is wanted and the target has 40 %" in stack.status()["drift"]
        assert "5 % is wanted and the target has 40 %" in stack.demo.cli("status").stdout
    finally:
        set_by_hand(stack, 5)
    stack.until(lambda: not stack.status()["drift"], "it is as it should be")


@pytest.mark.parametrize("verb", ["pause", "takeover", "rollback"])
def test_e11_a_change_of_authority_rings_and_says_so_within_a_second(
    stack: Any, screen: Any, verb: str
) -> None:
    bells = screen.bells
    answer = stack.demo.ask(op=verb, id=f"e11-{verb}-{os.getpid()}", reason="to be heard")
    assert answer["ok"], answer
    began = time.monotonic()
    while screen.bells == bells or "AGENT" in screen.first_row:
        assert time.monotonic() - began < ALARM_S + BUSY_S, screen.text
        time.sleep(0.01)
    assert ("PERSON" if verb == "takeover" else "PAUSED") in screen.first_row
    rang = screen.bells
    stack.give_back()
    screen.until("CONTROL  AGENT")
    assert screen.bells > rang, "giving back is heard too"


def test_e11_the_dead_man_is_heard_too(stack: Any, screen: Any) -> None:
    """Nobody asked for it: the more reason to ring. The dashboard reads the governor itself."""
    path = stack.d / "governor.json"
    text = path.read_text()
    import json

    path.write_text(json.dumps({**json.loads(text), "lease_s": 2.5}))
    stack.kill(stack.governor_process)
    stack.start_governor()
    stack.until(stack.healthy, "the lease is renewed")
    screen.until("AGENT")
    bells = screen.bells
    stack.backend.send_signal(signal.SIGSTOP)
    try:
        stack.until(lambda: stack.status()["mode"] == "paused", "the dead-man", 15)
        began = time.monotonic()
        while "PAUSED" not in screen.first_row or screen.bells == bells:
            assert time.monotonic() - began < ALARM_S + BUSY_S, screen.text
            time.sleep(0.01)
    finally:
        stack.backend.send_signal(signal.SIGCONT)
        path.write_text(text)
    stack.until(stack.healthy, "all is well")
    stack.give_back()
