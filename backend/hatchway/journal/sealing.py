"""Moving old records out of the database into a sealed segment, so that nothing is ever lost.

The order is all there is to it: the segment is written, flushed, read back and verified, and only
then one transaction notes it, journals `journal.sealed` and removes the records. A kill before the
commit leaves the database as it was, and one after it leaves both whole.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.state import State
from hatchway.journal import segment, sqlite_sealed
from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START, Broken, Head, Row, Sound, Verified, to_record
from hatchway.journal.dossier import tell
from hatchway.journal.lines import to_line
from hatchway.journal.merkle import Frontier, Tree
from hatchway.journal.note import Signer, TreeHead
from hatchway.journal.port import Base, Damaged, Draft, JournalError
from hatchway.journal.source import origin, rows_of
from hatchway.journal.sqlite_file import INSERT, in_words, open_writer, sound_head, to_row

Step = Callable[[str], None]


class Done(Struct, frozen=True):
    """What was sealed. `trouble` says what did not matter enough to stop for."""

    file: Path
    first: int
    last: int
    hash: str
    root: str
    trouble: str = ""


class _Gathered:
    """What is made of the records up to `last` while the whole journal streams past."""

    def __init__(self, base: Base | None, last: int) -> None:
        self.last = last
        self.first = 1 if base is None else base.seq + 1
        self.begin = segment.Begin(
            first=self.first,
            prev=START[1] if base is None else base.hash,
            tree=() if base is None else tuple(node.hex() for node in base.frontier.roots),
        )
        known = None if base is None else msgspec.json.decode(base.state, type=State)
        self.state = known or State()
        self.versions = {} if base is None else dict(base.versions)
        self.idems: dict[str, int] = {}
        self.head: Head = self.begin.head
        self.first_hash = "" if base is None else base.first_hash
        self.tree = Tree(None if base is None else base.frontier)

    def take(self, row: Row) -> bytes:
        """The next record that is sealed; its line."""
        record = to_record(row)
        told = tell(row)
        self.state = evolve(self.state, told.event, seq=record.seq, at=record.at, idem=record.idem)
        self.versions[record.stream] = record.version
        if record.idem:
            self.idems[record.idem] = record.seq
        self.head = record.seq, record.hash
        self.first_hash = self.first_hash or record.hash
        self.tree.add(bytes.fromhex(record.hash))
        return to_line(record) + b"\n"


def seal(
    path: Path,
    to: Path,
    last: int,
    *,
    clock: Callable[[], float],
    by: str,
    signer: Callable[[str], Signer] | None = None,
    segments: Path | None = None,
    step: Step = lambda name: None,
) -> Done:
    """Move the records up to `last` into a file in the directory `to`.

    Nobody else may write the journal meanwhile. `step` is told of each step before it is taken.
    Raises JournalError (nothing was changed) or Damaged (the journal is broken, neither was it).
    """
    base = _base(path)
    gathered = _Gathered(base, last)
    if last < gathered.first:
        raise JournalError(f"records up to {last} are sealed already, or there are none")
    to.mkdir(parents=True, exist_ok=True)
    part = to / f".{segment.name_of(gathered.first, last)}.part"
    try:
        head = _write(path, part, gathered, signer, segments, step)
        step("verify the file")
        end = _read_back(part, gathered)
        file = to / segment.name_of(gathered.first, last)
        _refuse_to_replace(file, end)
        step("rename the file")
        part.replace(file)
        _sync(to)
    except OSError as e:
        raise JournalError(f"{to} cannot be written: {e.strerror}. Nothing was changed.") from e
    step("open the database")
    _prune(path, gathered, end, file.absolute(), head, clock, by, step)
    step("vacuum")
    trouble = _vacuum(path)
    step("done")
    return Done(file, gathered.first, last, end.hash, end.root, trouble)


def _base(path: Path) -> Base | None:
    with closing(open_writer(path, create=False)) as conn:
        return sqlite_sealed.base_of(conn, path)


def _write(
    path: Path,
    part: Path,
    gathered: _Gathered,
    signer: Callable[[str], Signer] | None,
    segments: Path | None,
    step: Step,
) -> Head:
    """Verify the whole journal and write the segment as it passes; the journal's head."""
    sound = Sound(rows_of(path, segments))
    with part.open("wb") as out:
        step("write the file")
        out.write(segment.to_line(gathered.begin))
        for rows in sound:
            for row in rows:
                if gathered.first <= row[0] <= gathered.last:
                    out.write(gathered.take(row))
        found = sound.found
        if isinstance(found, Broken):
            raise Damaged(f"record {found.seq}: {found.why}. Nothing was sealed.", found.seq)
        if gathered.head[0] != gathered.last:
            raise JournalError(
                f"the journal ends at {found.seq}: there is no record {gathered.last} to seal up to"
            )
        out.write(segment.to_line(_end(gathered, signer)))
        out.flush()
        step("flush the file")
        os.fsync(out.fileno())
    return found.seq, found.hash


def _end(gathered: _Gathered, signer: Callable[[str], Signer] | None) -> segment.End:
    root, note = gathered.tree.root(), ""
    if signer is not None:
        head = TreeHead(origin(gathered.first_hash), gathered.last, root)
        note = str(signer(head.origin).sign(head.text))
    return segment.End(
        first=gathered.first,
        last=gathered.last,
        hash=gathered.head[1],
        root=root.hex(),
        note=note,
    )


def _read_back(part: Path, gathered: _Gathered) -> segment.End:
    """What the file says of itself, after all of it was read and verified as anybody would."""
    begin, end = segment.begin_of(part), segment.end_of(part)
    tree = Tree(begin.frontier)
    sound = Sound(segment.rows(part, gathered.last), begin.head, tree=tree)
    for _ in sound:
        pass
    wanted = Verified(gathered.last - gathered.first + 1, *gathered.head)
    if (
        sound.found != wanted
        or tree.root() != gathered.tree.root()
        or end.root != tree.root().hex()
    ):
        raise JournalError(f"{part} is not what was written into it: {sound.found}")
    return end


def _refuse_to_replace(file: Path, end: segment.End) -> None:
    """What stands under the name already may be all that is left of another journal's records."""
    if not file.exists():
        return
    try:
        same = segment.end_of(file).hash == end.hash  # of a sealing of these that was interrupted
    except Damaged:
        same = False
    if not same:
        raise JournalError(
            f"{file} is there and has other records: a directory is for one journal."
            " Nothing was changed; name another with --to"
        )


def _prune(
    path: Path,
    gathered: _Gathered,
    end: segment.End,
    file: Path,
    head: Head,
    clock: Callable[[], float],
    by: str,
    step: Step,
) -> None:
    """One transaction: note the segment, journal it, remove its records."""
    state = sqlite_sealed.encode_state(gathered.state)
    event = ev.JournalSealed(
        first=end.first,
        last=end.last,
        hash=end.hash,
        root=end.root,
        file=file.name,
        file_sha256=sqlite_sealed.file_sha256(file),
        state_sha256=sha256(state).hexdigest(),
    )
    try:
        with closing(open_writer(path, create=False)) as conn:
            for statement in sqlite_sealed.SCHEMA.split(";\n"):
                conn.execute(statement)
            conn.execute("BEGIN IMMEDIATE")
            if sound_head(conn, path) != head:
                raise JournalError("somebody wrote the journal meanwhile. Nothing was removed.")
            step("note the segment")
            _note(conn, gathered, end, file, state)
            step("journal it")
            _append(conn, event, head, clock(), by)
            step("remove the records")
            _remove(conn, end.last)
            step("commit")
            conn.execute("COMMIT")
    except sqlite3.Error as e:
        raise in_words(e, path) from e


def _note(
    conn: sqlite3.Connection, gathered: _Gathered, end: segment.End, file: Path, state: bytes
) -> None:
    conn.execute("UPDATE sealed SET state = NULL")
    tree: Frontier = gathered.tree.frontier
    conn.execute(
        "INSERT INTO sealed (last, first, hash, root, file, first_hash, tree, state)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (
            end.last,
            end.first,
            end.hash,
            end.root,
            str(file),
            gathered.first_hash,
            " ".join(node.hex() for node in tree.roots),
            state,
        ),
    )
    conn.executemany(
        "INSERT OR REPLACE INTO sealed_stream (stream, version) VALUES (?,?)",
        gathered.versions.items(),
    )
    conn.executemany("INSERT INTO sealed_idem (idem, seq) VALUES (?,?)", gathered.idems.items())


def _append(
    conn: sqlite3.Connection, event: ev.JournalSealed, head: Head, at: float, by: str
) -> None:
    draft = Draft(
        stream=ev.stream_of(event),
        kind=ev.kind_of(event),
        actor=by,
        payload=ev.encode(event),
        cause=head[0],
    )
    (version,) = conn.execute(
        "SELECT max(coalesce((SELECT max(version) FROM event WHERE stream = ?), 0),"
        " coalesce((SELECT version FROM sealed_stream WHERE stream = ?), 0))",
        (draft.stream, draft.stream),
    ).fetchone()
    records = seal_batch([draft], None, head, at, lambda _: int(version), lambda _: 0)
    conn.executemany(INSERT, map(to_row, records))


def _remove(conn: sqlite3.Connection, last: int) -> None:
    """The journal is append-only but for this, in the transaction that keeps what is removed."""
    name = "event_is_never_removed"
    query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?"
    guard = conn.execute(query, (name,)).fetchone()
    conn.execute(f"DROP TRIGGER IF EXISTS {name}")
    conn.execute("DELETE FROM event WHERE seq <= ?", (last,))
    if guard is not None:
        conn.execute(guard[0])


def _vacuum(path: Path) -> str:
    """Give the room back. What is left undone costs room and nothing else."""
    try:
        with closing(open_writer(path, create=False)) as conn:
            conn.execute("VACUUM")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as e:
        return f"the database keeps its size: {e}"
    return ""


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
