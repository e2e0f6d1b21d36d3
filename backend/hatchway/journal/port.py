"""The journal: append with an expected head, read from a sequence number.

An event's payload is kept as the exact bytes that were hashed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from hatchway.journal.merkle import Frontier

GENESIS = "0" * 64


class Draft(Struct, frozen=True, kw_only=True):
    """An event that is not in the journal yet. `payload` is JSON of a core event."""

    stream: str  # "run/1", "service/shop", "system"
    kind: str  # "stage.started"
    actor: str  # "agent", "ana", "hatchway"
    payload: bytes
    epoch: int = 0
    cause: int = 0  # seq of the event that led to this one
    idem: str = ""  # unique in the whole journal when not empty


class Record(Struct, frozen=True, kw_only=True):
    """An event as it stands in the journal."""

    seq: int  # 1, 2, 3 ... without a gap
    stream: str
    version: int  # 1, 2, 3 ... within its stream
    kind: str
    actor: str
    epoch: int
    at: float
    cause: int
    idem: str
    payload: bytes
    prev: str  # hash of seq-1, GENESIS for the first
    hash: str


class JournalError(Exception):
    """The journal could not do what was asked; nothing of the batch was written."""


class Conflict(JournalError):
    """The head was not at the expected seq: somebody else wrote, read again and decide again."""


class Duplicate(JournalError):
    """A draft's `idem` is already in the journal, at `seq` (0: twice in this very batch)."""

    def __init__(self, message: str, seq: int = 0) -> None:
        super().__init__(message)
        self.seq = seq


class Unwritable(JournalError):
    """The storage refuses (locked, full, read-only). Reading and stopping still work."""


class Unsettled(Unwritable):
    """The disk hangs within the commit itself: whether the batch was written is not known yet.

    Subscribers are told of it if it was; a draft with an `idem` may be appended again at any time.
    """


class Fenced(JournalError):
    """Another process took the journal over; this one must not write any more."""


class Damaged(JournalError):
    """What is stored is not a journal, or cannot be read at or after `seq` (0: not known where)."""

    def __init__(self, message: str, seq: int = 0) -> None:
        super().__init__(message)
        self.seq = seq


class Base(Struct, frozen=True, kw_only=True):
    """What a journal's first record goes on from, where older ones were sealed (see sealing.py)."""

    seq: int
    hash: str
    first_hash: str  # of record 1
    state: bytes  # the state after record `seq`, as JSON
    versions: dict[str, int]  # of each stream, the newest
    frontier: Frontier


class Journal(Protocol):
    """The port. Adapters pass `tests/journal/test_contract.py`."""

    async def append(self, drafts: Sequence[Draft], expect_head: int | None = None) -> list[Record]:
        """Append all drafts durably, or none.

        Raises Conflict, Duplicate, Unwritable or Fenced. Returns after the data are on disk.
        """

    def read(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Record]:
        """Records with seq > `after`, in order."""

    async def base(self) -> Base | None:
        """What the records go on from; None when they begin with the first. Raises Damaged."""

    async def head(self) -> tuple[int, str]:
        """(seq, hash) of the newest record; (0, GENESIS) when empty."""

    def subscribe(self, told: Callable[[Sequence[Record]], None]) -> Callable[[], None]:
        """Call `told` on the event loop with each batch appended from now on; returns the undo.

        Batches come in order and before the `append` that wrote them returns.
        """

    async def close(self) -> None:
        """Finish what is under way and let go of the storage."""
