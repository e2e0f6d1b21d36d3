"""Act first, log after, when risk is removed: a rollback while the journal cannot write.

What would be journaled is worked out on a copy of the state. If a rollback is permitted there, it
goes to the governor under the very key that it will have in the journal, so it is done once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.weights import Weights
from hatchway.core import events as ev
from hatchway.core.actions import Record
from hatchway.core.canary import overtaken
from hatchway.core.evolve import evolve
from hatchway.core.next import next_actions
from hatchway.core.state import Effect, State
from hatchway.targets.port import NotApplied

log = logging.getLogger("hatchway.conductor")

Decide = Callable[[State], Sequence[ev.Event]]
Entry = tuple[str, Decide]  # who, what they would journal
OVERTAKEN = frozenset({"fenced", "held"})
ROUNDS = 10  # of records that may lie between a permission and the rollback


class ActFirst:
    """Rolls back ahead of the journal, and owes it what was done until it takes it."""

    def __init__(
        self,
        ledger: Ledger,
        weights: Weights,
        clock: Callable[[], float],
        overtake: Callable[[str], Awaitable[None]],
    ) -> None:
        """`overtake(run)` returns when no raise of that run is under way any more."""
        self._ledger = ledger
        self._weights = weights
        self._clock = clock
        self._overtake = overtake
        self._owed: dict[str, tuple[tuple[Entry, ...], ev.EffectIntended]] = {}

    def owes(self, run_id: str) -> bool:
        """Whether a rollback of this run was done that is not in the journal."""
        return run_id in self._owed

    async def roll_back(self, run_id: str, entries: Sequence[Entry]) -> bool:
        """Roll back now if the state, with what `entries` would journal, permits it. TargetError."""
        if run_id in self._owed:
            return False
        intended = rollback_due(self._ledger.state, run_id, entries, self._clock())
        if intended is None:
            return False
        effect = Effect(
            key=intended.key,
            step=intended.step,
            weight=0,
            epoch=intended.epoch,
            by=intended.by,
            reason=intended.reason,
        )
        # From here on nothing else is begun for this run until the journal has caught up.
        self._owed[run_id] = tuple(entries), intended
        done = owed = False
        try:
            await self._overtake(run_id)
            answer = await self._weights.send(self._ledger.state.runs[run_id], effect)
            done = not isinstance(answer, NotApplied)
            if isinstance(answer, NotApplied):
                log.error("run %s is not rolled back: %s", run_id, answer.why)
                # A stop overtook it, perhaps half way: the journal is owed that it was begun.
                owed = answer.code in OVERTAKEN
        finally:
            if not (done or owed):
                self._owed.pop(run_id, None)
        if done:
            log.warning("run %s rolled back ahead of the journal, which cannot write", run_id)
        return done

    async def settle(self, run_id: str) -> None:
        """Journal what was done. JournalError while that still cannot be."""
        entries, intended = self._owed[run_id]

        def due(state: State) -> bool:
            run = state.runs[run_id]
            return run.active and intended.key not in run.effects

        for actor, decide in entries:
            await self._ledger.record(lambda s, d=decide: d(s) if due(s) else (), actor=actor)  # type: ignore[misc]

        def late(state: State) -> tuple[ev.Event, ...]:
            effects = list(state.runs[run_id].effects.values())
            before = overtaken(state.runs[run_id], effects[-1] if effects else None)
            return (*before, intended) if due(state) else ()

        await self._ledger.record(late, actor=intended.by.name, epoch=intended.epoch)
        self._owed.pop(run_id, None)


def rollback_due(
    state: State, run_id: str, entries: Sequence[Entry], now: float
) -> ev.EffectIntended | None:
    """The rollback that `run_id` would come to once `entries` were journaled. Pure."""
    for _, decide in entries:
        state = _fold(state, decide(state), now)
    for _ in range(ROUNDS):
        actions = next_actions(state, state.runs[run_id], now)
        events = [e for a in actions if isinstance(a, Record) for e in a.events]
        for event in events:
            if isinstance(event, ev.EffectIntended):
                return event if event.weight == 0 else None
        if not events:
            return None
        state = _fold(state, events, now)
    return None


def _fold(state: State, events: Sequence[ev.Event], now: float) -> State:
    for event in events:
        state = evolve(state, event, seq=state.seq + 1, at=now, idem="")
    return state
