"""What an auditor must not overlook in a report, one sentence each. Pure."""

from __future__ import annotations

from hatchway.journal.account import Answer, Report


def exceptions(report: Report) -> list[str]:
    """The exceptions of a run; empty when there are none."""
    return [
        *_integrity(report),
        *_unreviewed(report),
        *_approval(report),
        *_effects(report),
        *_people(report),
    ]


def _integrity(report: Report) -> list[str]:
    said = []
    chain = report.chain
    if not chain.whole:
        said.append(
            f"The journal is BROKEN at {chain.why}; {chain.means}. What stands there and after it"
            " is not in this report."
        )
    elif chain.anchored_to and chain.anchored_to < report.ended_seq:
        said.append(
            f"The last checkpoint, record {chain.anchored_to}, is older than the run's end."
        )
    for line in report.unreadable:
        said.append(f"Record {line.seq} ({line.what}) cannot be read by this version.")
    return said


def _unreviewed(report: Report) -> list[str]:
    if not report.emergencies or report.reviews:
        return []
    what = "; ".join(report.emergencies)
    return [f"An emergency that nobody has reviewed: {what}. hatchway audit review {report.run}"]


def _approval(report: Report) -> list[str]:
    said = []
    raised = [e for e in report.effects if e.weight > 0 and e.status != "fenced"]
    given = [a for a in report.approvals if a.type == "approval" and a.status == "accepted"]
    first = min((e.seq for e in raised), default=0)
    if raised and not any(a.answered_seq < first for a in given):
        said.append("Traffic was moved to the new version before, or without, anybody's approval.")
    for answer in given:
        said += _of_answer(report, answer)
    for answer in report.approvals:
        if answer.status in ("rejected", "expired"):
            by = f" by {answer.by}" if answer.by else ""
            said.append(f"{answer.item} was {answer.status}{by}.")
    for decision in report.decisions:
        if decision.answer == "deny":
            why = f": {decision.why}" if decision.why else ""
            said.append(f"Policy denied {decision.word} (record {decision.seq}){why}.")
    return said


def _of_answer(report: Report, answer: Answer) -> list[str]:
    said = []
    name = answer.by.casefold()
    if any(change.author.casefold() == name for change in report.changes):
        said.append(f"{answer.by} approved {answer.item} and is an author of what ships.")
    if answer.by == report.requested_by:
        said.append(f"{answer.by} approved {answer.item} and had requested the run.")
    bound = {"commit": report.commit, "plan": report.plan, "policy": report.policy}
    for key, value in bound.items():
        if key in answer.binding and answer.binding[key] != value:
            said.append(f"{answer.item} was given for another {key} than the one that ran.")
    if answer.signed.startswith("INVALID"):
        said.append(
            f"The signature of {answer.item} by {answer.by} does not hold: {answer.signed}."
        )
    if answer.answered_at > answer.expires_at:
        said.append(f"{answer.item} was answered after it had expired.")
    return said


def _effects(report: Report) -> list[str]:
    said = []
    for line in report.unattributed:
        said.append(
            f"Unattributed or incomplete change, record {line.seq}: {line.what}: {line.why}."
        )
    for effect in report.effects:
        if effect.status == "intended":
            said.append(f"{effect.key} to {effect.weight} % was intended and never observed.")
        elif effect.status == "fenced":
            said.append(f"{effect.key} to {effect.weight} % was refused: {effect.why}.")
        if not effect.by.name:
            said.append(f"{effect.key} was made on nobody's authority.")
    for line in report.back_out.used:
        if line.what.startswith("RESIDUE"):
            said.append(f"Going back left something behind (record {line.seq}): {line.why}.")
    for check in report.checks:
        if check.status != "passed":
            said.append(f"{check.stage} / {check.job}, attempt {check.attempt}: {check.status}.")
    if not report.outcome:
        said.append("The run has not ended.")
    elif report.outcome != "promoted":
        said.append(f"The run was not promoted: {report.outcome.replace('_', ' ')}.")
    return said


def _people(report: Report) -> list[str]:
    said = []
    for stop in report.stops:
        if stop.op == "adopted":
            continue
        direct = ", directly at the governor" if stop.direct else ""
        reason = f": {stop.reason}" if stop.reason else ", without a reason"
        said.append(
            f"{stop.op} by {stop.by or 'nobody named'}{direct} (record {stop.seq}){reason}."
        )
    if report.refused:
        said.append(f"Commands refused: {len(report.refused)}.")
    return said
