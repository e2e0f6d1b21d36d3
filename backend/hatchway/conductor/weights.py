"""Brings the target to the weight that an effect wants, and says what was observed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.state import Effect, Run, State
from hatchway.targets.port import NotApplied, Observed, Target

REFUSALS = frozenset({"fenced", "held", "no_capsule", "agent_may_not_write"})
DRAIN_S = 10.0
POLL_S = 0.1


class Weights:
    """Every change of weight goes through here, to the governor, and nowhere else."""

    def __init__(
        self, ledger: Ledger, target: Target, read: Callable[[str], Awaitable[object]]
    ) -> None:
        self._ledger = ledger
        self._target = target
        self._read = read  # reads the standing and merges the governor's spool

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
        answer = await self._target.apply(
            run.service,
            epoch=effect.epoch,
            key=effect.key,
            canary=effect.weight,
            by=effect.by,
        )
        await self._settle(run, effect, await self._outcome(run, effect, answer))

    async def _outcome(self, run: Run, effect: Effect, answer: Observed | NotApplied) -> ev.Event:
        key = effect.key
        if isinstance(answer, NotApplied):
            if answer.code in REFUSALS:
                await self._read(run.service)
                return ev.EffectFenced(run=run.id, key=key, code=answer.code, why=answer.why)
            return ev.EffectDiverged(run=run.id, key=key, observed=None, why=answer.why)
        if answer.canary != effect.weight:
            why = f"wanted {effect.weight} %, the target has {answer.canary} %"
            return ev.EffectDiverged(run=run.id, key=key, observed=answer.canary, why=why)
        if effect.weight == 0:
            left = await self._drained(run.service)
            if left:
                return ev.EffectDiverged(run=run.id, key=key, observed=answer.canary, why=left)
        return ev.EffectVerified(run=run.id, key=key, observed=answer.canary)

    async def _settle(self, run: Run, effect: Effect, outcome: ev.Event) -> None:
        def new(state: State) -> tuple[ev.Event, ...]:
            now = state.runs[run.id].effects[effect.key]
            if now.status not in ("intended", "diverged"):
                return ()
            again = isinstance(outcome, ev.EffectDiverged) and outcome.why == now.why
            return () if again else (outcome,)

        await self._ledger.record(new, actor="governor", epoch=effect.epoch)
        if isinstance(outcome, ev.EffectDiverged):
            await asyncio.sleep(1.0)  # it is due again at once, and the target needs a moment

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
                if seen is None:
                    return "weight is 0, but the target cannot be read"
                if seen.canary != 0:
                    return f"the target still has {seen.canary} %"
                return f"weight is 0, but {seen.inflight} requests are still in the canary"
            await asyncio.sleep(POLL_S)

    async def confirm_rollback(self, run_id: str) -> None:
        """A person rolled back at the governor; done is what is observed. TargetError."""
        run = self._ledger.state.runs[run_id]
        left = await self._drained(run.service)
        if left:
            await asyncio.sleep(1.0)
            return  # due again, until it is true
        stage = next(s for s in run.stages if s.status != "passed")
        why = f"rolled back by {run.rollback_by}"

        def end(state: State) -> tuple[ev.Event, ...]:
            if not state.runs[run_id].active:
                return ()
            key = f"governor/{run.service}/{run.rollback_from}"
            return (
                ev.EffectVerified(run=run_id, key=key, observed=0),
                ev.StageEnded(run=run_id, stage=stage.name, status="cancelled", why=why),
                ev.RunEnded(run=run_id, outcome="rolled_back", why=why),
            )

        await self._ledger.record(end, actor="governor")
