"""Brings the target to the weight that an effect wants, and says what was observed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.bars import no_longer
from hatchway.core.permission import FRESH_YES_S, recent
from hatchway.core.state import Effect, Run, State
from hatchway.targets.port import NotApplied, Observed, Target

REFUSALS = frozenset({"fenced", "held", "no_capsule", "agent_may_not_write", "agents_stopped"})
DRAIN_S = 10.0
POLL_S = 0.1
PAUSE_S = 1.0  # between two looks at a target that is not where it should be


class Weights:
    """Every change of weight goes through here, to the governor, and nowhere else."""

    def __init__(
        self,
        ledger: Ledger,
        target: Target,
        read: Callable[[str], Awaitable[object]],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._target = target
        self._read = read  # reads the standing and merges the governor's spool
        self._clock = clock
        self._left: dict[str, str] = {}  # by run: what a person's rollback still lacks

    async def arm(self, run_id: str) -> None:
        """No capsule, no promotion: what the governor needs to go back alone. TargetError."""
        run = self._ledger.state.runs[run_id]
        epoch = self._ledger.state.authority_of(run.service).epoch
        capsule: dict[str, Any] = {
            "run": run.id,
            "service": run.service,
            "last_good": run.from_version,
            "last_good_commit": run.base,
            "canary_version": run.to_version,
            "canary_commit": run.commit,
            "rollback": {"canary": 0},
            "min_epoch": epoch,
        }
        text = msgspec.json.encode(capsule, order="deterministic")
        capsule["checksum"] = hashlib.sha256(text).hexdigest()
        await self._target.arm(run.service, capsule)
        armed = ev.CapsuleArmed(run=run.id, checksum=capsule["checksum"])

        def once(state: State) -> tuple[ev.Event, ...]:
            return () if state.runs[run_id].capsule else (armed,)

        await self._ledger.record(once, actor="hatchway")

    async def apply(self, run_id: str, effect: Effect) -> None:
        """Ask the governor, observe, settle. TargetError leaves the effect as it is."""
        run = self._ledger.state.runs[run_id]
        if effect.weight > 0 and not recent(effect.at, self._clock(), FRESH_YES_S):
            outcome = await self._too_late(run, effect)
        else:
            void = await self._void(run, effect)
            outcome = void or await self._outcome(run, effect, await self.send(run, effect))
        await self._settle(run, effect, outcome)

    async def send(self, run: Run, effect: Effect) -> Observed | NotApplied:
        """Ask the governor and nothing else. TargetError."""
        return await self._target.apply(
            run.service,
            epoch=effect.epoch,
            key=effect.key,
            canary=effect.weight,
            by=effect.by,
        )

    async def _too_late(self, run: Run, effect: Effect) -> ev.Event:
        """The backend or the governor was away: a raise is not sent on evidence of then."""
        standing = await self._target.standing(run.service)
        seen = standing.observed.canary if standing.observed else None
        if seen == effect.weight == standing.desired:
            return ev.EffectVerified(run=run.id, key=effect.key, observed=effect.weight)
        why = "it was intended too long ago: what allowed it is no longer known to be true"
        return ev.EffectFenced(run=run.id, key=effect.key, code="stale", why=why)

    async def _void(self, run: Run, effect: Effect) -> ev.Event | None:
        """That what allowed a raise is over before the governor heard of it; None: it is sent."""
        why = no_longer(self._ledger.state, run, effect, self._clock())
        if not why or (await self._target.standing(run.service)).desired == effect.weight:
            return None  # what the governor has begun is asked about by its key
        return ev.EffectFenced(run=run.id, key=effect.key, code="stale", why=why)

    async def _outcome(self, run: Run, effect: Effect, answer: Observed | NotApplied) -> ev.Event:
        key = effect.key
        if isinstance(answer, NotApplied):
            if answer.code in REFUSALS:
                await self._read(run.service)
                return ev.EffectFenced(run=run.id, key=key, code=answer.code, why=answer.why)
            return ev.EffectDiverged(run=run.id, key=key, observed=None, why=answer.why)
        if effect.weight == 0:
            left = await self._drained(run.service)
            if left:
                return ev.EffectDiverged(run=run.id, key=key, observed=answer.canary, why=left)
            return ev.EffectVerified(run=run.id, key=key, observed=0)
        # The answer to a repeated key is what was true then: look at what is true now.
        standing = await self._target.standing(run.service)
        seen = standing.observed.canary if standing.observed else answer.canary
        if seen == effect.weight:
            return ev.EffectVerified(run=run.id, key=key, observed=seen)
        why = f"wanted {effect.weight} %, the target has {seen} %"
        if standing.epoch != effect.epoch:
            await self._read(run.service)
            why = f"{why}: control changed hands after it was done"
            return ev.EffectFenced(run=run.id, key=key, code="fenced", why=why)
        return ev.EffectDiverged(run=run.id, key=key, observed=seen, why=why)

    async def _settle(self, run: Run, effect: Effect, outcome: ev.Event) -> None:
        def new(state: State) -> tuple[ev.Event, ...]:
            now = state.runs[run.id].effects[effect.key]
            if now.status not in ("intended", "diverged"):
                return ()
            again = isinstance(outcome, ev.EffectDiverged) and outcome.why == now.why
            return () if again else (outcome,)

        await self._ledger.record(new, actor="governor", epoch=effect.epoch)
        if isinstance(outcome, ev.EffectDiverged):
            await asyncio.sleep(PAUSE_S)  # it is due again at once, and the target needs a moment

    async def _drained(self, service: str) -> str:
        """Wait until the canary answers nothing any more; what is left, in words, or empty."""
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN_S
        before: Observed | None = None
        while True:
            seen = (await self._target.standing(service)).observed
            if seen is not None and seen.canary == 0 and seen.inflight == 0:
                if before is not None and before.at != seen.at and before.total == seen.total:
                    return ""
                if before is None or before.at != seen.at:
                    before = seen
            if loop.time() > end:
                return _left(seen)
            await asyncio.sleep(POLL_S)

    async def confirm_rollback(self, run_id: str) -> None:
        """A person rolled back at the governor; done is what is observed. TargetError."""
        run = self._ledger.state.runs[run_id]
        key = f"governor/{run.service}/{run.rollback_from}"
        left = await self._drained(run.service)
        if left:
            await self._say_left(run_id, key, left)
            await asyncio.sleep(PAUSE_S)
            return  # due again, until it is true
        why = f"rolled back by {run.rollback_by}"

        def end(state: State) -> tuple[ev.Event, ...]:
            now = state.runs[run_id]
            if not now.active:
                return ()
            open_ = [s for s in now.stages if s.status in ("pending", "running", "waiting")]
            cancelled = [
                ev.StageEnded(run=run_id, stage=stage.name, status="cancelled", why=why)
                for stage in open_[:1]
            ]
            return (
                ev.EffectVerified(run=run_id, key=key, observed=0),
                *cancelled,
                ev.RunEnded(run=run_id, outcome="rolled_back", why=why),
            )

        await self._ledger.record(end, actor="governor")
        self._left.pop(run_id, None)

    async def _say_left(self, run_id: str, key: str, left: str) -> None:
        """Journal once why a rollback is not complete."""
        if self._left.get(run_id) == left:
            return
        event = ev.EffectDiverged(run=run_id, key=key, observed=None, why=left)

        def new(state: State) -> tuple[ev.Event, ...]:
            return (event,) if state.runs[run_id].active else ()

        await self._ledger.record(new, actor="governor")
        self._left[run_id] = left


def _left(seen: Observed | None) -> str:
    if seen is None:
        return "the target cannot be read"
    if seen.canary != 0:
        return f"the target still has {seen.canary} %"
    if seen.inflight < 0:
        return "weight is 0, but the target does not say what is still in the canary"
    if seen.inflight == 0:
        return "weight is 0, but requests still reach the canary"
    return f"weight is 0, but {seen.inflight} requests are still in the canary"
