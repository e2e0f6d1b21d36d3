"""An event counts once it is durable; whoever listens cannot undo that."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.conductor import ledger as ledger_module
from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Duplicate, Fenced, Unsettled, Unwritable

REFUSAL = ev.CommandRefused(command="x", by="ana", what="pause shop", code="c", why="w")


def one(state: Any) -> tuple[ev.Event, ...]:
    return (REFUSAL,)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore) -> Ledger:
    return Ledger(MemoryJournal(store), lambda: None)


async def test_state_and_journal_move_together(ledger: Ledger, store: MemoryStore) -> None:
    await ledger.record(one, actor="ana")
    assert ledger.state.seq == len(store.records) == ledger.verified_to == 1
    store.refuses = "disk full"
    with pytest.raises(Unwritable):
        await ledger.record(one, actor="ana")
    assert ledger.state.seq == 1
    assert ledger.trouble == "disk full"
    store.refuses = ""
    await ledger.record(one, actor="ana")
    assert (ledger.state.seq, ledger.trouble) == (2, "")


async def test_trouble_that_nobody_met_for_a_while_is_none(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.refuses = "disk full"
    with pytest.raises(Unwritable):
        await ledger.record(one, actor="ana")
    monkeypatch.setattr(ledger_module, "TROUBLE_S", 0.0)
    assert ledger.trouble == ""


async def test_deciding_on_nothing_writes_nothing(ledger: Ledger, store: MemoryStore) -> None:
    assert await ledger.record(lambda s: (), actor="ana") == []
    assert store.records == []


async def test_an_append_that_was_written_after_all_is_read_before_deciding_again(
    ledger: Ledger, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal: Any = ledger._journal
    real = journal.append

    async def append(drafts: Any, expect_head: int | None = None) -> Any:
        monkeypatch.setattr(journal, "append", real)
        await real(drafts, expect_head)
        raise Unsettled("the disk hangs")

    monkeypatch.setattr(journal, "append", append)
    with pytest.raises(Unsettled):
        await ledger.record(one, actor="ana")
    assert ledger.state.seq == 0
    seen: list[int] = []

    def decide(state: Any) -> tuple[ev.Event, ...]:
        seen.append(state.seq)
        return () if "x" in state.answers else (REFUSAL,)

    assert await ledger.record(decide, actor="ana") == []
    assert seen == [0, 1]
    assert len(store.records) == 1


async def test_whoever_was_fenced_is_told_also_on_the_second_try(store: MemoryStore) -> None:
    lost: list[int] = []
    ledger = Ledger(MemoryJournal(store), lambda: lost.append(1))
    MemoryJournal(store)  # another one takes over
    with pytest.raises(Fenced):
        await ledger.record(one, actor="ana")
    assert lost == [1]
    assert "took the journal over" in ledger.trouble


async def test_a_listener_that_fails_takes_nothing_along(ledger: Ledger) -> None:
    heard: list[int] = []

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    ledger.listen(broken)
    ledger.listen(lambda record, event, state: heard.append(state.seq))
    await ledger.record(one, actor="ana")
    assert heard == [1]


async def test_the_same_idem_twice_is_a_duplicate(ledger: Ledger) -> None:
    await ledger.record(one, actor="ana", idem="i")
    with pytest.raises(Duplicate):
        await ledger.record(one, actor="ana", idem="i")
    assert ledger.trouble == "", "that is no trouble of the journal"


async def test_each_append_is_timed(ledger: Ledger) -> None:
    took: list[float] = []
    ledger.appended = took.append
    await ledger.record(one, actor="ana")
    assert len(took) == 1
    assert took[0] >= 0


async def test_a_record_that_was_changed_is_named(store: MemoryStore) -> None:
    import msgspec

    first = Ledger(MemoryJournal(store), lambda: None)
    await first.record(one, actor="ana")
    await first.record(one, actor="ana")
    store.records[0] = msgspec.structs.replace(store.records[0], actor="mallory")
    again = Ledger(MemoryJournal(store), lambda: None)
    assert await again.replay() == 2
    assert again.broken.startswith("record 1 is BROKEN")
    assert again.verified_to == 0


async def test_an_event_that_could_not_be_read_again_is_not_written(
    ledger: Ledger, store: MemoryStore
) -> None:
    wrong = ev.CommandRefused(command="x", by=7, what="", code="", why="")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"command\.refused has a value of a wrong type"):
        await ledger.record(lambda state: (wrong,), actor="ana")
    assert not store.records
    await ledger.record(one, actor="ana")
    assert ledger.state.seq == 1
