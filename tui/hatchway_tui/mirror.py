"""The read model: what the backend and the governor said, folded into one immutable value.

Pure: no I/O, no clock, nothing of Textual. `fold(model, event)` is all there is; painters and the
rules of the keys look at a `Model` and at `now`.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hatchway.edge.docs.asks import AsksDoc
from hatchway.edge.docs.replay import ReplayDoc
from hatchway.edge.protocol import (
    Ack,
    AuditDoc,
    AuthorityDoc,
    Beat,
    Delta,
    Hello,
    HistoryDoc,
    ItemDoc,
    LogDoc,
    MetricsDoc,
    Mode,
    NeedsDoc,
    Refused,
    Reset,
    RunDoc,
    ServerMessage,
    Snapshot,
    SystemDoc,
    Told,
    You,
)
from hatchway_tui.asked import DOCS, PREFIX

Phase = Literal["connecting", "live", "silent", "down"]
Point = tuple[float, float | None, float | None]

KEPT_POINTS = 600
"""Points kept a metric: more than a plot can show."""


class Series(Struct, frozen=True, eq=False):
    """The plot history of one metric: (time, stable, canary), oldest first. Hashed by identity."""

    points: tuple[Point, ...] = ()


class GovernorStatus(Struct, frozen=True):
    """What the governor says of one service when asked directly."""

    service: str = ""
    epoch: int = 0
    mode: Mode = "unknown"
    holder: str | None = ""
    since: float = 0.0
    reason: str | None = ""
    desired: dict[str, float] = {}
    observed: dict[str, float] | None = None
    target_trouble: str | None = ""
    drift: str | None = ""
    stop_all: dict[str, object] | None = None  # by whom and why, while it stands


class Lost(Struct, frozen=True):
    """The link is not live: since when, why, and when it is tried again (server clock)."""

    phase: Phase
    at: float
    why: str = ""
    retry_at: float = 0.0


class Heard(Struct, frozen=True):
    """A message of the backend came in."""

    message: ServerMessage
    at: float


class GovernorSaid(Struct, frozen=True):
    """The governor was asked directly: its answer, or the trouble in words."""

    at: float
    statuses: tuple[GovernorStatus, ...] = ()
    trouble: str = ""


class RoundTrip(Struct, frozen=True):
    """The time a message takes to the backend and back, in seconds."""

    seconds: float


Event = Heard | Lost | GovernorSaid | RoundTrip


class Model(Struct, frozen=True):
    """Everything the dashboard knows. Times `*_at` of the link are of the local clock."""

    phase: Phase = "connecting"
    phase_since: float = 0.0
    why: str = ""
    retry_at: float = 0.0
    heard_at: float = 0.0
    skew: float = 0.0  # server's clock minus the local one
    round_trip: float | None = None
    boot: str = ""
    server: str = ""
    rev: int = -1
    you: You | None = None
    system: SystemDoc | None = None
    authority: dict[str, AuthorityDoc] = {}
    runs: dict[str, RunDoc] = {}
    metrics: dict[str, MetricsDoc] = {}
    series: dict[str, dict[str, Series]] = {}
    needs: NeedsDoc = NeedsDoc()
    audit: AuditDoc = AuditDoc()
    asks: AsksDoc = AsksDoc()
    logs: dict[str, LogDoc] = {}
    told: dict[str, Struct] = {}  # answers to queries, by KIND/ABOUT
    untold: dict[str, str] = {}  # why there is none
    replay: ReplayDoc | None = None  # of a past run: which moment all the others are of
    unread: str = ""  # a document that could not be understood
    governor: dict[str, GovernorStatus] = {}
    governor_at: float = 0.0
    governor_trouble: str = ""
    governor_known: bool = False  # whether there is a governor's socket to talk to


_Doc = TypeVar("_Doc")
_decoders: dict[type, msgspec.json.Decoder[object]] = {}


def _read(kind: type[_Doc], raw: msgspec.Raw) -> _Doc:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return decoder.decode(raw)  # type: ignore[return-value]


def fold(model: Model, event: Event) -> Model:
    """The model after `event`. Total: whatever comes in, nothing is raised."""
    match event:
        case Heard(message, at):
            return _heard(model, message, at)
        case Lost(phase, at, why, retry_at):
            since = model.phase_since if model.phase == phase else at
            return replace(model, phase=phase, phase_since=since, why=why, retry_at=retry_at)
        case GovernorSaid(at, statuses, trouble):
            if trouble:
                return replace(model, governor_trouble=trouble, governor_known=True)
            return replace(
                model,
                governor={status.service: status for status in statuses},
                governor_at=at,
                governor_trouble="",
                governor_known=True,
            )
        case RoundTrip(seconds):
            return replace(model, round_trip=seconds)


def _heard(model: Model, message: ServerMessage, at: float) -> Model:
    model = replace(model, heard_at=at)
    match message:
        case Hello():
            return replace(
                model, boot=message.boot, server=message.server, you=message.you,
                skew=message.now - at,
            )  # fmt: skip
        case Snapshot(rev, docs):
            return _live(_documents(_emptied(model), docs, ()), rev, at)
        case Delta(_, to_rev, changed, gone):
            return _live(_documents(model, changed, gone), to_rev, at)
        case Beat(_, now):
            # small changes are jitter of the network, not of the clock
            skew = now - at if abs(now - at - model.skew) > 0.5 else model.skew
            return _live(replace(model, skew=skew), model.rev, at)
        case Told():
            return _told(model, message)
        case Refused(id=name) if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX)
            return replace(model, untold=model.untold | {key: message.why or message.code})
        case Reset() | Ack() | Refused():
            return model
    return model


def _told(model: Model, message: Told) -> Model:
    key, kind = f"{message.kind}/{message.about}", DOCS.get(message.kind)
    if kind is None:
        return model
    try:
        doc = _read(kind, message.doc)
    except msgspec.MsgspecError as error:
        return replace(model, untold=model.untold | {key: f"cannot be understood: {error}"})
    left = {each: why for each, why in model.untold.items() if each != key}
    return replace(model, told=model.told | {key: doc}, untold=left)


def _live(model: Model, rev: int, at: float) -> Model:
    """Live only with a snapshot: a beat before it says nothing about the documents."""
    if rev < 0:
        return model
    since = model.phase_since if model.phase == "live" else at
    return replace(model, rev=rev, phase="live", phase_since=since, why="", retry_at=0.0)


def _emptied(model: Model) -> Model:
    """Without documents, but with the plots: a backend that restarted still has its history."""
    return replace(
        model, system=None, authority={}, runs={}, metrics={}, needs=NeedsDoc(),
        audit=AuditDoc(), asks=AsksDoc(), logs={}, unread="",
    )  # fmt: skip


def _documents(model: Model, changed: dict[str, msgspec.Raw], gone: tuple[str, ...]) -> Model:
    for key, raw in changed.items():
        try:
            model = _document(model, key, raw)
        except msgspec.MsgspecError as error:
            model = replace(model, unread=f"{key}: {error}")
    for key in gone:
        model = _without(model, key)
    return model


def _document(model: Model, key: str, raw: msgspec.Raw) -> Model:
    kind, _, name = key.partition("/")
    match kind:
        case "system":
            return replace(model, system=_read(SystemDoc, raw))
        case "authority":
            return replace(model, authority=model.authority | {name: _read(AuthorityDoc, raw)})
        case "run":
            return replace(model, runs=model.runs | {name: _read(RunDoc, raw)})
        case "metrics":
            return _metrics(model, name, _read(MetricsDoc, raw))
        case "history":
            points = _read(HistoryDoc, raw).points
            return _merge(model, name, points)
        case "needs-you":
            return replace(model, needs=_read(NeedsDoc, raw))
        case "audit":
            return replace(model, audit=_read(AuditDoc, raw))
        case "asks":
            return replace(model, asks=_read(AsksDoc, raw))
        case "log":
            return replace(model, logs=model.logs | {name: _read(LogDoc, raw)})
        case "replay":  # what was asked was of another moment
            return replace(model, replay=_read(ReplayDoc, raw), told={}, untold={})
    return model  # a newer server knows more documents; they are not ours to show


def _without(model: Model, key: str) -> Model:
    kind, _, name = key.partition("/")

    def left(docs: dict[str, _Doc]) -> dict[str, _Doc]:
        return {each: doc for each, doc in docs.items() if each != name}

    match kind:
        case "authority":
            return replace(model, authority=left(model.authority))
        case "run":
            return replace(model, runs=left(model.runs), series=left(model.series))
        case "metrics":
            return replace(model, metrics=left(model.metrics))
        case "needs-you":
            return replace(model, needs=NeedsDoc())
        case "log":
            return replace(model, logs=left(model.logs))
    return model


def _metrics(model: Model, run: str, doc: MetricsDoc) -> Model:
    model = replace(model, metrics=model.metrics | {run: doc})
    return _merge(model, run, {metric.name: metric.points for metric in doc.metrics})


def _merge(model: Model, run: str, points: dict[str, tuple[Point, ...]]) -> Model:
    known = dict(model.series.get(run, {}))
    for name, fresh in points.items():
        known[name] = merged(known.get(name, Series()), fresh)
    return replace(model, series=model.series | {run: known})


def merged(series: Series, fresh: tuple[Point, ...]) -> Series:
    """The series with `fresh` points in it; the same object when nothing is new."""
    by_time = {point[0]: point for point in series.points}
    before = len(by_time)
    changed = False
    for point in fresh:
        if point[0] == point[0] and by_time.get(point[0]) != point:
            by_time[point[0]] = point
            changed = True
    if not changed and len(by_time) == before:
        return series
    ordered = sorted(by_time.values(), key=lambda point: point[0])
    return Series(tuple(ordered[-KEPT_POINTS:]))


def services(model: Model) -> list[str]:
    """Every service that is known of, the running ones first."""
    busy = [run.service for run in model.runs.values() if run.status != "ended"]
    return list(dict.fromkeys([*busy, *sorted(model.authority), *sorted(model.governor)]))


def run_of(model: Model, service: str) -> RunDoc | None:
    """The run of `service` to look at: the one going on, else the latest."""
    runs = [run for run in model.runs.values() if run.service == service]
    return max(runs, key=lambda run: (run.status != "ended", run.started_at), default=None)


def items(model: Model) -> tuple[ItemDoc, ...]:
    """What waits for the person, most urgent first: not what waits for others alone."""
    return tuple(item for item in model.needs.items if _is_for(model.you, item))


def _is_for(you: You | None, item: ItemDoc) -> bool:
    """Approvals are everybody's to see; an ask is for those who may, a hand-over for its reader."""
    if you is None or item.kind not in ("ask", "handover"):
        return True
    mine = not item.only_for or you.name in item.only_for
    may = item.requires in (*you.can, *you.also) and not you.read_only
    return mine and may and you.name not in item.not_for


def interrupts(item: ItemDoc) -> bool:
    """Whether a new item rings: what is of LOW risk is found by whoever looks, and waits."""
    return item.risk != "LOW" or item.capability == "rollback"
