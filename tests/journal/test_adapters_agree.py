"""Whatever is asked of them in whatever order, memory and SQLite answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Draft, Journal, JournalError, Record
from hatchway.journal.sqlite import SqliteJournal

drafts = st.builds(
    Draft,
    stream=st.sampled_from(["run/1", "run/2", "", "\ud800"]),
    kind=st.sampled_from(["a", "b"]),
    actor=st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    payload=st.binary(max_size=10),
    epoch=st.sampled_from([0, 1, -1, 2**63 - 1, 2**63]),
    idem=st.sampled_from(["", "", "x", "y", "z"]),
)
steps = st.one_of(
    st.tuples(
        st.just("append"),
        st.lists(drafts, max_size=3),
        st.one_of(st.none(), st.integers(-2, 1)),  # relative to the head; None: do not care
    ),
    st.tuples(st.just("read"), st.integers(0, 8), st.one_of(st.none(), st.integers(0, 4))),
    st.tuples(st.just("reopen")),
)


async def play(journal: Journal, reopen, script) -> list[object]:
    seen: list[object] = []
    for step in script:
        match step:
            case ("append", batch, offset):
                head = (await journal.head())[0]
                expect = None if offset is None else head + offset
                try:
                    records: list[Record] = await journal.append(batch, expect)
                    seen.append(records)
                except JournalError as refused:
                    seen.append((type(refused).__name__, getattr(refused, "seq", None)))
            case ("read", after, limit):
                seen.append([r async for r in journal.read(after, limit)])
            case _:
                await journal.close()
                journal = await reopen()
        seen.append(await journal.head())
    await journal.close()
    return seen


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=12))
def test_memory_and_sqlite_answer_the_same(script):
    async def both() -> None:
        store = MemoryStore()
        with tempfile.TemporaryDirectory() as directory:

            async def in_memory() -> Journal:
                return MemoryJournal(store, clock=lambda: 1e9)

            async def on_disk() -> Journal:
                return await SqliteJournal.open(Path(directory) / "j.db", clock=lambda: 1e9)

            one = await play(await in_memory(), in_memory, script)
            other = await play(await on_disk(), on_disk, script)
            assert one == other

    asyncio.run(both())
