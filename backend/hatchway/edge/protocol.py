"""The wire between the backend and its dashboards: one JSON object a websocket message.

A client says `Subscribe`; the server answers `Hello`, then one `Snapshot` (or, when the client
resumes, goes straight on with deltas), then contiguous `Delta`s. `rev` counts changes of
documents, `seq` counts events of the journal. A delta carries the *latest* text of every document
that changed in (`from_rev`, `to_rev`], so a slow client is conflated, never lied to.

Units: times are seconds since the epoch (UTC), ages and durations are seconds, weights are percent
of the traffic. Strings inside documents may come from outside and are never markup.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from hatchway.edge.docs.item import ItemDoc, NeedsDoc  # noqa: F401  known as protocol.ItemDoc

PROTOCOL = 1

Mode = Literal["agent", "paused", "person", "unknown"]
Tone = Literal["plain", "good", "warn", "bad", "dim"]
RunStatus = Literal["running", "waiting", "held", "paused", "rolling_back", "ended"]
VerdictWord = Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
StageStatus = Literal["pending", "running", "waiting", "passed", "failed", "skipped", "cancelled"]


class _Message(Struct, frozen=True, tag_field="type", forbid_unknown_fields=False):
    """Base of everything on the wire; unknown fields are ignored so that versions can differ."""


# --- server to client ---------------------------------------------------------------------------


class You(Struct, frozen=True):
    """Who the server says the client is, and what it may do."""

    name: str
    roles: tuple[str, ...] = ()
    can: tuple[str, ...] = ()  # of: pause takeover rollback release approve
    read_only: bool = False
    why_not: str = ""  # in words, when something is missing from `can`
    also: tuple[str, ...] = ()  # of: ask handover acknowledge readmit


class Hello(_Message, frozen=True, tag="hello"):
    """The server's first message. `boot` changes when the backend restarts."""

    protocol: int
    server: str
    boot: str
    you: You
    rev: int
    now: float


class Snapshot(_Message, frozen=True, tag="snapshot"):
    """All documents at `rev`."""

    rev: int
    docs: dict[str, msgspec.Raw]


class Delta(_Message, frozen=True, tag="delta"):
    """Documents changed in (`from_rev`, `to_rev`]; `gone` names the removed ones."""

    from_rev: int
    to_rev: int
    set: dict[str, msgspec.Raw]
    gone: tuple[str, ...] = ()


class Reset(_Message, frozen=True, tag="reset"):
    """The server cannot continue from the client's `rev`; a `Snapshot` follows."""

    why: str


class Beat(_Message, frozen=True, tag="beat"):
    """Sent every second, so that silence is a fact and not a guess."""

    rev: int
    now: float


class Ack(_Message, frozen=True, tag="ack"):
    """A command was accepted and is in the journal at `seq`."""

    id: str
    seq: int
    said: str = ""  # in words: "PAUSED by ana"


class Told(_Message, frozen=True, tag="told"):
    """The answer to a `Query`; `doc` is the struct of that kind in `hatchway.edge.docs`."""

    id: str
    kind: str
    about: str
    doc: msgspec.Raw


class Refused(_Message, frozen=True, tag="refused"):
    """A command or a query was refused: `why` it happened, what `todo` about it."""

    id: str
    code: str
    why: str
    todo: str = ""


ServerMessage = Hello | Snapshot | Delta | Reset | Beat | Ack | Told | Refused


# --- client to server ---------------------------------------------------------------------------

CommandKind = Literal[
    "pause",
    "takeover",
    "rollback",
    "stop_all",
    "release",
    "readmit",
    "accept",
    "reject",
    "review",
    "challenge",
    "handover",
    "acknowledge",
    "ask",
]


class Subscribe(_Message, frozen=True, tag="subscribe"):
    """First message of a client. With `boot` and `since` it asks to resume after that `rev`."""

    protocol: int = PROTOCOL
    boot: str = ""
    since: int = -1
    read_only: bool = False
    token: str = ""


class Command(_Message, frozen=True, tag="command"):
    """Something a person asks for; answered exactly once by `id`, the same again if repeated.

    `release` is giving control back (it needs a `reason`). `review` is a word on a run that has
    ended: `item` names the run. `expect_epoch` and `expect_version`
    are only looked at for commands that add risk (`release`, `accept`). A yes to a release covers
    at most `max_weight` percent and begins at `not_before`. `challenge` asks for the text that a
    yes to `item` is signed over (in `said` of its `Ack`); it comes back as `signed` beside its
    SSH signature. `handover` hands the shift over with a note (`reason`), to `item` if it names
    somebody; `acknowledge` takes the one called `item` over, whose digest `signed` is. `ask` asks
    those on call for the stop that `item` names (pause, takeover, rollback).
    """

    id: str
    kind: CommandKind
    service: str = ""
    item: str = ""
    reason: str = ""
    expect_epoch: int = -1
    expect_version: int = -1
    max_weight: int = 100
    not_before: float = 0.0
    signed: str = ""
    signature: str = ""
    verdict: str = ""  # of a `review`: the agent's last decision was right, wrong or harmful


class Query(_Message, frozen=True, tag="query"):
    """Asks for what is not mirrored all the time, e.g. a page's content; changes nothing.

    `kind` names it, `about` a service or a run. Answered once by `Told` or `Refused`.
    """

    id: str
    kind: str
    about: str = ""


class Ping(_Message, frozen=True, tag="ping"):
    """Asks for a `Beat` now."""


ClientMessage = Subscribe | Command | Query | Ping


# --- documents ----------------------------------------------------------------------------------


class SystemDoc(Struct, frozen=True):
    """Key `system`: the installation and its own health."""

    environment: str
    name: str = ""
    pace: float = 1.0
    started_at: float = 0.0
    journal_seq: int = 0
    journal_trouble: str = ""  # in words; empty when it writes
    governor_at: float = 0.0  # when the governor last answered
    governor_trouble: str = ""
    duty: str = ""
    freeze: str = ""
    drill: str = ""  # why a drill of the stops is overdue, in words
    handover: str = ""  # in words, while a hand-over is not acknowledged
    shift: str = ""  # what happened since the last one, in words
    checkpoint: str = ""  # why the journal's last checkpoint is too old, in words


class AuthorityDoc(Struct, frozen=True):
    """Key `authority/SERVICE`: who is in control, as read back from the governor at `read_at`."""

    service: str
    mode: Mode
    epoch: int
    holder: str = ""
    since: float = 0.0
    reason: str = ""
    level: str = ""  # in words: "acts within policy", "recommends only"
    read_at: float = 0.0
    drift: str = ""  # in words, when the target does not have the weight that is desired
    stop_all: str = ""  # in words, while no agent may do anything


class WhyLine(Struct, frozen=True):
    """One reason under a verdict. `sign`: + not worrying, - worrying, ? not known."""

    sign: Literal["+", "-", "?"]
    text: str
    evidence: str = ""  # E1, E2 ...
    source: str = ""
    at: float = 0.0


class VerdictDoc(Struct, frozen=True):
    """The judge's word in a run."""

    verdict: VerdictWord
    headline: str
    why: tuple[WhyLine, ...] = ()
    confidence: float | None = None
    at: float = 0.0


class JobDoc(Struct, frozen=True):
    """One command of a stage."""

    name: str
    status: StageStatus
    started_at: float = 0.0
    ended_at: float = 0.0
    detail: str = ""  # why it failed, or its last line


class StageDoc(Struct, frozen=True):
    """One stage of a run; `label` is short, for the stage strip."""

    name: str
    kind: str
    label: str
    status: StageStatus
    started_at: float = 0.0
    ended_at: float = 0.0
    detail: str = ""
    jobs: tuple[JobDoc, ...] = ()


class StepDoc(Struct, frozen=True):
    """The canary step that a run is in. `until` is the earliest end of its monitoring."""

    label: str  # "CANARY 5%"
    index: int
    count: int
    weight: int
    since: float
    until: float
    then: str = ""  # "25%, 100%"


class ChangeDoc(Struct, frozen=True):
    """One commit that ships with a run."""

    commit: str
    author: str
    title: str


class RunDoc(Struct, frozen=True):
    """Key `run/ID`: one execution of a pipeline for one commit."""

    id: str
    service: str
    environment: str
    pipeline: str
    mode: Literal["recommend", "act"]
    version: int  # for Command.expect_version
    from_version: str
    to_version: str
    commit: str
    status: RunStatus
    started_at: float
    outcome: str = ""  # promoted, rolled_back, held, rejected, failed
    ended_at: float = 0.0
    risk: str = ""  # LOW, MEDIUM, HIGH
    risk_reasons: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    changes: tuple[ChangeDoc, ...] = ()
    files: tuple[str, ...] = ()  # "api/openapi.yaml  +12 -3"
    stages: tuple[StageDoc, ...] = ()
    step: StepDoc | None = None
    weight: int = 0  # the canary's share as the target has it
    verdict: VerdictDoc | None = None
    next: str = ""  # what happens if nobody does anything
    held: str = ""  # why it is held, in words
    undo: str = ""  # whether the old version can take the traffic back: "YES: ...", "NO: ..."


class MetricDoc(Struct, frozen=True):
    """One watched metric. `points` are (time, stable, canary), the newest last, at most 15."""

    name: str
    label: str
    unit: str
    stable: float | None
    canary: float | None
    says: str  # same, worse, better, UNSURE, STALE, no data, ok ...
    tone: Tone = "plain"
    limit: float | None = None
    limit_is: Literal["max", "min", "none"] = "none"
    n: int | None = None  # requests of the canary behind the figure
    at: float = 0.0
    plot: bool = False  # worth a plot of its own
    text_stable: str = ""  # for states in words: "ok", "DOWN"
    text_canary: str = ""
    points: tuple[tuple[float, float | None, float | None], ...] = ()


class MetricsDoc(Struct, frozen=True):
    """Key `metrics/RUN`: the newest look. `steps` are times at which the weight changed."""

    run: str
    at: float
    metrics: tuple[MetricDoc, ...] = ()
    steps: tuple[float, ...] = ()


class HistoryDoc(Struct, frozen=True):
    """Key `history/RUN`: up to 240 points a metric, renewed every few seconds."""

    run: str
    points: dict[str, tuple[tuple[float, float | None, float | None], ...]]


class DrillDoc(Struct, frozen=True):
    """The newest drill of the stops in one environment."""

    environment: str
    at: float
    by: str
    passed: bool
    scratch: bool = False  # of a demo that was started for it: nobody's real target
    why: tuple[str, ...] = ()  # what keeps it from having passed
    not_run: tuple[str, ...] = ()


class DrillsDoc(Struct, frozen=True):
    """Key `drills`. `due`: why a drill is overdue, in words; then the agent only recommends."""

    due: str = ""
    every_s: float = 0.0
    drills: tuple[DrillDoc, ...] = ()


class AuditLine(Struct, frozen=True):
    """One line of the audit tail."""

    seq: int
    at: float
    who: str
    text: str
    tone: Tone = "plain"


class AuditDoc(Struct, frozen=True):
    """Key `audit/tail`: the newest 50 lines, newest last."""

    lines: tuple[AuditLine, ...] = ()
    verified_to: int = 0


class LogLine(Struct, frozen=True):
    """One line that a stage's command printed."""

    job: str
    text: str


class LogDoc(Struct, frozen=True):
    """Key `log/RUN`: the newest 200 lines of the running stage; `first` came before them."""

    run: str
    lines: tuple[LogLine, ...] = ()
    first: int = 0


T = TypeVar("T")

_server: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
encode = msgspec.json.encode


def _decode(decoder: msgspec.json.Decoder[T], text: str | bytes) -> T:
    try:
        return decoder.decode(text)
    except (UnicodeError, RecursionError) as trouble:
        # msgspec lets these two through as they are: bytes that are no UTF-8, and nesting too deep.
        raise msgspec.DecodeError(str(trouble)) from None


def decode_server(text: str | bytes) -> ServerMessage:
    """Decode a message from the server; `msgspec.DecodeError` when it is none."""
    return _decode(_server, text)


def decode_client(text: str | bytes) -> ClientMessage:
    """Decode a message from a client; `msgspec.DecodeError` when it is none."""
    return _decode(_client, text)
