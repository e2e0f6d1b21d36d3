"""People can always take the wheel: with the backend alive, dead, hung, or without rights."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Start = Callable[..., Any]
QUICK = str(Path(__file__).parent / "quick.yaml")
MANUAL = ("--pipeline", QUICK, "--approve", "manual", "--mode", "act", "--keep")


def at_canary(start_demo: Start, *options: str) -> Any:
    demo = start_demo(*MANUAL, *options)
    demo.approve()
    demo.until_weight(5)
    return demo


def test_a_pause_through_the_backend_changes_neither_weight_nor_version(start_demo: Start) -> None:
    demo = at_canary(start_demo)
    said = demo.cli("pause", "--reason", "looking")
    assert said.returncode == 0, said.stderr
    assert "PAUSED" in said.stdout
    assert demo.governor()["mode"] == "paused"
    demo.until(lambda d: d.docs()["authority/shop"]["mode"] == "paused", 5, "paused in the view")
    assert demo.governor()["observed"]["canary"] == 5
    assert demo.run_doc()["status"] == "paused"

    refused = demo.cli("resume", "--reason", "")
    assert refused.returncode != 0, "giving back needs a reason"
    given = demo.cli("resume", "--reason", "it was nothing")
    assert given.returncode == 0, given.stderr
    demo.until(lambda d: d.docs()["authority/shop"]["mode"] == "agent", 5, "given back")
    assert demo.run_doc()["mode"] == "recommend", "the agent resumes by recommending"


def test_with_the_backend_dead_pause_and_rollback_work_and_are_journaled_later(
    start_demo: Start,
) -> None:
    demo = at_canary(start_demo)
    os.kill(demo.pid("backend"), signal.SIGKILL)
    paused = demo.cli("pause", "--reason", "backend is dead")
    assert paused.returncode == 0, paused.stderr
    assert "direct" in paused.stdout
    rolled = demo.cli("rollback", "--reason", "better safe")
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    assert demo.governor()["observed"]["canary"] == 0
    assert "silent" in demo.cli("status", "--plain").stdout

    demo.serve()
    run, lines = demo.ended()
    assert run.outcome == "rolled_back"
    assert any("backend is dead" in line and "direct" in line for line in lines), lines
    assert any("better safe" in line for line in lines), lines


def test_a_hung_backend_stands_in_nobodys_way(start_demo: Start) -> None:
    demo = at_canary(start_demo)
    pid = demo.pid("backend")
    os.kill(pid, signal.SIGSTOP)
    try:
        taken = demo.cli("takeover", "--reason", "hung")
        assert taken.returncode == 0, taken.stderr
        assert demo.governor()["mode"] == "person"
    finally:
        os.kill(pid, signal.SIGCONT)
    demo.until(
        lambda d: d.docs()["authority/shop"]["mode"] == "person", 10, "it learns who took over"
    )
    weight = demo.governor()["observed"]["canary"]
    assert weight == 5


def test_a_killed_backend_keeps_the_approval_and_goes_on_where_it_was(start_demo: Start) -> None:
    demo = start_demo(*MANUAL)

    def waiting(d: Any) -> Any:
        return d.docs()["needs-you"]["items"][0]

    before = demo.until(waiting, 120, "an approval is asked for")
    os.kill(demo.pid("backend"), signal.SIGKILL)
    demo.serve()
    after = demo.until(waiting, 30, "it is still asked for")
    assert after == before
    assert demo.approve() == before["id"]
    demo.until_weight(5)
    os.kill(demo.pid("backend"), signal.SIGKILL)
    demo.serve()
    demo.until(lambda d: d.run_doc()["weight"] == 5, 30, "the weight as the target has it")
    assert demo.governor()["desired"]["canary"] == 5


def test_a_viewer_is_refused_by_the_server_not_only_by_the_screen(start_demo: Start) -> None:
    demo = at_canary(start_demo)
    config = demo.d / "config" / "hatchway.yaml"
    text = config.read_text()
    assert "everyone: [operator, approver]" in text
    config.write_text(text.replace("everyone: [operator, approver]", "everyone: [viewer]"))
    os.kill(demo.pid("backend"), signal.SIGTERM)
    demo.until(lambda d: not (d.d / "backend.pid").exists(), 10, "the backend stopped")
    demo.serve()
    demo.until(lambda d: d.docs(), 20, "a new backend")
    for op in ("pause", "takeover", "rollback", "release", "accept"):
        answer = demo.ask(op=op, id=f"viewer-{op}", reason="x", item="x")
        assert answer["ok"] is False
        assert answer["code"] == "not_allowed", answer
    assert demo.governor()["mode"] == "agent"
    said = demo.cli("pause")
    assert said.returncode == 1, "a refusal for want of rights is not tried again directly"


def test_the_same_command_twice_is_done_once_and_answered_alike(start_demo: Start) -> None:
    demo = at_canary(start_demo)
    first = demo.ask(op="pause", id="one", reason="x")
    second = demo.ask(op="pause", id="one", reason="x")
    assert first == second
    epoch = demo.governor()["epoch"]
    os.kill(demo.pid("backend"), signal.SIGKILL)
    demo.serve()
    demo.until(lambda d: d.docs(), 20, "a new backend")
    assert demo.ask(op="pause", id="one", reason="x") == first
    assert demo.governor()["epoch"] == epoch
