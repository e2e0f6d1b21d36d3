"""What a journal's database keeps of records that were moved into segments.

Of each stream its newest version, of each idem its number, and the state that the records had led
to: enough to append, to refuse a command that comes again, and to start. The journal's own event
`journal.sealed` has the digests of all that.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.core import events as ev
from hatchway.journal.chain import START, Head
from hatchway.journal.merkle import Frontier
from hatchway.journal.port import Base, Damaged, JournalError
from hatchway.journal.sqlite_file import open_reader

SCHEMA = """
CREATE TABLE IF NOT EXISTS sealed (
  last INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  hash TEXT NOT NULL,
  root TEXT NOT NULL,
  file TEXT NOT NULL,
  first_hash TEXT NOT NULL,
  tree TEXT NOT NULL,
  state BLOB
);
CREATE TABLE IF NOT EXISTS sealed_stream (stream TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sealed_idem (idem TEXT PRIMARY KEY, seq INTEGER NOT NULL);
"""


class Sealed(Struct, frozen=True, kw_only=True):
    """A segment that the database's records go on from, or one before it. `root` in hexadecimal."""

    first: int
    last: int
    hash: str
    root: str
    file: str
    first_hash: str  # of record 1
    tree: tuple[str, ...]

    @property
    def head(self) -> Head:
        """What the records after it follow."""
        return self.last, self.hash

    @property
    def frontier(self) -> Frontier:
        """The tree up to its end."""
        return Frontier(self.last, tuple(bytes.fromhex(node) for node in self.tree))


def has(conn: sqlite3.Connection) -> bool:
    """Whether anything was ever sealed."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'sealed'"
    return conn.execute(query).fetchone() is not None


def of(conn: sqlite3.Connection) -> list[Sealed]:
    """All segments, oldest first."""
    if not has(conn):
        return []
    query = "SELECT first, last, hash, root, file, first_hash, tree FROM sealed ORDER BY last"
    return [
        Sealed(
            first=first,
            last=last,
            hash=mark,
            root=root,
            file=file,
            first_hash=first_hash,
            tree=tuple(tree.split()),
        )
        for first, last, mark, root, file, first_hash, tree in conn.execute(query)
    ]


def sealed_in(path: Path) -> list[Sealed]:
    """All segments that a database names, oldest first. Raises JournalError or Damaged."""
    with closing(open_reader(path)) as conn:
        try:
            return of(conn)
        except sqlite3.Error as e:
            raise Damaged(f"{path} cannot be read: {e}") from e


def start_of(path: Path) -> Head:
    """What the first record in a database follows."""
    found = sealed_in(path)
    return found[-1].head if found else START


def base_in(path: Path) -> Base | None:
    """`base_of` for who only reads. Raises JournalError or Damaged."""
    with closing(open_reader(path)) as conn:
        return base_of(conn, path)


def base_of(conn: sqlite3.Connection, path: Path) -> Base | None:
    """What the records in the database go on from; None when they are all. Raises Damaged."""
    try:
        found = of(conn)
        if not found:
            return None
        last = found[-1]
        (state,) = conn.execute("SELECT state FROM sealed WHERE last = ?", (last.last,)).fetchone()
        said = conn.execute(
            "SELECT seq, payload FROM event WHERE kind = 'journal.sealed' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        versions = dict(conn.execute("SELECT stream, version FROM sealed_stream"))
    except sqlite3.Error as e:
        raise Damaged(f"{path} cannot be read: {e}") from e
    event = None if said is None else ev.decode("journal.sealed", said[1])
    if not isinstance(event, ev.JournalSealed) or state is None:
        raise Damaged(f"{path} names segments, and no record says that they were sealed")
    why = differs(last, event)
    if why or hashlib.sha256(state).hexdigest() != event.state_sha256:
        raise Damaged(
            f"what {path} keeps in place of records 1 to {last.last} is not what record"
            f" {said[0]} says of it ({why or 'the state'}): it was changed. Put a backup in its"
            " place; the segments have every record.",
            said[0],
        )
    return Base(
        seq=last.last,
        hash=last.hash,
        first_hash=last.first_hash,
        state=state,
        versions=versions,
        frontier=last.frontier,
    )


def differs(row: Sealed, event: ev.JournalSealed) -> str:
    """In what a segment is not as its event says; empty when it is."""
    for name in ("first", "last", "hash", "root"):
        if getattr(row, name) != getattr(event, name):
            return name
    return "" if Path(row.file).name == event.file else "file"


def check_said(found: list[Sealed], payload: bytes, seq: int) -> None:
    """A record `journal.sealed` against what the database names. Raises Damaged."""
    event = ev.decode("journal.sealed", payload)
    if not isinstance(event, ev.JournalSealed):
        return
    row = next((s for s in found if s.last == event.last), None)
    why = "there is no such segment" if row is None else differs(row, event)
    if why:
        raise Damaged(f"the database contradicts record {seq} on segment {event.file}: {why}", seq)


def raise_missing(segment: Sealed, where: Path) -> None:
    """The file of a segment is not there."""
    raise Damaged(
        f"records {segment.first} to {segment.last} are in the segment {where.name}, which is not"
        f" in {where.parent} (--segments DIR says where it is)",
        segment.first,
    )


def encode_state(state: object) -> bytes:
    """The state as it is kept."""
    return msgspec.json.encode(state)


def file_sha256(path: Path) -> str:
    """The digest of a file. Raises JournalError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise JournalError(f"{path} cannot be read: {e.strerror}") from e
