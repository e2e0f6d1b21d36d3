"""What comes of a command: the events to journal, or a refusal."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core import events as ev


class Accepted(Struct, frozen=True):
    """The events to journal; none for a command that somebody else carries out."""

    events: tuple[ev.Event, ...]


class Refused(Struct, frozen=True):
    """What is wrong, and what to do instead."""

    code: str
    why: str
    todo: str = ""
