"""A run in detail: what happened, how long each part took, and what it waited for. Query `run`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hatchway.edge.protocol import StageStatus, Tone


class Moment(Struct, frozen=True):
    """An event of the journal in words; `note` says how long it took, or by which rule it was."""

    seq: int
    at: float
    who: str
    text: str
    tone: Tone = "plain"
    note: str = ""


class Wait(Struct, frozen=True):
    """Something was waited for; `ended_at` is 0 while it is. `by` is who answered."""

    kind: Literal["person", "data", "held"]
    began_at: float
    ended_at: float = 0.0
    about: str = ""
    why: str = ""
    by: str = ""


class JobSpan(Struct, frozen=True):
    """The newest attempt of a job. Jobs of one `group` run side by side, groups one after the other."""

    name: str
    status: StageStatus
    started_at: float = 0.0
    ended_at: float = 0.0
    group: int = 0
    attempt: int = 1
    why: str = ""


class Span(Struct, frozen=True):
    """A stage, or a step of the canary. `usual_s` is the median of earlier runs; None: not known."""

    name: str
    kind: str  # checks, tests, scan, build, deploy, release, canary
    status: StageStatus
    started_at: float = 0.0
    ended_at: float = 0.0
    why: str = ""
    jobs: tuple[JobSpan, ...] = ()
    usual_s: float | None = None


class RunStory(Struct, frozen=True):
    """What happened in a run. `left_out` moments between the first and the newest are not here.

    `sealed`: the run began before the oldest event that this backend has read.
    """

    run: str
    started_at: float
    ended_at: float = 0.0
    requested_by: str = ""
    moments: tuple[Moment, ...] = ()
    left_out: int = 0
    left_out_after: int = 0  # so many moments
    sealed: bool = False
    spans: tuple[Span, ...] = ()
    waits: tuple[Wait, ...] = ()
    usual_of: int = 0  # earlier runs of the service that `usual_s` is the median of, at most
