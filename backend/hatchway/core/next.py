"""next_actions(state, run, now): what a run needs next. Pure, and derived from the state alone.

So a backend that was killed asks again and gets the same answer: what is done is in the journal,
what is under way is found again by its key. Nothing risky is in the list while the service is
paused, and no share is raised without a permission that is in the journal.
"""

from __future__ import annotations

from hatchway.core import approvals
from hatchway.core import events as ev
from hatchway.core.actions import (
    Action,
    Apply,
    ArmCapsule,
    Ask,
    CancelJob,
    ConfirmRollback,
    GatherRelease,
    Record,
    RunJob,
    job_key,
)
from hatchway.core.bars import bar_of, incomplete
from hatchway.core.breaker import BUDGET, spent
from hatchway.core.canary import MOST_TRIES, TRY_AGAIN_S, canary, weight_of
from hatchway.core.permission import FRESH_S, FRESH_YES_S, has_spoken
from hatchway.core.plan import CanaryStage, CommandStage, ReleaseStage
from hatchway.core.stage_jobs import MOST_ATTEMPTS, jobs_of
from hatchway.core.state import Authority, Item, Run, Stage, State

__all__ = [
    "FRESH_S",
    "FRESH_YES_S",
    "MOST_ATTEMPTS",
    "MOST_TRIES",
    "TRY_AGAIN_S",
    "Action",
    "Apply",
    "ArmCapsule",
    "Ask",
    "CancelJob",
    "ConfirmRollback",
    "GatherRelease",
    "Record",
    "RunJob",
    "has_spoken",
    "job_key",
    "next_actions",
    "weight_of",
]


def next_actions(state: State, run: Run, now: float) -> tuple[Action, ...]:
    """What `run` needs now; empty when it waits for something that is under way."""
    if not run.active:
        return ()
    authority = state.authority_of(run.service)
    if run.rollback_from:
        late = incomplete(run, run.rollback_at, "the traffic is not back", now)
        if late is not None:
            return (Record((late,)),)
        return (ConfirmRollback(run.id),)
    stale = (*_stale_items(run, authority, now), *approvals.outdated(state, run, now))
    if stale:
        return (Record(stale),)
    index = next((i for i, s in enumerate(run.stages) if s.status != "passed"), None)
    if index is None:
        ended = ev.RunEnded(run=run.id, outcome="promoted", why="every stage passed")
        return (Record((ended,)),)
    stage, plan = run.stages[index], run.plan.stages[index]
    if stage.status in ("failed", "cancelled"):
        return _after_failure(run, stage)
    if stage.status == "pending":
        if authority.mode == "paused":
            return ()
        return (Record((ev.StageStarted(run=run.id, stage=stage.name),)),)
    match plan:
        case CommandStage():
            paused = authority.mode == "paused"
            jobs = jobs_of(run, stage, plan.groups, plan.budget_s, now, paused=paused)
            if jobs is not None:
                return jobs
            return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="passed"),)),)
        case ReleaseStage():
            return _release(state, run, stage, plan, authority, now)
        case CanaryStage():
            if not any(isinstance(p, ReleaseStage) for p in run.plan.stages[:index]):
                why = "no release stage comes before it, so nobody could approve the first share"
                return _failed(run, stage, why)
            back = state.automatic_rollbacks.get(run.service, ())
            actions = canary(
                run,
                stage,
                plan,
                authority,
                now,
                bar=bar_of(state, run),
                spent=spent(back, now) >= BUDGET,
                frozen=state.frozen.get(run.environment),
            )
            if any(isinstance(a, Record | Apply) for a in actions):
                return actions
            again = _asked_again(state, run, authority, now)
            return (*actions, Record(again, "agent")) if again else actions


def _failed(run: Run, stage: Stage, why: str) -> tuple[Action, ...]:
    return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why),)),)


def _stale_items(run: Run, authority: Authority, now: float) -> tuple[ev.Event, ...]:
    """Items that are no longer what they were asked as."""
    closed: list[ev.Event] = []
    for item in run.items.values():
        if item.status != "open":
            continue
        why = ""
        status: str = "superseded"
        if now > item.expires_at:
            status, why = "expired", "nobody answered in time"
        elif item.type == "recommendation" and item.epoch != authority.epoch:
            why = "control changed hands"
        elif item.type == "recommendation" and item.step != run.step:
            why = "the step is over"
        elif _policy_since(run, item):
            why = "the policy changed"
        elif item.capability == "promote":
            why = _verdict_since(run, item)
        if why:
            closed.append(
                ev.ItemClosed(
                    run=run.id,
                    item=item.id,
                    status="expired" if status == "expired" else "superseded",
                    by="hatchway",
                    reason=why,
                )
            )
    return tuple(closed)


def _policy_since(run: Run, item: Item) -> bool:
    """Whether a recommendation stands on a policy that is no longer in force."""
    was = item.binding.get("policy", run.policy_digest)
    return item.type == "recommendation" and was != run.policy_digest


def _verdict_since(run: Run, item: Item) -> str:
    """What the verdict has become that a question to promote was asked on; empty: it is the same."""
    verdict = run.verdict
    if verdict is None or (verdict.word, verdict.action) == (item.asked_on, "none"):
        return ""
    wants = "" if verdict.action == "none" else f", {verdict.action}"
    return f"the verdict is now {verdict.word}{wants}"


def _after_failure(run: Run, stage: Stage) -> tuple[Action, ...]:
    """A failed stage never goes on; the agent words why."""
    if not any(p.capability == "block_deploy" for p in run.proposals.values()):
        return (Ask(run.id, "failed", stage.name),)
    ended = ev.RunEnded(run=run.id, outcome="failed", why=f"{stage.name}: {stage.why}")
    return (Record((ended,)),)


def _release(
    state: State, run: Run, stage: Stage, plan: ReleaseStage, authority: Authority, now: float
) -> tuple[Action, ...]:
    if not run.release_requested:
        return (GatherRelease(run.id, stage.name),)
    opened = [p for p in run.proposals.values() if p.capability == "open_release"]
    if not opened:
        return (Ask(run.id, "release", stage.name),)
    if opened[-1].answer == "deny":
        return _failed(run, stage, f"the agent may not request a release: {opened[-1].why}")
    asked = approvals.approvals(run)
    rejected = next((i for i in asked if i.status == "rejected"), None)
    if rejected is not None:
        why = f"{rejected.by} said no"
        return (
            Record(
                (
                    ev.StageEnded(run=run.id, stage=stage.name, status="cancelled", why=why),
                    ev.RunEnded(run=run.id, outcome="rejected", why=why),
                )
            ),
        )
    if not approvals.lacking(run, 0, now):
        if authority.mode == "paused":
            return ()
        return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="passed"),)),)
    if any(i.status == "open" for i in asked) or not approvals.waits_for_people(run, 0):
        return ()
    return (Record((approvals.question(state, run, plan, authority.epoch, now),), "agent"),)


def _asked_again(
    state: State, run: Run, authority: Authority, now: float
) -> tuple[ev.ItemOpened, ...]:
    """The question about a release whose yes does not cover the next share (any more).

    A no is not asked again: the run stays where it is, and people may roll it back.
    """
    plan, asked = approvals.release_stage(run), approvals.approvals(run)
    if plan is None or not approvals.waits_for_people(run, run.step + 1):
        return ()
    if any(i.status in ("open", "rejected") for i in asked):
        return ()
    return (approvals.question(state, run, plan, authority.epoch, now),)
