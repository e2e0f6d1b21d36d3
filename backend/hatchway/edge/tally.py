"""What is counted from the journal's events: decisions, verdicts, rollbacks and how they ended.

The backend replays its journal when it starts, so these counts are since the journal began and go
on over a restart as if there had been none.
"""

from __future__ import annotations

from collections import Counter

from hatchway.core import events as ev
from hatchway.core.state import State
from hatchway.edge.durations import Durations
from hatchway.journal.port import Record

ROLLBACK_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)

DEAD_MAN = "dead-man"
"""Who pauses at the governor when the backend is silent."""

AUTHORITY_OPS = (
    "pause",
    "takeover",
    "rollback",
    "stop_all",
    "release",
    "readmit",
    "dead_man",
    "adopted",
    "other",
)
ROLLBACK_KINDS = ("agent", "person", "governor")
EFFECT_STATUS = ("intended", "verified", "diverged", "fenced")


class Tally:
    """Counts by what they are about. Belongs to the event loop; `take` listens to a ledger."""

    def __init__(self) -> None:
        self.decisions: Counter[tuple[str, str]] = Counter()  # capability, answer
        self.verdicts: Counter[str] = Counter()  # word
        self.holds: Counter[str] = Counter()  # cause
        self.effects: Counter[str] = Counter()  # status
        self.runs: Counter[tuple[str, str]] = Counter()  # service, outcome
        self.authority: Counter[tuple[str, str]] = Counter()  # service, op
        self.rollbacks: Counter[str] = Counter()  # kind
        self.rollback_seconds = Durations(ROLLBACK_BOUNDS_S)
        self.rolling_back: dict[str, float] = {}  # by run: since when weight 0 is wanted
        self.active: dict[str, None] = {}  # runs that have not ended, oldest first

    def take(self, record: Record, event: ev.Event | ev.Unknown, state: State) -> None:
        """Count an event; `state` is the one after it."""
        match event:
            case ev.ProposalMade():
                self.decisions[event.capability, event.answer] += 1
            case ev.VerdictChanged():
                self.verdicts[event.word] += 1
            case ev.RunHeld():
                self.holds[event.cause] += 1
            case ev.EffectIntended() | ev.EffectVerified() | ev.EffectDiverged():
                self.effects[ev.kind_of(event).partition(".")[2]] += 1
                self._moved(event, record.at)
            case ev.EffectFenced():
                self.effects["fenced"] += 1
                self._fenced(event, state)
            case ev.AuthorityChanged():
                self.authority[event.service, op_of(event)] += 1
                self._ordered(event, state)
            case ev.RunStarted():
                self.active[event.run] = None
            case ev.RunEnded():
                self.rolling_back.pop(event.run, None)
                self.active.pop(event.run, None)
                run = state.runs.get(event.run)
                if run is not None:
                    self.runs[run.service, event.outcome] += 1

    def _moved(
        self, event: ev.EffectIntended | ev.EffectVerified | ev.EffectDiverged, at: float
    ) -> None:
        match event:
            case ev.EffectIntended() if event.weight == 0 and event.run not in self.rolling_back:
                self.rolling_back[event.run] = at
                self.rollbacks["agent" if event.by.kind == "agent" else "person"] += 1
            case ev.EffectVerified() if event.observed == 0:
                began = self.rolling_back.pop(event.run, None)
                if began is not None:
                    self.rollback_seconds.observe(max(0.0, at - began))

    def _fenced(self, event: ev.EffectFenced, state: State) -> None:
        """A rollback that the governor refused is not under way, unless a person made it there."""
        run = state.runs.get(event.run)
        effect = run.effects.get(event.key) if run is not None else None
        if run is not None and effect is not None and effect.weight == 0 and not run.rollback_from:
            self.rolling_back.pop(event.run, None)

    def _ordered(self, event: ev.AuthorityChanged, state: State) -> None:
        """A person rolled back: through the backend, or at the governor itself."""
        if event.op != "rollback":
            return
        by_hand = event.by != DEAD_MAN and not event.direct
        self.rollbacks["person" if by_hand else "governor"] += 1
        run = state.active_run(event.service)
        if run is not None and run.rollback_from == event.spool:
            self.rolling_back.setdefault(run.id, event.at)


def op_of(event: ev.AuthorityChanged) -> str:
    """What was done to the authority, as one of AUTHORITY_OPS."""
    if event.by == DEAD_MAN:
        return "dead_man"
    return event.op if event.op in AUTHORITY_OPS else "other"
