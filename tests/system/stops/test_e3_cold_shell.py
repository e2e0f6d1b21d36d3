"""E3 and E16: a shell, the governor and nothing else; and afterwards the journal has all of it."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from hatchway.core import events as ev
from hatchway.journal.chain import Verified, verify
from hatchway.journal.sqlite_file import scan

HATCHWAY = (sys.executable, "-m", "hatchway")
OWN_MS = 150.0
EFFECT_S = 1.5
BUSY = 4.0
"""How much longer a machine may take that runs other tests too."""


def own_time(argv: list[str]) -> tuple[int, float]:
    """Run it: exit status, and milliseconds of processor time of its own."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, (used.ru_utime + used.ru_stime) * 1000


def lose_the_backend(stack: Any) -> None:
    stack.kill(stack.backend)
    for file in stack.d.glob("journal.db*"):
        file.unlink()


def test_e3_with_the_backend_dead_and_the_database_deleted_stops_work(
    stack: Any, bar: Callable[..., None]
) -> None:
    assert stack.status()["capsule"], "armed before the first share"
    lose_the_backend(stack)
    there = stack.target()
    took = []
    for _ in range(5):
        argv = [*HATCHWAY, "pause", "shop", "--reason", "cold", "--dir", str(stack.d)]
        status, own = own_time(argv)
        assert status == 0
        took.append(own)
    assert stack.status()["mode"] == "paused"
    assert stack.target() == there
    bar("E3 pause", f"{min(took):.0f} ms of own time (best of 5)", f"{OWN_MS:.0f} ms")
    assert min(took) < OWN_MS * BUSY

    rolled = stack.stop("rollback", "--direct")
    assert rolled.status == 0, rolled.words
    assert rolled.answer["done"], rolled.answer
    assert rolled.answer["via"] == "direct"
    assert stack.target()["weights"] == {"stable": 100, "canary": 0}
    bar("E3 rollback effect", f"{rolled.effect * 1000:.0f} ms", f"{EFFECT_S * 1000:.0f} ms")
    assert rolled.effect < EFFECT_S * BUSY
    assert not (stack.d / "journal.db").exists(), "nobody needed a journal"


def test_e16_direct_stops_are_spooled_with_who_and_where_and_merged_into_the_chain(
    stack: Any, terminal: Callable[..., Any]
) -> None:
    if stack.backend.poll() is None:
        stack.kill(stack.backend)
    before = stack.status()
    screen = terminal(
        *HATCHWAY, "takeover", "shop", "--direct", "--reason", "at the console", "--dir", str(stack.d)
    )  # fmt: skip
    screen.until("TAKEN OVER")
    assert screen.ended() == 0
    # On disk at the acknowledgement: the governor dies at once and has it all the same.
    stack.kill(stack.governor_process)
    stack.start_governor()
    status = stack.status()
    assert (status["mode"], status["epoch"]) == ("person", before["epoch"] + 1)
    (entry,) = stack.spool(before["spool_seq"])
    assert entry["uid"] == os.getuid()
    assert entry["by"] == pwd.getpwuid(os.getuid()).pw_name
    assert entry["tty"].startswith("/dev/")
    assert entry["reason"] == "at the console"
    assert entry["direct"] is True
    assert time.time() - entry["at"] < 120

    # The journal is new, or older than the stop: the higher epoch is adopted, the line is merged.
    stack.start_backend()
    stack.until(stack.healthy, "the backend has adopted the governor's epoch")
    assert stack.demo.docs()["authority/shop"]["epoch"] == status["epoch"]
    stack.until(lambda: stack.journaled("at the console"), "the line is merged")
    (event,) = stack.journaled("at the console")
    assert (event.op, event.uid, event.direct) == ("takeover", os.getuid(), True)
    assert event.spool == entry["seq"]
    seen = [e.spool for e in stack.journal() if isinstance(e, ev.AuthorityChanged) and e.command]
    assert len(seen) == len(set(seen)), "no line of the spool is in the journal twice"
    assert isinstance(verify(scan(stack.d / "journal.db")), Verified)
