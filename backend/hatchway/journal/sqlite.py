"""The journal in an SQLite file: WAL, synchronous=FULL, one writing thread, read-only readers."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Self

from hatchway.journal.batch import check_drafts
from hatchway.journal.chain import START, Head
from hatchway.journal.port import (
    Base,
    Damaged,
    Draft,
    JournalError,
    Record,
    Unsettled,
    Unwritable,
)
from hatchway.journal.sqlite_file import newest, open_reader, page
from hatchway.journal.sqlite_sealed import base_of
from hatchway.journal.sqlite_writer import Ask, Outcome, Writer
from hatchway.journal.subscribers import Subscribers, Told

PATIENCE_S = 5.0
"""A lock or a full disk is told within 2 s. This is for a disk that does not answer at all."""

_PAGE = 500  # records a reader takes at once; between pages writers and the loop go on


class SqliteJournal:
    """Belongs to the event loop it was opened on. Opening takes the journal over: see `Fenced`."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._subscribers = Subscribers()
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._closing = False
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed = asyncio.Event()
        self._writer = Writer(
            path,
            clock,
            settle=lambda records, outcomes: self._post(self._settle, records, outcomes),
            opened=lambda trouble: self._post(self._set_opened, trouble),
            closed=lambda: self._post(self._closed.set),
        )

    @classmethod
    async def open(cls, path: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Open or create the journal and become its only writer.

        `clock` gives the wall-clock time of events (seconds since 1970). Raises Unwritable or
        Damaged.
        """
        journal = cls(path, clock)
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                await journal._opened
        except TimeoutError:
            journal._writer.stop()
            raise Unwritable(f"the disk does not answer: {path} cannot be opened") from None
        return journal

    async def append(self, drafts: Sequence[Draft], expect_head: int | None = None) -> list[Record]:
        """See the port. A cancelled append is not written unless its commit was under way."""
        if self._closing:
            raise JournalError("the journal is closed")
        drafts = tuple(drafts)
        check_drafts(drafts)
        ask = Ask(drafts, expect_head, self._loop.create_future())
        self._writer.put(ask)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await ask.answer
        except TimeoutError:
            if ask.give_up():
                raise Unwritable(
                    f"the disk has not answered for {PATIENCE_S:.0f} s; nothing was written to "
                    f"{self._path}. Nothing that adds risk is done until it does; stopping works."
                ) from None
            raise Unsettled(
                f"the disk has not answered for {PATIENCE_S:.0f} s: whether the event was written "
                f"to {self._path} is not known yet. Stopping works."
            ) from None
        except asyncio.CancelledError:
            ask.give_up()
            raise

    async def read(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Record]:
        """See the port. Raises Damaged where a record is missing or cannot be read."""
        left = limit
        while left is None or left > 0:
            count = _PAGE if left is None else min(_PAGE, left)
            records = await asyncio.to_thread(self._page, after, count)
            for record in records:
                if record.seq != after + 1:
                    raise Damaged(
                        f"record {after + 1} is missing in {self._path}: state cannot be rebuilt "
                        "from it. Run `hatchway audit verify` and put a backup in its place.",
                        after + 1,
                    )
                after = record.seq
                yield record
            if len(records) < count:
                return
            left = None if left is None else left - count

    async def base(self) -> Base | None:
        """See the port."""
        return await asyncio.to_thread(self._read_base)

    async def head(self) -> Head:
        """See the port."""
        return await asyncio.to_thread(self._read_head)

    def subscribe(self, told: Told) -> Callable[[], None]:
        """See the port."""
        return self._subscribers.add(told)

    async def close(self) -> None:
        """Write what is queued, then let go. After `PATIENCE_S` a hanging disk is left alone."""
        if not self._closing:
            self._closing = True
            self._writer.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._closed.wait()
        await asyncio.to_thread(self._close_reader)

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        """From the writer's thread to the loop; a loop that is gone needs no answer."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _set_opened(self, trouble: JournalError | None) -> None:
        if self._opened.done():
            return
        if trouble is None:
            self._opened.set_result(None)
        else:
            self._opened.set_exception(trouble)

    def _settle(self, records: list[Record], outcomes: list[tuple[Ask, Outcome]]) -> None:
        if records:
            self._subscribers.tell(records)
        for ask, outcome in outcomes:
            if ask.answer.done():
                continue
            if isinstance(outcome, Exception):
                ask.answer.set_exception(outcome)
            else:
                ask.answer.set_result(outcome)

    def _page(self, after: int, count: int) -> list[Record]:
        with self._reading:
            return page(self._read_connection(), self._path, after, count)

    def _read_base(self) -> Base | None:
        with self._reading:
            return base_of(self._read_connection(), self._path)

    def _read_head(self) -> Head:
        with self._reading:
            try:
                record = newest(self._read_connection())
            except sqlite3.Error as e:
                raise Damaged(f"{self._path} cannot be read: {e}") from e
        return START if record is None else (record.seq, record.hash)

    def _read_connection(self) -> sqlite3.Connection:
        if self._closing:
            raise JournalError("the journal is closed")
        if self._reader is None:
            self._reader = open_reader(self._path)
        return self._reader

    def _close_reader(self) -> None:
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
