"""kill -9 at random moments of a release: nothing repeated, nothing skipped, nothing forgotten."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.demo.summary import Happened, Reader
from hatchway.journal.chain import Verified, verify
from hatchway.journal.sqlite_file import scan

# The whole demo at every tenth of the kills; tests/simulation/test_kill.py does them all.
KILLS = int(os.environ.get("HATCHWAY_KILLS", "300")) // 10
WHOLE = ("--pace", "60", "--rate", "200", "--approve", "auto", "--mode", "act", "--keep")


def journal(d: Path) -> list[Happened]:
    return Reader().read(scan(d / "journal.db"))


def check(d: Path) -> None:
    """What must hold in a journal, whoever was killed while it was written."""
    happened = journal(d)
    assert isinstance(verify(scan(d / "journal.db")), Verified)
    events = [h.event for h in happened]
    steps = [e.step for e in events if isinstance(e, ev.StepEntered)]
    assert steps == list(range(len(steps))), f"steps repeated or skipped: {steps}"
    intended: set[str] = set()
    for event in events:
        if isinstance(event, ev.EffectIntended):
            assert event.key not in intended, f"{event.key} was intended twice"
            intended.add(event.key)
        if isinstance(event, ev.EffectVerified):
            assert event.key in intended, f"{event.key} happened without intent"
    for kind in (ev.StageStarted, ev.StageEnded):
        stages = Counter(e.stage for e in events if isinstance(e, kind))
        assert set(stages.values()) <= {1}, stages
    jobs = Counter((e.stage, e.job) for e in events if isinstance(e, ev.JobStarted))
    assert set(jobs.values()) <= {1}, f"a job was started again: {jobs}"


class Victim:
    """A process that is killed and started again, as a person would."""

    def __init__(self, demo: Any, name: str) -> None:
        self.demo = demo
        self.name = name
        self.pid = demo.until(lambda d: d.pid(name), 30, f"the {name}'s pid")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        for process in self.demo.started:
            if process.pid == self.pid:
                process.wait(10)

    def again(self) -> None:
        if self.name == "backend":
            self.pid = self.demo.serve().pid
            return
        with open(self.demo.d / "log" / "governor-again.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hatchway", "governor", "--dir", str(self.demo.d)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.demo.started.append(process)
        self.pid = process.pid


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["backend", "governor"])
def test_kills_at_random_points_repeat_skip_and_forget_nothing(
    start_demo: Callable[..., Any], patient_pipeline: Path, name: str
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    kills = 0
    while kills < KILLS:
        demo = start_demo(*WHOLE, "--pipeline", str(patient_pipeline))
        kills += _one_run(demo, name, dice, KILLS - kills)
    print(f"{kills} kills of the {name}")


def _one_run(demo: Any, name: str, dice: random.Random, most: int) -> int:
    """Kill until the run ends or there were enough kills; then it must end as it would have."""
    victim = Victim(demo, name)
    kills = 0
    while kills < most and demo.process.poll() is None:
        # Over three orders of magnitude, so that start-up and quiet moments are hit alike.
        time.sleep(10 ** dice.uniform(-2.0, 0.4))
        victim.kill()
        kills += 1
        victim.again()
    demo.process.wait(300)
    check(demo.d)
    doc, lines = demo.ended()
    assert doc.outcome == "promoted", "\n".join(lines)
    return kills
