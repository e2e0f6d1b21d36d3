"""A run out of a journal, to be looked at record by record, with the documents of the time.

It is read once, from the beginning to the run's last record; every so many records of the run's own
time the state is kept, so that a step back or forth folds a few records only. Nothing here writes,
listens or connects.
"""

from __future__ import annotations

import gc
import logging
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.plan import Installation, MetricSpec, ServiceSpec, TargetSpec
from hatchway.core.state import Authority, Run
from hatchway.edge import protocol as p
from hatchway.edge import views
from hatchway.edge.chronicle import Chronicle
from hatchway.edge.docs.replay import Mark, ReplayDoc
from hatchway.edge.documents import Moment, documents
from hatchway.edge.hub import encode
from hatchway.edge.replay_answers import answered
from hatchway.edge.replay_figures import Seen, seen
from hatchway.edge.replay_fold import OF_ONE_RUN, Fold
from hatchway.edge.replay_marks import mark_of, thinned
from hatchway.edge.words import line_of
from hatchway.journal.chain import Broken, Row, Sound
from hatchway.journal.dossier import Told, tell
from hatchway.journal.port import JournalError
from hatchway.targets.port import Standing

log = logging.getLogger("hatchway.replay")

EVERY = 256
"""Records of the run's time between two states that are kept."""

AUDIT_LINES = 50
_BEFORE = 400  # records before the run that its first audit lines are looked for in
_JUDGED = ("verdict.changed", "proposal.made")


class NoRun(JournalError):
    """The journal has no such run, as far as it can be read."""


class Recording:
    """The records of a run's time. Made by `recorded`; satisfies `docs.replay.Tape`."""

    def __init__(self, run: str, service: str, rows: list[Row], kept: dict[int, Fold]) -> None:
        """`rows` begin at the run's first; `kept` has the fold up to a record, by its number."""
        self.run, self.service = run, service
        self.first, self.last = rows[0][0], rows[-1][0]
        self.trouble = ""  # why what comes later cannot be shown
        self._rows = rows
        self._kept = kept
        self._kept_at = sorted(kept)
        self.before: tuple[Row, ...] = ()  # records before it, for the first audit lines
        self._own = (f"run/{run}", f"service/{service}")
        marked = map(_marked, (row for row in rows if row[1] in self._own))
        self._marks = [mark for mark in marked if mark is not None]
        if not self._marks or self._marks[-1].seq < self.last:
            self._marks.append(Mark(self.last, rows[-1][6], "R", "dim"))
        self._bar = thinned(self._marks)
        self.marks = tuple(mark.seq for mark in self._marks)
        self._judged = [r[0] for r in rows if r[3] in _JUDGED and r[1] == f"run/{run}"]
        self._seen: dict[int, Seen] = {}

    def at_time(self, at: float) -> int:
        """The newest record that was written by then; the run's first when none was."""
        index = bisect_right(self._rows, at, key=lambda row: row[6])
        return self._rows[max(index - 1, 0)][0]

    @property
    def began(self) -> float:
        """When the run's first record was written."""
        return self._rows[0][6]

    def fold(self, seq: int) -> Fold:
        """Everything as it was right after record `seq`."""
        seq = min(max(seq, self.first), self.last)
        start = self._kept_at[bisect_right(self._kept_at, seq) - 1]
        fold = self._kept[start].copy()
        for row in self._rows[start + 1 - self.first : seq + 1 - self.first]:
            fold.take(tell(row).event, row[0], row[6])
        return fold

    def moment(self, seq: int) -> Moment:
        """What the publisher would have made its documents of, as far as it was journaled."""
        state, now = self.fold(seq).lately(), self._rows[seq - self.first][6]
        found, live = self._figures(seq), Live()
        names = {run.service for run in state.runs.values()} | state.authority.keys()
        for name in names:
            authority = state.authority_of(name)
            live.standing[name] = _standing(authority), authority.since
        run = state.runs[self.run]
        if found is not None and found.watched is not None:
            live.watched[self.run] = found.watched
        _tails(run, live)
        specs = {self.service: found.specs if found is not None else ()}
        services = tuple(_service(name, specs.get(name, ())) for name in sorted(names))
        plan = Installation(run.environment, "", services)
        return Moment(state, live, plan, now, self._tail(seq), seq)

    def documents(self, seq: int) -> dict[str, msgspec.Raw]:
        """Every document as dashboards had it right after record `seq`, by the same makers."""
        moment, docs = self.moment(seq), dict[str, Any]()
        run = moment.state.runs[self.run]
        for key, make in documents(moment):
            if key.startswith("history/"):
                continue  # no course was journaled
            try:
                docs[key] = make()
            except Exception as error:
                log.exception("%s cannot be shown", key)
                if key == f"run/{self.run}":
                    docs[key] = views.unshown(run, f"{type(error).__name__}: {error}")
        docs["system"] = p.SystemDoc(
            environment=run.environment, pace=run.pace, journal_seq=seq, started_at=self.began
        )
        docs["replay"] = self.doc(seq)
        return {key: msgspec.Raw(encode(doc)) for key, doc in docs.items()}

    def doc(self, seq: int) -> ReplayDoc:
        """Where `seq` is on the run."""
        row = self._rows[seq - self.first]
        told = tell(row)
        line, mark = line_of(told.record, told.event), mark_of(told.record, told.event)
        found = self._figures(seq)
        return ReplayDoc(
            run=self.run,
            service=self.service,
            seq=seq,
            first=self.first,
            last=self.last,
            at=row[6],
            began=self.began,
            ended=self._rows[-1][6],
            event=line.text if line is not None else _plainly(told),
            who=told.record.actor,
            tone=line.tone if line is not None else "dim",
            mark=mark.kind if mark is not None else "",
            marks=self._bar,
            marked=len(self.marks),
            place=bisect_right(self.marks, seq),
            trouble=self.trouble,
            figures=_of_figures(found),
        )

    async def ask(self, seq: int, kind: str, about: str) -> p.Told | p.Refused:
        """The answer to a page's query, as far as the journal tells."""
        moment = self.moment(seq)
        state = self.fold(seq).whole()
        return await answered(state, self._chronicle(seq), moment.live, kind, about)

    def _chronicle(self, seq: int) -> Chronicle:
        """What was told of this run up to `seq`: its own records, and those of its service."""
        chronicle, fold = Chronicle(), Fold()
        for row in self._rows[: seq + 1 - self.first]:
            if row[1] in self._own:
                told = tell(row)
                fold.take(told.event, row[0], row[6])
                chronicle.take(told.record, told.event, fold.whole())
        return chronicle

    def _figures(self, seq: int) -> Seen | None:
        """What the newest decision up to `seq` stood on; None before the first."""
        index = bisect_right(self._judged, seq)
        if not index:
            return None
        of = self._judged[index - 1]
        if of not in self._seen:
            row = self._rows[of - self.first]
            event = tell(row).event
            proof = getattr(event, "proof", b"")
            self._seen[of] = seen(proof, row[6])
        return self._seen[of]

    def _tail(self, seq: int) -> tuple[p.AuditLine, ...]:
        """The lines of the journal that were shown then, the newest last."""
        lines: deque[p.AuditLine] = deque()
        upto = bisect_left(self._rows, seq + 1, key=lambda row: row[0])
        for rows in (self._rows[:upto], self.before):
            for row in reversed(rows):
                if len(lines) == AUDIT_LINES:
                    return tuple(lines)
                told = tell(row)
                line = line_of(told.record, told.event)
                if line is not None:
                    lines.appendleft(line)
        return tuple(lines)


def recorded(sound: Sound, run: str) -> Recording:
    """Read a journal for a run. Raises NoRun, or JournalError where it cannot be read at all.

    The time of a run ends where the next run of its service starts.
    """
    with _without_collector():
        return _read(sound, run)


def _read(sound: Sound, run: str) -> Recording:
    fold, stream, of_service = Fold(), f"run/{run}", ""
    before: deque[Row] = deque(maxlen=_BEFORE)
    rows: list[Row] = []
    kept: dict[int, Fold] = {}
    over, last, later, runs = False, 0, list[int](), list[str]()
    for batch in sound:
        for row in batch:
            if over:
                if row[1] == stream:
                    later.append(row[0])
                continue
            event = _event(row)
            if isinstance(event, ev.RunStarted):
                runs.append(event.run)
                over = bool(rows) and of_service == f"service/{event.service}"
                if over:
                    continue
                if event.run == run:
                    of_service = f"service/{event.service}"
            fold.take(event, row[0], row[6])
            if not of_service:
                before.append(row)
                continue
            rows.append(row)
            if row[1] in (stream, of_service) or row[3] == "command.refused":
                last = row[0]
            if (row[0] - rows[0][0]) % EVERY == 0:
                kept[row[0]] = fold.copy()
    if not rows:
        raise NoRun(_unknown(run, runs, sound.found))
    rows = rows[: last + 1 - rows[0][0]]
    service = of_service.removeprefix("service/")
    recording = Recording(run, service, rows, {n: f for n, f in kept.items() if n <= last})
    recording.before = tuple(before)
    recording.trouble = _trouble(sound.found, rows[-1][0], later)
    return recording


_SILENT = ("notices", "commands", "edge", "journal")
"""Streams whose records change nothing that is shown."""


def _event(row: Row) -> ev.Event | ev.Unknown:
    """As `tell`, and quicker for what most records are."""
    if row[1] in _SILENT:
        return ev.Unknown(row[3])
    event = ev.decode(row[3], row[9])
    name = getattr(event, "run", "")
    if (
        type(event) in OF_ONE_RUN
        and not isinstance(event, ev.Unknown)
        and (ev.kind_of(event), f"run/{name}") == (row[3], row[1])
    ):
        return event
    return tell(row).event


def _unknown(run: str, runs: list[str], found: object) -> str:
    near = f"It has {', '.join(runs[-8:])}." if runs else "It has no run at all."
    broken = ""
    if isinstance(found, Broken):
        broken = f" It is BROKEN at record {found.seq} ({found.why}): what follows was not read."
    return f"The journal has no run {run!a}. {near}{broken}"


def _trouble(found: object, last: int, later: list[int]) -> str:
    if isinstance(found, Broken):
        return f"the journal is BROKEN at record {found.seq}: {found.why}; nothing from there on is shown"  # fmt: skip
    if later:
        numbers = ", ".join(f"#{seq}" for seq in later[:4]) + (" ..." if later[4:] else "")
        return f"said of this run after the next one had started, and not played: {numbers}"
    return ""


@contextmanager
def _without_collector() -> Iterator[None]:
    """What is read is kept: to look through all of it again and again takes more than reading it."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.freeze()
            gc.enable()


def _marked(row: Row) -> Mark | None:
    told = tell(row)
    return mark_of(told.record, told.event)


def _standing(authority: Authority) -> Standing:
    """The governor's last word that is in the journal. Nobody reads the governor in a replay."""
    stopped = f"by {authority.holder}: {authority.reason}" if authority.agents_stopped else ""
    return Standing(
        service=authority.service,
        epoch=authority.epoch,
        mode=authority.mode,
        holder=authority.holder,
        spool=authority.spool,
        desired=0,
        observed=None,
        trouble="",
        drift="",
        agent_writes=0,
        person_writes=0,
        stop_all=stopped,
    )


def _service(name: str, metrics: tuple[MetricSpec, ...]) -> ServiceSpec:
    return ServiceSpec(name, "", "", TargetSpec("haproxy", ""), (), metrics)


def _tails(run: Run, live: Live) -> None:
    """What jobs printed was not journaled, but for the last lines of those that ended."""
    for stage in run.stages:
        for job in stage.jobs.values():
            for line in job.tail:
                live.log.setdefault(run.id, deque()).append((job.name, line))


def _plainly(told: Told) -> str:
    event = told.event
    what = [getattr(event, name, "") for name in ("stage", "job", "item", "key")]
    return " ".join([told.record.kind.replace(".", " "), *filter(None, map(str, what))])


def _of_figures(found: Seen | None) -> str:
    if found is None:
        return ""
    if found.watched is None:
        return f"the figures of this decision cannot be shown: {found.why}"
    return "no plots were journaled: figures as the judge saw them"
