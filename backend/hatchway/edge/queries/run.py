"""The query `run`: a run in detail, from the state and from what its events said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from msgspec.structs import replace

from hatchway.core.plan import CanaryStage, CommandStage, JobGroups
from hatchway.core.state import Job, Run, Stage, State
from hatchway.edge.chronicle import Chronicle, Told
from hatchway.edge.docs.run import JobSpan, RunStory, Span
from hatchway.edge.protocol import StageStatus
from hatchway.edge.queries.answer import NotKnown

EARLIER = 20
"""Runs that a median is of, at most."""


def run_story(state: Callable[[], State], chronicle: Chronicle) -> Callable[[str], RunStory]:
    """Makes the story of a run."""
    return lambda about: story(state(), chronicle, about)


def known_run(state: State, about: str) -> Run:
    """The run of that id. Raises NotKnown."""
    run = state.runs.get(about)
    if run is None:
        raise NotKnown(f"there is no run {about[:40]!a} here")
    return run


def story(state: State, chronicle: Chronicle, about: str) -> RunStory:
    """The story of a run. Raises NotKnown."""
    run = known_run(state, about)
    told = chronicle.of(run.id)
    earlier = _earlier(state, run)
    usual = _usual(earlier, chronicle)
    moments = told.moments
    return RunStory(
        run=run.id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        requested_by=run.requester,
        moments=moments,
        left_out=told.count - len(moments),
        left_out_after=len(told.first),
        sealed=not moments or not moments[0].text.startswith("run "),
        spans=tuple(replace(each, usual_s=usual.get(each.name)) for each in spans(run, told)),
        waits=tuple(told.waits),
        usual_of=len(earlier),
    )


def _earlier(state: State, run: Run) -> list[Run]:
    found: list[Run] = []
    for each in reversed(state.runs.values()):
        if each.service == run.service and each.id != run.id and each.started_at < run.started_at:
            found.append(each)
            if len(found) == EARLIER:
                break
    return found


def _usual(earlier: list[Run], chronicle: Chronicle) -> dict[str, float]:
    """By span: the median of its seconds where it passed."""
    seconds: dict[str, list[float]] = {}
    for run in earlier:
        for span in spans(run, chronicle.of(run.id)):
            if span.status == "passed" and span.started_at and span.ended_at:
                seconds.setdefault(span.name, []).append(span.ended_at - span.started_at)
    return {name: median(found) for name, found in seconds.items()}


def spans(run: Run, told: Told) -> tuple[Span, ...]:
    """Its stages in order; a canary is its deployment and its steps."""
    out: list[Span] = []
    for stage, plan in zip(run.stages, run.plan.stages, strict=True):
        if isinstance(plan, CanaryStage):
            out += _canary(run, stage, plan, told)
            continue
        groups = plan.groups if isinstance(plan, CommandStage) else ()
        kind = plan.kind if isinstance(plan, CommandStage) else "release"
        out.append(
            Span(
                stage.name,
                kind,
                stage.status,
                stage.started_at,
                _end(run, stage.started_at, stage.ended_at),
                stage.why,
                tuple(_jobs(run, stage, groups)),
            )
        )
    return tuple(out)


def _end(run: Run, began: float, ended: float) -> float:
    """When it ended; 0 while it goes on. What was under way when the run ended did not go on."""
    ended = ended or run.ended_at
    return max(began, ended) if began and ended else 0.0


def _canary(run: Run, stage: Stage, plan: CanaryStage, told: Told) -> Iterator[Span]:
    ends = _end(run, stage.started_at, stage.ended_at)
    entered = [told.steps.get(index, 0.0) for index in range(len(plan.steps) + 1)]
    first = next((at for at in entered if at), 0.0)
    deployed: StageStatus = "passed" if first else stage.status
    jobs = tuple(_jobs(run, stage, plan.deploy))
    name = f"{stage.name} deploy"
    yield Span(name, "deploy", deployed, stage.started_at, _end(run, stage.started_at, first or ends), "" if first else stage.why, jobs)  # fmt: skip
    for index, step in enumerate(plan.steps):
        began = entered[index]
        after = next((at for at in entered[index + 1 :] if at), 0.0)
        status: StageStatus = "pending"
        if began:
            status = "passed" if after else stage.status
        why = stage.why if began and not after else ""
        ended = _end(run, began, after or ends)
        yield Span(f"{stage.name} {step.weight}%", "canary", status, began, ended, why)


def _jobs(run: Run, stage: Stage, groups: JobGroups) -> Iterator[JobSpan]:
    place = {job.name: index for index, group in enumerate(groups) for job in group}
    for job in stage.jobs.values():
        yield JobSpan(
            job.name,
            _status(job),
            job.started_at,
            _end(run, job.started_at, job.ended_at),
            place.get(job.name, 0),
            job.attempt,
            job.why,
        )


def _status(job: Job) -> StageStatus:
    return job.status if job.status in ("running", "passed", "cancelled") else "failed"
