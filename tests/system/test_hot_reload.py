"""A real backend notices a changed policy; a broken or half-written one never comes into force."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.journal.port import JournalError
from hatchway.journal.sqlite_file import scan
from hatchway.settings.load import shipped


def eventually(true: Callable[[], Any], seconds: float, what: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = true()
        except (OSError, JournalError, ValueError):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Backend:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.policy = home / "config" / "policy.yaml"
        with (home / "backend.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hatchway", "serve", "--dir", str(home)],
                stdout=log,
                stderr=log,
            )

    def events(self, *kinds: type[ev.Event]) -> list[Any]:
        found = [ev.decode(r.kind, r.payload) for r in scan(self.home / "journal.db")]
        return [e for e in found if isinstance(e, kinds)]

    def troubles(self) -> str:
        """What the screen is told that is wrong."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(self.home / "backend.sock"))
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            data = b""
            while part := link.recv(65536):
                data += part
        return data.decode()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    home = tmp_path / "state"
    shutil.copytree(shipped(), home / "config")
    subprocess.run(["git", "init", "-q", str(home / "repo")], check=True)
    running = Backend(home)
    try:
        eventually(lambda: running.events(ev.PolicyChanged), 60, "the first policy is journaled")
        eventually(lambda: "HTTP/" in running.troubles(), 30, "the door is open")
        yield running
    finally:
        running.stop()


def test_a_running_backend_takes_a_good_policy_and_refuses_a_broken_one(backend: Backend) -> None:
    text = backend.policy.read_text()
    (first,) = backend.events(ev.PolicyChanged)

    # a writer that is killed half-way: what is left is YAML, and allows more
    half = text[: text.index("          stable_healthy: true")]
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; f = open(sys.argv[1], 'w'); f.write(sys.argv[2]); f.flush();"
            "print('half', flush=True); time.sleep(60)",
            str(backend.policy),
            half,
        ],
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half\n"
    writer.kill()
    writer.wait()
    writer.stdout.close()
    (cut,) = eventually(lambda: backend.events(ev.PolicyRefused), 30, "the half is refused")
    assert "cut off" in cut.why
    assert cut.in_force == first.digest

    # a mistake: line and column on the screen, in the log and in the journal
    wrong = text.replace("control: agent", "contorl: agent", 1)
    new = backend.policy.with_name("new")
    new.write_text(wrong)
    os.replace(new, backend.policy)
    refused = eventually(
        lambda: len(backend.events(ev.PolicyRefused)) == 2 and backend.events(ev.PolicyRefused)[1],
        30,
        "the mistake is refused",
    )
    line = wrong[: wrong.index("contorl")].count("\n") + 1
    assert (refused.file, refused.line) == ("policy.yaml", line)
    assert refused.column > 1
    eventually(lambda: f"policy.yaml:{line}:" in backend.troubles(), 60, "it is told")
    assert f"policy.yaml:{line}:" in (backend.home / "backend.log").read_text()

    # a good one
    new.write_text(text.replace("    mode: recommend ", "    mode: act "))
    os.replace(new, backend.policy)
    changed = eventually(
        lambda: len(backend.events(ev.PolicyChanged)) == 2 and backend.events(ev.PolicyChanged)[1],
        30,
        "the good one is in force",
    )
    assert changed.was == first.digest
    assert changed.changes == ("prod.mode: act, was recommend",)
    assert changed.by
    eventually(lambda: "policy.yaml" not in backend.troubles(), 60, "all is well again")

    done = subprocess.run(
        [sys.executable, "-m", "hatchway", "audit", "verify", "--json", "--dir", backend.home],
        capture_output=True,
        check=False,
    )
    assert json.loads(done.stdout)["ok"], done
