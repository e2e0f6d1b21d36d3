"""State and live data -> the documents that dashboards mirror. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from hatchway.conductor.live import Live, Reading, Watched
from hatchway.core.monitoring import compares, monitor_s, patience_s
from hatchway.core.plan import CanaryStage, CanaryStep, MetricSpec, ServiceSpec
from hatchway.core.state import Authority, Item, Job, Run, Stage, State
from hatchway.edge import protocol as p
from hatchway.edge.standing import level_words, rollback_words
from hatchway.edge.waiting import undo_words
from hatchway.judge.words import duration

MOST_POINTS = 15
_LIMIT_IS = {"up": "max", "down": "min"}


READ_STEP_S = 5
"""Seconds to which the time of the governor's last word is told."""


def authority_doc(state: State, live: Live, service: str, drill: str = "") -> p.AuthorityDoc:
    """Who is in control, as the governor was last read. `drill`: why one is overdue."""
    authority = state.authority_of(service)
    standing, read_at = live.standing.get(service, (None, 0.0))
    level = level_words(state, service, drill)
    if standing is not None and standing.stop_all:
        level = "may do nothing: STOP ALL"
    mode: p.Mode = authority.mode
    if standing is None:
        mode = "unknown"
    elif standing.mode in ("agent", "paused", "person"):
        mode = standing.mode  # type: ignore[assignment]
    return p.AuthorityDoc(
        service=service,
        mode=mode,
        epoch=standing.epoch if standing else authority.epoch,
        holder=standing.holder if standing else authority.holder,
        since=authority.since,
        reason=authority.reason,
        level=level,
        # A document that is the same but for its age need not be sent again each second: of 200
        # services that was 50 kB/s to each dashboard.
        read_at=float(int(read_at) // READ_STEP_S * READ_STEP_S),
        drift=(standing.drift or standing.trouble) if standing else "",
        stop_all=standing.stop_all if standing else "",
    )


def run_doc(run: Run, authority: Authority, live: Live, now: float) -> p.RunDoc:
    """One run, with what happens next if nobody does anything."""
    standing, _ = live.standing.get(run.service, (None, 0.0))
    weight = run.weight
    if standing is not None and standing.observed is not None and run.active:
        weight = standing.observed.canary
    watched = live.watched.get(run.id)
    return replace(
        _bare(run),
        status=_status(run, authority),
        risk=run.risk if run.release_requested else "",
        risk_reasons=run.risk_reasons,
        attention=run.attention,
        changes=tuple(p.ChangeDoc(c.commit, c.author, c.title) for c in run.changes),
        files=run.files,
        stages=_stages(run),
        step=_step(run, now),
        weight=weight,
        verdict=_verdict(run, watched),
        next=next_words(run, authority, watched, now),
        held=_held(run, live),
        undo=undo_words(run) if run.release_requested else "",
    )


def _held(run: Run, live: Live) -> str:
    """Why it does not go on, in words: its hold, what fails and is tried again, or its failure."""
    if not run.active:
        if run.unsettled and run.residue:
            return rollback_words(run)
        return run.why if run.outcome == "failed" else ""
    return "; ".join(filter(None, (run.hold.why if run.hold else "", live.trouble_of(run.id))))


def unshown(run: Run, why: str) -> p.RunDoc:
    """Stands in for a run that cannot be shown, so that a person learns of it."""
    return replace(_bare(run), held=f"this run cannot be shown ({why}); stops work")


def _bare(run: Run) -> p.RunDoc:
    """What can be said of any run."""
    return p.RunDoc(
        id=run.id,
        service=run.service,
        environment=run.environment,
        pipeline=run.plan.name,
        mode=run.mode,
        version=run.version,
        from_version=run.from_version,
        to_version=run.to_version,
        commit=run.commit,
        status="held" if run.active else "ended",
        started_at=run.started_at,
        outcome=run.outcome or "",
        ended_at=run.ended_at,
        weight=run.weight,
    )


def _status(run: Run, authority: Authority) -> p.RunStatus:
    if run.outcome is not None:
        return "ended"
    if run.rollback_from or any(
        e.weight == 0 and e.status in ("intended", "diverged") for e in run.effects.values()
    ):
        return "rolling_back"
    if authority.mode == "paused":
        return "paused"
    if run.hold is not None:
        return "held"
    if any(i.status == "open" for i in run.items.values()):
        return "waiting"
    return "running"


def _job(job: Job) -> p.JobDoc:
    status: p.StageStatus = "failed"
    if job.status in ("running", "passed", "cancelled"):
        status = job.status
    return p.JobDoc(job.name, status, job.started_at, job.ended_at, job.why)


def _stages(run: Run) -> tuple[p.StageDoc, ...]:
    docs: list[p.StageDoc] = []
    for stage, plan in zip(run.stages, run.plan.stages, strict=True):
        if isinstance(plan, CanaryStage):
            docs.extend(_canary_steps(run, stage, plan))
            continue
        docs.append(
            p.StageDoc(
                name=stage.name,
                kind=getattr(plan, "kind", "release"),
                label="you" if not hasattr(plan, "kind") else stage.name,
                status=stage.status,
                started_at=stage.started_at,
                ended_at=stage.ended_at,
                detail=stage.why,
                jobs=tuple(_job(j) for j in stage.jobs.values()),
            )
        )
    return tuple(docs)


def _canary_steps(run: Run, stage: Stage, plan: CanaryStage) -> list[p.StageDoc]:
    docs: list[p.StageDoc] = []
    for index, step in enumerate(plan.steps):
        status: p.StageStatus = "pending"
        if index < run.step:
            status = "passed"
        elif index == max(run.step, 0):
            status = stage.status
        docs.append(
            p.StageDoc(
                name=f"{stage.name} {step.weight}%",
                kind="canary",
                label=f"{step.weight}%",
                status=status,
                started_at=run.step_since if index == run.step else 0.0,
                detail=stage.why if index == max(run.step, 0) else "",
                jobs=tuple(_job(j) for j in stage.jobs.values()) if index == 0 else (),
            )
        )
    return docs


def _step(run: Run, now: float) -> p.StepDoc | None:
    plan = run.canary
    if plan is None or not 0 <= run.step < len(plan.steps) or not run.active:
        return None
    step = plan.steps[run.step]
    held_back = f", {step.hold_back}% held back" if step.hold_back else ""
    return p.StepDoc(
        label=f"CANARY {step.weight}%{held_back}",
        index=run.step,
        count=len(plan.steps),
        weight=step.weight,
        since=run.step_since,
        until=run.step_since + monitor_s(step, run.pace),
    )


def _verdict(run: Run, watched: Watched | None) -> p.VerdictDoc | None:
    if watched is not None and watched.word and run.active and run.step >= 0:
        return p.VerdictDoc(
            verdict=watched.word,  # type: ignore[arg-type]
            headline=watched.headline,
            why=tuple(
                p.WhyLine(sign, text, f"E{i}", source, at)  # type: ignore[arg-type]
                for i, (sign, text, source, at) in enumerate(watched.why, 1)
            ),
            confidence=watched.confidence,
            at=float(int(watched.at)),
        )
    if run.verdict is None:
        return None
    verdict = run.verdict
    return p.VerdictDoc(
        verdict=verdict.word,
        headline=verdict.headline,
        why=tuple(p.WhyLine(e.sign, e.text, e.id, e.source, e.at) for e in verdict.evidence),
        confidence=verdict.confidence,
        at=verdict.at,
    )


def next_words(run: Run, authority: Authority, watched: Watched | None, now: float) -> str:
    """What happens if nobody does anything."""
    if run.outcome is not None:
        undone = f", and was rolled back since by {run.undone_by}" if run.undone_by else ""
        back = f"; {rollback_words(run)}" if run.went_back else ""
        return f"nothing: the run has ended, {run.outcome.replace('_', ' ')}{undone}{back}"
    if run.rollback_from:
        return f"all traffic goes back to {run.from_version}; the run ends when that is observed"
    if authority.mode == "paused":
        return f"nothing changes until {authority.holder or 'somebody'} or oncall gives back (g)"
    if any(e.weight == 0 and e.status != "fenced" for e in run.effects.values()):
        return f"all traffic goes back to {run.from_version}; the run ends when that is observed"
    open_items = [i for i in run.items.values() if i.status == "open"]
    if any(i.capability == "rollback" for i in open_items):
        return f"stays at {run.weight}%; nothing is rolled back until you accept or press r, f"
    if open_items and open_items[0].type == "approval":
        return "waits for a yes; no answer means it is held and asked again, never promoted"
    if open_items:
        return f"stays at {run.weight}% until you accept; {_without_answer(run, open_items[0])}"
    refused = next(
        (i for i in run.items.values() if i.type == "approval" and i.status == "rejected"), None
    )
    if refused is not None:
        return f"stays at {run.weight}%: {refused.by} said no to what has changed; roll it back"
    if run.hold is not None:
        return f"stays at {run.weight}% while held; nothing is promoted"
    no = next((i for i in run.items.values() if _stands(i, run, authority)), None)
    if no is not None and no.capability == "promote":
        return f"stays at {run.weight}%: {no.by} said no to going on; take over or roll back"
    if authority.mode == "person" and run.step < 0 and _approved_before(run, authority):
        return f"stays at 0%: it was approved before {authority.holder} took over; give back (g)"
    plan = run.canary
    if plan is not None and 0 <= run.step < len(plan.steps):
        return _next_in_step(run, plan, authority, watched, now)
    left = [s.name for s in run.stages if s.status == "pending"]
    return f"then {', '.join(left[:3])}" if left else "the run ends"


def _approved_before(run: Run, authority: Authority) -> bool:
    """Whether the release was approved, and then taken over: it waits until it is given back."""
    approvals = [i for i in run.items.values() if i.type == "approval" and i.status == "accepted"]
    return any(i.closed_at < authority.since for i in approvals)


def _without_answer(run: Run, item: Item) -> str:
    """What no answer means to a question about going on."""
    plan = run.canary
    if item.asked_on != "UNSURE" or plan is None or not 0 <= run.step < len(plan.steps):
        return "no answer changes nothing"
    if not compares(plan.steps[run.step]):
        return "nothing is left to compare with, so it stays unsure"
    return "it is not sure yet, and goes on watching"


def _stands(item: Item, run: Run, authority: Authority) -> bool:
    """Whether a person's no is still about this step and epoch, so that nobody is asked again."""
    here = item.step == run.step and item.epoch == authority.epoch
    return item.type == "recommendation" and item.status == "rejected" and here


def _next_in_step(
    run: Run, plan: CanaryStage, authority: Authority, watched: Watched | None, now: float
) -> str:
    step = plan.steps[run.step]
    last = run.step + 1 == len(plan.steps)
    goal = "finishes at 100%" if last else f"raises to {plan.steps[run.step + 1].weight}%"
    asks = "asks you, then " if run.mode == "recommend" or authority.mode == "person" else ""
    if not compares(step):
        when = _clock(run.step_since + monitor_s(step, run.pace))
        return f"asks you whether to finish at {when}: nothing is held back to compare with"
    left = run.step_since + monitor_s(step, run.pace) - now
    when = "as soon as the verdict is PASS"
    if left > 0 and step.advance == "timed":
        when = f"when monitoring ends and the verdict is PASS, not before {_clock(now + left)}"
    data = ""
    if watched is not None and watched.word == "UNSURE" and watched.forecast_s is not None:
        data = f"; enough data in about {duration(watched.forecast_s)}"
    return f"agent {asks}{goal} {when}{data}{_if_unsure(run, step)}"


def _if_unsure(run: Run, step: CanaryStep) -> str:
    """What happens when there is no clear answer in time."""
    if step.on_unsure == "ask":
        return f"; not sure at {_clock(run.step_since + monitor_s(step, run.pace))}: asks you"
    return f"; not sure at {_clock(run.step_since + patience_s(step, run.pace))}: held"


def _clock(at: float) -> str:
    seconds = int(at) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


# --- metrics --------------------------------------------------------------------------------------


def metrics_doc(run: Run, service: ServiceSpec, watched: Watched) -> p.MetricsDoc:
    """The newest look of a run."""
    specs: Mapping[str, MetricSpec] = {m.name: m for m in service.metrics}
    return p.MetricsDoc(
        run=run.id,
        at=watched.at,
        metrics=tuple(
            _metric(specs[r.name], r, watched) for r in watched.readings if r.name in specs
        ),
        steps=run.weight_changes,
    )


def _metric(spec: MetricSpec, reading: Reading, watched: Watched) -> p.MetricDoc:
    state = spec.kind == "state"
    return p.MetricDoc(
        name=spec.name,
        label=spec.label,
        unit=_unit(spec),
        stable=_round(reading.stable),
        canary=_round(reading.canary),
        says=reading.says,
        tone=_tone(reading.says),
        limit=spec.limit,
        limit_is="none" if spec.limit is None else _LIMIT_IS[spec.worse],  # type: ignore[arg-type]
        n=reading.n,
        at=reading.at,
        plot=spec.plot,
        text_stable=_state(reading.stable) if state else "",
        text_canary=_state(reading.canary) if state else "",
        points=tuple(watched.points.get(spec.name, ()))[-MOST_POINTS:],
    )


def _unit(spec: MetricSpec) -> str:
    words = {"percent": "%", "per_minute": "per min", "ms": "ms", "plain": spec.unit}
    return words[spec.shown_as]


def _state(value: float | None) -> str:
    if value is None:
        return "--"
    return "ok" if value == 1 else "DOWN"


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _tone(says: str) -> p.Tone:
    match says:
        case "same" | "better" | "ok":
            return "good"
        case "worse" | "DOWN":
            return "bad"
        case "":
            return "dim"
        case _:
            return "warn"


def history_doc(run: str, watched: Watched) -> p.HistoryDoc:
    """All points that are kept."""
    return p.HistoryDoc(run, {name: tuple(points) for name, points in watched.points.items()})


def log_doc(run: str, live: Live) -> p.LogDoc:
    """The newest lines that the run's commands printed."""
    kept = live.log.get(run, ())
    lines = tuple(p.LogLine(job, text) for job, text in kept)
    return p.LogDoc(run, lines, live.printed.get(run, len(kept)) - len(kept))
