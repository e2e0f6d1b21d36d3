"""E4 and E5: nothing older than the stop reaches the target, and the stop itself moves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from typing import Any

import pytest


def splitter_pid(stack: Any) -> int:
    return int(json.loads((stack.d / "demo.json").read_text())["pids"]["splitter"])


class Watch:
    """Reads the target's weights all the time; `seen` is every different picture, in order."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._end = threading.Event()
        self.seen: list[tuple[int, int]] = []
        self.looks = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._end.wait(0.002):
            with contextlib.suppress(OSError, IndexError):
                weights = self._stack.weights()
                self.looks += 1
                picture = weights["stable"], weights["canary"]
                if self.seen[-1:] != [picture]:
                    self.seen.append(picture)


@pytest.mark.parametrize("verb", ["pause", "takeover", "rollback"])
def test_e4_a_request_that_was_in_flight_has_no_effect_after_the_acknowledgement(
    stack: Any, verb: str
) -> None:
    stack.give_back()
    stack.set_weight()
    before = stack.status()
    answers: list[dict[str, Any]] = []

    def raise_it(key: str, kind: str) -> None:
        answers.append(
            stack.demo.ask(
                "governor.sock",
                op="apply",
                epoch=before["epoch"],
                key=key,
                canary=25,
                by={"kind": kind, "name": kind},
                seconds=20.0,
            )
        )

    pid = splitter_pid(stack)
    os.kill(pid, signal.SIGSTOP)  # a request that is on its way stays on its way
    flight = threading.Thread(target=raise_it, args=(f"e4-{verb}", "agent"))
    try:
        flight.start()
        stack.until(lambda: stack.status()["desired"]["canary"] == 25, "it is on its way")
        answer = stack.demo.ask(
            "governor.sock", op=verb, id=f"e4-stop-{verb}", by="ana", reason=verb
        )
        assert answer["ok"], answer
    finally:
        os.kill(pid, signal.SIGCONT)
    flight.join(30)
    assert [a["code"] for a in answers] == ["fenced"], answers
    share = 0 if verb == "rollback" else 5
    stack.until(lambda: stack.status()["observed"]["canary"] == share, "what was desired before")
    with Watch(stack) as watch:
        raise_it(f"e4-late-{verb}", "agent")  # and one that comes late
        time.sleep(0.5)
    assert answers[-1]["code"] in ("fenced", "held")
    assert [canary for _, canary in watch.seen] == [share]
    stack.until(stack.healthy, "all is well")
    stack.give_back()


def test_e5_pause_and_takeover_change_neither_weight_nor_version(stack: Any) -> None:
    stack.give_back()
    stack.set_weight()
    there = stack.target()
    with Watch(stack) as watch:
        for _ in range(2):
            for verb in ("pause", "takeover"):
                assert not stack.stop(verb).refused
        assert stack.target() == there
        stack.give_back()
    assert watch.looks > 40
    assert watch.seen == [(there["weights"]["stable"], there["weights"]["canary"])]
    assert stack.target() == there
