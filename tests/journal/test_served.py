"""The real backend signs its journal by itself, journals what it turned away, and misses a cut tail."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchway.cli import audit
from hatchway.journal import checkpoint as cp
from hatchway.settings.load import shipped

DEADLINE_S = 90.0


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hw-"))
    shutil.copytree(shipped(), path / "config")
    with (path / "config" / "hatchway.yaml").open("a") as file:
        file.write('checkpoints: {every: 5s, to: [far, [sh, -c, "cat >> pushed"]]}\n')
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def served(directory: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "hatchway", "serve", "--dir", str(directory)]
    backend = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: ask(directory, {"op": "ping"}).get("ok"))
        yield
    finally:
        backend.terminate()
        backend.wait(30)


def until(true):
    end = time.monotonic() + DEADLINE_S
    while True:
        with contextlib.suppress(OSError, ValueError, cp.CheckpointError):
            if found := true():
                return found
        assert time.monotonic() < end
        time.sleep(0.1)


def ask(directory: Path, *requests: object) -> dict:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(directory / "command.sock"))
        answer = {}
        with link.makefile("rwb") as file:
            for request in requests:
                file.write(
                    (request if isinstance(request, bytes) else json.dumps(request).encode())
                    + b"\n"
                )
                file.flush()
                answer = json.loads(file.readline())
        return answer


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


@pytest.mark.timeout(300)
def test_checkpoints_of_a_real_backend_hold_and_a_cut_tail_is_said(directory, capsys, edit):
    with served(directory):
        assert ask(directory, b"garbage", {"op": "accept", "item": "x"})["code"] == "no_such_item"
        until(lambda: any(c.seq >= 3 for c in cp.read(directory / "pushed")))
        assert ask(directory, {"op": "status"})["docs"]["system"]["checkpoint"] == ""
    checked = ("--checkpoint", directory / "far", "--vkey", directory / "checkpoint.vkey")
    assert run("verify", "--dir", directory, *checked) == 0
    assert run("tail", "--dir", directory) == 0
    assert '"bad message":1' in capsys.readouterr().out
    assert run("seal", "--dir", directory, "--before", 3, "--to", directory / "old") == 0
    assert run("verify", "--dir", directory, *checked) == 0
    with served(directory):  # it starts without reading the segment, and goes on
        assert ask(directory, {"op": "accept", "item": "y"})["code"] == "no_such_item"
        until(lambda: max(c.seq for c in cp.read(directory / "far")) >= 5)
    assert run("verify", "--dir", directory, *checked) == 0
    edit(directory / "journal.db", "DELETE FROM event WHERE seq > 4")
    signed = (directory / "far").read_bytes()
    with served(directory):
        said = until(lambda: ask(directory, {"op": "status"})["docs"]["system"]["checkpoint"])
        assert "cut off" in said or "rewritten" in said
    assert (directory / "far").read_bytes() == signed
