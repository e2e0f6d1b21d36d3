"""What people who may not stop ask of those who may: merged, paged for, and never forgotten. Pure.

An ask is closed by what happens to the service, whoever does it and from wherever: there is no way
to answer it with words alone, except no.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.core.events_of_duty import AskDeclined, OncallAsked, Op
from hatchway.core.people import fold

AGAIN_S = 60.0
"""The same ask of the same person is the same one within this time; nor is anybody paged again."""

OPEN_S = 3600.0
"""What nobody answered for so long does not wait in front of people any more."""

PAGES_MAX, PAGES_WITHIN_S = 10, 600.0
"""How often one person's asks page, so that nobody is kept from work by being called."""

KEPT = 50
DONE = {
    "pause": "paused", "takeover": "took over", "rollback": "rolled back", "stop_all": "stopped all"
}  # fmt: skip
NAMES = {"pause": "PAUSE", "takeover": "TAKE OVER", "rollback": "ROLL BACK"}
_ITEM = re.compile(r"(pause|takeover|rollback)\.ask-\d{1,12}", re.ASCII)


class Asker(Struct, frozen=True):
    """One person who asked, and where that stands in the journal."""

    name: str
    at: float
    seq: int
    reason: str = ""
    role: str = ""
    paged: bool = True


class Ask(Struct, frozen=True):
    """`status` is done when the service is as was asked for, by `closed_by` through `closed_op`."""

    id: str
    op: Op
    service: str
    askers: tuple[Asker, ...]
    epoch: int = 0
    status: Literal["open", "done", "declined"] = "open"
    closed_by: str = ""
    closed_op: str = ""
    closed_at: float = 0.0
    closed_seq: int = 0
    why: str = ""

    @property
    def item(self) -> str:
        """The name under which it waits for an answer; it says which right that takes."""
        return f"{self.op}.{self.id}"

    @property
    def at(self) -> float:
        """When it was asked last."""
        return self.askers[-1].at

    def waits(self, now: float) -> bool:
        """Whether somebody should still answer it."""
        return self.status == "open" and now - self.at < OPEN_S

    @property
    def title(self) -> str:
        """`luis (read-only) asks you to PAUSE shop: WHY`."""
        return self.head + (f": {self.reason}" if self.reason else "")

    @property
    def reason(self) -> str:
        """The newest reason that somebody gave."""
        return next((each.reason for each in reversed(self.askers) if each.reason), "")

    @property
    def head(self) -> str:
        """The title without the reason."""
        first = self.askers[0]
        others = len({fold(each.name) for each in self.askers}) - 1
        who = f"{first.name} ({first.role})" if first.role else first.name
        who += f" and {others} more ask" if others else " asks"
        return f"{who} you to {NAMES[self.op]} {self.service}"

    def became(self, now: float) -> str:
        """What became of it, in words."""
        why = f": {self.why}" if self.why else ""
        if self.status == "done":
            did = DONE.get(self.closed_op, self.closed_op)
            return f"{self.closed_by} {did} {clock_s(self.closed_at)}"
        if self.status == "declined":
            return f"{self.closed_by} said no {clock_s(self.closed_at)}{why}"
        return "waits for an answer" if self.waits(now) else "nobody answered: ask again"


Asks = dict[str, Ask]


def clock_s(at: float) -> str:
    """`02:15:03Z`: what happens within a minute is told by the second."""
    seconds = int(at) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


def right_for(item: str) -> str:
    """The right that an answer to this item takes; empty when it is no ask."""
    found = _ITEM.fullmatch(item)
    return found[1] if found else ""


def named(asks: Asks, item: str) -> Ask | None:
    """The ask that is meant by `item`."""
    return next((ask for ask in asks.values() if ask.item == item), None)


def waiting_for(asks: Asks, op: str, service: str, now: float) -> Ask | None:
    """The ask for the same that waits already."""
    return next(
        (a for a in asks.values() if (a.op, a.service) == (op, service) and a.waits(now)), None
    )


def just_asked(asks: Asks, op: str, service: str, by: str, now: float) -> tuple[Ask, Asker] | None:
    """The same ask of the same person within the last minute, whatever became of it."""
    for ask in reversed(asks.values()):
        for asker in reversed(ask.askers):
            same = (ask.op, ask.service, fold(asker.name)) == (op, service, fold(by))
            if same and now - asker.at < AGAIN_S:
                return ask, asker
    return None


def pages_now(asks: Asks, known: Ask | None, by: str, now: float) -> bool:
    """Whether to page for one more: not twice a minute for the same, and not for ever for one."""
    if known is not None and any(a.paged and now - a.at < AGAIN_S for a in known.askers):
        return False
    mine = [
        asker
        for ask in asks.values()
        for asker in ask.askers
        if asker.paged and fold(asker.name) == fold(by) and now - asker.at < PAGES_WITHIN_S
    ]
    return len(mine) < PAGES_MAX


def after(asks: Asks, event: OncallAsked | AskDeclined, seq: int, at: float) -> Asks:
    """The asks after somebody asked, or said no."""
    known = asks.get(event.ask)
    if isinstance(event, AskDeclined):
        if known is None or known.status != "open":
            return asks
        no = replace(
            known, status="declined", closed_by=event.by, closed_at=at, closed_seq=seq,
            why=event.reason,
        )  # fmt: skip
        return {**asks, known.id: no}
    asker = Asker(event.by, at, seq, event.reason, event.role, event.pages)
    if known is not None:
        return {**asks, known.id: replace(known, askers=(*known.askers[-19:], asker))}
    asks = {**asks, event.ask: Ask(event.ask, event.op, event.service, (asker,), event.epoch)}
    while len(asks) > KEPT:
        asks.pop(next(iter(asks)))
    return asks


def after_authority(
    asks: Asks, *, service: str, op: str, mode: str, by: str, epoch: int, seq: int, at: float
) -> Asks:
    """The asks after control of a service changed: what was asked for may have come true."""
    true = {"pause": mode != "agent", "takeover": mode == "person", "rollback": op == "rollback"}
    closed = {
        ask.id: replace(
            ask, status="done", closed_by=by, closed_op=op, closed_at=at, closed_seq=seq
        )
        for ask in asks.values()
        if ask.service == service and ask.status == "open" and true[ask.op] and epoch > ask.epoch
    }
    return {**asks, **closed} if closed else asks
