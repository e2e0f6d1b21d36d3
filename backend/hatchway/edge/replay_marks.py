"""Which records of a run matter to whoever plays it back, and which of them fit on a time bar. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hatchway.core import events as ev
from hatchway.edge.docs.replay import Mark
from hatchway.edge.protocol import Tone
from hatchway.edge.words import line_of
from hatchway.journal.port import Record

COLUMNS = 300
"""So many marks at most are shown of one run: more than any terminal has columns."""

_WORTH = "SRVHADW"  # where two marks share a column, the one that comes first here is shown


def mark_of(record: Record, event: ev.Event | ev.Unknown) -> Mark | None:
    """The mark of a record, or None when it does not matter by itself."""
    kind = _kind(event)
    if kind is None:
        return None
    return Mark(record.seq, record.at, kind, _tone(record, event))


def _kind(event: ev.Event | ev.Unknown) -> str | None:
    match event:
        case ev.VerdictChanged():
            return "V"
        case ev.ProposalMade():
            return "D"
        case ev.EffectVerified() | ev.EffectDiverged() | ev.EffectFenced():
            return "W"
        case ev.RunHeld() | ev.RunResumed():
            return "H"
        case ev.ItemOpened(type="approval") | ev.ItemClosed() | ev.ApprovalVoided():
            return "A"
        case ev.AuthorityChanged():
            return "S"
        case ev.RunStarted() | ev.RunEnded() | ev.ReleaseRequested() | ev.RunReviewed():
            return "R"
        case ev.StageEnded(status="failed" | "cancelled"):
            return "R"
        case ev.ResidueFound() | ev.RollbackConfirmed() | ev.ResidueAccepted():
            return "R"
        case ev.QuarantineLifted() | ev.ExpectationDeclared() | ev.ExpectationWithdrawn():
            return "R"
        case ev.BreakerOpened() | ev.BreakerClosed() | ev.TargetChanged() | ev.TargetRestored():
            return "R"
        case _:
            return None


def _tone(record: Record, event: ev.Event | ev.Unknown) -> Tone:
    line = line_of(record, event)
    return line.tone if line is not None else "plain"


def thinned(marks: Sequence[Mark], columns: int = COLUMNS) -> tuple[Mark, ...]:
    """At most `columns` marks, spread over the time that all of them take; the gravest stay."""
    if len(marks) <= columns:
        return tuple(marks)
    began, whole = marks[0].at, max(marks[-1].at - marks[0].at, 1e-9)
    best: dict[int, Mark] = {}
    for mark in marks:
        column = min(int((mark.at - began) / whole * columns), columns - 1)
        known = best.get(column)
        if known is None or _WORTH.index(mark.kind) < _WORTH.index(known.kind):
            best[column] = mark
    return tuple(best[column] for column in sorted(best))
