"""The SQLite file of a journal: its tables, opening it to write or to read, and what errors mean.

Nothing here knows of asyncio; `hatchway audit` reads a journal with `scan` alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hatchway.journal.chain import START, Head, Row, digest, to_record
from hatchway.journal.port import Damaged, JournalError, Record, Unwritable

APPLICATION_ID = 0x48575931  # "HWY1" in the file's header: this file is a Hatchway journal
BUSY_S = 1.5
"""How long SQLite waits for somebody else's lock."""

# The second: a message about a damaged file that quotes from it.
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
_BATCH = 100  # rows a scan gives at once: few, since an event may have megabytes

_SCHEMA = """
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  at REAL NOT NULL,
  cause INTEGER NOT NULL,
  idem TEXT NOT NULL,
  payload BLOB NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (stream, version)
);
CREATE UNIQUE INDEX event_idem ON event (idem) WHERE idem <> '';
CREATE TABLE writer (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  token TEXT NOT NULL,
  pid INTEGER NOT NULL,
  since REAL NOT NULL
);
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""

COLUMNS = "seq, stream, version, kind, actor, epoch, at, cause, idem, payload, prev, hash"
INSERT = f"INSERT INTO event ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constant
_SELECT = f"SELECT {COLUMNS} FROM event"  # noqa: S608 - constant


def to_row(r: Record) -> Row:
    """A record as the values of `INSERT`."""
    return (
        r.seq,
        r.stream,
        r.version,
        r.kind,
        r.actor,
        r.epoch,
        r.at,
        r.cause,
        r.idem,
        r.payload,
        r.prev,
        r.hash,
    )


def in_words(e: Exception, path: Path) -> JournalError:
    """What an error of SQLite or of the operating system means for the journal."""
    name: str = getattr(e, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_SCHEMA", "SQLITE_ERROR")):
        return Damaged(
            f"{path} is damaged or not a journal ({e}): nothing is written to it. Run "
            "`hatchway audit verify`, keep a copy, and put a backup in its place."
        )
    causes = {
        "SQLITE_BUSY": "another process holds it locked",
        "SQLITE_LOCKED": "another process holds it locked",
        "SQLITE_FULL": "the disk is full",
        "SQLITE_READONLY": "it is read-only",
        "SQLITE_CANTOPEN": "it cannot be opened",
        "SQLITE_IOERR": "the disk reports an error",
    }
    cause = next((words for code, words in causes.items() if name.startswith(code)), "it fails")
    return Unwritable(
        f"the journal {path} cannot be written: {cause} ({e}). Nothing that adds risk is done "
        "until it can; stopping works. Free the disk or the lock, it goes on by itself."
    )


def open_writer(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection that can write, with the tables in place. Raises sqlite3.Error or Damaged."""
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    conn = _connect(path, "rw")
    try:
        _identify(conn, path)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        if create:
            _create_tables(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection, also to a journal whose writer was killed.

    Raises Damaged, or JournalError when there is no journal.
    """
    if not path.exists():
        raise JournalError(f"there is no journal at {path}")
    # On a read-only medium SQLite cannot make the shared-memory file that WAL needs. With no WAL
    # left to read, the file alone is the whole journal and can be taken as immutable.
    wal_beside = path.with_name(path.name + "-wal")
    fixed = not os.access(path.parent, os.W_OK) and not wal_beside.exists()
    conn = _connect(path, "ro&immutable=1" if fixed else "ro")
    try:
        conn.execute("PRAGMA query_only = ON")
        _identify(conn, path)
    except _UNREADABLE as e:
        conn.close()
        raise _unreadable(e, path, 0) from e
    except BaseException:
        conn.close()
        raise
    return conn


def newest(conn: sqlite3.Connection) -> Record | None:
    """The record with the highest seq."""
    if not _has_tables(conn):
        return None
    row = conn.execute(f"{_SELECT} ORDER BY seq DESC LIMIT 1").fetchone()
    return None if row is None else to_record(row)


def sound_head(conn: sqlite3.Connection, path: Path) -> Head:
    """(seq, hash) of the newest record, after checking that record alone. Raises Damaged."""
    record = newest(conn)
    if record is None:
        return START
    try:
        sound = digest(record) == record.hash
    except Exception:
        sound = False
    if not sound:
        raise Damaged(
            f"record {record.seq}, the newest in {path}, does not match its hash: it was changed "
            "or the file is torn. Run `hatchway audit verify` and put a backup in its place.",
            record.seq,
        )
    return record.seq, record.hash


def page(conn: sqlite3.Connection, path: Path, after: int, count: int) -> list[Record]:
    """Up to `count` records after `after`. Raises Damaged."""
    try:
        if not _has_tables(conn):
            return []
        rows = conn.execute(
            f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (after, count)
        ).fetchall()
    except _UNREADABLE as e:
        raise _unreadable(e, path, after + 1) from e
    return [to_record(row) for row in rows]


def scan(path: Path, after: int = 0) -> Iterator[Record]:
    """All records after `after`, from one consistent moment. Raises Damaged or JournalError."""
    for rows in scan_rows(path, after):
        yield from map(to_record, rows)


def scan_rows(path: Path, after: int = 0) -> Iterator[list[Row]]:
    """`scan` as tuples, many at a time: records need not become objects to be verified."""
    last = after
    with closing(open_reader(path)) as conn:
        try:
            if not _has_tables(conn):
                return
            cursor = conn.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (after,))
            while rows := cursor.fetchmany(_BATCH):
                last += len(rows)
                yield rows
            return
        except _UNREADABLE:
            pass  # somewhere in the last batch: which record it is, is seen one by one
        try:
            for row in conn.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (last,)):
                yield [row]
                last += 1
        except _UNREADABLE as e:
            raise _unreadable(e, path, last + 1) from e


def last_records(path: Path, count: int) -> list[Record]:
    """The newest `count` records, oldest first. Raises Damaged or JournalError."""
    with closing(open_reader(path)) as conn:
        try:
            record = newest(conn)
        except _UNREADABLE as e:
            raise _unreadable(e, path, 0) from e
        return [] if record is None else page(conn, path, record.seq - count, count)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_S,
        check_same_thread=False,
    )


def _identify(conn: sqlite3.Connection, path: Path) -> None:
    (mark,) = conn.execute("PRAGMA application_id").fetchone()
    if mark == APPLICATION_ID:
        return
    if mark or conn.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        if conn.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,):
            return  # another process made its tables between the two looks
        raise Damaged(
            f"{path} is an SQLite database, but not a Hatchway journal. Nothing is written to it: "
            "move it away or choose another state directory."
        )


def _has_tables(conn: sqlite3.Connection) -> bool:
    found = conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchone()
    return found is not None


def _create_tables(conn: sqlite3.Connection) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        if not _has_tables(conn):
            for statement in _statements(_SCHEMA):
                conn.execute(statement)
            conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _unreadable(e: Exception, path: Path, seq: int) -> JournalError:
    name: str = getattr(e, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return JournalError(f"{path} cannot be read now: {e}")
    return Damaged(f"{path} cannot be read here: {e}", seq)
