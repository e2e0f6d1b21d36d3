"""The directory of one job: what its files say about the job's state.

    spec.json    what to run (written before the shim is started, again if it never took off)
    lock         flock held as long as the shim lives; contains its pid
    started      the shim has taken the job: it is never started again
    output       what the command printed, capped
    cancel       why it is to stop
    result.json  how it ended

A backend that dies between any two of these steps leaves a job that either has no `started`, then
it has not run and may be started, or has one, then it is adopted. Two shims of one job exclude each
other by the lock, and the later one finds `started`.
"""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, unquote

import msgspec

from hatchway.runners.lines import last_lines
from hatchway.runners.port import JobResult, RunnerError
from hatchway.runners.remains import end_remains
from hatchway.runners.shim import store
from hatchway.runners.words import Asked, Facts, in_words

Known = Literal["absent", "running", "ended", "lost"]

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024


class JobDirectory:
    """One job on disk. All calls are short; those that fsync or kill say so."""

    def __init__(self, jobs: Path, key: str) -> None:
        name = quote(key, safe="+@, ")
        if name.startswith("."):
            name = "%2E" + name[1:]
        if not name or len(name) > 200:
            raise RunnerError(f"a job's key must have 1 to 200 characters: {key!r}")
        self.path = jobs.absolute() / name

    @classmethod
    def at(cls, path: Path) -> Self:
        """The job whose directory this is."""
        return cls(path.parent, unquote(path.name))

    def known(self) -> Known:
        """What the files say."""
        if not self.has_result():
            if self.shim_lives():
                return "running"
            # It may have ended between the two looks.
            if not self.has_result():
                return "lost" if (self.path / "started").exists() else "absent"
        return "lost" if self._facts().status == "lost" else "ended"

    def settle_lost(self) -> None:
        """End what a killed shim left running and note the loss, once and for all. Kills, fsyncs.

        Does nothing while a shim lives or when there is a result.
        """
        with open(self.path / "lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self.has_result() or not (self.path / "started").exists():
                return
            left = end_remains(self.path)
            self._store(
                "result.json",
                msgspec.json.encode(
                    Facts(
                        status="lost",
                        seconds=0.0,
                        reason="the process that watched over it was killed or the machine went "
                        "down: how it ended cannot be known. What was left of it was stopped",
                        left=left,
                    )
                ),
            )

    def prepare(self, asked: Asked) -> None:
        """Write what to run. Fsyncs. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store("spec.json", msgspec.json.encode(asked))

    def ask_to_stop(self, why: str) -> None:
        """Leave word and wake the shim; also a job that was not started yet will not run. Fsyncs.

        The first reason stands. A full disk does not keep the signal back.
        """
        with suppress(OSError):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (self.path / "cancel").exists():
                self._store("cancel", why.encode("utf-8", "replace"))
        try:
            pid = int((self.path / "lock").read_bytes())
            handle = os.pidfd_open(pid)
        except (OSError, ValueError):
            return
        try:
            # Still locked with the handle in hand: so the handle is the shim's and no stranger's.
            if self.shim_lives():
                with suppress(OSError):
                    signal.pidfd_send_signal(handle, signal.SIGTERM)
        finally:
            os.close(handle)

    def result(self) -> JobResult:
        """How it ended."""
        return in_words(self._facts(), self._asked(), last_lines(self._end(), TAIL_LINES))

    def read_output(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; nothing when there are none yet."""
        try:
            with open(self.path / "output", "rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError:
            return b""

    def output_size(self) -> int:
        """Bytes stored so far."""
        try:
            return (self.path / "output").stat().st_size
        except OSError:
            return 0

    def _end(self) -> bytes:
        return self.read_output(max(0, self.output_size() - _TAIL_BYTES), _TAIL_BYTES)

    def has_result(self) -> bool:
        """It is known how the job ended (or that this cannot be known)."""
        return (self.path / "result.json").exists()

    def shim_lives(self) -> bool:
        """Its lock is held."""
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _facts(self) -> Facts:
        return msgspec.json.decode(self._load("result.json"), type=Facts)

    def _asked(self) -> Asked:
        return msgspec.json.decode(self._load("spec.json"), type=Asked)

    def _load(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def _store(self, name: str, data: bytes) -> None:
        store(str(self.path), name, data)
