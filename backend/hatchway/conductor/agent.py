"""Asks the brain, has policy answer, and journals both. The agent never acts by itself.

A brain may hang, fail or talk nonsense: then the deterministic verdict stands, and the screen says
that the brain is not there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

from msgspec import Struct

from hatchway.brains.port import Brain, Sight, Situation, Wish
from hatchway.brains.unsure import held_because, unsaid
from hatchway.conductor.act_first import ActFirst, Entry
from hatchway.conductor.asked_now import fleet_of
from hatchway.conductor.contradiction import contradicted, corrected
from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.proposals import (
    MOST_WISHES,
    facts_of,
    no_proof,
    nonsense,
    propose,
    weight_after,
    without_brain,
)
from hatchway.conductor.undoing import going_back, instead
from hatchway.core import events as ev
from hatchway.core.actions import Ask
from hatchway.core.bars import STANDING
from hatchway.core.breaker import is_open
from hatchway.core.drills import OFF, mode_as_drilled, overdue
from hatchway.core.policy import Policy
from hatchway.core.state import Run, State
from hatchway.core.undo import Undo
from hatchway.journal.port import JournalError

log = logging.getLogger("hatchway.agent")

BROKEN = ("failed", "timed_out", "lost")
BRAIN_S = 20.0
BRAIN_LOOK_S = 5.0
"""How long a brain may think, in seconds; shorter where metrics wait for it."""


class Seen(Struct, frozen=True):
    """What the policy's facts and the journal need of the look that a wish stands on."""

    data_at: float | None = None
    stable_healthy: bool | None = None
    regressed: tuple[str, ...] | None = None
    proof: Callable[[], bytes] = no_proof


class Agent:
    """One per backend."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        live: Live,
        brain: Brain,
        policy: InForce,
        first: ActFirst,
        clock: Callable[[], float],
        drill_every_s: float = OFF,
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._brain = brain
        self._in_force = policy
        self._first = first
        self._clock = clock
        self._drill_every_s = drill_every_s
        self._step_seen: dict[str, tuple[int, float, float]] = {}

    @property
    def _policy(self) -> Policy:
        return self._in_force.policy

    async def ask(self, action: Ask) -> None:
        """Have the brain say what a failed stage or a finished pipeline calls for. JournalError."""
        run = self._ledger.state.runs[action.run]
        stage = next(s for s in run.stages if s.name == action.stage)
        situation = Situation(
            topic="failed" if action.topic == "failed" else "release",
            run=run,
            now=self._clock(),
            stage=stage.name,
            why=stage.why,
            tail=next((j.tail for j in stage.jobs.values() if j.status in BROKEN), ()),
        )
        due = "block_deploy" if situation.topic == "failed" else "open_release"
        wishes, brain = await self._wishes(situation, BRAIN_S)
        said = [(wish, brain) for wish in wishes]
        if not any(wish.capability == due for wish in wishes):
            # The run waits for this word; a brain that does not say it is one that is not there.
            self._live.tell("brain", f"{self._brain.name}: it did not say {due}, which was due")
            silent = f"{self._brain.name} (silent)"
            said += [(wish, silent) for wish in without_brain(situation)]
        for wish, by in said:
            actor, decide = self._entry(situation, wish, by, Seen())
            await self._ledger.record(decide, actor=actor)

    async def look(
        self,
        run_id: str,
        sight: Sight,
        data_at: float,
        proof: Callable[[], bytes] = no_proof,
    ) -> None:
        """The judge looked at a run's canary. JournalError; a rollback is done all the same.

        `proof` makes the proof of this verdict (judge/proof.py). Only what is journaled is worth
        the making, and the brain has no part in it.
        """
        watched = self._live.watch(run_id)
        watched.data_at, watched.stable_healthy = data_at, sight.stable_healthy
        watched.regressed = sight.regressed
        run = self._ledger.state.runs[run_id]
        stage = run.canary
        if stage is None or not run.active or not 0 <= run.step < len(stage.steps):
            return
        now = self._clock()
        situation = Situation(
            topic="canary",
            run=run,
            now=now,
            stage=stage.name,
            sight=sight,
            step=stage.steps[run.step],
            monitored_s=self._monitored(run_id, run.step, now - run.step_since),
        )
        proof = cache(_unfailing(proof))
        entries = [_verdict(situation, sight, proof)]
        # What is known not to write is not waited for: a rollback may be due.
        trouble = None if self._ledger.trouble else await self._write(entries)
        wishes, brain = await self._wishes(situation, BRAIN_LOOK_S)
        seen = Seen(data_at, sight.stable_healthy, sight.regressed, proof)
        entries += [self._entry(situation, wish, brain, seen) for wish in wishes]
        silent = f"{self._brain.name} (silent)"
        for wish in unsaid(wishes, situation):
            entries.append(self._entry(situation, wish, silent, seen))
        entries += self._instead(situation, wishes, brain, seen)
        entries.append(_hold(situation, sight))
        if self._ledger.trouble:
            await self._first.roll_back(run_id, entries)
        trouble = trouble or await self._write(entries)
        if trouble is not None:
            await self._first.roll_back(run_id, entries)
            raise trouble

    async def before(self, run_id: str, ailing: str) -> None:
        """The judge looked at stable before the first share; `ailing`: what is not well. JournalError.

        Also while people are asked to approve: what they said yes to is not begun on top of trouble.
        """

        def decide(state: State) -> tuple[ev.Event, ...]:
            run = state.runs[run_id]
            held = run.hold.cause if run.hold else None
            if not run.active or run.step >= 0 or not run.release_requested:
                return ()
            if ailing and held is None:
                why = f"stable itself is not well before the first share: {ailing}"
                return (ev.RunHeld(run=run_id, cause="stable_unhealthy", why=why),)
            if not ailing and held == "stable_unhealthy":
                return (ev.RunResumed(run=run_id, why="stable is well again"),)
            return ()

        if decide(self._ledger.state):
            await self._ledger.record(decide, actor="judge")

    async def _write(self, entries: list[Entry]) -> JournalError | None:
        try:
            for actor, decide in entries:
                await self._ledger.record(decide, actor=actor)
        except JournalError as error:
            return error
        return None

    def _monitored(self, run_id: str, step: int, by_clock: float) -> float:
        """Seconds that a step has been monitored. A clock that jumps forward adds none.

        `by_clock` is what the wall clock says; it counts for the time before this process began.
        """
        now = asyncio.get_running_loop().time()
        known = self._step_seen.get(run_id)
        if known is None or known[0] != step:
            known = self._step_seen[run_id] = (step, now, max(0.0, by_clock))
        return max(0.0, min(by_clock, known[2] + now - known[1]))

    def _entry(self, situation: Situation, wish: Wish, brain: str, seen: Seen) -> Entry:
        run_id, step = situation.run.id, situation.run.step

        def decide(state: State) -> tuple[ev.Event, ...]:
            run = state.runs[run_id]
            if not run.active or run.step != step:
                return ()
            now = self._clock()
            read = self._live.standing.get(run.service)
            undo = self._undo(state, run, situation, seen, now)
            facts = facts_of(
                state,
                run,
                now,
                control=(read[0].mode, read[1]) if read else None,
                data_at=seen.data_at,
                stable_healthy=seen.stable_healthy,
                confidence=wish.confidence,
                undo=undo,
                regressed=seen.regressed,
                leads_to=weight_after(run, wish.capability),
                calendars=self._in_force.calendars,
            )
            drill = overdue(state.drills, self._drill_every_s, now)
            return propose(
                state,
                run,
                situation,
                wish,
                facts,
                self._policy,
                brain,
                now,
                proof=seen.proof,
                undo=undo,
                drill=drill,
            )

        return "agent", decide

    def _undo(self, state: State, run: Run, situation: Situation, seen: Seen, now: float) -> Undo:
        sight = situation.sight
        regress = sight is not None and (sight.word, sight.action) == ("REGRESS", "rollback")
        healthy = seen.stable_healthy
        return going_back(
            state,
            run,
            self._policy,
            now,
            stable_healthy=healthy,
            stable_better=regress,
            fleet=fleet_of(self._live, run, now),
        )

    def _instead(
        self, situation: Situation, wishes: tuple[Wish, ...], brain: str, seen: Seen
    ) -> list[Entry]:
        """Where the agent would go back by itself and it is not safe: it holds, and calls people."""
        state, run, now = self._ledger.state, situation.run, self._clock()
        drill = overdue(state.drills, self._drill_every_s, now)
        broken = is_open(state.breakers.get(run.service), now)
        if mode_as_drilled(run.mode, drill) != "act" and not broken:
            return []  # people are asked in any case
        undo = self._undo(state, run, situation, seen, now)
        rather = [w for wish in wishes for w in instead(wish, undo, now)]
        return [self._entry(situation, wish, brain, seen) for wish in rather]

    async def _wishes(self, situation: Situation, seconds: float) -> tuple[tuple[Wish, ...], str]:
        """What the brain wishes, and who is to be named for it."""
        try:
            async with asyncio.timeout(seconds):
                said: Any = await self._brain.propose(situation)
            wishes = tuple(islice(said, MOST_WISHES + 1))
            why = next(filter(None, (nonsense(wish, situation) for wish in wishes)), "")
            if len(wishes) > MOST_WISHES:
                why = f"more than {MOST_WISHES} wishes at once"
        except TimeoutError:
            why = f"no answer within {seconds:g} s"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        untrue = "" if why else next(filter(None, (contradicted(w, situation) for w in wishes)), "")
        said_of_it = why or (f"its words contradict the facts: {untrue}" if untrue else "")
        self._live.tell("brain", f"{self._brain.name}: {said_of_it}" if said_of_it else "")
        if not why:
            return tuple(corrected(wish, situation) for wish in wishes), self._brain.name
        log.warning("the brain %s is not heard: %s", self._brain.name, why)
        return without_brain(situation), f"{self._brain.name} (silent)"


def _unfailing(proof: Callable[[], bytes]) -> Callable[[], bytes]:
    """A verdict stands, and is acted on, even when its proof cannot be made."""

    def made() -> bytes:
        try:
            return proof()
        except Exception:
            log.exception("the proof of a verdict could not be made: it is journaled without one")
            return b""

    return made


def _verdict(situation: Situation, sight: Sight, proof: Callable[[], bytes]) -> Entry:
    run_id, step = situation.run.id, situation.run.step

    def changed(state: State) -> tuple[ev.Event, ...]:
        current = state.runs[run_id]
        if not current.active or current.step != step:
            return ()
        old = current.verdict
        if old is not None and (old.word, old.action) == (sight.word, sight.action):
            return ()
        verdict = ev.VerdictChanged(
            run=run_id,
            step=step,
            word=sight.word,
            action=sight.action,
            headline=sight.headline,
            evidence=sight.evidence,
            confidence=sight.confidence,
            proof=proof(),
            symptoms=sight.symptoms,
        )
        return (verdict,)

    return "judge", changed


def _hold(situation: Situation, sight: Sight) -> Entry:
    """A hold is there while its cause is; what the target caused stays for a person."""
    cause, why = _hold_cause(situation, sight)
    run_id, step = situation.run.id, situation.run.step

    def decide(state: State) -> tuple[ev.Event, ...]:
        run = state.runs[run_id]
        held = run.hold.cause if run.hold else None
        if not run.active or run.step != step or held == cause or held in STANDING:
            return ()
        if cause is None and held == "freeze":
            return ()  # it ends when the freeze does, not when the metrics are well
        if cause is None:
            return (ev.RunResumed(run=run_id, why=sight.headline),)
        return (ev.RunHeld(run=run_id, cause=cause, why=why),)

    return "hatchway", decide


def _hold_cause(situation: Situation, sight: Sight) -> tuple[ev.HoldCause | None, str]:
    if sight.word == "NO_DATA":
        return "no_data", sight.headline
    if sight.stable_healthy is False and sight.word != "REGRESS":
        return "stable_unhealthy", sight.headline
    if sight.action != "none":
        return "evidence", sight.headline
    if situation.due == "hold":
        return "unsure", held_because(situation)
    return None, ""
