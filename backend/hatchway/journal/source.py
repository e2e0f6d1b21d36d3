"""A journal to be read offline: a database, an exported file, or a directory with a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hatchway.journal.chain import Row
from hatchway.journal.lines import read_rows
from hatchway.journal.port import JournalError
from hatchway.journal.sqlite_file import scan_rows

_DATABASE = b"SQLite format 3\x00"


def rows_of(path: Path) -> Iterator[list[Row]]:
    """The records in `path`, as tuples, many at a time. Raises JournalError, or Damaged."""
    if path.is_dir():
        path /= "journal.db"
    if not path.exists():
        raise JournalError(f"there is no journal at {path}")
    return scan_rows(path) if _is_database(path) else read_rows(path)


def origin_of(path: Path) -> str:
    """The name of a journal in signed checkpoints: its first record tells it from all others.

    Raises JournalError when it has none.
    """
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
