"""Who allowed what: a share is raised, and lowered, only on a permission that is in the journal."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core import several
from hatchway.core.approvals import covered, standing
from hatchway.core.state import Authority, Item, Proposal, Run

FRESH_S = 10.0  # an automatic promotion is only worth the evidence of this moment
FRESH_YES_S = 60.0  # and a person's yes to one not much longer, should the backend have been away


def recent(at: float, now: float, seconds: float) -> bool:
    """Whether `at` is within `seconds` of `now`; a time far in the future has a wrong clock."""
    return abs(now - at) <= seconds


def to_roll_back(
    run: Run, authority: Authority, *, spent: bool = False
) -> tuple[ev.By, str] | None:
    """Who allowed a rollback in this step and epoch, and why; None when nobody did.

    `spent`: the agent may not, it has done so in this window.
    """
    for item in run.items.values():
        if _valid(item, "rollback", run, authority):
            return ev.By("person", item.by), "accepted the agent's recommendation"
    if authority.mode == "agent" and run.mode == "act" and not spent:
        for proposal in run.proposals.values():
            if _automatic(proposal, "rollback", run, authority):
                return ev.By("agent", "agent"), proposal.why
    return None


def for_step(run: Run, step: int, authority: Authority, now: float) -> tuple[ev.By, str] | None:
    """Who allowed `step`: the first is covered by the release's approval, each other by its own.

    Nobody goes further than people have said yes to. To take over is to stop first: what was
    approved before that waits until it is given back.
    """
    if not covered(run, step, now):
        return None
    if step == 0:
        taken = authority.since if authority.mode == "person" else float("-inf")
        yes = [item for item in standing(run) if item.closed_at >= taken]
        return (ev.By("person", yes[-1].by), "approved the release") if yes else None
    for item in run.items.values():
        fresh = recent(item.closed_at, now, FRESH_YES_S)
        if fresh and _valid(item, "promote", run, authority):
            yes = several.yes_to(run, "promote", authority.epoch)
            if several.lacking(yes, *several.wanted(item.binding)):
                continue  # a second person is asked
            if passes(run):
                return ev.By("person", item.by), "accepted the agent's recommendation"
            if _still_unsure(run, item):
                return ev.By("person", item.by), "goes on although it is not sure"
    if authority.mode == "agent" and run.mode == "act" and passes(run):
        for proposal in run.proposals.values():
            fresh = recent(proposal.at, now, FRESH_S)
            if fresh and _automatic(proposal, "promote", run, authority):
                if 0 < proposal.until <= now:
                    continue  # a window has closed since
                return ev.By("agent", "agent"), proposal.why
    return None


def passes(run: Run) -> bool:
    """Whether no verdict of this step stands against going on."""
    return run.verdict is None or (run.verdict.word == "PASS" and run.verdict.action == "none")


def _still_unsure(run: Run, item: Item) -> bool:
    """Whether the verdict is the very UNSURE that a person was asked about and said yes to."""
    verdict = run.verdict
    if verdict is None or item.asked_on != "UNSURE" or verdict.at > item.asked_at:
        return False
    return verdict.word == "UNSURE" and verdict.action == "none"


def has_spoken(run: Run, capability: str, epoch: int, now: float) -> bool:
    """Whether the agent's last word on `capability` in this step and epoch still stands."""
    for proposal in run.proposals.values():
        if (proposal.capability, proposal.step, proposal.epoch) != (capability, run.step, epoch):
            continue
        item = item_of(run, proposal)
        if item is not None:
            if item.status in ("open", "rejected"):
                return True
            if item.status == "accepted" and (
                capability != "promote" or recent(item.closed_at, now, FRESH_YES_S)
            ):
                return True
        elif (
            capability != "promote"
            or proposal.answer != "auto"
            or recent(proposal.at, now, FRESH_S)
        ):
            return True
    return False


def item_of(run: Run, proposal: Proposal) -> Item | None:
    """What a person was asked because of `proposal`."""
    return run.items.get(f"{proposal.id}.item")


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
