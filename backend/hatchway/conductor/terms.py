"""Notices when what people said yes to is no longer what it was.

The policy and the pipeline in force are compared at every look; the name that was asked for (a tag,
a branch) and the built file cost a process or a read, and are looked at every few seconds and
always before somebody's yes is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.plan import PipelinePlan
from hatchway.core.policy import Policy
from hatchway.core.says import says
from hatchway.core.state import Run, State
from hatchway.forge.port import Forge, ForgeError
from hatchway.stages.release import artifact_of

LOOK_EVERY_S = 5.0


def policy_says(policy: Policy, environment: str) -> dict[str, str]:
    """What a policy says about one environment."""
    place = policy.environments.get(environment)
    return says(place) if place is not None else {}


class Terms:
    """One per backend."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        forges: Mapping[str, Forge],
        policy: Callable[[], Policy],
        pipelines: Callable[[], Mapping[str, PipelinePlan]],
    ) -> None:
        """`policy()` and `pipelines()` give what is in force now."""
        self._ledger = ledger
        self._forges = forges
        self._policy = policy
        self._pipelines = pipelines
        self._looked: dict[str, float] = {}  # by run, on the loop's clock

    async def look(self, run_id: str, *, closely: bool = False) -> None:
        """Journal what has changed. `closely`: also what costs something to see. JournalError.

        With `closely`, ForgeError when the repository does not say; else it is asked again later.
        """
        run = self._ledger.state.runs[run_id]
        if not run.active or not run.release_requested:
            return
        tag, artifact = run.ref_commit, run.artifact
        if closely or self._due(run_id):
            try:
                tag, artifact = await self._seen(run)
            except ForgeError:
                if closely:
                    raise
        if not self._event(run, tag, artifact):
            return
        await self._ledger.record(
            lambda state: self._still(state, run_id, tag, artifact), actor="hatchway"
        )

    def _due(self, run_id: str) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(run_id, float("-inf")) < LOOK_EVERY_S:
            return False
        self._looked[run_id] = now
        return True

    async def _seen(self, run: Run) -> tuple[str, str]:
        """The commit that the name stands for, and the digest of what the build made."""
        forge = self._forges[run.service]
        tag = await forge.resolve(f"refs/tags/{run.ref}") if run.ref else run.ref_commit
        return tag, await artifact_of(run.plan, run.commit, forge) or run.artifact

    def _still(self, state: State, run_id: str, tag: str, artifact: str) -> tuple[ev.Event, ...]:
        run = state.runs[run_id]
        return self._event(run, tag, artifact) if run.active else ()

    def _event(self, run: Run, tag: str, artifact: str) -> tuple[ev.Event, ...]:
        policy = self._policy()
        plan = self._pipelines().get(run.service)
        pipeline = plan.digest if plan is not None else run.pipeline_digest
        now = (policy.digest, pipeline, tag, artifact)
        known = (run.policy_digest, run.pipeline_digest, run.ref_commit, run.artifact)
        if now == known:
            return ()
        changed = ev.TermsChanged(
            run=run.id,
            policy=policy.digest,
            policy_says=policy_says(policy, run.environment),
            pipeline=pipeline,
            pipeline_says=says(plan) if plan is not None else run.said.get(pipeline, {}),
            artifact=artifact,
            ref_commit=tag,
        )
        return (changed,)
