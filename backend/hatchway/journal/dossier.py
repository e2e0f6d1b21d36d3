"""The records that tell of one run, gathered from a whole journal as it streams past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.journal.chain import Row, to_record
from hatchway.journal.port import Record


class Told(Struct, frozen=True):
    """A record and what it says."""

    record: Record
    event: ev.Event | ev.Unknown


class Window:
    """Which records tell of a run: its own stream; who was in control of its service, and the
    refused commands, from its start to the start of the service's next run.

    To be asked for every record of a journal, in order.
    """

    def __init__(self, run: str) -> None:
        self._stream = f"run/{run}"
        self._service = ""  # its stream, while the window is open
        self.runs: dict[str, None] = {}  # all that the journal knows, in order
        self.authority: dict[str, Row] = {}  # by stream: the newest change before the run started

    def takes(self, row: Row) -> bool:
        """Whether the record tells of the run."""
        where, kind = row[1], row[3]
        if where.startswith("run/"):
            self.runs.setdefault(where[4:])
        if where == self._stream:
            if kind == "run.started" and not self._service:
                event = tell(row).event
                if isinstance(event, ev.RunStarted):
                    self._service = f"service/{event.service}"
            return True
        if where.startswith("service/"):
            if not self._service:
                self.authority[where] = row
            return where == self._service
        if kind == "run.started" and self._service:
            event = tell(row).event
            if isinstance(event, ev.RunStarted) and f"service/{event.service}" == self._service:
                self._service = "service/"  # the name of none
        return kind == "command.refused" and len(self._service) > len("service/")


class Dossier(Struct):
    """What a journal holds of a run. `standing` is the change of authority in force at its start.

    `others` are all the runs that the journal knows, in order.
    """

    run: str
    started: Told | None = None
    standing: Told | None = None
    told: list[Told] = []
    others: dict[str, None] = {}


def gather(batches: Iterable[Sequence[Row]], run: str) -> Dossier:
    """The dossier of `run`. Raises what `batches` raises."""
    dossier, window = Dossier(run), Window(run)
    for rows in batches:
        for row in rows:
            if not window.takes(row):
                continue
            told = tell(row)
            dossier.told.append(told)
            if dossier.started is None and isinstance(told.event, ev.RunStarted):
                dossier.started = told
                before = window.authority.get(f"service/{told.event.service}")
                dossier.standing = None if before is None else tell(before)
    dossier.others = window.runs
    return dossier


def tell(row: Row) -> Told:
    """A row with its event; `Unknown` where the payload is not of the record's kind and stream."""
    record = to_record(row)
    event = ev.decode(record.kind, record.payload)
    if not isinstance(event, ev.Unknown) and (
        ev.kind_of(event) != record.kind or ev.stream_of(event) != record.stream
    ):
        return Told(record, ev.Unknown(record.kind))
    return Told(record, event)
