"""The demo without a screen: answers what `--approve auto` answers, and waits for the outcome."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hatchway.core.state import Run
from hatchway.demo.summary import Reader, intended, summarise
from hatchway.edge.words import line_of
from hatchway.journal.chain import Verified, verify
from hatchway.journal.sqlite_file import scan

POLL_S = 0.2
ANSWER_S = 5.0
SETTLED_S: Mapping[str, float] = {
    # How long a run must have been held before the demo says that it is.
    "no_data": 8.0,
    "stable_unhealthy": 8.0,
    "unsure": 8.0,
    "target": 3.0,
    "evidence": 90.0,  # on its way to REGRESS, unless chance takes it back
}
ASKED_S = 3.0  # a roll-back recommendation that nobody answers


def run(
    directory: Path,
    *,
    approve_auto: bool,
    say: Callable[[str], None],
    stopped: Callable[[], bool],
) -> None:
    """Return when the run has ended or is held for good, or `stopped()` says so."""
    journal, reader = directory / "journal.db", Reader()
    asked: set[str] = set()
    while not stopped():
        if journal.exists():
            for happened in reader.read(scan(journal, after=reader.state.seq)):
                line = line_of(happened.record, happened.event)
                if line is not None:
                    say(f"#{line.seq} {line.who}: {line.text}")
        newest = next(reversed(reader.state.runs.values()), None)
        if newest is not None:
            if not newest.active or _held_for_good(newest, time.time()):
                return
            if approve_auto:
                _answer(directory, newest, asked)
        time.sleep(POLL_S)


def _held_for_good(run: Run, now: float) -> bool:
    for item in run.items.values():
        if item.status == "open" and item.capability == "rollback":
            return now - item.asked_at > ASKED_S
    if run.hold is None:
        return False
    if any(i.status == "open" and i.asked_on != "UNSURE" for i in run.items.values()):
        return False
    return now - run.hold.since > SETTLED_S[run.hold.cause]


def _answer(directory: Path, run: Run, asked: set[str]) -> None:
    """Say yes to the release and to promotions; never to a roll-back."""
    for item in run.items.values():
        if item.status != "open" or item.capability == "rollback" or item.id in asked:
            continue
        answer = ask(directory, {"op": "accept", "id": secrets.token_hex(8), "item": item.id})
        if answer is not None and answer.get("code") != "journal":  # that one may be tried again
            asked.add(item.id)


def ask(directory: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """One request to the backend's command socket; None when it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(directory / "command.sock"))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def summary(
    directory: Path,
    *,
    faults: Sequence[str],
    mode: str,
    fault_on_at: float | None,
    bad_requests: int,
    target_writes: Mapping[str, int],
) -> tuple[dict[str, Any], int]:
    """The summary and the exit status: 0 when the outcome is what policy intends."""
    journal = directory / "journal.db"
    verified = isinstance(verify(scan(journal)), Verified)
    found = summarise(
        scan(journal),
        fault_on_at=fault_on_at,
        bad_requests=bad_requests,
        target_writes=target_writes,
        verified=verified,
    )
    good = verified and found["outcome"] == intended(faults, mode)
    return found, 0 if good else 1
