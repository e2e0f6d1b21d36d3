"""A journal as JSON Lines: everything that verifying needs, in printable ASCII.

One record a line. The payload is text, so that its exact bytes come back; where it is no UTF-8 it
is base64. Whoever passes the file through another JSON program may: hashes are of the content.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from hatchway.journal.chain import Broken, Row, digest, to_record
from hatchway.journal.port import Damaged, JournalError, Record

LONGEST = 128 * 1024 * 1024
"""Bytes of a line: the largest payload with each byte escaped, and some room."""

_BATCH = 100
_UNPRINTABLE = re.compile(r"[^ -~]")


class _Line(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    seq: int
    stream: str
    version: int
    kind: str
    actor: str
    epoch: int
    at: float
    cause: int
    idem: str
    prev: str
    hash: str
    payload: str = ""
    payload_base64: str = ""


_PAYLOAD = b',"payload":'
_MARKS = 2 * (11 + 6)  # around the names and the texts before it
_ITS_MARKS = 4  # around its name and its text
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Line)


def printable(json_text: bytes) -> bytes:
    """JSON with all that is not printable ASCII escaped: safe on any terminal."""
    if json_text.isascii() and b"\x7f" not in json_text:
        return json_text
    return _UNPRINTABLE.sub(_escaped, json_text.decode()).encode()


def to_line(record: Record) -> bytes:
    """A record as one line, without its end."""
    try:
        text, base64 = record.payload.decode(), ""
    except UnicodeDecodeError:
        text, base64 = "", b64encode(record.payload).decode()
    return printable(
        _encoder.encode(
            _Line(
                seq=record.seq,
                stream=record.stream,
                version=record.version,
                kind=record.kind,
                actor=record.actor,
                epoch=record.epoch,
                at=record.at,
                cause=record.cause,
                idem=record.idem,
                prev=record.prev,
                hash=record.hash,
                payload=text,
                payload_base64=base64,
            )
        )
    )


def from_line(raw: bytes) -> Row:
    """The record in a line. Raises ValueError saying what is wrong with it."""
    line = _decoder.decode(raw)
    text = line.payload
    # Of a name that stands twice people may read the one while the hash is of the other. A line as
    # `to_line` writes it has its payload last; without a backslash before it, marks can be counted,
    # and after it all but two have one before them, which no other backslash takes away.
    place = raw.find(_PAYLOAD)
    if (
        place < 0
        or raw.count(b'"', 0, place) != _MARKS
        or raw.find(b"\\", 0, place) >= 0
        or raw.count(b'"', place) != _ITS_MARKS + raw.count(b'\\"', place)
        or raw.find(b'\\\\"', place) >= 0
    ):
        json.loads(raw, object_pairs_hook=_once)
    payload = text.encode()
    if line.payload_base64:
        if payload:
            raise ValueError("it has both payload and payload_base64")
        payload = b64decode(line.payload_base64, validate=True)
    # fmt: off
    return (
        line.seq, line.stream, line.version, line.kind, line.actor, line.epoch,
        line.at, line.cause, line.idem, payload, line.prev, line.hash,
    )
    # fmt: on


def read_rows(path: Path) -> Iterator[list[Row]]:
    """The records in a file, many at a time. Raises Damaged at a bad line, or JournalError."""
    last = 0
    rows: list[Row] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(lines_of(file), 1):
                try:
                    row = from_line(raw)
                except ValueError as e:
                    if rows:
                        yield rows
                    raise Damaged(f"line {number} is no record: {e}", last + 1) from e
                rows.append(row)
                last = row[0]
                if len(rows) == _BATCH:
                    yield rows
                    rows = []
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
    yield rows


class Selection(Struct, frozen=True):
    """Records of which each is as it was written. `first` and `last` are their numbers."""

    records: int
    first: int
    last: int
    gaps: int  # places where records in between are not in the selection


def verify_selection(
    batches: Iterable[list[Row]], expect: dict[int, str] | None = None
) -> Selection | Broken:
    """Check records that are not the whole journal.

    Each must match its own hash, neighbours must follow from each other, and a run's records must
    be complete from the first of them on. What is not there cannot be missed otherwise.
    """
    expect = expect or {}
    count = first = last = gaps = 0
    mark = ""
    versions: dict[str, int] = {}
    try:
        for row in (row for rows in batches for row in rows):
            record = to_record(row)
            why = _wrong(record, last, mark, versions.get(record.stream), expect)
            if why:
                return Broken(record.seq, why, "it was changed, moved, doubled or removed")
            if count == 0:
                first = record.seq
            elif record.seq != last + 1:
                gaps += 1
            count += 1
            last, mark = record.seq, record.hash
            versions[record.stream] = record.version
    except Damaged as e:
        return Broken(e.seq, str(e), "the file was edited or is damaged")
    return Selection(count, first, last, gaps)


def _wrong(
    record: Record, last: int, mark: str, version: int | None, expect: dict[int, str]
) -> str:
    """What is wrong with a record of a selection, in words; empty when nothing is."""
    if record.seq <= last:
        return f"it stands after record {last}"
    try:
        right = digest(record)
    except Exception as e:
        return f"a field cannot be read: {e}"
    if record.hash != right:
        return "its content does not match its hash"
    if record.seq == last + 1 and last and record.prev != mark:
        return f"its `prev` is not the hash of record {last}"
    if version is not None and record.version <= version:
        return f"it is version {record.version} of {record.stream!r}, after version {version}"
    if version is not None and record.stream.startswith("run/") and record.version != version + 1:
        return f"version {version + 1} of {record.stream!r}, which stands before it, is missing"
    if expect.get(record.seq, right) != right:
        return "its hash is not the one in the checkpoint"
    return ""


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file. Raises Damaged at one that is too long."""
    while raw := file.readline(LONGEST):
        if len(raw) == LONGEST:
            raise Damaged(f"a line has more than {LONGEST:,} bytes: this is no exported journal")
        yield raw


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"


def _once(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!a} stands in it twice")
