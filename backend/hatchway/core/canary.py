"""The canary: deploy, raise the share step by step on permissions, go back when one says so.

Going back is looked at before anything else, and nothing that only raising needs (a capsule, fresh
evidence, a target that takes a share) stands in its way.
"""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core import permission
from hatchway.core.actions import Action, Apply, ArmCapsule, Record
from hatchway.core.bars import BARS, Bar, incomplete
from hatchway.core.freeze import overridden, passed, shut
from hatchway.core.plan import CanaryStage
from hatchway.core.stage_jobs import jobs_of
from hatchway.core.state import Authority, Effect, Frozen, Run, Stage

DEPLOY_BUDGET_S = 600.0
ATTEST_S = 300.0  # for all instances of a deployment to say that they run it
MOST_TRIES = 3  # in one epoch, to bring the target to a raised share
TRY_AGAIN_S = 5.0  # what a target that restarts needs
ASK_AGAIN = frozenset({"stale", "no_capsule"})
"""Refusals that something can be done about: new evidence, a new capsule."""


def weight_of(plan: CanaryStage, step: int) -> int:
    """The canary's share in a step, what is held back taken off; 100 after the last step."""
    if step >= len(plan.steps):
        return 100
    return plan.steps[step].weight - plan.steps[step].hold_back


def canary(
    run: Run,
    stage: Stage,
    plan: CanaryStage,
    authority: Authority,
    now: float,
    *,
    bar: Bar | None = None,
    spent: bool = False,
    frozen: Frozen | None = None,
) -> tuple[Action, ...]:
    """What the canary stage needs now.

    `bar` stands against raising. `spent`: the agent has rolled back in this window already.
    `frozen` is how its environment's freezes stand, if it has any.
    """
    paused = authority.mode == "paused"
    if bar is not None and bar[0] == "quarantine" and not run.effects:
        return _barred(run, bar)
    deploying = jobs_of(run, stage, plan.deploy, DEPLOY_BUDGET_S, now, paused=paused)
    if deploying is not None:
        return deploying
    if run.attests and not run.effects and run.attested != run.to_version:
        return _attesting(run, stage, now)
    latest = list(run.effects.values())[-1] if run.effects else None
    if latest is not None and latest.weight == 0 and latest.status != "fenced":
        return _rolling_back(run, stage, latest, now)
    back = rollback_to_intend(run, authority, spent=spent)
    if back is not None:
        return (Record((*overtaken(run, latest), back), back.by.name),)
    if latest is not None and latest.status == "intended":
        return (Apply(run.id, latest),)
    if not run.capsule:
        return (ArmCapsule(run.id),)
    return _forward(run, stage, plan, authority, latest, now, bar, frozen)


def _attesting(run: Run, stage: Stage, now: float) -> tuple[Action, ...]:
    """A deployment is done when every instance says that it runs it; that is waited for."""
    ended = max((job.ended_at for job in stage.jobs.values()), default=stage.started_at)
    if now - ended <= ATTEST_S:
        return ()
    why = f"not all instances said within {ATTEST_S:g} s that they run {run.to_version}"
    return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why),)),)


def rollback_to_intend(
    run: Run, authority: Authority, *, spent: bool = False
) -> ev.EffectIntended | None:
    """The rollback that somebody permitted and that is not intended yet.

    Where the agent's own is `spent` it is a person's to decide, whatever stands in the journal.
    """
    allowed = permission.to_roll_back(run, authority, spent=spent)
    if allowed is None:
        return None
    by, reason = allowed
    back = [e for e in run.effects.values() if e.weight == 0]
    if any(
        e.status == "fenced" and e.epoch == authority.epoch and e.by.kind == by.kind for e in back
    ):
        return None  # the governor said no to them in this very epoch; it would say no again
    return ev.EffectIntended(
        run=run.id,
        key=f"run-{run.id}.rollback.{len(back) + 1}",
        step=run.step,
        weight=0,
        epoch=authority.epoch,
        by=by,
        reason=reason,
    )


def overtaken(run: Run, latest: Effect | None) -> tuple[ev.Event, ...]:
    """A raise that is still under way does not hold a rollback up."""
    if latest is None or latest.status != "intended":
        return ()
    why = "a rollback overtook it"
    return (ev.EffectFenced(run=run.id, key=latest.key, code="overtaken", why=why),)


def _rolling_back(run: Run, stage: Stage, effect: Effect, now: float) -> tuple[Action, ...]:
    if effect.status != "verified":
        late = incomplete(run, effect.begun, effect.why or "the governor does not answer", now)
        if late is not None:
            return (Record((late,)),)
        # Tried until the target is there. In another epoch the governor says what became of it.
        return (Apply(run.id, effect),)
    why = f"rolled back by {effect.by.name}: {effect.reason}"
    return (
        Record(
            (
                ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why),
                ev.RunEnded(run=run.id, outcome="rolled_back", why=why),
            )
        ),
    )


def _forward(
    run: Run,
    stage: Stage,
    plan: CanaryStage,
    authority: Authority,
    latest: Effect | None,
    now: float,
    bar: Bar | None,
    frozen: Frozen | None,
) -> tuple[Action, ...]:
    step = run.step + 1
    if latest is not None and latest.step == step and latest.status == "verified":
        events: list[ev.Event] = [ev.StepEntered(run=run.id, step=step, weight=latest.weight)]
        if run.hold is not None:
            events.append(ev.RunResumed(run=run.id, why=f"{latest.by.name} {latest.reason}"))
        if step >= len(plan.steps):
            events.append(ev.StageEnded(run=run.id, stage=stage.name, status="passed"))
        return (Record(tuple(events)),)
    if bar is not None:
        return _barred(run, bar)
    if run.hold is not None and run.hold.cause in BARS:
        return (Record((ev.RunResumed(run=run.id, why="what barred it is over"),)),)
    if authority.mode == "paused":
        return ()
    tries = [e for e in run.effects.values() if e.step == step and e.weight != 0]
    trouble = _trouble([e for e in tries if e.epoch == authority.epoch], weight_of(plan, step))
    held = run.hold is not None and run.hold.cause == "target"
    if trouble:
        return () if held else (Record((ev.RunHeld(run=run.id, cause="target", why=trouble),)),)
    if held:
        why = "control changed hands: the target is tried again"
        return (Record((ev.RunResumed(run=run.id, why=why),)),)
    if run.step < 0 and run.hold is not None and run.hold.cause == "stable_unhealthy":
        return ()  # what the canary would be compared with is not well itself
    if frozen is not None:
        waits = _frozen(run, step, frozen, authority, now)
        if waits is not None:
            return waits
    allowed = permission.for_step(run, step, authority, now)
    if allowed is None:
        return ()
    failed_at = tries[-1].at if tries and tries[-1].status == "diverged" else None
    if failed_at is not None and permission.recent(failed_at, now, TRY_AGAIN_S):
        return ()
    by, reason = allowed
    if authority.mode == "person":
        by = ev.By("person", authority.holder)
    intended = ev.EffectIntended(
        run=run.id,
        key=f"run-{run.id}.step{step}.{len(tries) + 1}",
        step=step,
        weight=weight_of(plan, step),
        epoch=authority.epoch,
        by=by,
        reason=reason,
    )
    return (Record((intended,), by.name),)


def _frozen(
    run: Run, step: int, frozen: Frozen, authority: Authority, now: float
) -> tuple[Action, ...] | None:
    """What a freeze makes of going forward; None where it stands in the way of nothing."""
    why = shut(frozen, now)
    held = run.hold is not None and run.hold.cause == "freeze"
    if not why or (not passed(frozen, now) and overridden(run, step, frozen, authority)):
        if held:
            return (Record((ev.RunResumed(run=run.id, why=frozen.why or "the freeze is over"),)),)
        return None
    # Where people may go on all the same, they are asked: a hold would say that they cannot.
    askable = frozen.people > 0 and step > 0
    if run.hold is not None or askable or passed(frozen, now):
        return ()
    return (Record((ev.RunHeld(run=run.id, cause="freeze", why=why),)),)


def _barred(run: Run, bar: Bar) -> tuple[Action, ...]:
    """Held for as long as the bar is there."""
    cause, why = bar
    if run.hold is not None and (run.hold.cause, run.hold.why) == bar:
        return ()
    return (Record((ev.RunHeld(run=run.id, cause=cause, why=why),)),)


def _trouble(tries: list[Effect], weight: int) -> str:
    """Why raising is given up in this epoch, in words; empty when it is not."""
    refused = [e for e in tries if e.status == "fenced" and e.code not in ASK_AGAIN]
    if refused:
        return f"the governor refused {weight} %: {refused[-1].why}"
    failed = [e for e in tries if e.status == "diverged" or e.code == "no_capsule"]
    if len(failed) >= MOST_TRIES:
        return f"the target did not take {weight} % in {len(failed)} tries: {failed[-1].why}"
    return ""
