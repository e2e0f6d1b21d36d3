"""The query `handover`: what would be handed over now, what waits to be read, and the last one."""

from __future__ import annotations

from msgspec import Struct


class FieldDoc(Struct, frozen=True):
    """One of the five fields: its title, and its lines as text from anywhere."""

    name: str
    title: str
    lines: tuple[str, ...] = ()


class WrittenDoc(Struct, frozen=True):
    """A hand-over as it was written. `digest` names exactly this text."""

    id: str
    seq: int
    at: float
    by: str
    to: tuple[str, ...]
    digest: str
    fields: tuple[FieldDoc, ...]
    keeps: tuple[str, ...] = ()  # services whose wheel the giver still has
    since_then: str = ""  # what happened after it was written, in words
    taken_by: str = ""
    taken_at: float = 0.0
    said: str = ""


class HandoverDoc(Struct, frozen=True):
    """`draft` is what would be written now, without a note; it begins after record `since`."""

    draft: tuple[FieldDoc, ...]
    since: int = 0
    since_at: float = 0.0
    happened: str = ""  # since then, counted in words
    next: tuple[str, ...] = ()  # whom it would be for, if nobody else is named
    waiting: WrittenDoc | None = None
    last: WrittenDoc | None = None  # the newest that was acknowledged
