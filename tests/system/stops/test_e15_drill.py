"""E15: `hatchway drill` tries the stops, records what it saw, and leaves nothing unsaid."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core.drills import NEEDED_FAULTS, STOPS, Cell, Evidence
from hatchway.demo.summary import Reader
from hatchway.journal.chain import Verified, verify
from hatchway.journal.sqlite_file import scan

DRILL = (sys.executable, "-m", "hatchway", "drill")
BUSY = ("--within", "8")
"""A machine that runs other tests too is no reason to fail a drill."""


def drilled(d: Path) -> list[ev.DrillRecorded]:
    events = [h.event for h in Reader().read(scan(d / "journal.db"))]
    return [e for e in events if isinstance(e, ev.DrillRecorded)]


def files(d: Path) -> list[Path]:
    return sorted((d / "drills").glob("*.json"))


def restart_backend(stack: Any, was: str, now: str) -> None:
    """With another configuration."""
    config = stack.d / "config" / "hatchway.yaml"
    text = config.read_text()
    assert was in text
    config.write_text(text.replace(was, now))
    stack.kill(stack.backend)
    stack.start_backend()
    stack.until(stack.healthy, "the backend is well")


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_e15_a_drill_of_a_demo_passes_and_is_in_the_chain(demo_dir: Path) -> None:
    d = demo_dir / "drilled"
    done = subprocess.run(
        [*DRILL, "--demo", "--dir", str(d), "--json", *BUSY],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["passed"]
    ran = {(c["fault"], c["stop"]) for c in said["evidence"]["cells"] if c["status"] == "passed"}
    assert ran >= {(fault, stop) for fault in NEEDED_FAULTS for stop in STOPS}
    not_run = {c["fault"] for c in said["evidence"]["cells"] if c["status"] == "not_run"}
    assert {"disk full", "notifier down"} <= not_run, "what was left out is said"
    assert all(c["why"] for c in said["evidence"]["cells"] if c["status"] == "not_run")

    assert isinstance(verify(scan(d / "journal.db")), Verified)
    (event,) = drilled(d)
    (file,) = files(d)
    assert event.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert event.evidence == msgspec.json.decode(file.read_bytes(), type=Evidence)
    assert event.evidence.scratch
    status = subprocess.run(
        [*DRILL, "--status", "--dir", str(d)], capture_output=True, text=True, check=False
    )
    assert status.returncode == 0, status.stderr
    assert "scratch demo, which does not count" in status.stdout


def test_e15_what_may_be_production_is_refused_until_its_name_is_typed(stack: Any) -> None:
    before, known = stack.status(), files(stack.d)
    for words in ((), ("--i-know", ""), ("--i-know", "staging"), ("--i-know", "PROD")):
        refused = stack.demo.cli("drill", *words)
        assert refused.returncode == 2, refused.stdout
        assert "This is prod, which may be production" in refused.stderr
    assert stack.status()["epoch"] == before["epoch"]
    assert files(stack.d) == known


def test_e15_a_failing_cell_is_named_and_the_exit_status_is_one(stack: Any) -> None:
    done = stack.demo.cli("drill", "--i-know", "prod", "--only", "healthy", "--within", "0.0001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED pause    healthy" in done.stdout
    assert "NOT PASSED: pause with healthy: the fence was up after" in done.stdout
    assert "NOT PASSED: pause and takeover and rollback with backend hung: not run" in done.stdout
    event = drilled(stack.d)[-1]
    assert [c.status for c in event.evidence.cells if c.fault == "healthy"][:2] == ["failed"] * 2
    assert stack.status()["mode"] == "agent", "it has given back"
    assert "drill of the stops in prod" in stack.demo.cli("status", "--json").stdout


def test_e15_a_dead_backend_is_started_as_it_is_told_and_the_canary_given_its_share(
    stack: Any,
) -> None:
    only = ("drill", "--i-know", "prod", "--only", "backend dead", *BUSY)
    unsaid = stack.demo.cli(*only, "--weight", "5")
    assert unsaid.returncode == 1
    assert "how it is started again is not said: --start-backend" in unsaid.stdout
    assert stack.backend.poll() is None, "so it was not killed"
    serve = shlex.join([sys.executable, "-m", "hatchway", "serve", "--dir", str(stack.d)])
    done = stack.demo.cli(*only, "--weight", "5", "--start-backend", serve, seconds=90)
    assert done.returncode == 1, "not whole: only one fault was asked for"
    for verb in STOPS:
        assert f"ok     {verb:8} backend dead" in done.stdout, done.stdout
    assert "healthy: not run" in done.stdout
    assert stack.backend.poll() is not None, "it was killed"
    os.kill(stack.demo.pid("backend"), signal.SIGKILL)
    stack.start_backend()


def test_e15_a_drill_that_is_killed_leaves_no_fault_and_says_what_it_left(stack: Any) -> None:
    known = len(drilled(stack.d))
    words = ("--i-know", "prod", "--only", "backend hung", *BUSY)
    process = subprocess.Popen(
        [*DRILL, *words, "--dir", str(stack.d)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = stack.backend.pid
    end = time.monotonic() + 60
    while process_state(pid) != "T" or stack.status()["mode"] != "paused":
        assert time.monotonic() < end, "the drill stops the backend, and pauses"
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert "shop is still PAUSED by" in err, "it is said at the terminal"
    stack.until(lambda: process_state(pid) in "RS", "the backend runs again")
    stack.until(lambda: len(drilled(stack.d)) > known, "it is recorded")
    found = drilled(stack.d)[-1].evidence
    assert found.ended == 0.0
    assert "still PAUSED" in found.left
    assert "still PAUSED" in files(stack.d)[-1].read_text()
    status = stack.status()
    assert status["mode"] == "paused", "control is given back by people only"
    assert status["reason"].startswith("drill "), "whoever looks sees where it comes from"
    stack.give_back()


def test_e15_ctrl_c_ends_it_orderly(stack: Any) -> None:
    known = len(drilled(stack.d))
    process = subprocess.Popen(
        [*DRILL, "--i-know", "prod", "--only", "healthy", *BUSY, "--dir", str(stack.d)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stack.until(lambda: len(files(stack.d)) > known, "it has begun")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, out + err
    assert "cut off" in err
    assert "Traceback" not in err
    stack.until(lambda: len(drilled(stack.d)) > known, "it is recorded")
    assert "it was cut off" in " ".join(stack.demo.cli("drill", "--status").stdout.split())
    stack.give_back()


def passing(environment: str) -> Evidence:
    cells = tuple(Cell(fault=f, stop=s, status="passed") for f in NEEDED_FAULTS for s in STOPS)
    now = time.time()
    return Evidence(
        drill="staging-1", environment=environment, service="shop", began=now - 60, ended=now,
        by="ana", cells=cells,
    )  # fmt: skip


def test_e15_an_overdue_drill_is_said_and_takes_autonomy_away(stack: Any, tmp_path: Path) -> None:
    restart_backend(stack, "drill_every: off", "drill_every: 30d")
    try:
        if stack.active():  # it may have learned to recommend only
            stack.stop("rollback")
            stack.give_back()
        stack.new_run()
        status = stack.demo.cli("drill", "--status")
        assert status.returncode == 1
        assert "OVERDUE" in status.stdout
        assert "Drill overdue, the agent only recommends" in stack.demo.cli("status").stdout
        docs = stack.demo.docs()
        assert "has ever passed" in docs["system"]["drill"]
        assert docs["drills"]["due"]
        assert docs["authority/shop"]["level"] == "recommends only: drill overdue"

        # What was drilled in staging is recorded here, and counts from then on.
        file = tmp_path / "evidence.json"
        file.write_bytes(msgspec.json.encode(passing("staging")))
        known = len(drilled(stack.d))
        for _ in range(2):  # the same evidence twice is one record
            recorded = stack.demo.cli("drill", "--record", str(file))
            assert recorded.returncode == 0, recorded.stderr
        assert len(drilled(stack.d)) == known + 1
        status = stack.demo.cli("drill", "--status")
        assert status.returncode == 0, status.stdout
        stack.until(lambda: not stack.demo.docs()["system"]["drill"], "the words are gone")
        assert stack.demo.docs()["authority/shop"]["level"] == "acts within policy"
        assert "Drill overdue" not in stack.demo.cli("status").stdout
    finally:
        restart_backend(stack, "drill_every: 30d", "drill_every: off")


@pytest.mark.parametrize("evidence", ["", "{}", '{"drill": 1}', "\ud800", "[" * 2000])
def test_e15_what_is_no_evidence_is_refused_with_a_reason(stack: Any, evidence: str) -> None:
    answer = stack.demo.ask(op="drill", id=os.urandom(4).hex(), evidence=evidence)
    assert not answer["ok"]
    assert answer["code"] in ("bad_evidence", "bad_request")
    assert answer["why"]
