"""E7: a stop that was acknowledged holds, whatever is killed, reloaded or put back from a backup."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def kill_and_start(stack: Any, *, governor: bool, backend: bool, between: Any = None) -> None:
    if governor:
        stack.kill(stack.governor_process)
    if backend:
        stack.kill(stack.backend)
    if between is not None:
        between()
    if governor:
        stack.start_governor()
    if backend:
        stack.start_backend()


def still_held(stack: Any, mode: str, why: str) -> None:
    """Governor and backend say so, and the governor refuses the agent and the system."""
    stack.until(stack.healthy, f"{why}: all is well")
    status = stack.status()
    assert status["mode"] == mode, why
    assert stack.demo.docs()["authority/shop"]["mode"] == mode, why
    for kind in ("agent", "system"):
        refused = stack.demo.ask(
            "governor.sock", op="apply", epoch=status["epoch"], key=f"e7-{why}-{kind}", canary=50,
            by={"kind": kind, "name": kind},
        )  # fmt: skip
        assert refused["code"] in ("held", "agent_may_not_write"), why
    assert stack.status()["observed"]["canary"] <= 5, why


KILLS: dict[str, Callable[[Any], None]] = {
    "the backend": lambda s: kill_and_start(s, governor=False, backend=True),
    "the governor": lambda s: kill_and_start(s, governor=True, backend=False),
    "both": lambda s: kill_and_start(s, governor=True, backend=True),
}


@pytest.mark.parametrize("verb", ["pause", "takeover", "rollback"])
def test_e7_kill_9_after_the_acknowledgement_changes_nothing(stack: Any, verb: str) -> None:
    mode = "person" if verb == "takeover" else "paused"
    stack.give_back()
    stack.set_weight()
    assert not stack.stop(verb).refused
    epoch = stack.status()["epoch"]
    for what, kill in KILLS.items():
        kill(stack)
        still_held(stack, mode, f"{verb}, {what} killed")
        assert stack.status()["epoch"] == epoch
    stack.give_back()


def test_e7_another_configuration_and_another_agent_change_nothing(stack: Any) -> None:
    stack.give_back()
    assert not stack.stop("pause").refused
    policy = stack.d / "config" / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("automatic_rollbacks_below: 1", "automatic_rollbacks_below: 2"))
    stack.kill(stack.backend)
    stack.start_backend(sick=False)  # another agent: the one that is shipped
    still_held(stack, "paused", "another policy and another agent")
    policy.write_text(text)
    kill_and_start(stack, governor=False, backend=True)
    still_held(stack, "paused", "the old ones again")
    stack.give_back()


def copy_of_journal(d: Path, to: Path) -> None:
    source, target = sqlite3.connect(d / "journal.db"), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


@pytest.mark.parametrize(
    "lost", ["journal", "governor's state", "governor's disk", "all of the governor"]
)
def test_e7_a_backup_that_is_put_back_does_not_give_control_back(
    stack: Any, tmp_path: Path, lost: str
) -> None:
    stack.give_back()
    stack.until(stack.healthy, "all is well before")
    copy_of_journal(stack.d, tmp_path / "journal.db")
    shutil.copytree(stack.d / "governor", tmp_path / "governor")
    assert not stack.stop("pause").refused
    stack.until(stack.healthy, "the journal has it")

    def put_back() -> None:
        match lost:
            case "journal":
                for old in stack.d.glob("journal.db*"):
                    old.unlink()
                shutil.copy(tmp_path / "journal.db", stack.d / "journal.db")
            case "governor's state":
                shutil.copy(tmp_path / "governor" / "state.json", stack.d / "governor")
            case "governor's disk":
                shutil.rmtree(stack.d / "governor")
                shutil.copytree(tmp_path / "governor", stack.d / "governor")
            case _:
                shutil.rmtree(stack.d / "governor")

    kill_and_start(stack, governor=True, backend=True, between=put_back)
    stack.until(lambda: stack.status()["mode"] == "paused", f"{lost}: held")
    still_held(stack, "paused", lost)
    if lost.endswith("governor") or lost.endswith("disk"):
        assert "nobody gave it back" in stack.status()["reason"]
    stack.give_back()
