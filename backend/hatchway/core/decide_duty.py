"""Hand-overs and asks: what a command about them leads to, or why it is refused. See `decide.py`."""

from __future__ import annotations

from typing import assert_never

from hatchway.core import asks, handover
from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.answers import Accepted, Refused
from hatchway.core.decide_services import NOT_PEOPLE
from hatchway.core.people import Who, fold, is_named
from hatchway.core.state import State


def duty(state: State, command: cmd.Duty, now: float) -> Accepted | Refused:
    """Decide on a hand-over, an acknowledgement or an ask. Pure; `now` in seconds since 1970."""
    if fold(command.by) in NOT_PEOPLE:
        return Refused("not_a_person", "Only a person may do this; the agent never.")
    match command:
        case cmd.HandOver():
            return _hand_over(state, command)
        case cmd.Acknowledge():
            return _acknowledge(state, command)
        case cmd.AskOncall():
            return _ask(state, command, now)
        case _:
            assert_never(command)


def _hand_over(state: State, command: cmd.HandOver) -> Accepted | Refused:
    who = command.who or Who(command.by)
    if any(is_named(who, name) for name in command.to):
        return Refused(
            "yourself", "Nobody hands over to themselves.", "Name the next person: --to NAME"
        )
    before = handover.waiting(state.handovers)
    id = f"handover-{state.seq + 1}"  # it is the next record of the journal
    made = ev.HandedOver(
        handover=id,
        by=command.by,
        person=who.person,
        to=command.to,
        fields=command.fields,
        digest=handover.digest_of(id, command.by, command.to, command.fields),
        since=command.since,
        keeps=command.keeps,
        replaces=before.id if before is not None else "",
    )
    return Accepted((made,))


def _acknowledge(state: State, command: cmd.Acknowledge) -> Accepted | Refused:
    found = next((h for h in state.handovers if h.id == command.handover), None)
    newest = handover.waiting(state.handovers)
    if newest is not None and (found is None or newest.id != found.id):
        return Refused(
            "changed",
            f"The hand-over is another one by now: {newest.by} wrote it anew, #{newest.seq}.",
            "Read that one, then acknowledge it.",
        )
    if found is None:
        return Refused("no_such_handover", "No hand-over waits to be acknowledged.", "h shows it")
    if not found.open:
        return Refused("closed", f"This was already acknowledged by {found.taken_by}.")
    if command.digest != found.digest:
        return Refused(
            "changed",
            "What you read is not what was written: the digests differ.",
            "Read it again, then acknowledge it: hatchway handover show",
        )
    who = command.who or Who(command.by)
    if is_named(who, found.by, found.person):
        return Refused(
            "yourself",
            "You wrote this; until somebody else acknowledges it, it is your duty.",
            f"It is for {found.whom}.",
        )
    if found.to and not is_named(who, *found.to):
        return Refused(
            "not_for_you",
            f"This hand-over is for {found.whom}.",
            f"{found.by} can write it anew for you: hatchway handover write --to {command.by}",
        )
    taken = ev.HandoverAcknowledged(
        handover=found.id,
        digest=found.digest,
        by=command.by,
        person=who.person,
        how=who.how,
        said=command.said,
    )
    return Accepted((taken,))


def _ask(state: State, command: cmd.AskOncall, now: float) -> Accepted | Refused:
    known = asks.waiting_for(state.asks, command.op, command.service, now)
    asked = ev.OncallAsked(
        ask=known.id if known is not None else f"ask-{state.seq + 1}",
        op=command.op,
        service=command.service,
        by=command.by,
        reason=command.reason,
        role=command.role,
        epoch=state.authority_of(command.service).epoch,
        pages=asks.pages_now(state.asks, known, command.by, now),
    )
    return Accepted((asked,))


def decline(ask: asks.Ask, command: cmd.Accept | cmd.Reject, now: float) -> Accepted | Refused:
    """A no to an ask. A yes is no word but the stop itself, which the governor takes."""
    if ask.status != "open":
        return Refused("closed", f"This is over: {ask.became(now)}.")
    if isinstance(command, cmd.Accept):
        return Refused("not_a_word", "A yes to this is the stop itself.", f"hatchway {ask.op}")
    said = ev.AskDeclined(ask=ask.id, service=ask.service, by=command.by, reason=command.reason)
    return Accepted((said,))
