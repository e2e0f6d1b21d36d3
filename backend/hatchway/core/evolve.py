"""evolve(state, event): what an event means. Total: an unknown kind changes nothing but `seq`."""

from __future__ import annotations

from typing import assert_never

import msgspec

from hatchway.core import events as ev
from hatchway.core.answered import answer_of
from hatchway.core.drills import as_drill, with_drill
from hatchway.core.evolve_duty import authority_after, duty_after
from hatchway.core.evolve_services import after_run_event, closed, into_quarantine, service_after
from hatchway.core.record import recorded
from hatchway.core.state import (
    Answered,
    Authority,
    Effect,
    Frozen,
    Hold,
    Item,
    Job,
    Proposal,
    Run,
    Stage,
    State,
    Verdict,
)

KEPT_ANSWERS = 2_000
_replace = msgspec.structs.replace


def evolve(state: State, event: ev.Event | ev.Unknown, *, seq: int, at: float, idem: str) -> State:
    """The state after `event`, which stands in the journal at `seq` since `at`.

    `idem` is the id of the command that led to the event, or empty.
    """
    match event:
        case ev.Unknown() | ev.JournalSealed() | ev.WireRefused():
            pass
        case ev.RunStarted():
            state = _with_run(state, _started(event, at))
        case ev.AuthorityChanged():
            state = _authority_changed(state, event, seq, at)
        case ev.CommandRefused():
            what, _, about = event.what.partition(" ")
            refusal = Answered(seq, event.why, event.code, event.todo, what, about)
            state = _answered(state, event.command, refusal)
        case ev.QuarantineLifted() | ev.ExpectationDeclared() | ev.ExpectationWithdrawn():
            state = service_after(state, event, at)
        case ev.BreakerOpened() | ev.BreakerClosed() | ev.TargetChanged() | ev.TargetRestored():
            state = service_after(state, event, at)
        case ev.HandedOver() | ev.HandoverAcknowledged() | ev.OncallAsked() | ev.AskDeclined():
            state = duty_after(state, event, seq, at)
        case ev.DrillRecorded():
            state = _replace(state, drills=with_drill(state.drills, as_drill(event.evidence, at)))
        case ev.PolicyChanged():
            state = _replace(state, policy_digest=event.digest)
        case ev.PolicyRefused() | ev.NoticeSent() | ev.NoticeFailed():
            pass  # told or not, nothing is different
        case ev.FreezeChanged():
            now = Frozen(event.stands, event.freeze, event.why, event.until, event.people)
            state = _replace(state, frozen={**state.frozen, event.environment: now})
        case _:
            run = state.runs.get(event.run)
            if run is not None:
                changed = _replace(run_after(run, event, at), version=run.version + 1)
                state = _with_run(state, changed)
                state = after_run_event(state, changed, event, at)
    if idem and not isinstance(event, ev.AuthorityChanged | ev.CommandRefused):
        state = _answered(state, idem, answer_of(event, seq))
    return _replace(state, seq=seq, record=recorded(state.record, event, seq))


def _started(event: ev.RunStarted, at: float) -> Run:
    return Run(
        id=event.run,
        service=event.service,
        environment=event.environment,
        mode=event.mode,
        pace=event.pace,
        commit=event.commit,
        base=event.base,
        from_version=event.from_version,
        to_version=event.to_version,
        plan=event.plan,
        policy_digest=event.policy_digest,
        attests=event.attests,
        requester=event.requester,
        requester_person=event.requester_person,
        ref=event.ref,
        ref_commit=event.commit,
        pipeline_digest=event.plan.digest,
        said={event.policy_digest: event.policy_says},
        started_at=at,
        stages=tuple(Stage(stage.name) for stage in event.plan.stages),
    )


def run_after(run: Run, event: ev.Event, at: float) -> Run:
    """What an event of a run means for the run itself."""
    match event:
        case ev.StageStarted():
            return _with_stage(run, event.stage, status="running", started_at=at)
        case ev.StageEnded():
            return _with_stage(run, event.stage, status=event.status, ended_at=at, why=event.why)
        case ev.JobStarted():
            return _with_job(run, event.stage, Job(event.job, event.attempt, at))
        case ev.JobEnded():
            return _job_ended(run, event, at)
        case ev.ReleaseRequested():
            return _replace(
                run,
                risk=event.risk,
                risk_reasons=event.reasons,
                attention=event.attention,
                changes=event.changes,
                files=event.files,
                release_requested=True,
                undo=event.undo,
                authors=event.authors,
                pushers=event.pushers,
                artifact=event.artifact,
            )
        case ev.ItemOpened() | ev.ItemClosed():
            return _items(run, event, at)
        case ev.ApprovalVoided():
            return _voided(run, event)
        case ev.TermsChanged():
            says = {event.policy: event.policy_says, event.pipeline: event.pipeline_says}
            return _replace(
                run,
                policy_digest=event.policy,
                pipeline_digest=event.pipeline,
                said={**run.said, **says},
                artifact=event.artifact,
                ref_commit=event.ref_commit,
            )
        case ev.VerdictChanged():
            verdict = Verdict(
                event.word, event.action, event.headline, event.evidence, event.confidence, at
            )
            symptoms = event.symptoms or run.symptoms
            return _replace(run, verdict=verdict, symptoms=symptoms)
        case ev.ProposalMade():
            proposal = Proposal(
                event.proposal,
                event.capability,
                event.step,
                event.epoch,
                at,
                event.answer,
                event.why,
                event.confidence,
                event.policy,
                event.people,
                event.roles,
                event.freeze,
                event.until,
            )
            return _replace(run, proposals={**run.proposals, proposal.id: proposal})
        case ev.CapsuleArmed():
            return _replace(run, capsule=event.checksum)
        case ev.EffectIntended():
            effect = Effect(
                event.key,
                event.step,
                event.weight,
                event.epoch,
                event.by,
                event.reason,
                at=at,
                begun=at,
            )
            return _replace(run, effects={**run.effects, event.key: effect})
        case ev.EffectVerified():
            run = _effect(run, event.key, status="verified", why="", at=at)
            return _replace(run, weight=event.observed, weight_changes=(*run.weight_changes, at))
        case ev.EffectDiverged():
            return _effect(run, event.key, status="diverged", why=event.why, at=at)
        case ev.EffectFenced():
            if event.code == "no_capsule":
                run = _replace(run, capsule="")  # the governor has lost it: it is armed again
            code, why = event.code, event.why
            return _effect(run, event.key, status="fenced", why=why, code=code, at=at)
        case ev.StepEntered():
            return _replace(run, step=event.step, step_since=at, verdict=None, symptoms=())
        case ev.RunHeld():
            return _replace(run, hold=Hold(event.cause, event.why, at))
        case ev.RunResumed():
            return _replace(run, hold=None)
        case ev.RunEnded():
            items = {
                i.id: _replace(i, status="superseded") if i.status == "open" else i
                for i in run.items.values()
            }
            return _replace(
                run, outcome=event.outcome, why=event.why, ended_at=at, hold=None, items=items
            )
        case ev.FleetAttested():
            return _replace(run, attested=event.version)
        case ev.ResidueFound():
            since = run.residue_since or at
            return _replace(run, residue=event.left, residue_since=since)
        case ev.RollbackConfirmed():
            return _replace(run, confirmed_at=at, residue=(), residue_since=0.0)
        case ev.ResidueAccepted():
            return _replace(run, residue=event.left, residue_by=event.by)
        case ev.RunStarted() | ev.AuthorityChanged() | ev.CommandRefused() | ev.DrillRecorded():
            return run
        case ev.QuarantineLifted() | ev.ExpectationDeclared() | ev.ExpectationWithdrawn():
            return run
        case ev.BreakerOpened() | ev.BreakerClosed() | ev.TargetChanged() | ev.TargetRestored():
            return run
        case ev.RunReviewed():
            return _replace(run, reviewed_by=(*run.reviewed_by, event.by))
        case ev.JournalSealed() | ev.WireRefused():
            return run
        case ev.PolicyChanged() | ev.PolicyRefused() | ev.FreezeChanged():
            return run
        case ev.NoticeSent() | ev.NoticeFailed():
            return run
        case ev.HandedOver() | ev.HandoverAcknowledged() | ev.OncallAsked() | ev.AskDeclined():
            return run
        case _:
            assert_never(event)


def _with_run(state: State, run: Run) -> State:
    return _replace(state, runs={**state.runs, run.id: run})


def _with_stage(run: Run, name: str, **changes: object) -> Run:
    stages = tuple(_replace(s, **changes) if s.name == name else s for s in run.stages)
    return _replace(run, stages=stages)


def _with_job(run: Run, stage_name: str, job: Job) -> Run:
    stage = _stage(run, stage_name)
    if stage is None:
        return run
    return _with_stage(run, stage_name, jobs={**stage.jobs, job.name: job})


def _stage(run: Run, name: str) -> Stage | None:
    return next((s for s in run.stages if s.name == name), None)


def _job_ended(run: Run, event: ev.JobEnded, at: float) -> Run:
    stage = _stage(run, event.stage)
    job = stage.jobs.get(event.job) if stage is not None else None
    if job is None or job.attempt != event.attempt:
        return run
    ended = _replace(job, status=event.status, ended_at=at, why=event.why, tail=event.tail)
    return _with_job(run, event.stage, ended)


def _items(run: Run, event: ev.ItemOpened | ev.ItemClosed, at: float) -> Run:
    if isinstance(event, ev.ItemOpened):
        item = Item(
            id=event.item,
            type=event.type,
            capability=event.capability,
            step=event.step,
            asked_at=at,
            expires_at=event.expires_at,
            epoch=_number(event.binding.get("epoch", "0")),
            confidence=event.confidence,
            lines=event.lines,
            binding=event.binding,
        )
    else:
        old = run.items.get(event.item)
        if old is None or old.status != "open":
            return run
        item = _replace(
            old,
            status=event.status,
            by=event.by,
            closed_at=at,
            person=event.person,
            roles=event.roles,
            max_weight=event.max_weight,
            not_before=event.not_before,
        )
    run = _replace(run, items={**run.items, item.id: item})
    if item.type == "approval":
        waiting = item.status == "open"
        stage = _stage(run, item.binding.get("stage", ""))
        if stage is not None and stage.status in ("running", "waiting"):
            run = _with_stage(run, stage.name, status="waiting" if waiting else "running")
    return run


def _voided(run: Run, event: ev.ApprovalVoided) -> Run:
    item = run.items.get(event.item)
    if item is None or item.status != "accepted":
        return run
    return _replace(run, items={**run.items, item.id: _replace(item, void=event.why)})


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1  # no epoch: nothing that is bound to it is ever valid


def _effect(run: Run, key: str, **changes: object) -> Run:
    effect = run.effects.get(key)
    if effect is None:
        return run
    return _replace(run, effects={**run.effects, key: _replace(effect, **changes)})


def _authority_changed(state: State, event: ev.AuthorityChanged, seq: int, at: float) -> State:
    authority = Authority(
        service=event.service,
        mode=event.mode,
        epoch=event.epoch,
        holder=event.holder,
        reason=event.reason,
        since=event.at,
        spool=event.spool,
        agents_stopped=event.agents_stopped,
    )
    known = state.authority_of(event.service)
    if event.epoch < known.epoch and event.op != "adopted":
        # A line that comes late, after what followed it was adopted: it happened, and is over.
        authority = _replace(known, spool=event.spool)
    state = _replace(state, authority={**state.authority, event.service: authority})
    state = authority_after(state, event, seq)
    if event.op == "release":
        state = closed(state, event.service)
    said = said_of_authority(event)
    if event.op == "rollback" and _to_take_back(state, event.service) is None:
        said = (
            f"{said.replace('ROLLING BACK, paused', 'PAUSED')}; nothing was in flight to roll back"
        )
    run = state.active_run(event.service)
    if event.op == "rollback" and (run is None or not (run.capsule or run.effects)):
        state = _undone(state, event)
    if run is not None:
        raised = any(e.weight > 0 and e.epoch > event.epoch for e in run.effects.values())
        if event.op == "rollback" and (run.capsule or run.effects) and not raised:
            run = _replace(run, rollback_from=event.spool, rollback_by=event.by, rollback_at=at)
        unseen = event.op == "adopted" and known.epoch not in (0, event.epoch)
        if event.op == "release" or unseen:
            # Control given back is not trust given back: the agent starts again by recommending.
            # What led to an epoch that was adopted is not known: somebody may have stopped it.
            run = _replace(run, mode="recommend")
        state = _with_run(state, _replace(run, version=run.version + 1))
    answer = Answered(seq, said, what=event.op, about=event.service)
    return _answered(state, event.command, answer)


def _to_take_back(state: State, service: str) -> Run | None:
    """The run whose share a rollback of `service` takes back; None: no traffic is anywhere else."""
    run = state.active_run(service)
    if run is not None and (run.capsule or run.effects):
        return run
    moved = (r for r in reversed(state.runs.values()) if r.service == service and r.effects)
    run = next(moved, None)
    return run if run is not None and run.outcome == "promoted" and not run.undone_by else None


def _undone(state: State, event: ev.AuthorityChanged) -> State:
    """A rollback after the end takes back what was promoted, if that moved the traffic last."""
    run = _to_take_back(state, event.service)
    if run is None:
        return state
    run = _replace(run, undone_by=event.by, version=run.version + 1)
    why = event.reason or "it had been promoted"
    return into_quarantine(_with_run(state, run), run, event.by, why, event.at)


def said_of_authority(event: ev.AuthorityChanged) -> str:
    """A change of authority in words."""
    match event.op:
        case "pause":
            return f"PAUSED by {event.by}"
        case "takeover":
            return f"TAKEN OVER by {event.by}"
        case "rollback":
            return f"ROLLING BACK, paused by {event.by}"
        case "release":
            return f"GIVEN BACK by {event.by}; the agent recommends only"
        case "stop_all":
            return f"STOP ALL by {event.by}: paused, and no agent may do anything"
        case "readmit":
            return f"AGENTS let in again by {event.by}"
        case "adopted":
            return f"epoch {event.epoch} read back from the governor"
        case _:
            return f"{event.mode.upper()} by {event.by}"


def _answered(state: State, command: str, answer: Answered) -> State:
    if not command or command in state.answers:
        return state
    answers = {**state.answers, command: answer}
    if len(answers) > KEPT_ANSWERS:
        answers.pop(next(iter(answers)))
    return _replace(state, answers=answers)
