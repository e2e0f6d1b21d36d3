"""How a job ended, in words: from what the shim noted to a `JobResult`."""

from __future__ import annotations

import difflib
import os
import re
import signal
from collections.abc import Sequence

from msgspec import Struct

from hatchway.runners.port import JobResult

_NOT_FOUND = re.compile(r"(?:^|[\s:])(\S+?): (?:command |inaccessible or )?not found\s*$")
_NOT_EXECUTABLE = re.compile(
    r"(?:^|[\s:])(\S+?): (?:Permission denied|cannot execute.*|[Ee]xec format error|Is a directory)"
)


class Facts(Struct, frozen=True):
    """`result.json`, as `shim.py` writes it."""

    status: str  # exited signalled timed_out cancelled no_cwd not_run lost
    seconds: float
    number: int = 0  # exit status, or the signal
    reason: str = ""
    output_bytes: int = 0
    dropped_bytes: int = 0
    dropped: str = ""  # in words
    trouble: str = ""  # why output could not be stored
    left: list[int] = []  # pids that not even KILL ended


class Asked(Struct, frozen=True):
    """`spec.json`: what `shim.py` needs of a `JobSpec`."""

    command: str
    cwd: str
    timeout_s: float
    env: dict[str, str]
    max_output_bytes: int


def in_words(facts: Facts, asked: Asked, tail: Sequence[str]) -> JobResult:
    """The result as everybody else sees it. `tail`: the newest lines of the output."""
    why = [_ending(facts, asked, tail)]
    if facts.dropped:
        why.append(facts.dropped)
    if facts.trouble:
        why.append(f"output could not be stored: {facts.trouble}")
    if facts.left:
        why.append(f"still running and cannot be killed: {', '.join(map(str, facts.left))}")
    exited = facts.status == "exited"
    status = {"timed_out": "timed_out", "cancelled": "cancelled", "lost": "lost"}.get(facts.status)
    code = facts.number if exited else 128 + facts.number if facts.status == "signalled" else None
    return JobResult(
        status=status or ("passed" if exited and facts.number == 0 else "failed"),  # type: ignore[arg-type]
        exit_code=code,
        seconds=facts.seconds,
        why="; ".join(why),
        output_bytes=facts.output_bytes,
        dropped_bytes=facts.dropped_bytes,
        tail=tuple(tail),
    )


def _ending(facts: Facts, asked: Asked, tail: Sequence[str]) -> str:
    match facts.status:
        case "exited":
            return _exit(facts.number, asked, tail)
        case "signalled":
            return f"killed by {_signal(facts.number)}"
        case "timed_out":
            return f"stopped after {asked.timeout_s:g} s, the time it is given"
        case "cancelled":
            return f"cancelled: {facts.reason}"
        case "no_cwd":
            return f"the directory to run it in does not exist: {asked.cwd}"
        case "lost":
            return facts.reason
        case _:
            return f"could not be run: {facts.reason}"


def _exit(status: int, asked: Asked, tail: Sequence[str]) -> str:
    if status == 127:
        name = _named(_NOT_FOUND, tail)
        if name:
            return f"no such command: {name}{_suggestion(name, asked.env.get('PATH', ''))}"
        return "exit status 127: a command was not found"
    if status == 126:
        name = _named(_NOT_EXECUTABLE, tail)
        if name:
            return f"not executable: {name} (is `chmod +x` missing?)"
        return "exit status 126: a command could not be executed"
    if 128 < status <= 128 + signal.NSIG:
        return f"exit status {status}: a command was killed by {_signal(status - 128)}"
    return f"exit status {status}"


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "an unnamed signal"
    hint = ", perhaps for lack of memory" if number == signal.SIGKILL else ""
    return f"signal {number} ({name}){hint}"


def _named(pattern: re.Pattern[str], tail: Sequence[str]) -> str:
    for line in reversed(tail):
        found = pattern.search(line)
        if found:
            return found[1][:100]
    return ""


def _suggestion(name: str, path: str) -> str:
    if "/" in name:
        return ""
    known: set[str] = set()
    for directory in path.split(os.pathsep):
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        known.update(e for e in entries if abs(len(e) - len(name)) <= 2 and e[:1] == name[:1])
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f" (did you mean {near[0]}?)" if near else ""
