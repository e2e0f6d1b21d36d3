"""What a command is answered with, by the event that it led to. Pure; see `State.answers`."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.asks import NAMES
from hatchway.core.state import Answered


def answer_of(event: ev.Event | ev.Unknown, seq: int) -> Answered:
    """The answer of the command that led to `event`, which stands in the journal at `seq`."""
    return Answered(seq, _said(event), what=_verb(event), about=_about(event))


def _said(event: ev.Event | ev.Unknown) -> str:
    match event:
        case ev.RunStarted():
            return f"run {event.run} started"
        case ev.ItemClosed():
            return f"{event.status} by {event.by}"
        case ev.QuarantineLifted():
            return f"{event.commit[:9]} may be released again, says {event.by}"
        case ev.ExpectationDeclared():
            return f"{event.expectation}: {event.metric} up to {event.at_most:g} is expected"
        case ev.ExpectationWithdrawn():
            return f"{event.expectation} withdrawn by {event.by}"
        case ev.BreakerClosed():
            return f"breaker of {event.service} closed by {event.by}"
        case ev.ResidueAccepted():
            return f"what the rollback of run {event.run} left is accepted by {event.by}"
        case ev.DrillRecorded():
            return f"drill {event.evidence.drill} recorded"
        case ev.RunReviewed():
            return f"run {event.run} reviewed by {event.by}"
        case ev.HandedOver():
            whom = " or ".join(event.to) or "whoever comes next"
            return f"handed over to {whom}; it is your duty until that is acknowledged"
        case ev.HandoverAcknowledged():
            return f"hand-over acknowledged by {event.by}; control has not changed"
        case ev.OncallAsked():
            paged = "" if event.pages else ", not paged again"
            return f"asked oncall to {NAMES[event.op]} {event.service}{paged}"
        case ev.AskDeclined():
            return f"{event.by} said no"
        case _:
            return "done"


def _verb(event: ev.Event | ev.Unknown) -> str:
    match event:
        case ev.RunStarted():
            return "start"
        case ev.ItemClosed():
            return "accept" if event.status == "accepted" else "reject"
        case ev.ResidueAccepted():
            return "accept"
        case ev.QuarantineLifted():
            return "lift"
        case ev.ExpectationDeclared():
            return "expect"
        case ev.ExpectationWithdrawn():
            return "withdraw"
        case ev.BreakerClosed():
            return "close"
        case ev.DrillRecorded():
            return "drill"
        case ev.RunReviewed():
            return "review"
        case ev.HandedOver():
            return "handover"
        case ev.HandoverAcknowledged():
            return "acknowledge"
        case ev.OncallAsked():
            return "ask"
        case ev.AskDeclined():
            return "reject"
        case _:
            return ""


def _about(event: ev.Event | ev.Unknown) -> str:
    match event:
        case ev.RunStarted():
            return f"{event.service} {event.commit}"
        case ev.ItemClosed():
            return event.item
        case ev.ResidueAccepted():
            return f"run-{event.run}.residue"
        case ev.RunReviewed():
            return event.run
        case ev.HandoverAcknowledged():
            return event.handover
        case ev.OncallAsked():
            return event.service
        case _:
            return ""
