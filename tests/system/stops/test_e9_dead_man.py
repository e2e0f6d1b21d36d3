"""E9: a backend that is silent loses the wheel; no clock that is put forward or back matters."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOLD_S = 17.0
BUSY_S = 5.0
SHORT_S = 3.0


def lease(stack: Any, seconds: float, *argv: str, back_after: float = 0.0) -> None:
    """A governor with this lease; `argv` starts it, instead of the usual command.

    `back_after` seconds of silence it takes a partial share back; 0: never.
    """
    path = stack.d / "governor.json"
    doc = {**json.loads(path.read_text()), "lease_s": seconds, "lapse_rollback_s": back_after}
    path.write_text(json.dumps(doc))
    stack.kill(stack.governor_process)
    if argv:
        stack.governor_process = stack.demo.spawn("governor", *argv)
        stack.until(lambda: stack.status()["observed"], "the governor has seen the target")
    else:
        stack.start_governor()
    stack.until(stack.healthy, "the backend renews its lease")


def held_after(stack: Any, seconds: float) -> float:
    """Wait for the dead-man; seconds that it took."""
    began = time.monotonic()
    stack.until(lambda: stack.status()["mode"] == "paused", "the dead-man holds", seconds)
    took = time.monotonic() - began
    status = stack.status()
    assert status["holder"] == "dead-man"
    assert "silent for" in status["reason"]
    return took


def test_e9_a_killed_backend_is_held_within_17_seconds(
    stack: Any, bar: Callable[..., None]
) -> None:
    stack.give_back()
    stack.set_weight()
    lease(stack, 15.0)
    there = stack.target()
    stack.kill(stack.backend)
    took = held_after(stack, HOLD_S + BUSY_S + 10)
    bar("E9 hold", f"{took:.1f} s after SIGKILL, with the lease of 15 s", f"{HOLD_S:g} s")
    assert took < HOLD_S + BUSY_S
    assert stack.target() == there, "it holds, and moves nothing"
    stack.start_backend()
    stack.until(stack.healthy, "all is well")
    assert stack.status()["mode"] == "paused", "a backend that is back does not take the wheel back"
    stack.give_back()


def test_e9_a_stopped_backend_is_held_and_does_not_take_the_wheel_back(stack: Any) -> None:
    stack.give_back()
    lease(stack, SHORT_S)
    stack.backend.send_signal(signal.SIGSTOP)
    try:
        assert held_after(stack, SHORT_S + 2 + BUSY_S) < SHORT_S + 2 + BUSY_S
        epoch = stack.status()["epoch"]
    finally:
        stack.backend.send_signal(signal.SIGCONT)
    stack.until(stack.healthy, "it learns what it missed")
    assert (stack.status()["mode"], stack.status()["epoch"]) == ("paused", epoch)
    reason = stack.status()["reason"]
    stack.until(lambda: stack.journaled(reason), "its line is merged")
    assert [e.op for e in stack.journaled(reason)] == ["pause"]
    stack.give_back()


def test_e9_after_a_longer_lapse_a_partial_share_goes_back_to_stable(stack: Any) -> None:
    stack.give_back()
    stack.set_weight()
    lease(stack, SHORT_S, back_after=2 * SHORT_S)
    stack.backend.send_signal(signal.SIGSTOP)
    try:
        held_after(stack, SHORT_S + 2 + BUSY_S)
        assert stack.weights()["canary"] > 0, "first it only holds"
        stack.until(lambda: stack.weights()["canary"] == 0, "then it goes back", 20)
        assert stack.status()["mode"] == "paused"
    finally:
        stack.backend.send_signal(signal.SIGCONT)
    lease(stack, SHORT_S)
    stack.give_back()


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86400.0 * 365], ids=["hour", "back", "year"])
def test_e9_a_clock_that_jumps_neither_holds_nor_keeps_from_holding(
    stack: Any, jump: float
) -> None:
    stack.give_back()
    skew = stack.d / "skew"
    skew.write_text("0")
    script = Path(__file__).with_name("skewed_governor.py")
    lease(stack, SHORT_S, sys.executable, str(script), str(stack.d))
    try:
        epoch = stack.status()["epoch"]
        skew.write_text(str(jump))
        end = time.monotonic() + 1.5 * SHORT_S
        while time.monotonic() < end:
            assert stack.status()["mode"] == "agent", "a clock is no silence"
            time.sleep(0.1)
        assert stack.status()["epoch"] == epoch
        stack.backend.send_signal(signal.SIGSTOP)
        assert held_after(stack, SHORT_S + 2 + BUSY_S) < SHORT_S + 2 + BUSY_S
        assert abs(stack.status()["since"] - time.time() - jump) < 60, "the clock did jump"
    finally:
        stack.backend.send_signal(signal.SIGCONT)
        skew.write_text("0")
    stack.give_back()
