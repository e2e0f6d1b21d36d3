"""Releases with nothing wrong, one after the other: how often does the judge cry wolf?

    python tests/bench/bench_no_fault.py [--minutes 30] [--rate 300] [--pace 10] [--seed 1]

Headless demos in act mode, real processes, no fault, each with a seed of its own. The bar: no rollback, and no verdict REGRESS.
Holds are counted too: one costs a delay and nothing else. Exits 1 on any rollback.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec

from hatchway.conductor.watch import Memory
from hatchway.core import events as ev
from hatchway.demo.summary import Happened, Reader
from hatchway.journal.sqlite_file import scan

PIPELINE = Path(__file__).parents[1] / "system" / "quick.yaml"
PATIENCE_S = 900


class Release(NamedTuple):
    """What its journal says of it. `judged_s`: a look a second is judged."""

    outcome: str
    judged_s: float
    holds: Counter[str]
    regress: int
    rollbacks: int
    peak: float  # the highest joint evidence that the canary is worse, as odds to 1


def main() -> int:
    """Release for so many minutes, print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--pace", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next has one more")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    releases: list[Release] = []
    while not releases or time.monotonic() < until:
        releases.append(_release(options.rate, options.pace, options.seed + len(releases)))
        print(f"{len(releases):3} {_line(releases[-1:])}", flush=True)
    print(
        f"in all: {len(releases)} rollouts at {options.rate:g} requests/s, pace {options.pace:g}, "
        f"load average {os.getloadavg()[0]:.1f}\n    {_line(releases)}"
    )
    rollbacks = sum(release.rollbacks for release in releases)
    print("bar: 0 rollbacks: " + ("kept" if not rollbacks else f"NOT KEPT, {rollbacks}"))
    return 1 if rollbacks else 0


def _release(rate: float, pace: float, seed: int) -> Release:
    place = Path(tempfile.mkdtemp(prefix="hwb-"))
    command = [sys.executable, "-m", "hatchway", "demo", "--headless", "--mode", "act"]
    command += ["--approve", "auto", "--rate", f"{rate:g}", "--pace", f"{pace:g}"]
    command += ["--dir", str(place / "d"), "--pipeline", str(PIPELINE), "--seed", str(seed)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, "XDG_RUNTIME_DIR": str(place)},
        )
        journal = place / "d" / "journal.db"
        if not journal.exists():
            raise SystemExit(f"the demo did not start: {done.stderr[-2000:]}")
        reader = Reader()
        happened = reader.read(scan(journal))
        run = list(reader.state.runs.values())[-1]
        memory = (place / "d" / "judge" / "shop.msgpack").read_bytes()
        peak = msgspec.msgpack.decode(memory, type=Memory).judge.peak
        return _told(happened, run.outcome or "held", peak)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _told(happened: list[Happened], outcome: str, peak: float) -> Release:
    events = [h.event for h in happened]
    holds: Counter[str] = Counter(event.cause for event in events if isinstance(event, ev.RunHeld))
    regress = sum(isinstance(e, ev.VerdictChanged) and e.word == "REGRESS" for e in events)
    rollbacks = sum(isinstance(e, ev.EffectIntended) and e.weight == 0 for e in events)
    judged, began = 0.0, None
    for h in happened:
        if isinstance(h.event, ev.StepEntered):
            began = h.at
        elif began is not None and isinstance(h.event, ev.EffectIntended | ev.RunEnded):
            judged, began = judged + h.at - began, None
    if began is not None:
        judged += happened[-1].at - began
    return Release(outcome, judged, holds, regress, rollbacks, peak)


def _line(releases: list[Release]) -> str:
    outcomes = Counter(release.outcome for release in releases)
    holds: Counter[str] = sum((release.holds for release in releases), Counter())
    return (
        f"{_said(outcomes)}; {sum(r.judged_s for r in releases):.0f} looks judged; "
        f"holds: {_said(holds)}; REGRESS: {sum(r.regress for r in releases)}; "
        f"rollbacks: {sum(r.rollbacks for r in releases)}; "
        f"highest evidence {max(r.peak for r in releases):.2g} to 1"
    )


def _said(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
