"""next_actions(state, run, now): what a run needs next. Pure, and derived from the state alone.

So a backend that was killed asks again and gets the same answer: what is done is in the journal,
what is under way is found again by its key. Nothing risky is in the list while the service is
paused, and no share is raised without a permission that is in the journal.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.plan import CanaryStage, CommandStage, JobGroups, JobPlan, ReleaseStage
from hatchway.core.state import Authority, Effect, Item, Proposal, Run, Stage, State

MOST_ATTEMPTS = 2  # of a job whose outcome was lost
MOST_TRIES = 3  # to bring the target to a raised share
FRESH_S = 10.0  # an automatic promotion is only worth the evidence of this moment
FRESH_YES_S = 60.0  # and a person's yes to one not much longer, should the backend have been away


class Record(Struct, frozen=True):
    """Journal these events."""

    events: tuple[ev.Event, ...]
    actor: str = "hatchway"


class RunJob(Struct, frozen=True):
    """Start or adopt this attempt of a job and journal how it ends."""

    run: str
    stage: str
    job: JobPlan
    attempt: int
    timeout_s: float

    @property
    def key(self) -> str:
        """The runner's name for this attempt."""
        return job_key(self.run, self.stage, self.job.name, self.attempt)


class CancelJob(Struct, frozen=True):
    """Stop a job whose stage has failed anyway."""

    key: str
    why: str


class GatherRelease(Struct, frozen=True):
    """Read from the repository what ships."""

    run: str
    stage: str


class Ask(Struct, frozen=True):
    """Ask the brain about something other than the canary's metrics."""

    run: str
    topic: str  # "release" or "failed"
    stage: str


class ArmCapsule(Struct, frozen=True):
    """Give the governor what it needs to roll back alone."""

    run: str


class Apply(Struct, frozen=True):
    """Bring the target to an effect's weight and settle the effect."""

    run: str
    effect: Effect


class ConfirmRollback(Struct, frozen=True):
    """A person rolled back at the governor: observe until the target is there."""

    run: str


Action = Record | RunJob | CancelJob | GatherRelease | Ask | ArmCapsule | Apply | ConfirmRollback


def job_key(run: str, stage: str, job: str, attempt: int) -> str:
    """A name for one attempt of a job, fit for a folder."""
    return ".".join(
        part.replace(" ", "_").replace("/", "_")
        for part in (f"run-{run}", stage, job, str(attempt))
    )


def next_actions(state: State, run: Run, now: float) -> tuple[Action, ...]:
    """What `run` needs now; empty when it waits for something that is under way."""
    if not run.active:
        return ()
    authority = state.authority_of(run.service)
    if run.rollback_from:
        return (ConfirmRollback(run.id),)
    stale = _stale_items(run, authority, now)
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
            return _commands(run, stage, plan.groups, plan.budget_s, now, ends_stage=True)
        case ReleaseStage():
            return _release(run, stage, plan, authority, now)
        case CanaryStage():
            return _canary(run, stage, plan, authority, now)


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
        elif item.capability == "promote" and run.verdict and run.verdict.word != "PASS":
            why = f"the verdict is now {run.verdict.word}"
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


def _after_failure(run: Run, stage: Stage) -> tuple[Action, ...]:
    """A failed stage never goes on; the agent words why."""
    if not any(p.capability == "block_deploy" for p in run.proposals.values()):
        return (Ask(run.id, "failed", stage.name),)
    ended = ev.RunEnded(run=run.id, outcome="failed", why=f"{stage.name}: {stage.why}")
    return (Record((ended,)),)


def _commands(
    run: Run, stage: Stage, groups: JobGroups, budget_s: float, now: float, *, ends_stage: bool
) -> tuple[Action, ...]:
    left = max(1.0, stage.started_at + budget_s - now)
    for group in groups:
        jobs = [(plan, stage.jobs.get(plan.name)) for plan in group]
        bad = [
            (plan, job)
            for plan, job in jobs
            if job is not None
            and (
                job.status in ("failed", "timed_out", "cancelled")
                or (job.status == "lost" and job.attempt >= MOST_ATTEMPTS)
            )
        ]
        running = [(p, j) for p, j in jobs if j is not None and j.status == "running"]
        if bad:
            # The one that failed by itself, not one that was cancelled because of it.
            plan, job = next(((p, j) for p, j in bad if j.status != "cancelled"), bad[0])
            why = f"{plan.name}: {job.why}"
            if running:
                return tuple(
                    action
                    for p, j in running
                    for action in (
                        RunJob(run.id, stage.name, p, j.attempt, left),
                        CancelJob(job_key(run.id, stage.name, p.name, j.attempt), why),
                    )
                )
            ended = ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why)
            return (Record((ended,)),)
        starts = tuple(
            ev.JobStarted(
                run=run.id,
                stage=stage.name,
                job=plan.name,
                attempt=1 if job is None else job.attempt + 1,
            )
            for plan, job in jobs
            if job is None or job.status == "lost"
        )
        if starts:
            return (Record(starts),)
        if running:
            return tuple(
                RunJob(run.id, stage.name, p, j.attempt, min(p.timeout_s, left)) for p, j in running
            )
    if not ends_stage:
        return ()
    return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="passed"),)),)


def _release(
    run: Run, stage: Stage, plan: ReleaseStage, authority: Authority, now: float
) -> tuple[Action, ...]:
    if not run.release_requested:
        return (GatherRelease(run.id, stage.name),)
    if not any(p.capability == "open_release" for p in run.proposals.values()):
        return (Ask(run.id, "release", stage.name),)
    approvals = [i for i in run.items.values() if i.type == "approval"]
    rejected = next((i for i in approvals if i.status == "rejected"), None)
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
    yes = [i for i in approvals if i.status == "accepted"]
    if len(yes) >= plan.approvals:
        if authority.mode == "paused":
            return ()
        return (Record((ev.StageEnded(run=run.id, stage=stage.name, status="passed"),)),)
    if any(i.status == "open" for i in approvals):
        return ()
    opened = ev.ItemOpened(
        run=run.id,
        item=f"run-{run.id}.approval.{len(approvals) + 1}",
        type="approval",
        capability="open_release",
        step=run.step,
        expires_at=now + plan.expires_s,
        lines=run.risk_reasons,
        binding={
            "stage": stage.name,
            "commit": run.commit,
            "plan": run.plan.digest,
            "policy": run.policy_digest,
            "max_weight": "100",
            "epoch": str(authority.epoch),
            "not": ",".join(i.by for i in yes),
        },
    )
    return (Record((opened,), "agent"),)


# --- the canary ---------------------------------------------------------------------------------


def weight_of(plan: CanaryStage, step: int) -> int:
    """The canary's share in a step, what is held back taken off; 100 after the last step."""
    if step >= len(plan.steps):
        return 100
    return plan.steps[step].weight - plan.steps[step].hold_back


def _canary(
    run: Run, stage: Stage, plan: CanaryStage, authority: Authority, now: float
) -> tuple[Action, ...]:
    deploying = _commands(run, stage, plan.deploy, 600.0, now, ends_stage=False)
    if deploying:
        return deploying
    if not run.capsule:
        return (ArmCapsule(run.id),)
    latest = list(run.effects.values())[-1] if run.effects else None
    if latest is not None and latest.status == "intended":
        return (Apply(run.id, latest),)
    if latest is not None and latest.status == "fenced" and latest.epoch == authority.epoch:
        return ()  # the governor said no in this very epoch; asking again changes nothing
    if latest is not None and latest.weight == 0 and latest.status != "fenced":
        return _rolling_back(run, stage, latest, authority)
    back = _permission_to_roll_back(run, authority)
    if back is not None:
        tries = sum(1 for e in run.effects.values() if e.weight == 0)
        intended = ev.EffectIntended(
            run=run.id,
            key=f"run-{run.id}.rollback.{tries + 1}",
            step=run.step,
            weight=0,
            epoch=authority.epoch,
            by=back[0],
            reason=back[1],
        )
        return (Record((intended,), back[0].name),)
    return _forward(run, stage, plan, authority, latest, now)


def _rolling_back(
    run: Run, stage: Stage, effect: Effect, authority: Authority
) -> tuple[Action, ...]:
    if effect.status == "verified":
        why = f"rolled back by {effect.by.name}: {effect.reason}"
        return (
            Record(
                (
                    ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why),
                    ev.RunEnded(run=run.id, outcome="rolled_back", why=why),
                )
            ),
        )
    if effect.status == "diverged" and effect.epoch == authority.epoch:
        return (Apply(run.id, effect),)  # a rollback is tried until the target is there
    return ()


def _permission_to_roll_back(run: Run, authority: Authority) -> tuple[ev.By, str] | None:
    for item in run.items.values():
        if _valid(item, "rollback", run, authority):
            return ev.By("person", item.by), "accepted the agent's recommendation"
    if authority.mode == "agent" and run.mode == "act":
        for proposal in run.proposals.values():
            if _automatic(proposal, "rollback", run, authority):
                return ev.By("agent", "agent"), proposal.why
    return None


def _permission_for_step(
    run: Run, step: int, authority: Authority, now: float
) -> tuple[ev.By, str] | None:
    """Who allowed `step`: the first is covered by the release's approval, each other by its own."""
    if step == 0:
        approved = [
            i for i in run.items.values() if i.type == "approval" and i.status == "accepted"
        ]
        return (ev.By("person", approved[-1].by), "approved the release") if approved else None
    for item in run.items.values():
        if _valid(item, "promote", run, authority) and now - item.closed_at <= FRESH_YES_S:
            return ev.By("person", item.by), "accepted the agent's recommendation"
    if authority.mode == "agent" and run.mode == "act":
        for proposal in run.proposals.values():
            if _automatic(proposal, "promote", run, authority) and now - proposal.at <= FRESH_S:
                return ev.By("agent", "agent"), proposal.why
    return None


def _valid(item: Item, capability: str, run: Run, authority: Authority) -> bool:
    return (
        item.type == "recommendation"
        and item.capability == capability
        and item.status == "accepted"
        and item.step == run.step
        and item.epoch == authority.epoch
    )


def _automatic(proposal: Proposal, capability: str, run: Run, authority: Authority) -> bool:
    return (
        proposal.capability == capability
        and proposal.answer == "auto"
        and proposal.step == run.step
        and proposal.epoch == authority.epoch
    )


def _forward(
    run: Run,
    stage: Stage,
    plan: CanaryStage,
    authority: Authority,
    latest: Effect | None,
    now: float,
) -> tuple[Action, ...]:
    step = run.step + 1
    if latest is not None and latest.step == step and latest.status == "verified":
        events: list[ev.Event] = [ev.StepEntered(run=run.id, step=step, weight=latest.weight)]
        if step >= len(plan.steps):
            events.append(ev.StageEnded(run=run.id, stage=stage.name, status="passed"))
        return (Record(tuple(events)),)
    given_up = run.hold is not None and run.hold.cause == "target"
    if authority.mode == "paused" or given_up:
        return ()
    permission = _permission_for_step(run, step, authority, now)
    if permission is None or (step > 0 and _worse(run)):
        return ()
    tries = sum(1 for e in run.effects.values() if e.step == step and e.weight != 0)
    refused = sum(1 for e in run.effects.values() if e.step == step and e.status == "diverged")
    if refused >= MOST_TRIES:
        held = ev.RunHeld(
            run=run.id,
            cause="target",
            why=f"the target did not take {weight_of(plan, step)} % in {refused} tries: "
            f"{latest.why if latest else ''}",
        )
        return (Record((held,)),)
    by, reason = permission
    if authority.mode == "person":
        by = ev.By("person", authority.holder)
    intended = ev.EffectIntended(
        run=run.id,
        key=f"run-{run.id}.step{step}.{tries + 1}",
        step=step,
        weight=weight_of(plan, step),
        epoch=authority.epoch,
        by=by,
        reason=reason,
    )
    return (Record((intended,), by.name),)


def _worse(run: Run) -> bool:
    return run.verdict is not None and run.verdict.action != "none"


def has_spoken(run: Run, capability: str, epoch: int, now: float) -> bool:
    """Whether the agent's last word on `capability` in this step and epoch still stands."""
    for proposal in run.proposals.values():
        if (proposal.capability, proposal.step, proposal.epoch) != (capability, run.step, epoch):
            continue
        item = run.items.get(f"{proposal.id}.item")
        if item is not None:
            if item.status == "accepted" and now - item.closed_at > FRESH_YES_S:
                continue
            if item.status in ("open", "accepted", "rejected"):
                return True
        elif capability != "promote" or proposal.answer != "auto" or now - proposal.at <= FRESH_S:
            return True
    return False
