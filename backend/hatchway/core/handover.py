"""Handing a shift over: five fixed fields, and the word of whom it is for that they read them. Pure.

After the medical I-PASS and the military SBAR: how grave it is comes first, then what is running,
what is to come, what was done, and what to watch; then the receiver reads back. Four of the five
are taken from the state and the journal, never from memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hatchway.core.events_of_duty import Field, HandedOver, HandoverAcknowledged

FIELDS = ("situation", "control", "waits", "done", "watch")
"""In this order, always all of them. A person writes the last one."""

TITLES = {
    "situation": "SITUATION NOW",
    "control": "RUNNING, AND WHO IS IN CONTROL",
    "waits": "WAITS, AND UNTIL WHEN",
    "done": "DONE, AND WHY",
    "watch": "WATCH, AND WHAT I WOULD DO",
}
NOTE_MAX = 1000


class Handover(Struct, frozen=True):
    """A hand-over that was written, and whether it was acknowledged."""

    id: str
    seq: int
    at: float
    by: str
    to: tuple[str, ...] = ()
    person: str = ""
    fields: tuple[Field, ...] = ()
    digest: str = ""
    since: int = 0
    keeps: tuple[str, ...] = ()
    taken_by: str = ""
    taken_at: float = 0.0
    said: str = ""

    @property
    def open(self) -> bool:
        """Whether nobody has acknowledged it: then it is still the giver's duty."""
        return not self.taken_by

    @property
    def whom(self) -> str:
        """Whom it is for, in words."""
        return " or ".join(self.to) or "whoever comes next"


def digest_of(id: str, by: str, to: Sequence[str], fields: Sequence[Field]) -> str:
    """SHA-256 over the whole text, in hexadecimal: an acknowledgement is of this and no other."""
    whole = msgspec.json.encode((id, by, tuple(to), tuple(fields)), order="deterministic")
    return hashlib.sha256(whole).hexdigest()


def after(
    known: tuple[Handover, ...], event: HandedOver | HandoverAcknowledged, seq: int, at: float
) -> tuple[Handover, ...]:
    """The newest hand-over and the newest acknowledged one, the newest last."""
    if isinstance(event, HandedOver):
        made = Handover(
            event.handover, seq, at, event.by, event.to, event.person, event.fields, event.digest,
            event.since, event.keeps,
        )  # fmt: skip
        return (*(each for each in known if not each.open), made)
    newest = known[-1] if known else None
    if newest is None or not newest.open or newest.id != event.handover:
        return known
    return (replace(newest, taken_by=event.by, taken_at=at, said=event.said),)


def waiting(known: tuple[Handover, ...]) -> Handover | None:
    """The hand-over that nobody has acknowledged."""
    return known[-1] if known and known[-1].open else None


def acknowledged(known: tuple[Handover, ...]) -> Handover | None:
    """The newest one that was acknowledged: a shift began with it."""
    return next((each for each in reversed(known) if not each.open), None)
