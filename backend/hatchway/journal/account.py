"""What a report of a run consists of: structs. Times are seconds since 1970.

Every text is as it stands in the journal: whoever shows it makes it safe to show.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from hatchway.core import events as ev


class Check(Struct, frozen=True, kw_only=True):
    """A job that ran: a check, a test, a scan, a build or a deployment."""

    seq: int
    at: float
    stage: str
    job: str
    attempt: int
    status: str
    seconds: float
    why: str


class Answer(Struct, frozen=True, kw_only=True):
    """Something that people were asked. `binding` is what their yes was worth, and for nothing else."""

    seq: int
    asked_at: float
    item: str
    type: str
    capability: str
    expires_at: float
    binding: dict[str, str]
    status: str = "open"
    by: str = ""
    reason: str = ""
    answered_seq: int = 0
    answered_at: float = 0.0
    how: str = ""  # how whoever answered was known
    signature: ev.Signature | None = None
    signed: str = ""  # what became of checking it again: valid, not checked, or INVALID: why


class Decision(Struct, frozen=True, kw_only=True):
    """A verdict of the judge, or a proposal and what policy said. `evidence` is as it was seen."""

    seq: int
    at: float
    what: Literal["verdict", "proposal"]
    word: str  # PASS, REGRESS...; or the capability: promote, rollback...
    by: str
    headline: str
    confidence: float
    evidence: tuple[ev.Evidence, ...]
    answer: str = ""  # to a proposal: auto, ask or deny
    rule: str = ""
    why: str = ""
    epoch: int = 0
    digest: str = ""
    proof_bytes: int = 0


class Change(Struct, frozen=True, kw_only=True):
    """A change of the traffic: what was intended, on whose authority, and what was observed.

    `seq` is 0 for a person's rollback at the governor, which was done before it was journaled.
    """

    seq: int
    at: float
    key: str
    weight: int
    by: ev.By
    authority: str
    epoch: int
    status: str = "intended"
    observed: int | None = None
    why: str = ""
    observed_by: str = ""
    settled_seq: int = 0
    settled_at: float = 0.0


class Stop(Struct, frozen=True, kw_only=True):
    """A change of control. `effect_s`: to the moment when its rollback was observed."""

    seq: int
    at: float
    op: str
    by: str
    uid: int
    reason: str
    epoch: int
    mode: str
    direct: bool
    effect_s: float | None = None
    known_s: float | None = None  # until it was journaled; at the governor it held at once


class Line(Struct, frozen=True, kw_only=True):
    """Another fact: `what` happened, `why`."""

    seq: int
    at: float
    by: str
    what: str
    why: str


class BackOut(Struct, frozen=True, kw_only=True):
    """The way back: what was known of it when the release was asked for, and its use."""

    safe: str = "nobody looked"
    reasons: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()  # what would stay as it is after going back
    used: tuple[Line, ...] = ()


class Score(Struct, frozen=True, kw_only=True):
    """How the agent's proposals turned out; `low` and `high` bound the share that were right."""

    right: int = 0
    wrong: int = 0
    harmful: int = 0
    unknown: int = 0
    low: float = 0.0
    high: float = 1.0


class Chain(Struct, frozen=True):
    """How the journal is that all of this was read from."""

    whole: bool
    records: int  # that follow from each other
    head: str  # "seq:hash"
    why: str = ""
    means: str = ""
    checkpoints: int = 0
    anchored_to: int = 0


class Report(Struct, kw_only=True):
    """Everything. `exceptions` come first for a reader: each is a sentence."""

    run: str
    service: str
    environment: str
    pipeline: str
    from_version: str
    to_version: str
    commit: str
    base: str
    plan: str
    policy: str
    mode: str
    requested_by: str
    started_at: float
    started_seq: int
    outcome: str = ""
    why: str = ""
    ended_at: float = 0.0
    ended_seq: int = 0
    weight: int | None = None  # the canary's share that was observed last
    control: str = ""  # who was in control at the start
    risk: str = ""
    reasons: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    changes: tuple[ev.Change, ...] = ()
    files: tuple[str, ...] = ()
    requester: str = ""  # how the requester was known
    authors: tuple[str, ...] = ()  # of all commits
    pushers: tuple[str, ...] = ()
    artifact: str = ""
    tickets: tuple[str, ...] = ()  # named by commits and by what people declared
    emergencies: tuple[str, ...] = ()
    back_out: BackOut = BackOut()
    score: Score = Score()
    rules: list[Line] = field(default_factory=list)
    reviews: list[Line] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    approvals: list[Answer] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    effects: list[Change] = field(default_factory=list)
    unattributed: list[Line] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    holds: list[Line] = field(default_factory=list)
    refused: list[Line] = field(default_factory=list)
    unreadable: list[Line] = field(default_factory=list)
    chain: Chain
