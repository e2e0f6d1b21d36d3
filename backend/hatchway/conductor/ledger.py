"""State and journal move together: an event counts once it is durable, not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.state import State
from hatchway.journal.chain import Verifier
from hatchway.journal.port import (
    Base,
    Conflict,
    Damaged,
    Draft,
    Fenced,
    Journal,
    Record,
    Unwritable,
)

log = logging.getLogger("hatchway.ledger")

TROUBLE_S = 60.0
"""What nothing has complained about for this long is no trouble any more, in seconds."""

Listener = Callable[[Record, ev.Event | ev.Unknown, State], None]


class Ledger:
    """The state at the journal's head. One writer at a time; listeners are told in order."""

    def __init__(self, journal: Journal, lost: Callable[[], None]) -> None:
        self._journal = journal
        self._lost = lost  # called when another process has taken the journal over
        self._turn = asyncio.Lock()
        self._listeners: list[Listener] = []
        self._verifier = Verifier()
        self.state = State()
        self.verified_to = 0  # records up to here follow from each other, checked by this process
        self.broken = ""  # the first that does not, in words
        self.failures = 0  # appends of this process that did not reach the disk, or may not have
        self.appended: Callable[[float], None] = lambda seconds: None  # told of each append
        self._trouble: tuple[float, str] | None = None

    @property
    def trouble(self) -> str:
        """Why the journal does not write now, in words; empty when it does."""
        if self._trouble is None:
            return ""
        since, words = self._trouble
        return words if asyncio.get_running_loop().time() - since < TROUBLE_S else ""

    def listen(self, listener: Listener) -> None:
        """Call `listener(record, event, state)` for every event from now on, also replayed ones."""
        self._listeners.append(listener)

    async def replay(self) -> int:
        """Bring the state to the journal's head; how many events that were."""
        count = 0
        if self.state.seq == 0:
            self._begin(await self._journal.base())
        async for record in self._journal.read(after=self.state.seq):
            self._take(record)
            count += 1
        return count

    def _begin(self, base: Base | None) -> None:
        """Go on from the state that sealed records led to."""
        if base is None:
            return
        self.state = msgspec.json.decode(base.state, type=State)
        self._verifier = Verifier((base.seq, base.hash), versions=base.versions)
        self.verified_to = base.seq

    async def record(
        self,
        decide: Callable[[State], Sequence[ev.Event]],
        *,
        actor: str,
        idem: str = "",
        epoch: int = 0,
    ) -> list[Record]:
        """Decide on the newest state and append what came of it; nothing comes between the two.

        `idem` goes with the first event. Raises JournalError; then nothing has changed.
        """
        async with self._turn:
            try:
                return await self._decide_and_append(decide, actor, idem, epoch)
            except Fenced as error:
                self._complain(error)
                self._lost()
                raise
            except (Unwritable, Damaged) as error:
                self._complain(error)
                raise

    async def _decide_and_append(
        self, decide: Callable[[State], Sequence[ev.Event]], actor: str, idem: str, epoch: int
    ) -> list[Record]:
        try:
            return await self._append(decide(self.state), actor, idem, epoch)
        except Conflict:
            # An append whose outcome was not known was written after all.
            await self.replay()
            return await self._append(decide(self.state), actor, idem, epoch)

    def _complain(self, error: Exception) -> None:
        self.failures += 1
        self._trouble = asyncio.get_running_loop().time(), str(error)

    async def _append(
        self, events: Sequence[ev.Event], actor: str, idem: str, epoch: int
    ) -> list[Record]:
        if not events:
            return []
        drafts = [
            Draft(
                stream=ev.stream_of(event),
                kind=ev.kind_of(event),
                actor=actor,
                payload=ev.encode(event),
                epoch=epoch,
                cause=self.state.seq,
                idem=idem if i == 0 else "",
            )
            for i, event in enumerate(events)
        ]
        for draft in drafts:
            if isinstance(ev.decode(draft.kind, draft.payload), ev.Unknown):
                # Written, it would count as an event of another version, and nobody would act on it.
                raise TypeError(f"{draft.kind} has a value of a wrong type, it is not journaled")
        clock = asyncio.get_running_loop().time
        began = clock()
        records = await self._journal.append(drafts, expect_head=self.state.seq)
        self.appended(clock() - began)
        self._trouble = None
        for record in records:
            self._take(record)
        return records

    def _take(self, record: Record) -> None:
        if not self.broken:
            found = self._verifier.check(record)
            if found is None:
                self.verified_to = record.seq
            else:
                self.broken = f"record {found.seq} is BROKEN: {found.why}"
        event = ev.decode(record.kind, record.payload)
        self.state = evolve(self.state, event, seq=record.seq, at=record.at, idem=record.idem)
        for listener in self._listeners:
            try:
                listener(record, event, self.state)
            except Exception:
                # The event is in the journal and counts, whatever somebody who looks on makes of it.
                log.exception("a listener failed at event %d", record.seq)
