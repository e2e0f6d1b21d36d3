"""Finding and ending what is left of a job whose shim is gone, by the mark in its environment.

A process group's id may belong to a stranger by now; the mark says for sure whose a process is, and
it is inherited by everything the job started, also what went into a session of its own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "HATCHWAY_JOB"
"""Environment variable of every process of a job: the job's directory."""


def processes_of(directory: Path, *, below: bool = False) -> list[int]:
    """Pids of the job with this directory; `below`: of all jobs in this directory. Linux only."""
    return [int(n) for n in _pids() if _marked(int(n), directory, below)]


def end_remains(directory: Path, *, below: bool = False, patience_s: float = 5.0) -> list[int]:
    """Kill them all at once; returns the pids that are still there after `patience_s`."""
    until = time.monotonic() + patience_s
    while (left := processes_of(directory, below=below)) and time.monotonic() < until:
        for pid in left:
            with _handle(pid) as handle:
                # Looked at again through the handle's eyes: the pid cannot have changed hands now.
                if handle >= 0 and _marked(pid, directory, below):
                    with suppress(OSError):
                        signal.pidfd_send_signal(handle, signal.SIGKILL)
        time.sleep(0.02)
    return left


@contextmanager
def _handle(pid: int) -> Iterator[int]:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        yield -1
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _pids() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _marked(pid: int, directory: Path, below: bool) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:
        return False  # gone, a zombie's is empty, or somebody else's
    mark = os.fsencode(f"{MARK}={directory}")
    return any(
        entry.startswith(mark + b"/") if below else entry == mark for entry in environ.split(b"\0")
    )
