"""A drill's evidence at the desk: read, put into the journal once, and told to dashboards."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from hatchway.core.drills import Drill, Evidence, newest, overdue
from hatchway.core.events import DrillRecorded
from hatchway.core.state import State
from hatchway.edge import protocol as p

LATEST_S = 60.0
"""How far ahead of this clock a drill may be dated: clocks of two machines differ a little."""


class BadEvidence(Exception):
    """It cannot be recorded; the message says why."""


def recorded(evidence: str, now: float) -> DrillRecorded:
    """The event for a drill's file, of which `evidence` is the text. Raises BadEvidence."""
    data = evidence.encode("utf-8", "replace")
    try:
        found = msgspec.json.decode(data, type=Evidence)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadEvidence(f"this is not the evidence of a drill: {error}") from None
    if not (found.drill and found.environment and found.service):
        raise BadEvidence("a drill has a name, an environment and a service")
    if max(found.began, found.ended) > now + LATEST_S:
        raise BadEvidence("this drill is dated in the future; is the clock right?")
    return DrillRecorded(evidence=found, digest=sha256(data).hexdigest())


def drills_doc(state: State, every_s: float, now: float) -> p.DrillsDoc:
    """The newest drill of each environment, and whether one is due."""
    due = overdue(state.drills, every_s, now)
    return p.DrillsDoc(due=due, every_s=every_s, drills=tuple(map(_doc, newest(state.drills))))


def _doc(drill: Drill) -> p.DrillDoc:
    return p.DrillDoc(
        environment=drill.environment,
        at=drill.at,
        by=drill.by,
        passed=drill.passed,
        scratch=drill.scratch,
        why=drill.why_not,
        not_run=drill.not_run,
    )
