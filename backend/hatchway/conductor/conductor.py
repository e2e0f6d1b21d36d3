"""Drives runs: asks `next_actions` what each run needs and sees that it gets done.

All it remembers between two steps is in the journal, so it can be killed at any instruction. What
is under way is found again by its key: a job by its folder, an effect by asking the governor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, assert_never

from hatchway.brains.port import Brain, Sight, Situation
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.proposals import facts_of, propose
from hatchway.conductor.weights import Weights
from hatchway.core import events as ev
from hatchway.core import next as core_next
from hatchway.core.plan import CanaryStage
from hatchway.core.policy import Policy
from hatchway.core.state import Run, State
from hatchway.forge.port import Forge, ForgeError
from hatchway.journal.port import JournalError
from hatchway.stages.release import request_release
from hatchway.targets.port import TargetError

log = logging.getLogger("hatchway.conductor")

LOOK_EVERY_S = 0.5  # at the state, when nothing has woken the conductor
RETRY_S = 1.0
BROKEN = ("failed", "timed_out", "lost")


class Conductor:
    """One per backend. `run()` for ever; `wake()` after anything changed."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        live: Live,
        brain: Brain,
        forges: Mapping[str, Forge],
        jobs: Jobs,
        weights: Weights,
        policy: Policy,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._brain = brain
        self._forges = forges
        self._jobs = jobs
        self._weights = weights
        self._policy = policy
        self._clock = clock
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        ledger.listen(lambda *_: self.wake())

    def wake(self) -> None:
        """Look at the state soon."""
        self._wake.set()

    async def run(self) -> None:
        """Drive all runs for ever. Cancelling lets go of jobs without stopping them."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                for run in tuple(self._ledger.state.runs.values()):
                    if run.active:
                        await self._advance(run.id, group)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()

    async def _advance(self, run_id: str, group: asyncio.TaskGroup) -> None:
        """Journal what can be journaled, then see to what has to be under way."""
        actions: tuple[core_next.Action, ...] = ()
        while True:
            state = self._ledger.state
            actions = core_next.next_actions(state, state.runs[run_id], self._clock())
            records = [a for a in actions if isinstance(a, core_next.Record)]
            if not records:
                break
            try:
                written = await self._record_next(run_id, records[0].actor)
            except JournalError as error:
                self._trouble(str(error))
                return
            self._trouble("")
            if not written:
                break
        for action in actions:
            self._see_to(action, group)

    async def _record_next(self, run_id: str, actor: str) -> bool:
        def decide(state: State) -> Sequence[ev.Event]:
            # Asked again: something may have been journaled since the look above.
            again = core_next.next_actions(state, state.runs[run_id], self._clock())
            return [e for a in again if isinstance(a, core_next.Record) for e in a.events]

        epoch = self._ledger.state.authority_of(self._ledger.state.runs[run_id].service).epoch
        return bool(await self._ledger.record(decide, actor=actor, epoch=epoch))

    def _trouble(self, words: str) -> None:
        if words != self._live.journal_trouble:
            self._live.journal_trouble = words
            self._live.changed()

    def _see_to(self, action: core_next.Action, group: asyncio.TaskGroup) -> None:
        match action:
            case core_next.Record():
                pass
            case core_next.RunJob():
                self._start(group, action.key, lambda: self._jobs.run(action))
            case core_next.CancelJob():
                self._start(
                    group, f"cancel {action.key}", lambda: self._jobs.cancel(action.key, action.why)
                )
            case core_next.GatherRelease():
                self._start(group, f"release {action.run}", lambda: self._gather(action))
            case core_next.Ask():
                self._start(group, f"ask {action.run} {action.topic}", lambda: self._ask(action))
            case core_next.ArmCapsule():
                self._start(group, f"arm {action.run}", lambda: self._weights.arm(action.run))
            case core_next.Apply():
                self._start(
                    group,
                    action.effect.key,
                    lambda: self._weights.apply(action.run, action.effect),
                )
            case core_next.ConfirmRollback():
                self._start(
                    group,
                    f"confirm {action.run}",
                    lambda: self._weights.confirm_rollback(action.run),
                )
            case _:
                assert_never(action)

    def _start(
        self,
        group: asyncio.TaskGroup,
        key: str,
        work: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Have `work` under way once; `next_actions` names it again until it is done."""
        if key in self._under_way or self._not_before.get(key, 0.0) > self._clock():
            return

        async def guarded() -> None:
            try:
                await work()
            except (JournalError, TargetError) as error:
                # Nothing is settled by a failure to tell: the action stays due and is tried again.
                log.warning("%s: %s", key, error)
                if isinstance(error, JournalError):
                    self._trouble(str(error))
                self._not_before[key] = self._clock() + RETRY_S
            except Exception:
                log.exception("%s failed; trying again in %g s", key, RETRY_S)
                self._not_before[key] = self._clock() + RETRY_S
            finally:
                del self._under_way[key]
                self.wake()

        self._under_way[key] = group.create_task(guarded(), name=key)

    # --- the release request and the brain --------------------------------------------------------

    async def _gather(self, action: core_next.GatherRelease) -> None:
        run = self._ledger.state.runs[action.run]
        event: ev.Event
        try:
            event = await request_release(run, action.stage, self._forges[run.service])
        except ForgeError as error:
            event = ev.StageEnded(run=run.id, stage=action.stage, status="failed", why=str(error))

        def still(state: State) -> tuple[ev.Event, ...]:
            now = state.runs[run.id]
            return (event,) if now.active and not now.release_requested else ()

        await self._ledger.record(still, actor="agent")

    async def _ask(self, action: core_next.Ask) -> None:
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
        await self._consider(situation, data_at=None, stable_healthy=None)

    async def look(self, run_id: str, sight: Sight, data_at: float) -> None:
        """The judge looked at a run's canary. JournalError."""
        run = self._ledger.state.runs[run_id]
        stage = next((s for s in run.plan.stages if isinstance(s, CanaryStage)), None)
        if stage is None or not run.active or not 0 <= run.step < len(stage.steps):
            return
        step = run.step
        verdict = ev.VerdictChanged(
            run=run.id,
            step=step,
            word=sight.word,
            action=sight.action,
            headline=sight.headline,
            evidence=sight.evidence,
            confidence=sight.confidence,
        )

        def changed(state: State) -> tuple[ev.Event, ...]:
            current = state.runs[run_id]
            if not current.active or current.step != step:
                return ()
            old = current.verdict
            if old is not None and (old.word, old.action) == (sight.word, sight.action):
                return ()
            return (verdict,)

        await self._ledger.record(changed, actor="judge")
        now = self._clock()
        plan = stage.steps[step]
        monitor_s = plan.monitor_s / run.pace
        situation = Situation(
            topic="canary",
            run=self._ledger.state.runs[run_id],
            now=now,
            stage=stage.name,
            sight=sight,
            monitored_s=now - run.step_since,
            monitor_s=monitor_s,
            max_s=monitor_s + plan.max_s,
        )
        await self._consider(situation, data_at=data_at, stable_healthy=sight.stable_healthy)
        await self._hold(situation, sight)

    async def _consider(
        self, situation: Situation, *, data_at: float | None, stable_healthy: bool | None
    ) -> None:
        wishes = await self._brain.propose(situation)
        run_id, step = situation.run.id, situation.run.step
        for wish in wishes:

            def decide(state: State, wish=wish) -> tuple[ev.Event, ...]:  # type: ignore[no-untyped-def]
                run = state.runs[run_id]
                if not run.active or run.step != step:
                    return ()
                now = self._clock()
                read = self._live.standing.get(run.service)
                facts = facts_of(
                    state,
                    run,
                    now,
                    control_read_at=read[1] if read else None,
                    data_at=data_at,
                    stable_healthy=stable_healthy,
                    confidence=wish.confidence,
                )
                return propose(state, run, wish, facts, self._policy, self._brain.name, now)

            await self._ledger.record(decide, actor="agent")

    async def _hold(self, situation: Situation, sight: Sight) -> None:
        """A hold is there while its cause is; what the target caused stays for a person."""
        cause, why = _hold_cause(situation, sight)
        run_id, step = situation.run.id, situation.run.step

        def decide(state: State) -> tuple[ev.Event, ...]:
            run = state.runs[run_id]
            held = run.hold.cause if run.hold else None
            if not run.active or run.step != step or held in ("target", cause):
                return ()
            if cause is None:
                return (ev.RunResumed(run=run_id, why=sight.headline),)
            return (ev.RunHeld(run=run_id, cause=cause, why=why),)

        await self._ledger.record(decide, actor="hatchway")


def _hold_cause(situation: Situation, sight: Sight) -> tuple[ev.HoldCause | None, str]:
    if sight.word == "NO_DATA":
        return "no_data", sight.headline
    if sight.action != "none":
        return "evidence", sight.headline
    if sight.stable_healthy is False:
        return "stable_unhealthy", "stable itself is not healthy"
    if sight.word != "PASS" and situation.monitored_s > situation.max_s:
        return "unsure", f"no clear answer after {situation.monitored_s:.0f} s"
    return None, ""


def active_canary(run: Run) -> bool:
    """Whether the run is in a canary step that is monitored."""
    stage = next((s for s in run.plan.stages if isinstance(s, CanaryStage)), None)
    return run.active and stage is not None and 0 <= run.step < len(stage.steps)
