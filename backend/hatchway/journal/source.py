"""A journal to be read offline: a database with its segments, a segment, an exported file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hatchway.journal import segment
from hatchway.journal.chain import START, Head, Row
from hatchway.journal.lines import read_rows
from hatchway.journal.merkle import Tree
from hatchway.journal.port import Damaged, JournalError
from hatchway.journal.sqlite_file import scan_rows
from hatchway.journal.sqlite_sealed import Sealed, check_said, raise_missing, sealed_in

SEALED = "journal.sealed"
_DATABASE = b"SQLite format 3\x00"


def rows_of(path: Path, segments: Path | None = None) -> Iterator[list[Row]]:
    """The records in `path` and before it, as tuples, many at a time.

    Where records were sealed their segments are read first: from where they were put, or from the
    directory `segments`. Raises JournalError, or Damaged.
    """
    path = _file(path)
    if _is_database(path):
        return _with_segments(path, sealed_in(path), segments)
    return segment.rows(path) if segment.is_segment(path) else read_rows(path)


def kept_rows(path: Path) -> Iterator[list[Row]]:
    """The records in a database itself, without those in segments."""
    found = sealed_in(path)
    return scan_rows(path, found[-1].last if found else 0)


def _with_segments(path: Path, found: list[Sealed], segments: Path | None) -> Iterator[list[Row]]:
    begins = segment.Begin(first=1, prev=START[1])
    for one in found:
        file = Path(one.file) if segments is None else segments / Path(one.file).name
        if not file.exists():
            raise_missing(one, file)
        yield from segment.rows(file, one.last, begins, one.root)
        begins = segment.Begin(first=one.last + 1, prev=one.hash, tree=one.tree)
    for rows in scan_rows(path, found[-1].last if found else 0):
        for row in rows if found else ():
            if row[3] == SEALED:
                check_said(found, row[9], row[0])
        yield rows


def begins(path: Path, *, kept: bool = False) -> tuple[Head, Tree | None]:
    """What the first record of `rows_of` follows: of a segment that is not the first, the one before.

    With `kept`, of `kept_rows`.
    """
    path = _file(path)
    if _is_database(path):
        found = sealed_in(path) if kept else []
        return (found[-1].head, Tree(found[-1].frontier)) if found else (START, None)
    if segment.is_segment(path):
        begin = segment.begin_of(path)
        return begin.head, Tree(begin.frontier)
    return START, None


def roots_in(path: Path) -> dict[int, bytes]:
    """The Merkle roots that segments name, by the number of records."""
    path = _file(path)
    try:
        if _is_database(path):
            return {one.last: bytes.fromhex(one.root) for one in sealed_in(path)}
        if segment.is_segment(path):
            end = segment.end_of(path)
            return {end.last: bytes.fromhex(end.root)}
    except ValueError as e:
        raise Damaged(f"a root that {path} names cannot be read: {e}") from e
    return {}


def plain(path: Path) -> tuple[Path, bool] | None:
    """The one file that all records are in, and whether it is a database; None with segments."""
    path = _file(path)
    if _is_database(path):
        return None if sealed_in(path) else (path, True)
    return None if segment.is_segment(path) else (path, False)


def _file(path: Path) -> Path:
    if path.is_dir():
        path /= "journal.db"
    if not path.exists():
        raise JournalError(f"there is no journal at {path}")
    return path


def origin_of(path: Path) -> str:
    """The name of a journal in signed checkpoints: its first record tells it from all others.

    Raises JournalError when it has none.
    """
    path = _file(path)
    found = sealed_in(path) if _is_database(path) else []
    if found:
        return origin(found[-1].first_hash)
    for rows in rows_of(path):
        for row in rows:
            return origin(row[11])
    raise JournalError(f"{path} is empty")


def origin(first_hash: str) -> str:
    """The name of the journal whose first record has this hash."""
    return f"hatchway.invalid/journal/{first_hash[:32]}"


def _is_database(path: Path) -> bool:
    if path.suffix == ".db":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
