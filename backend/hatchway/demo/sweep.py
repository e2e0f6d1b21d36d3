"""The end of a demo: whatever still runs in its state directory is stopped.

The supervisor calls it last. When the supervisor itself was killed, the load generator becomes
`python -m hatchway.demo.sweep D`, so that nothing is left then either.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from hatchway.demo import state_directory
from hatchway.runners.process import stop_all

MARK = "HATCHWAY_DEMO"
"""Environment variable of every process that a demo started: its state directory."""

SOCKETS = ("command.sock", "backend.sock", "governor.sock", "splitter.sock", "load.sock")
PATIENCE_S = 3.0


def sweep(directory: Path) -> list[int]:
    """Stop everything of this demo but this process; returns pids that could not be ended.

    What a person started there meanwhile (a backend after a `kill -9`) is found by its sockets.
    """
    left = end([*listeners(directory), *marked(directory)])
    left += stop_all(directory / "jobs", "the demo ended")
    return left


def listeners(directory: Path) -> list[int]:
    """The processes that listen on the sockets of this directory, asked from the kernel."""
    found = [listener(directory / name) for name in SOCKETS]
    return [pid for pid in found if pid]


def listener(path: Path) -> int:
    """The process that listens at a Unix socket, 0 when nobody does. It need not be responsive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return 0
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def marked(directory: Path) -> list[int]:
    """The processes that a demo in this directory started."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environment:
                found.append(int(name))
    return found


def end(pids: Iterable[int]) -> list[int]:
    """Ask them to stop, then kill; never this process. Returns those that are still there."""
    handles: dict[int, int] = {}
    for pid in {*pids} - {os.getpid(), 0, 1}:
        try:
            handles[pid] = os.pidfd_open(pid)
        except OSError:
            continue
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles.values():
                _send(handle, number)
                _send(handle, signal.SIGCONT)  # one that was stopped must wake up to end
            until = time.monotonic() + PATIENCE_S
            while (left := [p for p, h in handles.items() if _lives(p, h)]) and (
                time.monotonic() < until
            ):
                time.sleep(0.01)
            if not left:
                return []
        return left
    finally:
        for handle in handles.values():
            os.close(handle)


def _send(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return


def _lives(pid: int, handle: int) -> bool:
    """A zombie has ended: its parent only has not looked yet."""
    try:
        signal.pidfd_send_signal(handle, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def main(argv: list[str]) -> int:
    """Sweep the directory given, unless another demo has taken it over meanwhile."""
    directory = Path(argv[0])
    try:
        held = state_directory.lock(directory)
    except (state_directory.BadDirectory, OSError):
        return 0
    try:
        sweep(directory)
        state_directory.forget(directory)
    finally:
        os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
