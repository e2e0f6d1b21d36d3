"""decide(state, command, now): what a command leads to, or why it is refused.

A command is answered exactly once: look its id up in `State.answers` before deciding.
"""

from __future__ import annotations

from typing import assert_never, get_args

import msgspec

from hatchway.core import approvals, asks, residue, several
from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.answers import Accepted, Refused
from hatchway.core.decide_duty import decline, duty
from hatchway.core.decide_services import NOT_PEOPLE, order, why_only_recommends
from hatchway.core.people import Who, fold, is_named
from hatchway.core.quarantine import in_quarantine
from hatchway.core.state import Item, Run, State

__all__ = ["Accepted", "Refused", "decide"]


def decide(state: State, command: cmd.Command, now: float) -> Accepted | Refused:
    """Decide on a command that has not been answered yet. Pure; `now` in seconds since 1970."""
    match command:
        case cmd.StartRun():
            return _start(state, command, now)
        case cmd.Accept() | cmd.Reject():
            return _close_item(state, command, now)
        case cmd.Review():
            return _review(state, command)
        case cmd.Release():
            return _release(state, command)
        case cmd.Lift() | cmd.Expect() | cmd.Withdraw() | cmd.CloseBreaker():
            return order(state, command, now)
        case cmd.HandOver() | cmd.Acknowledge() | cmd.AskOncall():
            return duty(state, command, now)
        case _:
            assert_never(command)


def _start(state: State, command: cmd.StartRun, now: float) -> Accepted | Refused:
    running = state.active_run(command.service)
    if running is not None:
        return Refused(
            "busy",
            f"{command.service} is already being released: run {running.id}, "
            f"{running.from_version} -> {running.to_version}.",
            "Wait for it to end, or roll it back.",
        )
    known = in_quarantine(state.quarantine, command.service, command.commit)
    if known is not None:
        return Refused(
            "quarantined",
            f"{known.words}. It is in quarantine until a person lifts it.",
            "Release a commit with the fault mended, or have an approver or admin say why it is "
            f"safe now: hatchway quarantine lift {known.commit[:12]} --reason WHY",
        )
    recommends = why_only_recommends(state, command.service, now)
    run = str(len(state.runs) + 1)
    started = ev.RunStarted(
        run=run,
        service=command.service,
        environment=command.environment,
        mode="recommend" if recommends else command.mode,
        pace=command.pace,
        commit=command.commit,
        base=command.base,
        from_version=command.from_version,
        to_version=command.to_version,
        plan=command.plan,
        policy_digest=command.policy_digest,
        attests=command.attests,
        policy_says=command.policy_says,
        ref=command.ref,
        requester=command.by,
        requester_person=command.who.person if command.who else "",
    )
    return Accepted((started,))


def _review(state: State, command: cmd.Review) -> Accepted | Refused:
    run = state.runs.get(command.run)
    if run is None:
        return Refused("no_such_run", f"There is no run {command.run!r}.", "hatchway status")
    if run.active:
        return Refused("running", f"Run {run.id} has not ended.", "Review it afterwards.")
    if not command.reason.strip():
        return Refused(
            "reason_missing",
            "A review says what was found; it goes into the journal.",
            "--reason 'what was found, what follows from it'",
        )
    for verdict in get_args(ev.Verdict):
        if command.verdict == verdict:
            said = ev.RunReviewed(run=run.id, by=command.by, reason=command.reason, verdict=verdict)
            return Accepted((said,))
    return Refused("bad_request", f"{command.verdict!r} is no verdict.", "right, wrong or harmful")


def _release(state: State, command: cmd.Release) -> Accepted | Refused:
    authority = state.authority_of(command.service)
    if not command.reason.strip():
        return Refused(
            "reason_missing",
            "Giving control back needs a reason; it goes into the journal.",
            "Say why it is safe to go on.",
        )
    if command.expect_epoch not in (-1, authority.epoch):
        return Refused(
            "stale",
            f"Control of {command.service} changed since your screen was painted: "
            f"{authority.mode} by {authority.holder or 'nobody'}, epoch {authority.epoch}.",
            "Look again, then give back.",
        )
    return Accepted(())


def _find(state: State, item_id: str) -> tuple[Run, Item] | None:
    for run in reversed(state.runs.values()):
        if item_id in run.items:
            return run, run.items[item_id]
    return None


def _close_item(state: State, command: cmd.Accept | cmd.Reject, now: float) -> Accepted | Refused:
    left = residue.named(state, command.item)
    if left is not None:
        return residue.close(left, command)
    asked = asks.named(state.asks, command.item)
    if asked is not None:
        return decline(asked, command, now)
    found = _find(state, command.item)
    if found is None:
        return Refused("no_such_item", f"Nothing called {command.item!r} waits for an answer.")
    run, item = found
    if item.status != "open" or not run.active:
        return Refused(
            "closed",
            f"This was already {item.status if item.status != 'open' else 'superseded'}"
            + (f" by {item.by}." if item.by else "."),
        )
    if isinstance(command, cmd.Accept):
        refused = _may_not_accept(state, run, item, command, now)
        if refused is not None:
            return refused
    status: str = "accepted" if isinstance(command, cmd.Accept) else "rejected"
    closed = ev.ItemClosed(
        run=run.id,
        item=item.id,
        status="accepted" if status == "accepted" else "rejected",
        by=command.by,
        reason=command.reason,
        person=command.who.person if command.who else "",
        how=command.who.how if command.who else "",
        roles=command.who.roles if command.who else (),
    )
    if isinstance(command, cmd.Accept) and item.type == "approval":
        closed = msgspec.structs.replace(
            closed,
            max_weight=command.max_weight,
            not_before=command.not_before,
            signature=command.signature,
        )
    return Accepted((closed,))


def _may_not_accept(
    state: State, run: Run, item: Item, command: cmd.Accept, now: float
) -> Refused | None:
    authority = state.authority_of(run.service)
    if fold(command.by) in NOT_PEOPLE:
        return Refused("not_a_person", "Only a person may say yes; the agent never.")
    if now > item.expires_at:
        return Refused("expired", "This was asked too long ago.", "Wait until it is asked again.")
    if item.type == "recommendation" and item.epoch != authority.epoch:
        return Refused(
            "superseded",
            "Control changed hands after this was recommended.",
            "Wait for the agent's next recommendation.",
        )
    if item.type == "recommendation" and authority.mode == "paused":
        return Refused(
            "paused",
            f"{run.service} is paused by {authority.holder}: nothing changes until control is "
            "taken over or given back.",
            "Take over (o) or give back (g), or roll back (r, f).",
        )
    if authority.mode == "person" and command.by != authority.holder:
        return Refused(
            "not_holder", f"{authority.holder} has taken over {run.service} and decides alone."
        )
    if item.type == "approval":
        no = approvals.refusal(state, run, item, command.who or Who(command.by))
        return no or _too_little(command, now)
    said = several.yes_to(run, item.capability, item.epoch)
    who = command.who or Who(command.by)
    twice = any(is_named(who, yes.by, yes.person) for yes in said)
    if twice and several.lacking(said, *several.wanted(item.binding)):
        what = "You have already said yes to this."
        return Refused("second_person", what, "A second person has to say yes.")
    if item.capability != "rollback":  # going back removes risk, whatever the rules have become
        for key, now_is in (("plan", run.plan.digest), ("policy", run.policy_digest)):
            if item.binding.get(key, now_is) != now_is:
                return Refused(
                    "changed", f"The {key} changed since this was asked.", "It is asked again."
                )
    return None


LONGEST_WAIT_S = 7 * 86400.0


def _too_little(command: cmd.Accept, now: float) -> Refused | None:
    """A yes that could never count is no yes."""
    if not 1 <= command.max_weight <= 100:
        what = f"A yes to at most {command.max_weight} % of the traffic says nothing."
        return Refused("bad_request", what, "--max-weight 1 to 100")
    if not command.not_before <= now + LONGEST_WAIT_S:
        return Refused("bad_request", "A yes begins to count within a week.", "--not-before 22:00Z")
    return None
