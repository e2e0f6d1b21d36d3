"""What is asked of those on call, and hand-overs, as items and documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hatchway.core.asks import OPEN_S, Ask
from hatchway.core.handover import Handover, waiting
from hatchway.core.plan import Person
from hatchway.core.state import State
from hatchway.edge import protocol as p
from hatchway.edge.docs.asks import AskDoc, AsksDoc
from hatchway.edge.waiting import needs_doc

SHOWN = 20


def needs_now(state: State, now: float, people: Sequence[Person] = ()) -> p.NeedsDoc:
    """All that waits for people: what others call for first, a hand-over last.

    `people` are those that hatchway.yaml lists.
    """
    asked = needs_doc(state, people).items
    return p.NeedsDoc((*ask_items(state, now), *asked, *handover_items(state)))


def ask_items(state: State, now: float) -> tuple[p.ItemDoc, ...]:
    """Asks that wait for an answer."""
    return tuple(_asked(state, ask) for ask in state.asks.values() if ask.waits(now))


def _asked(state: State, ask: Ask) -> p.ItemDoc:
    run = state.active_run(ask.service)
    others = [f"{each.name}: {each.reason}" for each in ask.askers if each.reason]
    does = {
        "pause": "a yes pauses the agent, at once",
        "takeover": "a yes gives you the wheel, at once",
        "rollback": "a yes rolls back, at once; r shows first what that would do",
    }[ask.op]
    return p.ItemDoc(
        id=ask.item,
        kind="ask",
        capability=ask.op,
        title=ask.head,
        service=ask.service,
        run=run.id if run is not None else "",
        asked_at=ask.askers[0].at,
        expires_at=0.0,
        lines=(*others[-3:], does),
        requires=ask.op,
        default=f"no answer: nothing happens; it is gone after {OPEN_S / 60:.0f} min",
        not_for=tuple(dict.fromkeys(each.name for each in ask.askers)),
    )


def handover_items(state: State) -> tuple[p.ItemDoc, ...]:
    """The hand-over that nobody has acknowledged; whom it is for has to read it first."""
    handover = waiting(state.handovers)
    if handover is None:
        return ()
    return (
        p.ItemDoc(
            id=handover.id,
            kind="handover",
            capability="acknowledge",
            title=f"HAND-OVER by {handover.by}: to be read and acknowledged",
            service="",
            run="",
            asked_at=handover.at,
            expires_at=0.0,
            lines=_first_lines(handover),
            requires="acknowledge",
            default=f"no answer: it stays {handover.by}'s duty",
            only_for=handover.to,
            not_for=(handover.by,),
        ),
    )


def _first_lines(handover: Handover) -> tuple[str, ...]:
    note = next((field.lines for field in handover.fields if field.name == "watch"), ())
    return tuple(note[:2])


def handover_words(state: State) -> str:
    """For the second row, while a hand-over waits: whose duty it is."""
    handover = waiting(state.handovers)
    if handover is None:
        return ""
    return f"hand-over to {handover.whom} not acknowledged: still {handover.by}'s duty"


def asks_doc(state: State, now: float) -> AsksDoc:
    """The newest asks and what became of them, the newest last."""
    newest = list(state.asks.values())[-SHOWN:]
    return AsksDoc(tuple(_doc(ask, now) for ask in newest))


def _doc(ask: Ask, now: float) -> AskDoc:
    return AskDoc(
        id=ask.id,
        op=ask.op,
        service=ask.service,
        by=tuple(dict.fromkeys(each.name for each in ask.askers)),
        seq=ask.askers[-1].seq,
        at=ask.at,
        waits=ask.waits(now),
        became=ask.became(now),
        closed_at=ask.closed_at,
    )
