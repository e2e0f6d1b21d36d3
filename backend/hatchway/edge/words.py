"""Events in words, for the audit tail. Pure."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.asks import NAMES
from hatchway.core.drills import why_not_passed
from hatchway.core.evolve import said_of_authority
from hatchway.core.quarantine import clock
from hatchway.edge.protocol import AuditLine, Tone
from hatchway.journal.port import Record


def line_of(record: Record, event: ev.Event | ev.Unknown) -> AuditLine | None:
    """One line for people, or None for an event that only machines need."""
    said = _words(event)
    if said is None:
        return None
    text, tone = said
    return AuditLine(seq=record.seq, at=record.at, who=record.actor, text=text, tone=tone)


def _words(event: ev.Event | ev.Unknown) -> tuple[str, Tone] | None:
    match event:
        case ev.RunStarted():
            return (
                f"run {event.run}: {event.service} {event.from_version} -> {event.to_version}, "
                f"agent {'acts within policy' if event.mode == 'act' else 'recommends only'}",
                "plain",
            )
        case ev.StageStarted() | ev.JobStarted() | ev.CapsuleArmed() | ev.Unknown():
            return None
        case ev.JobEnded():
            if event.status == "passed":
                return None
            return f"{event.stage} / {event.job} {event.status}: {event.why}", "bad"
        case ev.StageEnded():
            tone: Tone = "good" if event.status == "passed" else "bad"
            return f"{event.stage} {event.status}" + (f": {event.why}" if event.why else ""), tone
        case ev.ReleaseRequested():
            return (
                f"release request: {len(event.changes)} commits, risk {event.risk}",
                "warn" if event.risk != "LOW" else "plain",
            )
        case ev.ItemOpened():
            if event.type == "recommendation":
                return None  # the proposal just before it says so already
            return "asks a person to approve the release", "warn"
        case ev.ItemClosed():
            reason = f": {event.reason}" if event.reason else ""
            return f"{_item(event.item)} {event.status}{reason}", "plain"
        case ev.ApprovalVoided():
            return f"the yes is void: {event.why}", "warn"
        case ev.TermsChanged():
            return None  # what it voids says why
        case ev.VerdictChanged():
            tone = {"PASS": "good", "REGRESS": "bad"}.get(event.word, "warn")  # type: ignore[assignment]
            return f"{event.word}: {event.headline}", tone
        case ev.ProposalMade():
            return _proposal(event)
        case ev.EffectIntended():
            return f"canary to {event.weight} % intended: {event.reason}", "plain"
        case ev.EffectVerified():
            return f"canary at {event.observed} %, read back", "plain"
        case ev.EffectDiverged():
            return f"the target is not where it should be: {event.why}", "bad"
        case ev.EffectFenced(code="stale" | "overtaken"):
            return f"not done: {event.why}", "warn"
        case ev.EffectFenced():
            return f"the governor refused ({event.code}): {event.why}", "warn"
        case ev.StepEntered():
            return None
        case ev.RunHeld():
            return f"held: {event.why}", "warn"
        case ev.RunResumed():
            return f"no longer held: {event.why}", "plain"
        case ev.RunEnded():
            tone = "good" if event.outcome == "promoted" else "bad"
            return f"run {event.run} ended: {event.outcome.replace('_', ' ')}, {event.why}", tone
        case ev.AuthorityChanged():
            direct = " (direct, not through the backend)" if event.direct else ""
            reason = f": {event.reason}" if event.reason else ""
            tone = "plain" if event.op == "adopted" else "warn"
            return f"{said_of_authority(event)}{reason}{direct}", tone
        case ev.NoticeSent():
            return f"{event.via} was told: {event.about}", "plain"
        case ev.NoticeFailed():
            return f"{event.via} was NOT told: {event.about} ({event.why})", "bad"
        case ev.DrillRecorded():
            return _drill(event)
        case ev.RunReviewed():
            verdict = f"the agent was {event.verdict.upper()}: " if event.verdict else ""
            return f"run {event.run} reviewed: {verdict}{event.reason}", "plain"
        case ev.WireRefused():
            what = ", ".join(f"{count} {why}" for why, count in sorted(event.counts.items()))
            return f"turned away within {event.seconds:.0f} s: {what}", "warn"
        case ev.JournalSealed():
            return f"records {event.first} to {event.last} moved into {event.file}", "plain"
        case ev.CommandRefused():
            return f"refused {event.what}: {event.why}", "warn"
        case ev.PolicyChanged() | ev.PolicyRefused() | ev.FreezeChanged():
            return _rules(event)
        case ev.FleetAttested():
            return f"all {event.instances} instances say that they run {event.version}", "plain"
        case ev.ResidueFound():
            return f"RESIDUE after the rollback of run {event.run}: {'; '.join(event.left)}", "bad"
        case ev.RollbackConfirmed():
            return f"rollback of run {event.run} DONE: {'; '.join(event.seen)}", "good"
        case ev.ResidueAccepted():
            return f"residue of run {event.run} accepted: {event.reason}", "warn"
        case ev.HandedOver() | ev.HandoverAcknowledged() | ev.OncallAsked() | ev.AskDeclined():
            return _duty(event)
        case _:
            return of_service(event)


def of_service(event: ev.ServiceEvent) -> tuple[str, Tone]:
    """What outlives a run, in words."""
    name = event.service
    match event:
        case ev.QuarantineLifted():
            return f"quarantine of {event.commit[:9]} lifted for {name}: {event.reason}", "warn"
        case ev.ExpectationDeclared():
            until = clock(event.expires_at)
            what = f"{event.metric} of {name} up to {event.at_most:g} until {until}"
            return f"expects {what}, ticket {event.ticket}: {event.reason}", "warn"
        case ev.ExpectationWithdrawn():
            return f"{event.expectation} withdrawn: {event.reason}", "plain"
        case ev.BreakerOpened():
            return f"breaker of {name} open, the agent only recommends: {event.why}", "bad"
        case ev.BreakerClosed():
            return f"breaker of {name} closed: {event.reason}", "warn"
        case ev.TargetChanged():
            what = f"{event.what} is {event.found}, {event.wanted} is wanted"
            return f"unattributed change of {name}: {what} ({event.why})", "bad"
        case ev.TargetRestored():
            return f"{event.what} of {name} is again as wanted, after {event.seconds:.0f} s", "good"


def _duty(event: ev.DutyEvent) -> tuple[str, Tone]:
    match event:
        case ev.HandedOver():
            whom = " or ".join(event.to) or "whoever comes next"
            again = ", written anew" if event.replaces else ""
            return f"hands over to {whom}{again}; not acknowledged yet", "warn"
        case ev.HandoverAcknowledged():
            said = f": {event.said}" if event.said else ""
            return f"acknowledges the hand-over{said}", "good"
        case ev.OncallAsked():
            reason = f": {event.reason}" if event.reason else ""
            role = f" ({event.role})" if event.role else ""
            return f"asks oncall{role} to {NAMES[event.op]} {event.service}{reason}", "warn"
        case ev.AskDeclined():
            reason = f": {event.reason}" if event.reason else ""
            return f"says no to what was asked about {event.service}{reason}", "plain"


def _rules(event: ev.RulesEvent) -> tuple[str, Tone]:
    match event:
        case ev.PolicyChanged():
            changes = "; ".join(event.changes[:3]) or "it says the same in other words"
            more = f" and {len(event.changes) - 3} more" if len(event.changes) > 3 else ""
            by = f" by {event.by}" if event.by else ""
            return f"the policy changed{by}: {changes}{more}", "warn"
        case ev.PolicyRefused():
            place = f"{event.file}:{event.line}" if event.line else event.file
            return f"the changed policy is refused, the old one stays: {place}: {event.why}", "bad"
        case ev.FreezeChanged():
            words = event.why or "no freeze is in force"
            return f"{event.environment}: {words}", "plain" if event.stands == "open" else "warn"


def _proposal(event: ev.ProposalMade) -> tuple[str, Tone]:
    act = {
        "block_deploy": ("block the deploy", "blocks the deploy"),
        "open_release": ("open a release request", "opens a release request"),
        "deploy_staging": ("deploy to staging", "deploys to staging"),
        "rollback": ("roll back", "rolls back"),
        "promote": ("promote", "promotes"),
        "hold": ("hold", "holds"),
        "page": ("page", "pages"),
    }[event.capability]
    said = {"auto": act[1], "ask": f"asks to {act[0]}", "deny": f"may not {act[0]}"}[event.answer]
    tone: Tone = "bad" if event.capability in ("rollback", "block_deploy") else "plain"
    return f"{said}: {event.headline} ({event.why})", tone


def _drill(event: ev.DrillRecorded) -> tuple[str, Tone]:
    found = event.evidence
    why = why_not_passed(found)
    tried = sum(c.status != "not_run" for c in found.cells)
    what = f"drill of the stops in {found.environment}, {tried} tried"
    if not why:
        return f"{what}: passed", "good"
    more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
    return f"{what}: NOT passed: {why[0]}{more}", "bad"


def _item(item: str) -> str:
    return "approval" if ".approval." in item else "recommendation"
