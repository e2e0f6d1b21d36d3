"""`hatchway audit replay RUN --at SEQ`: how things were then, as `hatchway status` would say it.

What was never journaled (metrics between two decisions, output of commands) cannot be shown again.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hatchway.cli.audit_reading import opened
from hatchway.cli.audit_report import unknown
from hatchway.cli.audit_text import time_of
from hatchway.cli.sentences import from_backend
from hatchway.conductor.live import Live
from hatchway.core.evolve import evolve
from hatchway.core.state import State
from hatchway.edge import protocol as p
from hatchway.edge.views import authority_doc, run_doc
from hatchway.edge.waiting import needs_doc
from hatchway.edge.words import line_of
from hatchway.journal.chain import Broken, Row, Sound
from hatchway.journal.dossier import Dossier, Told, tell
from hatchway.journal.lines import printable
from hatchway.journal.port import Damaged, JournalError
from hatchway.runners.visible import visible

TAIL = 10  # lines of the journal that are shown


def replay(options: argparse.Namespace, journal: Path) -> int:
    """0 shown, 1 the journal is broken before or at that record."""
    sound, _ = opened(options, journal)
    past = Past(options.run)
    for told in _until(sound, options.at):
        past.take(told)
    broken = sound.found if isinstance(sound.found, Broken) else None
    if broken is not None and (options.at is None or broken.seq <= options.at):
        raise Damaged(
            f"The journal is BROKEN at record {broken.seq}: {broken.why}. Nothing from there on"
            f" can be shown; --at {max(1, broken.seq - 1)} shows what was just before.",
            broken.seq,
        )
    shown = past.shown if options.at is None else past.now
    if shown is None or options.run not in shown.state.runs:
        raise JournalError(unknown(Dossier(options.run, others=dict.fromkeys(past.runs())), None))
    if options.at is not None and options.at > shown.state.seq:
        raise JournalError(f"The journal ends at record {shown.state.seq}.")
    docs = shown.docs(options.run)
    if options.json:
        answer = {"ok": True, "seq": shown.state.seq, "at": shown.at, "docs": docs}
        print(printable(msgspec.json.encode(answer)).decode())
        return 0
    print(f"Run {visible(options.run)} as it was at record {shown.state.seq}, {time_of(shown.at)}.")
    for sentence in from_backend({"docs": docs}, shown.at):
        print(visible(sentence.text))
    print("The journal then:")
    for line in docs["audit/tail"]["lines"]:
        print(visible(f"  #{line['seq']}  {time_of(line['at'])}  {line['who']}: {line['text']}"))
    return 0


class Moment(msgspec.Struct, frozen=True):
    """The state at a record, and the lines that people were shown of the journal then."""

    state: State
    at: float
    tail: tuple[p.AuditLine, ...]

    def docs(self, run_id: str) -> dict[str, Any]:
        """The documents of a run as dashboards were sent them, as far as the journal tells."""
        state, live = self.state, Live()
        run = state.runs[run_id]
        authority = state.authority_of(run.service)
        # Nobody read the governor now: what it had said last is what is shown.
        known = replace(authority_doc(state, live, run.service), mode=authority.mode)
        docs: dict[str, Any] = {
            f"authority/{run.service}": known,
            f"run/{run_id}": run_doc(run, authority, live, self.at),
            "needs-you": needs_doc(replace(state, runs={run_id: run})),
            "audit/tail": p.AuditDoc(self.tail, state.seq),
        }
        plain: dict[str, Any] = msgspec.to_builtins(docs)
        return plain


class Past:
    """Folds records into states. `now` is after the last; `shown` after the run's own last."""

    def __init__(self, run: str) -> None:
        self._stream = f"run/{run}"
        self._tail: deque[p.AuditLine] = deque(maxlen=TAIL)
        self._state = State()
        self.now: Moment | None = None
        self.shown: Moment | None = None

    def runs(self) -> list[str]:
        """All runs that were started, in order."""
        return list(self._state.runs)

    def take(self, told: Told) -> None:
        """The next record."""
        record = told.record
        self._state = evolve(
            self._state, told.event, seq=record.seq, at=record.at, idem=record.idem
        )
        line = line_of(record, told.event)
        if line is not None:
            self._tail.append(line)
        self.now = Moment(self._state, record.at, tuple(self._tail))
        if record.stream == self._stream:
            self.shown = self.now


def _until(batches: Sound, last: int | None) -> Iterator[Told]:
    for rows in batches:
        yield from map(tell, _first(rows, last))
        if last is not None and rows and rows[-1][0] >= last:
            return


def _first(rows: Sequence[Row], last: int | None) -> Sequence[Row]:
    return rows if last is None else [row for row in rows if row[0] <= last]
