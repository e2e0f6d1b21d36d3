"""The journal cannot write: what removes risk is done all the same, and is in it afterwards."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hatchway.core import events as ev
from hatchway.demo.summary import Reader
from hatchway.journal.chain import Verified, verify
from hatchway.journal.sqlite_file import scan

QUICK = str(Path(__file__).parent / "quick.yaml")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody holds a write lock on the database and does not let go."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def test_the_agent_and_people_get_back_with_the_journal_locked(
    start_demo: Callable[..., Any],
) -> None:
    # With this much traffic the evidence does not hang on a few requests.
    demo = start_demo(
        "--pipeline", QUICK, "--approve", "manual", "--mode", "act", "--keep", "--rate", "300"
    )
    demo.approve()
    demo.until_weight(5)
    with locked(demo.d / "journal.db"):
        assert demo.cli("fault", "errors", "on").returncode == 0
        demo.until_weight(0, 90)
        demo.until(lambda d: d.docs()["system"]["journal_trouble"], 10, "the trouble is said")
        paused = demo.cli("pause", "--reason", "the journal is locked")
        assert paused.returncode == 0, paused.stdout + paused.stderr
        assert demo.governor()["mode"] == "paused"
    run, lines = demo.ended()
    assert run.outcome == "rolled_back"
    assert any("the journal is locked" in line for line in lines), lines
    assert isinstance(verify(scan(demo.d / "journal.db")), Verified)
    events = [h.event for h in Reader().read(scan(demo.d / "journal.db"))]
    back = [e for e in events if isinstance(e, ev.EffectIntended) and e.weight == 0]
    assert [(e.key, e.by.kind) for e in back] == [("run-1.rollback.1", "agent")]
