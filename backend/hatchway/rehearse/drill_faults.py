"""The faults that a drill can inject from outside, and the guard that lifts them whatever happens.

The guard is a process of its own. While a fault is in force it knows how to lift it; when the drill
ends without saying so, killed or not, the guard lifts it and records what was left (drill_guard.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hatchway.rehearse.drill_site import CannotGoOn, Site

BACKEND_STARTS_S = 60.0

NOT_FROM_OUTSIDE = {
    "disk full": "a drill does not fill up somebody's disk",
    "notifier down": "who is notified is reached over addresses that are not this drill's to cut",
    "event loop held": "nothing outside a backend can do it; SIGSTOP is the harder case",
    "brain hung, crashed or flooding": "nothing outside a backend can do it",
}
"""What is not run, and why. The project's own tests run all of it on real processes."""


class NotHere(Exception):
    """This fault cannot be injected here; the message says why."""


class Guard:
    """The drill's end of the guard."""

    def __init__(self, site: Site, evidence: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hatchway.rehearse.drill_guard", str(site.directory),
             site.service, str(evidence)],
            stdin=subprocess.PIPE, start_new_session=True, text=True, bufsize=1,
        )  # fmt: skip

    def lift_with(self, *words: Any) -> None:
        """If the drill ends now, this lifts the fault; without words there is none."""
        self._say({"lift": list(words)})

    def dismiss(self) -> None:
        """The drill has ended as it should: nothing is left to do."""
        self._say({"done": True})
        self._close()

    def abandon(self, seconds: float = 90.0) -> None:
        """The drill ends here, unfinished: let the guard lift, record and tell, and wait for it."""
        self._close(seconds)

    def _say(self, doc: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(doc) + "\n")
            self._process.stdin.flush()

    def _close(self, seconds: float = 10.0) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


class Faults:
    """The faults of one site."""

    def __init__(self, site: Site, guard: Guard, start_backend: Sequence[str]) -> None:
        """`start_backend` is the command that starts the backend again; empty: it is not killed."""
        self._site = site
        self._guard = guard
        self._start_backend = list(start_backend)

    def inject(self, fault: str) -> AbstractContextManager[None]:
        """Have a fault for as long as the block lasts. Raises NotHere before it, CannotGoOn."""
        match fault:
            case "healthy":
                return contextlib.nullcontext()
            case "backend hung":
                return self._hung()
            case "backend dead":
                return self._dead()
            case "journal locked":
                return self._locked()
            case "metrics silent":
                return self._silent()
        raise NotHere(NOT_FROM_OUTSIDE.get(fault, "this drill does not know it"))

    @contextlib.contextmanager
    def _hung(self) -> Iterator[None]:
        pid = self._site.backend_pid()
        self._guard.lift_with("signal", pid, int(signal.SIGCONT))
        _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pid, signal.SIGCONT)
            self._guard.lift_with()

    @contextlib.contextmanager
    def _dead(self) -> Iterator[None]:
        if not self._start_backend:
            raise NotHere("how it is started again is not said: --start-backend 'COMMAND'")
        pid = self._site.backend_pid()
        self._guard.lift_with("run", *self._start_backend)
        _signal(pid, signal.SIGKILL)
        try:
            while _alive(pid):
                time.sleep(0.01)
            yield
        finally:
            start(self._start_backend)
            self._guard.lift_with()
            self._site.until(self._answers, "the backend does not answer again", BACKEND_STARTS_S)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._site.directory / "journal.db"
        if not path.exists():
            raise NotHere(f"there is no {path.name} here to lock")
        # The lock goes with this process, however it ends: nothing is left to lift.
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise NotHere(f"the journal could not be locked: {error}") from None
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    @contextlib.contextmanager
    def _silent(self) -> Iterator[None]:
        if self._site.facts is None:
            raise NotHere("the metrics come from addresses that are not this drill's to cut")
        self._demo_fault(on=True)
        try:
            yield
        finally:
            self._demo_fault(on=False)

    def _demo_fault(self, *, on: bool) -> None:
        answer = self._site.ask("demo.sock", {"op": "fault", "name": "metrics-silent", "on": on})
        if not answer.get("ok"):
            raise NotHere(f"the demo says: {answer.get('why')}")

    def _answers(self) -> bool:
        try:
            return bool(self._site.docs())
        except CannotGoOn:
            return False


def start(command: Sequence[str]) -> None:
    """Start something that outlives the drill."""
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise NotHere(f"process {pid} belongs to another account; run the drill as it") from None


def _alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and was not waited for yet does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
