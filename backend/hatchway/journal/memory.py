"""The journal in memory: for simulations and tests. Passes the same contract suite as SQLite."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence

from hatchway.journal.batch import check_drafts, seal_batch
from hatchway.journal.chain import START, Head
from hatchway.journal.port import Base, Draft, Fenced, JournalError, Record, Unwritable
from hatchway.journal.subscribers import Subscribers, Told


class MemoryStore:
    """What outlives a `MemoryJournal`: open another on the same store to simulate a restart.

    Set `refuses` to a reason and appends raise Unwritable; set it back to "" and they work again.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.refuses = ""
        self.writer: object = None
        self.versions: dict[str, int] = {}
        self.idems: dict[str, int] = {}


class MemoryJournal:
    """The newest journal opened on a store is its writer; older ones are fenced."""

    def __init__(
        self, store: MemoryStore | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store if store is not None else MemoryStore()
        self._clock = clock
        self._token = object()
        self._store.writer = self._token
        self._subscribers = Subscribers()
        self._closed = False

    async def append(self, drafts: Sequence[Draft], expect_head: int | None = None) -> list[Record]:
        """See the port."""
        self._check_open()
        check_drafts(drafts)
        store = self._store
        if store.refuses:
            raise Unwritable(store.refuses)
        if store.writer is not self._token:
            raise Fenced("another writer took the journal over; this one must stop")
        records = seal_batch(
            drafts,
            expect_head,
            self._head(),
            self._clock(),
            lambda stream: store.versions.get(stream, 0),
            lambda idem: store.idems.get(idem, 0),
        )
        for record in records:
            store.records.append(record)
            store.versions[record.stream] = record.version
            if record.idem:
                store.idems[record.idem] = record.seq
        if records:
            self._subscribers.tell(records)
        return records

    async def read(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Record]:
        """See the port."""
        self._check_open()
        seq, left = max(after, 0), limit
        while seq < len(self._store.records) and (left is None or left > 0):
            yield self._store.records[seq]
            seq += 1
            left = None if left is None else left - 1

    async def base(self) -> Base | None:
        """See the port."""
        return None

    async def head(self) -> Head:
        """See the port."""
        self._check_open()
        return self._head()

    def subscribe(self, told: Told) -> Callable[[], None]:
        """See the port."""
        return self._subscribers.add(told)

    async def close(self) -> None:
        """See the port."""
        self._closed = True

    def _head(self) -> Head:
        if not self._store.records:
            return START
        newest = self._store.records[-1]
        return newest.seq, newest.hash

    def _check_open(self) -> None:
        if self._closed:
            raise JournalError("the journal is closed")
