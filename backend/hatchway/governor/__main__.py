"""`python -S -m hatchway.governor --dir D [--lifeline FD]`.

Exit status: 0 after SIGTERM, SIGINT or the end of the lifeline; 2 when it cannot start (usage,
configuration, disk); 3 when a governor is running in that directory already.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

from hatchway.governor.keeper import Keeper
from hatchway.governor.ledger import Ledger
from hatchway.governor.server import Server
from hatchway.governor.settings import read_settings
from hatchway.governor.settings_target import LONGEST_SOCKET_PATH, BadSettings
from hatchway.governor.store import Store

USAGE = "usage: python -S -m hatchway.governor --dir DIRECTORY [--lifeline FD]"


class CannotStart(Exception):
    """Said on standard error; `status` is the exit status."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def main(argv: list[str]) -> int:
    """Run the governor until it is told to end."""
    try:
        directory, lifeline = _arguments(argv)
        settings = read_settings(directory)
        path = os.path.join(directory, "governor.sock")
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise CannotStart(f"{path} is too long for a socket: use a shorter directory")
        folder = os.path.join(directory, "governor")
        lock = _lock(folder)
        store = Store(folder)  # it repairs the spool: never under a living governor's hands
        server = Server(path)
    except BadSettings as error:
        return _say(str(error), 2)
    except CannotStart as error:
        return _say(str(error), error.status)
    except OSError as error:
        return _say(f"cannot start: {error}", 2)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal never changes control
    if lifeline >= 0:
        server.until_end_of(lifeline)
    keeper = Keeper(settings, Ledger(store), server.wake)
    server.run(keeper.handle, keeper.work)
    os.close(lock)
    return 0


def _arguments(argv: list[str]) -> tuple[str, int]:
    directory, lifeline = "", -1
    words = iter(argv)
    for word in words:
        name, _, value = word.partition("=")
        if name not in ("--dir", "--lifeline"):
            raise CannotStart(f"unknown argument {word!r}\n{USAGE}")
        value = value or next(words, "")
        if name == "--dir":
            directory = value
        elif value.isdigit():
            lifeline = int(value)
        else:
            raise CannotStart(f"--lifeline needs the number of an open file\n{USAGE}")
    if not directory:
        raise CannotStart(USAGE)
    if lifeline >= 0:
        try:
            os.fstat(lifeline)
        except OSError as error:
            raise CannotStart(f"--lifeline {lifeline}: {error.strerror}") from error
    return os.path.abspath(directory), lifeline


def _lock(folder: str) -> int:
    """One governor a directory: the kernel lets go of the lock when a process dies."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(fd, 20).decode(errors="replace").strip() or "?"
        os.close(fd)
        raise CannotStart(f"a governor is running here already (pid {pid})", 3) from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def _say(message: str, status: int) -> int:
    print(f"governor: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
