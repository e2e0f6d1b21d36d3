"""A closed part of a journal in a file: what an archive keeps, and what is read as before.

The first line says what stands before it, the last what it ends with; between them are records as
`lines.py` writes them. Renaming or moving the file changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.journal.chain import START, Head, Row
from hatchway.journal.lines import from_line, lines_of
from hatchway.journal.merkle import Frontier
from hatchway.journal.port import GENESIS, Damaged, JournalError

_BEGINS = b'{"type":"segment-'
_BATCH = 100


class Begin(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="segment-1"
):
    """`first` is the number of its first record; `prev` and `tree` are what stands before that."""

    first: int
    prev: str
    tree: tuple[str, ...] = ()  # the frontier of the tree of `first` - 1 records, hexadecimal

    @property
    def head(self) -> Head:
        """What its first record must follow."""
        return START if self.first == 1 else (self.first - 1, self.prev)

    @property
    def frontier(self) -> Frontier:
        """The tree before it."""
        return Frontier(self.first - 1, tuple(bytes.fromhex(node) for node in self.tree))


class End(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="segment-end-1",
):
    """`last` is its last record, which has `hash`; `root` that of the tree of all up to there."""

    first: int
    last: int
    hash: str
    root: str
    note: str = ""  # the same as a signed checkpoint


_encoder = msgspec.json.Encoder()
_begin = msgspec.json.Decoder(Begin)
_end = msgspec.json.Decoder(End)


def to_line(mark: Begin | End) -> bytes:
    """One line, with its end."""
    return _encoder.encode(mark) + b"\n"


def name_of(first: int, last: int) -> str:
    """The name that a segment's file is given."""
    return f"journal-{first:012}-{last:012}.jsonl"


def is_segment(path: Path) -> bool:
    """Whether a file says that it is one. Raises JournalError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e


def begin_of(path: Path) -> Begin:
    """Its first line. Raises JournalError or Damaged."""
    try:
        with path.open("rb") as file:
            for line in lines_of(file):
                return _checked(path, line)
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
    raise Damaged(f"the segment {path} is empty")


def _checked(path: Path, line: bytes) -> Begin:
    try:
        begin = _begin.decode(line)
        sound = begin.first >= 1 and len(begin.prev) == len(GENESIS)
        sound = sound and (begin.first > 1 or begin.prev == GENESIS)
        sound = sound and len(begin.frontier.roots) == (begin.first - 1).bit_count()
    except ValueError as e:  # also what msgspec raises
        raise Damaged(f"the first line of the segment {path} cannot be read: {e}") from e
    if not sound:
        raise Damaged(f"the first line of the segment {path} contradicts itself")
    return begin


def rows(
    path: Path, until: int | None = None, begins: Begin | None = None, root: str | None = None
) -> Iterator[list[Row]]:
    """The records of a segment, many at a time. Raises Damaged at the first bad line.

    `until` is the record that it must end with, `begins` what it must begin with and `root` the
    one that it must name, where they are known.
    """
    begin = begin_of(path)
    if begins is not None and begin != begins:
        raise Damaged(
            f"the first line of the segment {path} is not what the journal goes on from",
            begins.first,
        )
    due, mark = begin.first, begin.prev
    batch: list[Row] = []
    end: End | None = None
    try:
        with path.open("rb") as file:
            for number, line in enumerate(lines_of(file), 1):
                if number == 1:
                    continue
                if end is not None:
                    yield batch
                    raise Damaged(f"{path} goes on after its last line", due)
                try:
                    if line.startswith(_BEGINS[:-1]):
                        end = _end.decode(line)
                        continue
                    batch.append(from_line(line))
                except ValueError as e:
                    yield batch
                    raise Damaged(f"line {number} of {path} is no record: {e}", due) from e
                due, mark = due + 1, batch[-1][11]
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
    yield batch
    if end is None:
        raise Damaged(f"the segment {path} was cut off: its last line is missing", due)
    found = (begin.first, due - 1, mark)
    right = (end.first, end.last, end.hash) == found and until in (None, end.last)
    if not right or root not in (None, end.root):
        raise Damaged(
            f"the last line of the segment {path} is of records {end.first} to {end.last},"
            f" it has {found[0]} to {found[1]}",
            max(begin.first, min(due, end.last + 1)),
        )


def end_of(path: Path) -> End:
    """Its last line. Raises JournalError or Damaged."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 64 * 1024))
            last = file.read().splitlines()[-1:]
        return _end.decode(last[0] if last else b"")
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise Damaged(f"the segment {path} was cut off: its last line is missing") from e
