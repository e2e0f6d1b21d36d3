"""The command of a shim and everything it started. Standard library only."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

from hatchway.runners.shim_output import Output

TYPE_CHECKING = False  # typing itself would cost start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GRACE_S = 2.0  # between TERM and KILL
GIVE_UP_S = 10.0  # after KILL: what is still there cannot be killed (a dead network disk)
CHUNK = 64 * 1024
LINUX = sys.platform == "linux"

_LIBC: Any = None  # the C library, once it was needed


class Job:
    """The command and everything it started."""

    def __init__(self, spec: dict[str, Any], output: Output, wake: int) -> None:
        self._output = output
        self._wake = wake
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._ended: os.waitid_result | None = None
        self.left: list[int] = []
        pipe, theirs = os.pipe()
        shim = os.getpid()
        self.group = os.fork()
        if self.group == 0:
            become_command(spec, theirs, shim)
        os.close(theirs)
        with contextlib.suppress(OSError):  # it did so itself and runs already
            os.setpgid(self.group, self.group)
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._poll.register(pipe, select.POLLIN)

    @property
    def ended(self) -> bool:
        """The shell has ended; what it started may still run."""
        return self._ended is not None

    def turn(self, seconds: float) -> None:
        """Wait for something to happen, at most this long, and deal with it."""
        for fd, _ in self._poll.poll(min(max(0.0, seconds), 3600.0) * 1000):
            if fd == self._wake:
                drain(fd)
            else:
                self._read()
        self._others()
        if self._ended is None:
            # WNOWAIT leaves it a zombie: as long as it is one, its pid and with it the group's id
            # cannot go to a stranger, and killpg is safe.
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            self._ended = os.waitid(os.P_PID, self.group, flags)

    def clear_out(self) -> None:
        """End the command and all it started; returns when nothing is left."""
        for number, seconds in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GIVE_UP_S)):
            until = time.monotonic() + seconds
            told: set[int] = set()
            while (alive := self._alive()) and time.monotonic() < until:
                if not told or number == signal.SIGKILL:
                    send(os.killpg, self.group, number)
                for pid in alive:
                    outside = pid != self.group and group_of(pid) != self.group
                    if outside and (pid not in told or number == signal.SIGKILL):
                        send(os.kill, pid, number)
                told.update(alive)
                self.turn(0.05)
        self.left = self._alive()

    def close(self) -> tuple[str, int]:
        """("exited", status) or ("signalled", number); call it when all has ended."""
        while self._read():
            pass
        if self._ended is None:
            return "exited", 1
        os.waitpid(self.group, 0)
        how = "exited" if self._ended.si_code == os.CLD_EXITED else "signalled"
        return how, self._ended.si_status

    def _read(self) -> bool:
        """Take what is in the pipe; False when that is nothing."""
        if self._pipe < 0:
            return False
        try:
            data = os.read(self._pipe, CHUNK)
        except OSError:  # BlockingIOError among them: nothing now
            return False
        if data:
            self._output.take(data)
            return True
        self._poll.unregister(self._pipe)  # all have closed it; the command may go on without
        os.close(self._pipe)
        self._pipe = -1
        return False

    def _alive(self) -> list[int]:
        leader = [] if self.ended else [self.group]
        if LINUX:
            return leader + self._others()
        try:
            os.killpg(self.group, 0)
        except OSError:
            return leader
        return leader or [self.group]

    def _others(self) -> list[int]:
        """Living children but the command's shell: what it left behind came to the subreaper."""
        while True:
            living, buried = [], False
            for pid in children():
                if pid == self.group:
                    continue
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0] == 0:
                        living.append(pid)
                    else:
                        buried = True
            # Whoever died since the list was read may have left children that are not in it.
            if not buried:
                return living


NICER = 5
"""A stage's commands yield to what steers them: a stop must not wait for a compiler."""


def become_command(spec: dict[str, Any], output: int, shim: int) -> None:
    """In the forked child: never returns."""
    try:
        os.setpgid(0, 0)
        if LINUX:
            prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: do not outlive the shim
            if os.getppid() != shim:
                return  # it died before that: nobody would look after the command
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(spec["cwd"])
        os.nice(NICER)
        os.execve("/bin/sh", ["/bin/sh", "-c", spec["command"]], spec["env"])  # noqa: S606
    except BaseException as e:
        os.write(2, f"hatchway: /bin/sh could not be started: {e}\n".encode())
    finally:
        os._exit(126)


def children() -> list[int]:
    """Pids of this process's children, zombies included."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return children_by_scan()


def children_by_scan() -> list[int]:
    """The same on a kernel without the `children` file."""
    found = []
    for name in os.listdir("/proc") if LINUX else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent == os.getpid():
                found.append(int(name))
    return found


def group_of(pid: int) -> int:
    """The process group of a pid; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def send(call: Callable[[int, int], None], target: int, number: int) -> None:
    """A signal to something that may be gone already."""
    with contextlib.suppress(OSError):
        call(target, number)


def drain(fd: int) -> None:
    """Empty the pipe that signals write to."""
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def prctl(option: int, value: int) -> None:
    """prctl(2), which the standard library does not offer."""
    global _LIBC  # noqa: PLW0603 - loaded once, before the fork, used on both sides
    if _LIBC is None:
        import ctypes  # noqa: PLC0415 - a third of the start-up time, and only Linux needs it

        _LIBC = ctypes.CDLL(None)
    _LIBC.prctl(option, value, 0, 0, 0)
