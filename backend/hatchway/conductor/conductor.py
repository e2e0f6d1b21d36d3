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

from hatchway.brains.port import Brain
from hatchway.conductor.act_first import ActFirst
from hatchway.conductor.agent import Agent
from hatchway.conductor.in_force import InForce
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.terms import Terms
from hatchway.conductor.weights import Weights
from hatchway.core import actions as act
from hatchway.core import events as ev
from hatchway.core.drills import OFF
from hatchway.core.next import next_actions
from hatchway.core.plan import PipelinePlan
from hatchway.core.state import Effect, State
from hatchway.forge.port import Forge, ForgeError
from hatchway.journal.port import JournalError
from hatchway.stages.release import request_release
from hatchway.stages.undo import ReadManifest
from hatchway.targets.port import TargetError

log = logging.getLogger("hatchway.conductor")

LOOK_EVERY_S = 0.5  # at the state, when nothing has woken the conductor
RETRY_S = 1.0  # before the same thing is begun again, whatever came of it
MOST_RECORDS = 100  # in one look at one run


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
        policy: InForce,
        clock: Callable[[], float],
        read_manifest: ReadManifest,
        drill_every_s: float = OFF,
        pipelines: Mapping[str, PipelinePlan] | None = None,
    ) -> None:
        self._ledger = ledger
        self._read_manifest = read_manifest
        self._live = live
        self._forges = forges
        self._jobs = jobs
        self._weights = weights
        self._clock = clock
        self._first = ActFirst(ledger, weights, clock, self._overtake)
        self.agent = Agent(
            ledger=ledger,
            live=live,
            brain=brain,
            policy=policy,
            first=self._first,
            clock=clock,
            drill_every_s=drill_every_s,
        )
        self._terms = Terms(
            ledger=ledger,
            forges=forges,
            policy=lambda: policy.policy,
            pipelines=lambda: pipelines or {},
        )
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._raising: dict[str, str] = {}  # by run: the key of the raise that is under way
        self._not_before: dict[str, float] = {}  # by key, on the loop's clock, which never jumps
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
                        await self._look_after(run.id, run.service, group)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()

    async def _look_after(self, run_id: str, service: str, group: asyncio.TaskGroup) -> None:
        """One run's trouble is its own: it is said, and the others go on."""
        part = f"run {run_id}"
        if service not in self._forges:
            words = f"its service {service} is not in hatchway.yaml any more"
            self._live.tell(part, words, run_id)
            return
        clock = asyncio.get_running_loop().time
        if self._not_before.get(part, 0.0) > clock():
            return
        try:
            await self._advance(run_id, group)
        except (JournalError, TargetError) as error:
            self._live.tell(part, str(error), run_id)
        except Exception as error:
            log.exception("run %s cannot be driven", run_id)
            words = f"it cannot be driven: {type(error).__name__}: {error}"
            self._live.tell(part, words, run_id)
            self._not_before[part] = clock() + RETRY_S
        else:
            self._live.tell(part, "")

    async def _advance(self, run_id: str, group: asyncio.TaskGroup) -> None:
        """Journal what can be journaled, then see to what has to be under way."""
        if self._first.owes(run_id):
            await self._first.settle(run_id)
        elif self._ledger.trouble:
            await self._first.roll_back(run_id, ())
        await self._terms.look(run_id)
        actions: tuple[act.Action, ...] = ()
        for _ in range(MOST_RECORDS):
            state = self._ledger.state
            actions = next_actions(state, state.runs[run_id], self._clock())
            records = [a for a in actions if isinstance(a, act.Record)]
            if not records:
                break
            if not await self._record_next(run_id, records[0].actor):
                break
        for action in actions:
            self._see_to(action, group)

    async def _record_next(self, run_id: str, actor: str) -> bool:
        def decide(state: State) -> Sequence[ev.Event]:
            # Asked again: something may have been journaled since the look above.
            again = next_actions(state, state.runs[run_id], self._clock())
            mine = [a for a in again if isinstance(a, act.Record) and a.actor == actor]
            return [event for a in mine for event in a.events]

        epoch = self._ledger.state.authority_of(self._ledger.state.runs[run_id].service).epoch
        return bool(await self._ledger.record(decide, actor=actor, epoch=epoch))

    def _see_to(self, action: act.Action, group: asyncio.TaskGroup) -> None:
        match action:
            case act.Record():
                pass
            case act.RunJob():
                self._start(group, action.run, action.key, lambda: self._jobs.run(action))
            case act.CancelJob():
                key, why = action.key, action.why
                self._start(group, action.run, f"cancel {key}", lambda: self._jobs.cancel(key, why))
            case act.GatherRelease():
                self._start(
                    group, action.run, f"release {action.run}", lambda: self._gather(action)
                )
            case act.Ask():
                key = f"ask {action.run} {action.topic}"
                self._start(group, action.run, key, lambda: self.agent.ask(action))
            case act.ArmCapsule():
                self._start(
                    group, action.run, f"arm {action.run}", lambda: self._weights.arm(action.run)
                )
            case act.Apply():
                effect = action.effect
                if effect.weight > 0:
                    self._raising[action.run] = effect.key
                self._start(group, action.run, effect.key, lambda: self._apply(action.run, effect))
            case act.ConfirmRollback():
                self._start(
                    group,
                    action.run,
                    f"confirm {action.run}",
                    lambda: self._weights.confirm_rollback(action.run),
                )
            case _:
                assert_never(action)

    def _start(
        self,
        group: asyncio.TaskGroup,
        run: str,
        key: str,
        work: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Have `work` under way once; `next_actions` names it again until it is done.

        It is not begun again at once, also when it went well: what made no progress would spin.
        """
        clock = asyncio.get_running_loop().time
        if key in self._under_way or self._not_before.get(key, 0.0) > clock():
            return

        async def guarded() -> None:
            trouble = ""
            try:
                await work()
            except (JournalError, TargetError) as error:
                # Nothing is settled by a failure to tell: the action stays due and is tried again.
                log.warning("%s: %s", key, error)
                trouble = str(error)
            except Exception as error:
                log.exception("%s failed; trying again in %g s", key, RETRY_S)
                trouble = f"{type(error).__name__}: {error}"
            finally:
                self._not_before[key] = clock() + RETRY_S
                del self._under_way[key]
                self.wake()
            self._live.tell(key, f"{key}: {trouble}; trying again" if trouble else "", run)

        self._forget_old_keys(clock())
        self._under_way[key] = group.create_task(guarded(), name=key)

    def _forget_old_keys(self, now: float) -> None:
        for key in [key for key, at in self._not_before.items() if at < now]:
            del self._not_before[key]

    async def _apply(self, run_id: str, effect: Effect) -> None:
        if effect.weight == 0:
            await self._overtake(run_id)
        await self._weights.apply(run_id, effect)

    async def _overtake(self, run_id: str) -> None:
        """A rollback is never followed by the raise that it overtook."""
        task = self._under_way.get(self._raising.pop(run_id, ""))
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _gather(self, action: act.GatherRelease) -> None:
        """Read what ships, and request the release; a repository that cannot answer fails it."""
        run = self._ledger.state.runs[action.run]
        event: ev.Event
        try:
            event = await request_release(
                run, action.stage, self._forges[run.service], self._read_manifest
            )
        except ForgeError as error:
            event = ev.StageEnded(run=run.id, stage=action.stage, status="failed", why=str(error))

        def still(state: State) -> tuple[ev.Event, ...]:
            now = state.runs[run.id]
            return (event,) if now.active and not now.release_requested else ()

        await self._ledger.record(still, actor="agent")
