"""The commands of one stage: which start, which are cancelled, and when the stage has ended."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.actions import Action, CancelJob, Record, RunJob, job_key
from hatchway.core.plan import JobGroups, JobPlan
from hatchway.core.state import Job, Run, Stage

MOST_ATTEMPTS = 2  # of a job whose outcome was lost


def jobs_of(
    run: Run, stage: Stage, groups: JobGroups, budget_s: float, now: float, *, paused: bool
) -> tuple[Action, ...] | None:
    """What the jobs of a stage need; None when all have passed.

    While paused nothing new starts; what runs already is followed to its end.
    """
    left = max(1.0, budget_s - _used(stage, groups, now))
    for group in groups:
        jobs = [(plan, stage.jobs.get(plan.name)) for plan in group]
        if any(job is not None and _broken(job) for _, job in jobs):
            return _after_a_broken_job(run, stage, jobs, left)
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
        if starts and not paused:
            return (Record(starts),)
        running = tuple(
            RunJob(run.id, stage.name, plan, job.attempt, min(plan.timeout_s, left))
            for plan, job in jobs
            if job is not None and job.status == "running"
        )
        if starts or running:
            return running
    return None


def _broken(job: Job) -> bool:
    return job.status in ("failed", "timed_out", "cancelled") or (
        job.status == "lost" and job.attempt >= MOST_ATTEMPTS
    )


def _after_a_broken_job(
    run: Run, stage: Stage, jobs: list[tuple[JobPlan, Job | None]], left: float
) -> tuple[Action, ...]:
    bad = [(plan, job) for plan, job in jobs if job is not None and _broken(job)]
    # The one that failed by itself, not one that was cancelled because of it.
    plan, job = next(((p, j) for p, j in bad if j.status != "cancelled"), bad[0])
    why = f"{plan.name}: {job.why}"
    running = [(p, j) for p, j in jobs if j is not None and j.status == "running"]
    if running:
        return tuple(
            action
            for p, j in running
            for action in (
                RunJob(run.id, stage.name, p, j.attempt, left),
                CancelJob(run.id, job_key(run.id, stage.name, p.name, j.attempt), why),
            )
        )
    ended = ev.StageEnded(run=run.id, stage=stage.name, status="failed", why=why)
    return (Record((ended,)),)


def _used(stage: Stage, groups: JobGroups, now: float) -> float:
    """Seconds of the budget that the groups took; what lies between them (a pause) is free."""
    used = 0.0
    for group in groups:
        jobs = [job for plan in group if (job := stage.jobs.get(plan.name)) is not None]
        if jobs:
            ends = [now if job.status == "running" else job.ended_at for job in jobs]
            used += max(0.0, max(ends) - min(job.started_at for job in jobs))
    return used
