"""A past run, as the dashboard shows it: where on its journal one is, and what can be asked of it."""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec import Struct

from hatchway.edge.protocol import Refused, Told, Tone


class Mark(Struct, frozen=True):
    """A record that matters: a change of the verdict, a decision, a step of the traffic, a stop.

    `kind` is one of the letters of `KINDS`.
    """

    seq: int
    at: float
    kind: str
    tone: Tone = "plain"


KINDS = {
    "V": "verdict",
    "D": "decision",
    "W": "weight",
    "H": "hold",
    "A": "approval",
    "S": "stop or control",
    "R": "run, stage or service",
}
"""What the letters of marks stand for."""


class ReplayDoc(Struct, frozen=True):
    """Key `replay`: the moment that is shown. Without this document the data are of now."""

    run: str
    service: str
    seq: int
    first: int  # the run's first record
    last: int  # the last that can be shown
    at: float
    began: float  # when `first` was written
    ended: float  # when `last` was
    event: str  # what the record says
    who: str = ""
    tone: Tone = "plain"
    mark: str = ""  # its letter, if it matters
    marks: tuple[Mark, ...] = ()  # no more than a screen has columns
    marked: int = 0  # how many there are
    place: int = 0  # of them up to here
    trouble: str = ""  # why later records cannot be shown
    figures: str = ""  # where the metrics that are shown come from


class Tape(Protocol):
    """What the dashboard needs of a journal to play a run. Nothing in it reaches anybody."""

    service: str
    first: int
    last: int
    marks: tuple[int, ...]  # the records that matter, in order

    def documents(self, seq: int) -> dict[str, msgspec.Raw]:
        """Every document as it was right after record `seq`."""

    async def ask(self, seq: int, kind: str, about: str) -> Told | Refused:
        """The answer to a page's query as it was then."""
