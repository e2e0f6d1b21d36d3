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


class Dossier(Struct):
    """What a journal holds of a run: its own stream; who was in control of its service, and the
    refused commands, from its start to the start of the service's next run.

    `standing` is the change of authority in force when the run started. `others` are all the runs
    that the journal knows, in order.
    """

    run: str
    started: Told | None = None
    standing: Told | None = None
    told: list[Told] = []
    others: dict[str, None] = {}


def gather(batches: Iterable[Sequence[Row]], run: str, up_to: int | None = None) -> Dossier:
    """The dossier of `run`, from records up to and with `up_to`. Raises what `batches` raises."""
    dossier = Dossier(run)
    stream = f"run/{run}"
    authority: dict[str, Row] = {}
    service, following = "", False
    for rows in batches:
        for row in rows:
            if up_to is not None and row[0] > up_to:
                return dossier
            where, kind = row[1], row[3]
            if where == stream:
                told = tell(row)
                dossier.told.append(told)
                if dossier.started is None and isinstance(told.event, ev.RunStarted):
                    dossier.started = told
                    service, following = told.event.service, True
                    before = authority.get(f"service/{service}")
                    dossier.standing = None if before is None else tell(before)
            elif where.startswith("service/"):
                authority[where] = row
                if following and where == f"service/{service}":
                    dossier.told.append(tell(row))
            elif kind == "run.started" and following:
                event = tell(row).event
                following = not (isinstance(event, ev.RunStarted) and event.service == service)
            elif kind == "command.refused" and following:
                dossier.told.append(tell(row))
            if where.startswith("run/") and where[4:] not in dossier.others:
                dossier.others[where[4:]] = None
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
