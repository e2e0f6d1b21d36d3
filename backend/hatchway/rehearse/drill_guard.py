"""`python -m hatchway.rehearse.drill_guard DIR SERVICE EVIDENCE`: what remains when a drill is cut off.

It reads from standard input how a fault is lifted, a JSON object a line. When that ends without
{"done": true}, it lifts the fault, says in which state the service was left, writes it into the
evidence and has it journaled. It does not give control back: that is a person's to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hatchway.rehearse import drill_evidence
from hatchway.rehearse.drill_faults import start
from hatchway.rehearse.drill_site import CannotGoOn, Site

RECORDED_WITHIN_S = 60.0


def main(argv: list[str]) -> int:
    """Wait for the drill's end; 0 when nothing was left to do, or it is done."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the drill, not with the terminal
    directory, service, evidence = Path(argv[0]), argv[1], Path(argv[2])
    lift: list[Any] = []
    for line in sys.stdin:
        said = json.loads(line)
        if said.get("done"):
            return 0
        lift = said.get("lift", lift)
    _lift(lift)
    site = Site(directory, service)
    left = left_behind(site)
    with contextlib.suppress(OSError):
        print(f"hatchway drill: cut off. {left}", file=sys.stderr, flush=True)
    cut = drill_evidence.cut_off(evidence, left)
    if not cut:
        return 1
    end = time.monotonic() + RECORDED_WITHIN_S
    while time.monotonic() < end:
        with contextlib.suppress(CannotGoOn):
            answer = site.record(cut)
            if answer.get("ok") or answer.get("code") not in ("journal", "no_answer", "too_fast"):
                return 0 if answer.get("ok") else 1
        time.sleep(0.5)
    return 1


def left_behind(site: Site) -> str:
    """The state of the service, and what to do about it, in words."""
    try:
        status = site.status()
    except CannotGoOn as error:
        return f"The state of {site.service} is not known: {error}"
    share = (status.get("observed") or {}).get("canary", "?")
    if status["mode"] == "agent":
        return f"{site.service} is with the agent, its canary at {share} %: nothing is left to do."
    word = "PAUSED" if status["mode"] == "paused" else "TAKEN OVER"
    return (
        f"{site.service} is still {word} by {status['holder']} (epoch {status['epoch']}, canary at"
        f" {share} %): give it back with hatchway resume {site.service} --reason '...'"
    )


def _lift(words: list[Any]) -> None:
    with contextlib.suppress(OSError):
        match words:
            case ["signal", int(pid), int(number)]:
                os.kill(pid, number)
            case ["run", *command]:
                start([str(word) for word in command])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
