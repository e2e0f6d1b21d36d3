"""What every adapter of the journal promises. Each test runs against all of them."""

from __future__ import annotations

import asyncio
import math

import pytest

from hatchway.journal.chain import Verified, verify
from hatchway.journal.port import (
    GENESIS,
    Conflict,
    Draft,
    Duplicate,
    Fenced,
    JournalError,
    Record,
)


async def everything(journal) -> list[Record]:
    return [record async for record in journal.read()]


async def test_an_empty_journal_has_the_genesis_head(journal):
    assert await journal.head() == (0, GENESIS)
    assert await everything(journal) == []


async def test_what_was_appended_is_read_back_as_it_was_answered(journal, draft):
    first = await journal.append([draft(1), draft(2, stream="service/shop")])
    second = await journal.append([draft(3)])
    assert await everything(journal) == first + second
    assert [r.seq for r in first + second] == [1, 2, 3]
    assert [r.version for r in first + second] == [1, 1, 2]
    assert await journal.head() == (3, second[-1].hash)


async def test_the_chain_of_what_was_appended_verifies(journal, draft):
    for n in range(20):
        await journal.append([draft(n, stream=f"run/{n % 3}")])
    records = await everything(journal)
    assert verify(records) == Verified(20, 20, records[-1].hash)


async def test_any_payload_bytes_and_any_text_come_back_unchanged(journal):
    odd = Draft(
        stream="run/\x00é\u202e",
        kind="k'\"; --",
        actor="\U0001f600",
        payload=bytes(range(256)),
        epoch=2**63 - 1,
        idem="a\x00b",
    )
    (record,) = await journal.append([odd])
    assert await everything(journal) == [record]
    assert (record.stream, record.payload, record.idem) == (odd.stream, odd.payload, odd.idem)
    assert isinstance(verify(await everything(journal)), Verified)


async def test_a_stale_expected_head_is_a_conflict_and_writes_nothing(journal, draft):
    await journal.append([draft(1)], expect_head=0)
    for stale in (0, 2):
        with pytest.raises(Conflict, match="at 1, not at"):
            await journal.append([draft(2)], expect_head=stale)
    assert len(await everything(journal)) == 1


async def test_an_idem_is_taken_once_in_the_whole_journal(journal, draft):
    await journal.append([draft(1), draft(2, idem="cmd-7")])
    with pytest.raises(Duplicate) as refused:
        await journal.append([draft(3), draft(4, stream="other", idem="cmd-7")])
    assert refused.value.seq == 2
    with pytest.raises(Duplicate) as twice:
        await journal.append([draft(5, idem="x"), draft(6, idem="x")])
    assert twice.value.seq == 0
    assert len(await everything(journal)) == 2


async def test_empty_idems_are_no_duplicates(journal, draft):
    await journal.append([draft(1), draft(2)])
    await journal.append([draft(3)])
    assert len(await everything(journal)) == 3


async def test_a_batch_that_fails_does_not_fail_its_neighbours(journal, draft):
    await journal.append([draft(0, idem="taken")])
    answers = await asyncio.gather(
        journal.append([draft(1, idem="a")]),
        journal.append([draft(2, idem="taken")]),
        journal.append([draft(3)], expect_head=77),
        journal.append([draft(4, idem="b"), draft(5)]),
        return_exceptions=True,
    )
    assert [type(a) for a in answers] == [list, Duplicate, Conflict, list]
    records = await everything(journal)
    assert [r.idem for r in records] == ["taken", "a", "b", ""]
    assert isinstance(verify(records), Verified)


async def test_of_concurrent_appends_that_expect_one_head_one_wins(journal, draft):
    answers = await asyncio.gather(
        *(journal.append([draft(n)], expect_head=0) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(a, list) for a in answers) == 1
    assert sum(isinstance(a, Conflict) for a in answers) == 19


async def test_an_empty_batch_still_checks_the_head(journal, draft):
    assert await journal.append([]) == []
    await journal.append([draft(1)])
    with pytest.raises(Conflict):
        await journal.append([], expect_head=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"stream": "\ud800"},
        {"stream": ""},
        {"kind": ""},
        {"epoch": -1},
        {"epoch": 2**63},
        {"cause": 2**64},
        {"payload": b"x" * (16 * 1024 * 1024 + 1)},
    ],
    ids=lambda bad: next(iter(bad)),
)
async def test_what_cannot_be_stored_is_refused_alone(journal, draft, bad):
    fine = {"stream": "s", "kind": "k", "actor": "a", "payload": b"{}"}
    answers = await asyncio.gather(
        journal.append([draft(1)]),
        journal.append([Draft(**{**fine, **bad})]),
        return_exceptions=True,
    )
    assert isinstance(answers[0], list)
    assert isinstance(answers[1], JournalError)
    assert len(await everything(journal)) == 1


async def test_reading_starts_after_and_stops_at_the_limit(journal, draft):
    await journal.append([draft(n) for n in range(1_203)])
    assert [r.seq async for r in journal.read(after=1_200)] == [1_201, 1_202, 1_203]
    assert [r.seq async for r in journal.read(after=498, limit=4)] == [499, 500, 501, 502]
    assert [r.seq async for r in journal.read()] == list(range(1, 1_204))
    assert [r async for r in journal.read(after=5_000)] == []
    assert [r async for r in journal.read(limit=0)] == []


async def test_subscribers_are_told_in_order_and_before_append_returns(journal, draft):
    told: list[int] = []
    undo = journal.subscribe(lambda records: told.extend(r.seq for r in records))
    for n in range(5):
        records = await journal.append([draft(n), draft(n)])
        assert told[-1] == records[-1].seq
    await asyncio.gather(*(journal.append([draft(n)]) for n in range(30)))
    assert told == list(range(1, 41))
    undo()
    undo()
    await journal.append([draft(9)])
    assert told[-1] == 40


async def test_a_refused_append_tells_nobody(journal, draft):
    told: list[object] = []
    journal.subscribe(told.append)
    with pytest.raises(Conflict):
        await journal.append([draft(1)], expect_head=5)
    assert told == []


async def test_a_failing_subscriber_does_not_fail_the_append_or_the_others(journal, draft):
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: reported.append(what))
    told: list[object] = []

    def fails(records: object) -> None:
        raise ZeroDivisionError

    journal.subscribe(fails)
    journal.subscribe(told.append)
    await journal.append([draft(1)])
    assert len(told) == 1
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


async def test_the_newest_opener_takes_over_and_the_old_one_is_fenced(opener, draft):
    old = await opener()
    await old.append([draft(1)])
    new = await opener()
    with pytest.raises(Fenced, match="took the journal"):
        await old.append([draft(2)])
    (record,) = await new.append([draft(3)], expect_head=1)
    with pytest.raises(Fenced):
        await old.append([draft(4)])
    assert [r.seq for r in await everything(new)] == [1, record.seq]
    assert await everything(old) == await everything(new), "a fenced one may still read"


async def test_what_was_appended_is_there_after_closing_and_opening_again(opener, draft):
    first = await opener()
    records = await first.append([draft(1, idem="a"), draft(2)])
    await first.close()
    second = await opener()
    assert await everything(second) == records
    with pytest.raises(Duplicate):
        await second.append([draft(3, idem="a")])
    (third,) = await second.append([draft(4)])
    assert (third.seq, third.version) == (3, 3)


async def test_close_drains_what_is_under_way(opener, draft):
    journal = await opener()
    appends = [asyncio.ensure_future(journal.append([draft(n)])) for n in range(50)]
    await asyncio.sleep(0)
    await journal.close()
    assert len(await asyncio.gather(*appends)) == 50
    again = await opener()
    assert len(await everything(again)) == 50


async def test_a_closed_journal_says_so(opener, draft):
    journal = await opener()
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.append([draft(1)])


async def test_hash_and_date_are_finite_and_sound(journal, draft):
    (record,) = await journal.append([draft(1)])
    assert math.isfinite(record.at)
    assert record.at > 1_700_000_000
    assert len(record.hash) == 64
