"""What `hatchway drill` says: a line for each cell, the outcome, and when the last one was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import to_builtins

from hatchway.core import events as ev
from hatchway.core.drills import (
    OFF,
    Cell,
    Drill,
    Evidence,
    as_drill,
    newest,
    overdue,
    why_not_passed,
    with_drill,
)
from hatchway.core.state import State
from hatchway.journal.sqlite_file import scan
from hatchway.journal.sqlite_sealed import base_in


def cell_line(cell: Cell) -> str:
    """A cell that was run."""
    word = "ok" if cell.status == "passed" else "FAILED"
    line = f"{word:6} {cell.stop:8} {cell.fault:15}"
    for name, seconds in (("fence", cell.fence_s), ("effect", cell.effect_s)):
        line += f"  {name} {'never' if seconds is None else f'{seconds * 1000:.0f} ms'}"
    return f"{line}  {cell.why}".rstrip()


def summary(evidence: Evidence, path: Path, seq: int, unrecorded: str) -> list[str]:
    """The end of a drill."""
    ran = [c for c in evidence.cells if c.status != "not_run"]
    left_out: dict[str, list[str]] = {}
    for cell in evidence.cells:
        if cell.status == "not_run":
            left_out.setdefault(f"{cell.fault}: {cell.why}", []).append(cell.stop)
    lines = [f"not run: {' and '.join(stops)} with {what}" for what, stops in left_out.items()]
    why = why_not_passed(evidence)
    if why:
        lines += [f"NOT PASSED: {each}" for each in why]
    else:
        worst = max((c.fence_s or 0.0 for c in ran), default=0.0)
        lines.append(f"PASSED: {len(ran)} stops, the slowest fence up after {worst * 1000:.0f} ms.")
    if evidence.scratch:
        lines.append("This was a scratch demo: it does not count for any of your own targets.")
    where = f"#{seq} in the journal" if not unrecorded else f"NOT in the journal: {unrecorded}"
    if unrecorded:
        where += f" (hatchway drill --record {path})"
    return [*lines, f"evidence: {path}, {where}"]


def known_drills(directory: Path) -> dict[str, Drill]:
    """The drills in an installation's journal; it need not be running. Raises JournalError."""
    journal = directory / "journal.db"
    base = base_in(journal)  # of a drill in a sealed record it is all that is left here
    drills = dict(msgspec.json.decode(base.state, type=State).drills) if base else {}
    for record in scan(journal, base.seq if base else 0):
        if record.kind == "drill.recorded":
            event = ev.decode(record.kind, record.payload)
            if isinstance(event, ev.DrillRecorded):
                drills = with_drill(drills, as_drill(event.evidence, record.at))
    return drills


def status_lines(
    drills: Mapping[str, Drill], every_s: float, now: float
) -> tuple[list[str], dict[str, Any]]:
    """The newest drill of each environment, and whether one is due: as lines, and as a document."""
    due = overdue(drills, every_s, now)
    lines = [_line(drill, now) for drill in newest(drills)]
    if due:
        lines.append(f"OVERDUE: {due}. Until one has passed, `act` counts as `recommend`.")
    elif every_s == OFF:
        lines.append("drill_every is off: nobody is reminded, and nothing depends on a drill.")
    else:
        lines.append(f"One is due every {every_s / 86400:g} days: not now.")
    found = [to_builtins(drill) for drill in newest(drills)]
    return lines, {"due": due, "every_s": every_s, "drills": found}


def _line(drill: Drill, now: float) -> str:
    at = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(drill.at))
    age = f"{(now - drill.at) / 86400:.0f} days ago"
    word = "passed" if drill.passed else f"NOT passed: {'; '.join(drill.why_not)}"
    scratch = " (a scratch demo, which does not count)" if drill.scratch else ""
    return f"{drill.environment}{scratch}: {at}, {age}, by {drill.by}: {word}"
