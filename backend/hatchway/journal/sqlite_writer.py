"""The one thread that writes a journal: takes what has queued up, commits it as one transaction.

A commit with synchronous=FULL costs a disk flush, so a queue of small transactions is as slow as
its flushes. Whatever waits while one commit runs goes into the next one together (group commit),
and each `append` still gets its own answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hatchway.journal import sqlite_sealed
from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START, Head
from hatchway.journal.port import Damaged, Draft, Fenced, JournalError, Record
from hatchway.journal.sqlite_file import (
    INSERT,
    in_words,
    open_writer,
    page,
    sound_head,
    to_row,
)

_GROUP_DRAFTS = 1_000  # a group ends at this many drafts, so that nobody waits for too big a one


class Ask:
    """One `append` on its way through the thread."""

    def __init__(
        self,
        drafts: Sequence[Draft],
        expect_head: int | None,
        answer: asyncio.Future[list[Record]],
    ) -> None:
        self.drafts = drafts
        self.expect_head = expect_head
        self.answer = answer
        self._lock = threading.Lock()
        self._taken = False
        self._given_up = False

    def take(self) -> bool:
        """The thread starts on it; False when the caller has given up before."""
        with self._lock:
            self._taken = not self._given_up
            return self._taken

    def give_up(self) -> bool:
        """The caller goes away; False when the thread has it already, so it may be written."""
        with self._lock:
            self._given_up = not self._taken
            return self._given_up


Outcome = list[Record] | Exception
Settle = Callable[[list[Record], list[tuple[Ask, Outcome]]], None]
"""Called on the thread after each group: the records now in the journal, and each answer."""


class Writer:
    """Owns the writing connection. `settle` and `opened` are called on its thread."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        settle: Settle,
        opened: Callable[[JournalError | None], None],
        closed: Callable[[], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._settle = settle
        self._opened = opened
        self._closed = closed
        self._token = secrets.token_hex(16)
        self._asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._conn: sqlite3.Connection | None = None
        self._file = (0, 0)  # device and inode of the file that was opened
        self._head: Head = START
        threading.Thread(target=self._run, name="journal-writer", daemon=True).start()

    def put(self, ask: Ask) -> None:
        """Queue an append."""
        self._asks.put(ask)

    def stop(self) -> None:
        """Finish what was queued before, then let go of the file."""
        self._asks.put(None)

    def _run(self) -> None:
        try:
            self._open()
        except Exception as e:
            self._drop()
            self._opened(self._explained(e))
            return
        self._opened(None)
        going_on = True
        while going_on:
            group, going_on = self._next_group()
            if group:
                self._serve(group)
        self._drop()
        self._closed()

    def _next_group(self) -> tuple[list[Ask], bool]:
        """Wait for one ask, then take all that have queued up; False after the last."""
        group: list[Ask] = []
        drafts = 0
        wait = True
        while drafts < _GROUP_DRAFTS:
            try:
                ask = self._asks.get(block=wait)
            except queue.Empty:
                break
            if ask is None:
                return group, False
            wait = False
            if ask.take():
                group.append(ask)
                drafts += len(ask.drafts)
        return group, True

    def _serve(self, group: list[Ask]) -> None:
        outcomes: list[tuple[Ask, Outcome]]
        try:
            records, outcomes = self._commit(group)
        except (sqlite3.Error, OSError, JournalError) as e:
            # The storage refuses or somebody took over. Those who queued up meanwhile have waited
            # as long: answer them too, else the n-th would wait n times as long.
            self._drop()
            waiting, going_on = self._next_group() if not self._asks.empty() else ([], True)
            if not going_on:
                self._asks.put(None)
            trouble = self._explained(e)
            # Each gets a copy: one exception raised in many tasks would mix up their tracebacks.
            self._settle([], [(ask, copy.copy(trouble)) for ask in (*group, *waiting)])
            return
        except Exception as e:
            # Something in one of the drafts that SQLite cannot take: find it, spare the others.
            self._roll_back()
            if len(group) > 1:
                for ask in group:
                    self._serve([ask])
                return
            refusal = JournalError(f"the journal cannot store this event: {e}")
            refusal.__cause__ = e
            records, outcomes = [], [(group[0], refusal)]
        self._settle(records, outcomes)

    def _commit(self, group: list[Ask]) -> tuple[list[Record], list[tuple[Ask, Outcome]]]:
        conn = self._connection()
        conn.execute("BEGIN IMMEDIATE")
        self._check_fence(conn)
        written: list[Record] = []
        outcomes: list[tuple[Ask, Outcome]] = []
        head = self._head
        for ask in group:
            try:
                records = seal_batch(
                    ask.drafts,
                    ask.expect_head,
                    head,
                    self._clock(),
                    lambda stream: _version(conn, stream),
                    lambda idem: _seq_of_idem(conn, idem),
                )
            except JournalError as refusal:
                outcomes.append((ask, refusal))
                continue
            conn.executemany(INSERT, map(to_row, records))
            if records:
                head = records[-1].seq, records[-1].hash
                written.extend(records)
            outcomes.append((ask, records))
        conn.execute("COMMIT" if written else "ROLLBACK")
        self._head = head
        return written, outcomes

    def _open(self) -> None:
        """Open for the first time and take the journal over from whoever wrote it before."""
        conn = self._conn = open_writer(self._path, create=True)
        self._file = self._identity()
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(
            "INSERT OR REPLACE INTO writer (only_one, token, pid, since) VALUES (1, ?, ?, ?)",
            (self._token, os.getpid(), self._clock()),
        )
        self._head = sound_head(conn, self._path)
        conn.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        """The connection; after a failure a new one to the same file, never to a new file."""
        if self._conn is None:
            self._conn = open_writer(self._path, create=False)
            self._catch_up(self._conn)
        if self._identity() != self._file:
            raise OSError("the file was removed or replaced while it was in use")
        return self._conn

    def _catch_up(self, conn: sqlite3.Connection) -> None:
        """A commit that was reported as failed may have reached the disk after all: tell of it."""
        self._check_fence(conn)
        head = sound_head(conn, self._path)
        while self._head[0] < head[0]:
            records = page(conn, self._path, self._head[0], _GROUP_DRAFTS)
            self._head = records[-1].seq, records[-1].hash
            self._settle(records, [])
        if head != self._head:
            raise Damaged(
                f"{self._path} goes back to record {head[0]}, but {self._head[0]} had been "
                "written: an older copy was put in its place. Restart to go on from it.",
                head[0],
            )

    def _check_fence(self, conn: sqlite3.Connection) -> None:
        row = conn.execute("SELECT token, pid FROM writer").fetchone()
        if row is None or row[0] != self._token:
            who = "somebody" if row is None else f"process {row[1]}"
            raise Fenced(
                f"{who} took the journal {self._path} over: this process must not write any more. "
                "Stop it; the other one goes on."
            )

    def _identity(self) -> tuple[int, int]:
        found = os.stat(self._path)
        return found.st_dev, found.st_ino

    def _roll_back(self) -> None:
        if self._conn is not None and self._conn.in_transaction:
            try:
                self._conn.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop()

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                conn.close()  # rolls back what is open

    def _explained(self, e: Exception) -> JournalError:
        if isinstance(e, JournalError):
            return e
        said = in_words(e, self._path)
        said.__cause__ = e
        return said


def _version(conn: sqlite3.Connection, stream: str) -> int:
    (version,) = conn.execute(
        "SELECT max(version) FROM event WHERE stream = ?", (stream,)
    ).fetchone()
    if version is None and sqlite_sealed.has(conn):
        query = "SELECT version FROM sealed_stream WHERE stream = ?"
        (version,) = conn.execute(query, (stream,)).fetchone() or (None,)
    return int(version or 0)


def _seq_of_idem(conn: sqlite3.Connection, idem: str) -> int:
    row = conn.execute("SELECT seq FROM event WHERE idem = ? AND idem <> ''", (idem,)).fetchone()
    if row is None and sqlite_sealed.has(conn):
        row = conn.execute("SELECT seq FROM sealed_idem WHERE idem = ?", (idem,)).fetchone()
    return 0 if row is None else int(row[0])
