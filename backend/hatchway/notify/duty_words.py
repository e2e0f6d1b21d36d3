"""What people outside are told of asks and hand-overs. Pure; see `words.py`.

An ask is a condition: it is told when it begins and when it is over, so that whoever was woken
learns that somebody else has done it.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatchway.core import events as ev
from hatchway.core.asks import Ask
from hatchway.core.state import State
from hatchway.notify.told import Told


def told_of_duty(event: ev.DutyEvent, state: State) -> Iterator[Told]:
    """What an event about a shift is worth to people outside; `state` is the one after it."""
    match event:
        case ev.OncallAsked() if event.pages and event.ask in state.asks:
            ask = state.asks[event.ask]
            again = len(ask.askers) > 1  # a known condition would not be told a second time
            yield Told(
                kind="asked",
                key="" if again else f"ask/{ask.id}",
                severity="page",
                title=("asked again: " if again else "") + ask.title,
                text=f"{event.reason}\nhatchway accept {ask.item}".strip(),
                service=ask.service,
            )
        case ev.AskDeclined() if event.ask in state.asks:
            yield _over(state.asks[event.ask])
        case ev.HandedOver():
            if event.replaces:
                yield Told(
                    kind="handover",
                    key=f"handover/{event.replaces}",
                    state="resolved",
                    title=f"the hand-over of {event.by} was written anew",
                )
            whom = " or ".join(event.to) or "whoever comes next"
            yield Told(
                kind="handover",
                key=f"handover/{event.handover}",
                title=f"{event.by} hands over to {whom}: to be read and acknowledged",
                text="\n".join(line for f in event.fields if f.name == "watch" for line in f.lines),
            )
        case ev.HandoverAcknowledged():
            yield Told(
                kind="handover",
                key=f"handover/{event.handover}",
                state="resolved",
                title=f"{event.by} has acknowledged the hand-over",
                text=event.said,
            )


def told_of_answers(service: str, state: State) -> Iterator[Told]:
    """The asks that this event, the newest of `state`, has made true."""
    for ask in state.asks.values():
        if ask.service == service and ask.closed_seq == state.seq and ask.status == "done":
            yield _over(ask)


def _over(ask: Ask) -> Told:
    return Told(
        kind="asked",
        key=f"ask/{ask.id}",
        state="resolved",
        severity="page",
        title=f"{ask.service}: {ask.became(ask.closed_at)}",
        service=ask.service,
    )
