"""Who let this ship, and on what evidence: what the journal tells of a run, as structs. Pure.

Every text is as it stands in the journal: whoever shows it makes it safe to show. Times are seconds
since 1970. The judge's proofs are told by their size only.
"""

from __future__ import annotations

from msgspec.structs import replace

from hatchway.core import events as ev
from hatchway.journal.account import Answer, Chain, Change, Check, Decision, Line, Report, Stop
from hatchway.journal.chain import Broken, Verified
from hatchway.journal.checkpoint import Anchors
from hatchway.journal.dossier import Dossier, Told
from hatchway.journal.report_around import add, finish, plan_back, score


def report(dossier: Dossier, found: Verified | Broken, anchors: Anchors) -> Report | None:
    """The report of a run; None when its start is not in the journal."""
    if dossier.started is None or not isinstance(dossier.started.event, ev.RunStarted):
        return None
    record, start = dossier.started.record, dossier.started.event
    made = Report(
        run=dossier.run,
        service=start.service,
        environment=start.environment,
        pipeline=start.plan.name,
        from_version=start.from_version,
        to_version=start.to_version,
        commit=start.commit,
        base=start.base,
        plan=start.plan.digest,
        policy=start.policy_digest,
        mode=start.mode,
        requested_by=record.actor,
        requester=start.requester,
        started_at=record.at,
        started_seq=record.seq,
        control=_control(dossier.standing),
        chain=_chain(found, anchors),
    )
    for told in dossier.told:
        _add(made, told)
    finish(made)
    made.score = score((told.record.seq, told.event) for told in dossier.told)
    return made


def _chain(found: Verified | Broken, anchors: Anchors) -> Chain:
    if isinstance(found, Broken):
        return Chain(False, found.seq - 1, "", f"record {found.seq}: {found.why}", found.means)
    head = f"{found.seq}:{found.hash}"
    return Chain(True, found.records, head, checkpoints=anchors.count, anchored_to=anchors.last)


def _control(standing: Told | None) -> str:
    event = None if standing is None else standing.event
    if not isinstance(event, ev.AuthorityChanged):
        return "not recorded"
    holder = f" ({event.holder})" if event.holder else ""
    return f"{event.mode}{holder}, epoch {event.epoch}"


def _add(made: Report, told: Told) -> None:
    record, event = told.record, told.event
    seq, at, by = record.seq, record.at, record.actor
    match event:
        case ev.ReleaseRequested():
            made.risk, made.reasons, made.attention = event.risk, event.reasons, event.attention
            made.changes, made.files = event.changes, event.files
            made.authors, made.pushers = event.authors, event.pushers
            made.artifact, made.back_out = event.artifact, plan_back(event)
        case ev.JobEnded():
            made.checks.append(
                Check(
                    seq=seq,
                    at=at,
                    stage=event.stage,
                    job=event.job,
                    attempt=event.attempt,
                    status=event.status,
                    seconds=event.seconds,
                    why=event.why,
                )
            )
        case ev.ItemOpened() | ev.ItemClosed():
            _add_answer(made, told, event)
        case ev.VerdictChanged() | ev.ProposalMade():
            made.decisions.append(_decision(told, event))
        case ev.EffectIntended() | ev.EffectVerified() | ev.EffectDiverged() | ev.EffectFenced():
            _add_effect(made, told, event)
        case ev.AuthorityChanged():
            made.stops.append(
                Stop(
                    seq=seq,
                    at=event.at,
                    op=event.op,
                    by=event.by,
                    uid=event.uid,
                    reason=event.reason,
                    epoch=event.epoch,
                    mode=event.mode,
                    direct=event.direct,
                    known_s=max(0.0, at - event.at),
                )
            )
            if event.op == "rollback":
                _add_rollback(made, event)
        case ev.RunHeld():
            what = f"held ({event.cause})"
            made.holds.append(Line(seq=seq, at=at, by=by, what=what, why=event.why))
        case ev.RunResumed():
            made.holds.append(Line(seq=seq, at=at, by=by, what="no longer held", why=event.why))
        case ev.CommandRefused():
            why = f"{event.code}: {event.why}"
            made.refused.append(Line(seq=seq, at=at, by=event.by, what=event.what, why=why))
        case ev.RunEnded():
            made.outcome, made.why, made.ended_at, made.ended_seq = (
                event.outcome,
                event.why,
                at,
                seq,
            )
        case ev.Unknown():
            why = "this version cannot read it"
            made.unreadable.append(Line(seq=seq, at=at, by=by, what=event.kind, why=why))
        case _:
            add(made, record, event)  # starts of stages, jobs and steps are told by others


def _add_answer(made: Report, told: Told, event: ev.ItemOpened | ev.ItemClosed) -> None:
    seq, at = told.record.seq, told.record.at
    if isinstance(event, ev.ItemOpened):
        made.approvals.append(
            Answer(
                seq=seq,
                asked_at=at,
                item=event.item,
                type=event.type,
                capability=event.capability,
                expires_at=event.expires_at,
                binding=event.binding,
            )
        )
        return
    for i, asked in enumerate(made.approvals):
        if asked.item == event.item and asked.status == "open":
            made.approvals[i] = replace(
                asked,
                status=event.status,
                by=event.by,
                reason=event.reason,
                answered_seq=seq,
                answered_at=at,
                how=event.how,
                signature=event.signature,
                signed="not checked" if event.signature is not None else "",
            )


def _decision(told: Told, event: ev.VerdictChanged | ev.ProposalMade) -> Decision:
    record = told.record
    if isinstance(event, ev.VerdictChanged):
        return Decision(
            seq=record.seq,
            at=record.at,
            what="verdict",
            word=event.word,
            by=record.actor,
            headline=event.headline,
            confidence=event.confidence,
            evidence=event.evidence,
            answer=event.action,
            proof_bytes=len(event.proof),
        )
    return Decision(
        seq=record.seq,
        at=record.at,
        what="proposal",
        word=event.capability,
        by=f"{record.actor} ({event.brain})",
        headline=event.headline,
        confidence=event.confidence,
        evidence=event.evidence,
        answer=event.answer,
        rule=event.rule,
        why=event.why,
        epoch=event.epoch,
        digest=event.digest,
        proof_bytes=len(event.proof),
    )


def _add_rollback(made: Report, event: ev.AuthorityChanged) -> None:
    """A person's rollback at the governor is an effect too, with an intent in the governor's spool."""
    made.effects.append(
        Change(
            seq=0,
            at=event.at,
            key=f"governor/{event.service}/{event.spool}",
            weight=event.desired,
            by=ev.By("person", event.by),
            authority=event.reason or "rolled back at the governor",
            epoch=event.epoch,
        )
    )


def _add_effect(
    made: Report,
    told: Told,
    event: ev.EffectIntended | ev.EffectVerified | ev.EffectDiverged | ev.EffectFenced,
) -> None:
    record = told.record
    if isinstance(event, ev.EffectIntended):
        made.effects.append(
            Change(
                seq=record.seq,
                at=record.at,
                key=event.key,
                weight=event.weight,
                by=event.by,
                authority=event.reason,
                epoch=event.epoch,
            )
        )
        return
    status, observed, why = _settled(event)
    if observed is not None:
        made.weight = observed
    at = next((i for i, effect in enumerate(made.effects) if effect.key == event.key), None)
    if at is not None:
        made.effects[at] = replace(
            made.effects[at],
            status=status,
            observed=observed,
            why=why,
            observed_by=record.actor,
            settled_seq=record.seq,
            settled_at=record.at,
        )
        _time_stop(made, made.effects[at])
    if at is None or status == "diverged":
        seen = "cannot be asked" if observed is None else f"has {observed} %"
        unasked = "" if at is not None else "; nothing in this journal intended it"
        what = f"the target {seen} ({event.key}){unasked}"
        line = Line(seq=record.seq, at=record.at, by=record.actor, what=what, why=why or status)
        made.unattributed.append(line)


def _settled(
    event: ev.EffectVerified | ev.EffectDiverged | ev.EffectFenced,
) -> tuple[str, int | None, str]:
    match event:
        case ev.EffectVerified():
            return "verified", event.observed, ""
        case ev.EffectDiverged():
            return "diverged", event.observed, event.why
        case ev.EffectFenced():
            return "fenced", None, f"{event.code}: {event.why}"


def _time_stop(made: Report, effect: Change) -> None:
    if effect.status != "verified" or effect.seq != 0:
        return
    for i, stop in enumerate(made.stops):
        if stop.op == "rollback" and stop.epoch == effect.epoch:
            made.stops[i] = replace(stop, effect_s=effect.settled_at - effect.at)
