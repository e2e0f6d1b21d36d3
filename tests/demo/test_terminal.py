"""The demo with its dashboard in a real terminal: it opens, it can be left, it can be cut off."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from hatchway.demo.sweep import listener, listeners, marked

SLOW = 60.0


def wait_for(true: Callable[[], Any], what: str, seconds: float = SLOW) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Terminal:
    """`hatchway demo` in a terminal of 120x40."""

    def __init__(self, directory: Path) -> None:
        self.d = directory
        self.screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self.screen)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "hatchway", "demo", "--dir", str(directory)],
            dimensions=(40, 120),
            env={**os.environ, "XDG_RUNTIME_DIR": str(directory.parent), "TERM": "xterm-256color"},
            timeout=SLOW,
        )

    def text(self) -> str:
        """What is on the screen now."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            self._stream.feed(self.process.read_nonblocking(65_536, timeout=0.1))
        return "\n".join(self.screen.display)

    def until_open(self) -> None:
        try:
            wait_for(lambda: "1.5.0" in self.text(), "the release is on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        wait_for(lambda: self.text() and listener(self.d / "load.sock"), "the shop is open")

    def pids(self) -> set[int]:
        return {*marked(self.d), *listeners(self.d)} - {self.process.pid}


@pytest.fixture
def terminal(short: Path) -> Iterator[Terminal]:
    opened = Terminal(short / "d")
    yield opened
    opened.process.close(force=True)
    wait_for(lambda: not opened.pids(), "everything has ended")


def test_q_leaves_the_dashboard_and_ends_everything(terminal: Terminal):
    terminal.until_open()
    assert len(terminal.pids()) >= 6
    terminal.process.send("q")
    wait_for(lambda: terminal.text() and not terminal.process.isalive(), "the demo has ended")
    assert terminal.process.exitstatus == 0
    assert terminal.pids() == set()


def test_a_killed_terminal_leaves_nothing(terminal: Terminal):
    terminal.until_open()
    terminal.process.ptyproc.fileobj.close()  # what a terminal does when its window is closed
    wait_for(lambda: not terminal.pids(), "nothing runs any more")
    wait_for(lambda: not terminal.process.isalive(), "the supervisor as well")


def test_a_killed_supervisor_takes_the_dashboard_with_it(terminal: Terminal):
    terminal.until_open()
    terminal.process.kill(signal.SIGKILL)
    wait_for(lambda: terminal.text() and not terminal.pids(), "nothing runs any more")
