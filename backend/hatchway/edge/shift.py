"""What happened since the last acknowledged hand-over, as the journal tells it.

It listens to the ledger, also while that replays, so that it is the same after a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from hatchway.core import events as ev
from hatchway.core.asks import clock_s
from hatchway.core.handover import acknowledged
from hatchway.core.state import State
from hatchway.edge.words import line_of
from hatchway.journal.port import Record

KEPT = 300


class Line(NamedTuple):
    """One thing that happened. `sort` is what it counts as."""

    seq: int
    at: float
    who: str
    text: str
    sort: str


SORTS = {
    "stop": ("stop", "stops"),
    "back": ("roll back", "roll backs"),
    "given": ("giving back", "givings back"),
    "run": ("run", "runs"),
    "promoted": ("promoted", "promoted"),
    "bad end": ("ended badly", "ended badly"),
    "answer": ("answer of a person", "answers of people"),
    "ask": ("asked of oncall", "asked of oncall"),
    "change": ("change not by Hatchway", "changes not by Hatchway"),
    "rule": ("change of the rules", "changes of the rules"),
    "untold": ("page that reached nobody", "pages that reached nobody"),
}


class Shift:
    """Belongs to the event loop; `take` listens to a ledger."""

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=KEPT)
        self.since = 0  # the record after which the shift began
        self.since_at = 0.0
        self.left_out = 0  # lines that are too many to be kept

    def take(self, record: Record, event: ev.Event | ev.Unknown, state: State) -> None:
        """Keep what a successor has to know of; begin anew when a hand-over is acknowledged."""
        if isinstance(event, ev.HandoverAcknowledged):
            began = acknowledged(state.handovers)
            if began is not None and began.id == event.handover:
                self._begin(began.seq, began.at)
        sort = _sort(event)
        if sort is None:
            return
        line = line_of(record, event)
        if line is not None:
            self.left_out += len(self.lines) == KEPT
            self.lines.append(Line(record.seq, record.at, line.who, line.text, sort))

    def _begin(self, seq: int, at: float) -> None:
        self.since, self.since_at, self.left_out = seq, at, 0
        kept = [line for line in self.lines if line.seq > seq]
        self.lines.clear()
        self.lines.extend(kept)

    @property
    def said(self) -> str:
        """For the first screen: since when, and what; empty when nothing happened."""
        since = f"since the hand-over {clock_s(self.since_at)}" if self.since else "so far"
        return f"{since}: {self.words}" if self.words else ""

    @property
    def words(self) -> str:
        """In a line: "3 stops, 1 roll back, 2 runs"; empty when nothing happened."""
        return counted(line.sort for line in self.lines)


def counted(sorts: Iterable[str]) -> str:
    """How many of each, in the order of SORTS."""
    found = list(sorts)
    parts = []
    for sort, (one, many) in SORTS.items():
        count = found.count(sort)
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return ", ".join(parts)


def _sort(event: ev.Event | ev.Unknown) -> str | None:
    """What an event counts as; empty for what is only told, None for what is left out."""
    match event:
        case ev.AuthorityChanged(op="adopted") | ev.PolicyChanged(was=""):
            return None
        case ev.AuthorityChanged(op="rollback"):
            return "back"
        case ev.AuthorityChanged(op="release" | "readmit"):
            return "given"
        case ev.AuthorityChanged():
            return "stop"
        case ev.RunStarted():
            return "run"
        case ev.RunEnded():
            return "promoted" if event.outcome == "promoted" else "bad end"
        case ev.ItemClosed(status="accepted" | "rejected"):
            return "answer"
        case ev.OncallAsked():
            return "ask"
        case ev.TargetChanged():
            return "change"
        case ev.PolicyChanged() | ev.PolicyRefused():
            return "rule"
        case ev.NoticeFailed():
            return "untold"
        case ev.ProposalMade(capability="rollback" | "page") | ev.VerdictChanged(word="REGRESS"):
            return ""
        case ev.RunHeld() | ev.ResidueFound() | ev.ResidueAccepted() | ev.RollbackConfirmed():
            return ""
        case ev.QuarantineLifted() | ev.ExpectationDeclared() | ev.ExpectationWithdrawn():
            return ""
        case ev.BreakerOpened() | ev.BreakerClosed() | ev.TargetRestored() | ev.FreezeChanged():
            return ""
        case ev.AskDeclined() | ev.DrillRecorded() | ev.RunReviewed() | ev.HandedOver():
            return ""
        case _:
            return None
