"""Asks and hand-overs as one person sees them: what is mine, what is for me. Pure."""

from __future__ import annotations

from hatchway.edge.docs.asks import AskDoc
from hatchway.edge.docs.handover import HandoverDoc, WrittenDoc
from hatchway_tui.control import Rights, live, who
from hatchway_tui.mirror import Model

NAMES = {"pause": "pause", "takeover": "take over", "rollback": "roll back"}
SHOWN_FOR = 900.0
"""How long the asker still sees what became of it, in seconds."""


def asks_oncall(model: Model, rights: Rights, kind: str) -> bool:
    """Whether this person's key for a stop asks those on call instead of stopping."""
    you = model.you
    if kind not in NAMES or not live(model) or model.replay is not None:
        return False
    if you is None or "ask" not in you.also:
        return False
    return rights.read_only or you.read_only or kind not in you.can


def my_ask(model: Model, rights: Rights, service: str, now: float, op: str = "") -> AskDoc | None:
    """My newest ask about a service, while it waits or what became of it is news."""
    name = who(model, rights)
    for ask in reversed(model.asks.asks):
        mine = name in ask.by and ask.service == service and op in ("", ask.op)
        if mine and now - max(ask.at, ask.closed_at) < SHOWN_FOR:
            return ask
    return None


def my_ask_words(model: Model, rights: Rights, service: str, now: float) -> str:
    """`asked, #4471; ana paused 02:15:03Z`; empty when nothing was asked."""
    ask = my_ask(model, rights, service, now)
    return f"asked to {NAMES.get(ask.op, ask.op)}, #{ask.seq}; {ask.became}" if ask else ""


def handover_of(model: Model) -> HandoverDoc | None:
    """What the backend said of hand-overs; None while the page was not open."""
    doc = model.told.get("handover/")
    return doc if isinstance(doc, HandoverDoc) else None


def for_me(model: Model, rights: Rights, written: WrittenDoc) -> bool:
    """Whether I am the one who should acknowledge it."""
    name = who(model, rights)
    return name != written.by and (not written.to or name in written.to)
