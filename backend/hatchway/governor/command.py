"""A target behind your own commands: argument lists, never a shell.

`get` prints the canary's share as a whole percent, `inflight` two whole numbers (requests under
way, requests ever), `inventory` a line for each thing that a rollback must leave as it was. What a
command prints is data; that it ended well is not yet success: the share is read back.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time

from hatchway.governor.target import (
    LONGEST_FACT,
    MOST_FACTS,
    Inventory,
    Overtaken,
    TargetError,
    Traffic,
    Weights,
    Wish,
    short,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hatchway.governor.settings_target import CommandSettings
    from hatchway.governor.target import Guard

MOST_OUTPUT = 64 * 1024
"""What prints more than this, in bytes, is ended: nobody reads it."""
LOOK_S = 0.02
UNKNOWN = -1

# With vfork the whole process, not only this thread, would wait for a program on a slow disk.
subprocess._USE_VFORK = False  # type: ignore[misc]


class CommandTarget:
    """Not to be used by two threads at once, but for `interrupt`."""

    goes_back_unseen = True
    begin_s = 0.05  # starting a program may take long, and one that started late is ended

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self.observe_every_s = settings.every_s
        self.inventory_every_s = 5 * settings.every_s
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._interrupted = False
        self._at_0_since = 0.0  # monotonic; 0 when the canary has traffic, or nobody knows

    def weights(self) -> Weights:
        """What `get` prints. Raises TargetError, Overtaken."""
        printed = self._run("get", self._settings.get).strip()
        if not (printed.isascii() and printed.isdigit() and len(printed) < 4) or int(printed) > 100:
            self._at_0_since = 0.0
            raise TargetError(f"get printed {short(printed)}, and not a whole percent, 0 to 100")
        percent = int(printed)
        if percent > 0:
            self._at_0_since = 0.0
        elif not self._at_0_since:
            self._at_0_since = time.monotonic()
        return Weights(percent, 100 - percent)

    def bring(self, has: Weights, wish: Wish, guard: Guard) -> None:
        """Run `set`, or `rollback` for 0; then the share must be there. TargetError, Overtaken."""
        name, words = "set", self._settings.set
        if wish.percent == 0 and self._settings.rollback:
            name, words = "rollback", self._settings.rollback
        values = {
            "percent": str(wish.percent),
            "stable_percent": str(100 - wish.percent),
            "key": wish.key,
            "epoch": str(wish.epoch),
        }
        said = self._run(name, tuple(filled(word, values) for word in words), guard)
        has = self.weights()
        if not has.has(wish.percent):
            said = f"and said {short(said)}" if said.strip() else "and said nothing"
            raise TargetError(
                f"{name} ended well {said}, and the canary has {has.percent} % "
                f"instead of {wish.percent} %"
            )

    def traffic(self) -> Traffic:
        """What `inflight` prints; without one, what is declared by `drained_after_s`."""
        if not self._settings.inflight:
            at_0 = time.monotonic() - self._at_0_since if self._at_0_since else 0.0
            drained = at_0 >= self._settings.drained_after_s and self._at_0_since > 0
            return Traffic(0 if drained else UNKNOWN, 0)
        printed = self._run("inflight", self._settings.inflight)
        words = printed.split()
        if len(words) != 2 or not all(w.isascii() and w.isdigit() and len(w) < 16 for w in words):
            raise TargetError(
                f"inflight printed {short(printed)}, and not two whole numbers: "
                "requests under way, requests ever"
            )
        return Traffic(int(words[0]), int(words[1]))

    def inventory(self) -> Inventory:
        """The lines that `inventory` prints; without one, none."""
        if not self._settings.inventory:
            return Inventory(())
        printed = self._run("inventory", self._settings.inventory)
        lines = [ascii(line.strip())[1:-1] for line in printed.splitlines() if line.strip()]
        if len(lines) > MOST_FACTS or any(len(line) > LONGEST_FACT for line in lines):
            raise TargetError(
                f"inventory printed more than {MOST_FACTS} lines or {LONGEST_FACT} characters a line"
            )
        return Inventory(tuple(sorted(lines)))

    def remember(self, process: int) -> None:
        """A command is a new process each time."""

    def interrupt(self) -> None:
        """End the command that runs, with all it started in its process group."""
        with self._lock:
            if self._running is not None:
                self._interrupted = True
                _kill(self._running)

    # --- running ----------------------------------------------------------------------------------

    def _run(self, name: str, words: tuple[str, ...], guard: Guard | None = None) -> str:
        """What it printed. Raises TargetError unless it ended well in time, Overtaken."""
        seconds = self._settings.timeouts_s.get(name, self._settings.timeout_s)
        until = time.monotonic() + seconds
        process = self._start(name, words, guard)
        try:
            if guard is not None:
                with guard:  # beginning it may have taken longer than a new order waits
                    pass
            printed, errors, problem = _read(process, until)
        finally:
            status = self._end(process)
        with self._lock:
            if self._interrupted:
                raise Overtaken
        if problem:
            raise TargetError(f"{name} {problem.format(seconds=seconds)}")
        if status != 0:
            how = f"ended with status {status}" if status > 0 else f"was killed ({_name(-status)})"
            raise TargetError(f"{name} {how} and said {short(_last(errors or printed))}")
        return printed

    def _start(
        self, name: str, words: tuple[str, ...], guard: Guard | None
    ) -> subprocess.Popen[bytes]:
        if guard is not None:
            with guard:
                return self._started(name, words)
        return self._started(name, words)

    def _started(self, name: str, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._settings.directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise TargetError(f"{name} cannot be started: {words[0]!a}: {why}") from None
        with self._lock:
            self._running, self._interrupted = process, False
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Its status, after whatever is left of its group was killed."""
        with self._lock:
            # Also what it left behind: a step that goes on unseen is a step that nobody can stop.
            _kill(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            with self._lock:  # once it is reaped, its number may be somebody else's
                status = process.poll()
                if status is not None:
                    self._running = None
                    return status
            time.sleep(0.002)
        with self._lock:
            self._running = None
        raise TargetError("a command cannot be ended, not even by force")


def filled(word: str, values: dict[str, str]) -> str:
    """A word of a template with its placeholders replaced; what a value holds is not read again."""
    parts = []
    rest = word
    while rest:
        before, brace, rest = rest.partition("{")
        parts.append(before)
        name, closing, after = rest.partition("}")
        if brace and closing and name in values:
            parts.append(values[name])
            rest = after
        else:
            parts.append(brace)
    return "".join(parts)


def _read(process: subprocess.Popen[bytes], until: float) -> tuple[str, str, str]:
    """What a process printed, and printed as errors, until it ended; and what was wrong with it."""
    pipes = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe, printed in pipes.items():
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe.fileno(), selectors.EVENT_READ, printed)
        while True:
            # Asked first: what it printed before its end is read below. A child that it left
            # behind may keep the pipes open, and is not waited for.
            ended = _has_ended(process)
            ready = selector.select(0 if ended else LOOK_S) if selector.get_map() else []
            for key, _ in ready:
                part = os.read(key.fd, 65536)
                key.data.extend(part)
                if not part:
                    selector.unregister(key.fd)
            if sum(map(len, pipes.values())) > MOST_OUTPUT:
                return (
                    "",
                    "",
                    f"prints without end (more than {MOST_OUTPUT} bytes), so it was killed",
                )
            if ended and not ready:
                break
            if time.monotonic() >= until:
                return "", "", "has not ended within {seconds:g} s, so it was killed"
            if not selector.get_map() and not ended:
                time.sleep(LOOK_S)
    texts = [found.decode("utf-8", "replace") for found in pipes.values()]
    return texts[0], texts[1], ""


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without taking its number away from it."""
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    # No such group: it has gone, and nothing is left of it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _last(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
