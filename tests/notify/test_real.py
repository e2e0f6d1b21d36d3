"""E11 on real processes: a person pauses in a shell, and the pager has it within a second."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli.ask import Silent, ask
from hatchway.demo.state_directory import Ports, configure

HATCHWAY = (sys.executable, "-m", "hatchway")
NOTIFY = """
notify:
  pager:
    command: [sh, -c, 'read line; echo "$(date +%s.%N) $line" >> told']
  hung:
    command: [sleep, '600']
    timeout: 60s
  broken:
    command: [sh, -c, 'exit 3']
    retry_for: 1s
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError, Silent):
            found = true()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Place:
    """A governor, a backend and the demo's splitter; nothing is released."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.d = Path(tempfile.mkdtemp(prefix="hw-"))
        stack.callback(shutil.rmtree, self.d)
        self._stack = stack
        (self.d / "config").mkdir()
        configure(self.d, Ports(*(free_port() for _ in Ports._fields)), "act", None)
        with (self.d / "config" / "hatchway.yaml").open("a") as file:
            file.write(NOTIFY)
        arms = [f"--{name}={free_port()}" for name in ("port", "metrics", "stable", "canary")]
        self.spawn(sys.executable, "-m", "hatchway.demo.splitter", f"--socket={self.d}/splitter.sock",
                   *arms)  # fmt: skip
        self.spawn(*HATCHWAY, "governor", "--dir", str(self.d))
        until(lambda: self.ask("governor.sock", op="status")["status"]["observed"], "the governor")
        self.spawn(*HATCHWAY, "serve", "--dir", str(self.d))
        until(lambda: self.ask("command.sock", op="ping")["ok"], "the backend")

    def spawn(self, *command: str) -> None:
        log = self._stack.enter_context((self.d / "log").open("ab"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self._stack.callback(process.wait, 30)
        self._stack.callback(process.kill)

    def ask(self, name: str, **doc: Any) -> dict[str, Any]:
        return ask(str(self.d / name), doc, 5.0)

    def told(self) -> list[tuple[float, dict[str, Any]]]:
        lines = (self.d / "told").read_text().splitlines()
        return [(float(line.split(" ", 1)[0]), json.loads(line.split(" ", 1)[1])) for line in lines]

    def audit(self) -> str:
        docs = self.ask("command.sock", op="status")["docs"]
        return "\n".join(line["text"] for line in docs["audit/tail"]["lines"])


@pytest.fixture
def place() -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        yield Place(stack)


def test_e11_a_change_of_authority_alarms_although_other_notifiers_are_down(place: Place) -> None:
    for number, verb in enumerate(("pause", "takeover", "stopall")):
        done = subprocess.run(
            [*HATCHWAY, verb, "--dir", str(place.d), "--reason", f"try {number}"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        until(lambda n=number: len(place.told()) == n + 1, "the pager is told")
    lines = place.ask("governor.sock", op="spool", after=0)["entries"]
    late = [at - line["at"] for (at, _), line in zip(place.told(), lines, strict=True)]
    assert min(late) <= 1.0, late  # of the quickest: the machine may be busy
    assert [n["kind"] for _, n in place.told()] == ["authority"] * 3
    assert place.told()[2][1]["title"].startswith("shop: STOP ALL by ")
    until(lambda: "broken was NOT told: shop: PAUSED" in place.audit(), "its failure is journaled")
    until(lambda: "pager was told: shop: STOP ALL" in place.audit(), "and that the page went out")
    system = place.ask("command.sock", op="status")["docs"]["authority/shop"]
    assert system["stop_all"].startswith("STOP ALL by ")
