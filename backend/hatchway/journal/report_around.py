"""What stands around a run in its report: rules, the way back, reviews, and the agent's score. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from msgspec.structs import replace

from hatchway.core import events as ev
from hatchway.core.record import of_run
from hatchway.journal.account import BackOut, Line, Report, Score
from hatchway.journal.port import Record

_TICKET = re.compile(r"(?<![\w/])(?:[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}|#[1-9][0-9]{0,8})(?!\w)")
_EMERGENCY = ("rollback", "takeover", "stop_all", "dead-man")
Z = 1.959964
"""Of the normal distribution, for bounds that hold in 95 of 100 cases."""


def add(made: Report, record: Record, event: ev.Event) -> bool:
    """Take an event that is about what stands around the run; False when it is not."""
    at = Line(seq=record.seq, at=record.at, by=record.actor, what="", why="")
    match event:
        case ev.TargetChanged():
            what = f"{event.what} of {event.service} was {event.found}, {event.wanted} was wanted"
            made.unattributed.append(replace(at, what=what, why=event.why))
        case ev.TargetRestored():
            what = f"{event.what} of {event.service} is as wanted again"
            why = f"after {event.seconds:.0f} s"
            made.unattributed.append(replace(at, what=what, why=why))
        case ev.CapsuleArmed():
            way = "a capsule with the way back was put at the governor"
            _used(made, replace(at, what=way, why=f"checksum {event.checksum[:16]}"))
        case ev.ResidueFound():
            _used(made, replace(at, what="RESIDUE after going back", why="; ".join(event.left)))
        case ev.RollbackConfirmed():
            _used(made, replace(at, what="going back is DONE", why="; ".join(event.seen)))
        case ev.ResidueAccepted():
            why = f"{event.reason} ({'; '.join(event.left)})"
            _used(made, replace(at, by=event.by, what="what was left is accepted", why=why))
        case ev.RunReviewed():
            made.reviews.append(replace(at, by=event.by, what=_reviewed(event), why=event.reason))
        case ev.ApprovalVoided():
            what = f"the yes to {event.item} is void"
            made.rules.append(replace(at, what=what, why=event.why))
        case ev.TermsChanged():
            what = "what a yes depends on has changed"
            made.rules.append(replace(at, what=what, why=f"policy {event.policy[:12]}"))
        case ev.FleetAttested():
            why = f"{event.instances} instances say so"
            made.rules.append(replace(at, what=f"the canary runs {event.version}", why=why))
        case _:
            return _of_service(made, at, event)
    return True


def _reviewed(event: ev.RunReviewed) -> str:
    return f"reviewed, the agent was {event.verdict}" if event.verdict else "reviewed"


def _of_service(made: Report, at: Line, event: ev.Event) -> bool:
    match event:
        case ev.QuarantineLifted():
            what, why = f"quarantine of {event.commit[:9]} lifted", event.reason
        case ev.ExpectationDeclared():
            what = f"{event.metric} was expected to be up to {event.at_most:g}"
            why = f"{event.reason} (ticket {event.ticket or 'none'})"
        case ev.ExpectationWithdrawn():
            what, why = f"{event.expectation} withdrawn", event.reason
        case ev.BreakerOpened():
            what, why = "the breaker opened: the agent only recommends", event.why
        case ev.BreakerClosed():
            what, why = "the breaker was closed", event.reason
        case _:
            return False
    made.rules.append(replace(at, by=getattr(event, "by", at.by), what=what, why=why))
    return True


def _used(made: Report, line: Line) -> None:
    made.back_out = replace(made.back_out, used=(*made.back_out.used, line))


def plan_back(event: ev.ReleaseRequested) -> BackOut:
    """What was known of the way back when the release was asked for."""
    if event.undo is None:
        return BackOut(safe="nobody looked")
    return BackOut(
        safe=event.undo.words,
        reasons=tuple(f"[{r.sign}] {r.text}" for r in event.undo.reasons),
        stays=event.undo.residue,
    )


def finish(made: Report) -> None:
    """What can be said only after the last record."""
    texts = [*(change.title for change in made.changes), *(line.why for line in made.rules)]
    found = (ticket for text in texts for ticket in _TICKET.findall(text))
    made.tickets = tuple(dict.fromkeys(found))
    made.emergencies = tuple(
        f"{stop.op} by {stop.by or 'nobody named'} (record {stop.seq})"
        for stop in made.stops
        if stop.op in _EMERGENCY or stop.direct
    )


def score(told: Iterable[tuple[int, ev.Event | ev.Unknown]]) -> Score:
    """How the agent's decisions in a run turned out, as far as the journal knows: core/record.py."""
    scores = of_run(told).scores.values()
    right, wrong = sum(s.right for s in scores), sum(s.wrong for s in scores)
    harmful, unknown = sum(s.harmful for s in scores), sum(s.unknown for s in scores)
    low, high = bounds(right, right + wrong + harmful)
    return Score(right=right, wrong=wrong, harmful=harmful, unknown=unknown, low=low, high=high)


def bounds(right: int, of: int) -> tuple[float, float]:
    """Wilson's bounds of a share: 0 and 1 when nothing is known."""
    if of == 0:
        return 0.0, 1.0
    share, square = right / of, Z * Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)
