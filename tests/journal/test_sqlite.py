"""What the SQLite adapter promises beyond the contract: bad disks, bad files, other processes."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from hatchway.journal import sqlite as sqlite_module
from hatchway.journal.chain import Broken, Verified, verify
from hatchway.journal.port import Damaged, Fenced, JournalError, Record, Unsettled, Unwritable
from hatchway.journal.sqlite import SqliteJournal
from hatchway.journal.sqlite_file import last_records, scan


async def test_every_commit_is_flushed_to_disk(on_disk, draft, tmp_path):
    with closing(sqlite3.connect(tmp_path / "journal.db")) as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    # The setting belongs to the writing connection, so ask that one.
    (level,) = on_disk._writer._conn.execute("PRAGMA synchronous").fetchone()
    assert level == 2, "2 is FULL"


async def test_a_locked_database_is_unwritable_in_time_and_recovers(on_disk, draft, tmp_path):
    await on_disk.append([draft(1)])
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(
            *(on_disk.append([draft(n)]) for n in range(30)), return_exceptions=True
        )
        waited = loop.time() - began
        assert {type(a) for a in answers} == {Unwritable}
        assert "locked" in str(answers[0])
        assert waited < 10, "all of them fail together, not one after the other"
        assert [r.seq async for r in on_disk.read()] == [1], "reading goes on"
        other.execute("ROLLBACK")
    (record,) = await on_disk.append([draft(2)])
    assert record.seq == 2


async def test_a_deleted_database_is_not_silently_replaced(on_disk, draft, tmp_path):
    await on_disk.append([draft(1)])
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    for _ in range(2):
        with pytest.raises(Unwritable):
            await on_disk.append([draft(2)])
    assert not (tmp_path / "journal.db").exists()


async def test_an_older_copy_put_in_place_is_noticed(on_disk, draft, tmp_path):
    await on_disk.append([draft(1)])
    with (
        closing(sqlite3.connect(tmp_path / "journal.db")) as source,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        source.backup(copy)
    await on_disk.append([draft(2)])
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    os.rename(tmp_path / "copy.db", tmp_path / "journal.db")
    with pytest.raises(Unwritable):
        await on_disk.append([draft(3)])
    with pytest.raises(Damaged, match="older copy"):
        await on_disk.append([draft(3)])


FULL_DISK = """
import asyncio, pathlib, resource, sys
from hatchway.journal.port import Draft, Unwritable
from hatchway.journal.sqlite import SqliteJournal

async def main():
    journal = await SqliteJournal.open(pathlib.Path(sys.argv[1]))
    big = Draft(stream="s", kind="k", actor="a", payload=b"x" * 20_000)
    await journal.append([big])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    written, refused = 1, 0
    for _ in range(40):
        try:
            await journal.append([big])
            written += 1
        except Unwritable:
            refused += 1
    assert refused, "the limit was never hit"
    seen = [r.seq async for r in journal.read()]
    assert seen == list(range(1, written + 1)), (seen, written)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await journal.append([big])
    await journal.close()
    print("went on at", written + 1)

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_is_unwritable_and_recovers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "journal.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "went on at" in done.stdout, done.stderr
    assert isinstance(verify(scan(tmp_path / "journal.db")), Verified)


async def test_a_commit_that_never_comes_back_is_unsettled_and_told_when_it_does(
    on_disk, draft, monkeypatch
):
    monkeypatch.setattr(sqlite_module, "PATIENCE_S", 0.3)
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()
    let_go = threading.Event()

    def clock() -> float:  # runs within the transaction, on the writer's thread
        loop.call_soon_threadsafe(hanging.set)
        let_go.wait(30)
        return 1e9

    on_disk._writer._clock = clock
    told: list[int] = []
    arrived = asyncio.Event()

    def tell(records) -> None:
        told.extend(r.seq for r in records)
        arrived.set()

    on_disk.subscribe(tell)
    first = asyncio.ensure_future(on_disk.append([draft(1)]))
    await hanging.wait()
    with pytest.raises(Unwritable, match="nothing was written") as queued:
        await on_disk.append([draft(2)])
    assert not isinstance(queued.value, Unsettled)
    with pytest.raises(Unsettled):
        await first
    let_go.set()
    await asyncio.wait_for(arrived.wait(), 20)
    assert told == [1]
    monkeypatch.setattr(sqlite_module, "PATIENCE_S", 20.0)
    assert [r.seq for r in await on_disk.append([draft(3)])] == [2]


@pytest.mark.parametrize("junk", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_a_clear_error_and_stays_as_it_is(tmp_path, junk):
    path = tmp_path / "journal.db"
    path.write_bytes(junk)
    with pytest.raises(Damaged, match=r"journal\.db"):
        await SqliteJournal.open(path)
    assert path.read_bytes() == junk
    with pytest.raises(JournalError):
        list(scan(path))


async def test_somebody_elses_database_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(Damaged, match="not a Hatchway journal"):
        await SqliteJournal.open(path)
    with pytest.raises(Damaged, match="not a Hatchway journal"):
        list(scan(path))


async def open_and_read(path: Path) -> list[Record]:
    journal = await SqliteJournal.open(path)
    try:
        return [record async for record in journal.read()]
    finally:
        await journal.close()


async def test_a_torn_file_is_a_clear_error(tmp_path, draft):
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append([draft(n, payload=b"x" * 3000) for n in range(50)])
    await journal.close()
    size = path.stat().st_size
    for left in (100, 4096, size // 2, size - 4096):
        torn = tmp_path / f"torn-{left}.db"
        torn.write_bytes(path.read_bytes()[:left])
        with pytest.raises(JournalError):
            await open_and_read(torn)


async def test_a_changed_newest_record_stops_the_opening(tmp_path, draft, edit):
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append([draft(1), draft(2)])
    await journal.close()
    edit(path, "UPDATE event SET actor = 'eve' WHERE seq = 2")
    with pytest.raises(Damaged, match="record 2") as refused:
        await SqliteJournal.open(path)
    assert refused.value.seq == 2


async def test_reading_stops_where_a_record_is_missing(tmp_path, draft, edit):
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append([draft(n) for n in range(5)])
    edit(path, "DELETE FROM event WHERE seq = 3")
    with pytest.raises(Damaged, match="record 3 is missing"):
        [r async for r in journal.read()]
    await journal.close()


async def test_records_can_be_neither_changed_nor_removed_by_plain_sql(on_disk, draft, tmp_path):
    await on_disk.append([draft(1)])
    with closing(sqlite3.connect(tmp_path / "journal.db")) as conn:
        for statement in ("UPDATE event SET actor = 'eve'", "DELETE FROM event"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                conn.execute(statement)


async def test_a_directory_that_cannot_be_made_is_unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable):
        await SqliteJournal.open(tmp_path / "file" / "journal.db")


async def test_what_nobody_foresaw_in_one_batch_spares_its_neighbours(on_disk, draft):
    wrong_type = draft(2, payload="text, not bytes")
    answers = await asyncio.gather(
        *(on_disk.append([d]) for d in (draft(1), wrong_type, draft(3))), return_exceptions=True
    )
    assert [type(a) for a in answers] == [list, JournalError, list]
    with pytest.raises(JournalError, match="cannot store"):
        await on_disk.append([draft(4), wrong_type])
    assert [r.seq for r in await on_disk.append([draft(5)])] == [3]


async def test_two_openers_at_the_same_moment_end_with_one_writer(tmp_path, draft):
    both = await asyncio.gather(*(SqliteJournal.open(tmp_path / "journal.db") for _ in range(4)))
    answers = await asyncio.gather(*(j.append([draft(1)]) for j in both), return_exceptions=True)
    assert sorted(type(a).__name__ for a in answers) == ["Fenced", "Fenced", "Fenced", "list"]
    for journal in both:
        await journal.close()


async def test_a_cancelled_append_that_was_not_begun_is_not_written(on_disk, draft, tmp_path):
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        first = asyncio.ensure_future(on_disk.append([draft(1, idem="first")]))
        await asyncio.sleep(0)
        while not on_disk._writer._asks.empty():
            await asyncio.sleep(0.01)
        second = asyncio.ensure_future(on_disk.append([draft(2, idem="second")]))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        other.execute("ROLLBACK")
    await first
    assert [r.idem async for r in on_disk.read()] == ["first"]


WRITES = """
import asyncio, pathlib, sys
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal

async def appends(journal, who):
    n = 0
    while True:
        drafts = [
            Draft(stream=f"run/{who}", kind="k", actor="a", payload=b"x" * 300, idem=f"{who}-{n}-{i}")
            for i in range(n % 3 + 1)
        ]
        records = await journal.append(drafts)
        sys.stdout.write("".join(f"{r.seq} {r.hash}\\n" for r in records))
        sys.stdout.flush()
        n += 1

async def main():
    journal = await SqliteJournal.open(pathlib.Path(sys.argv[1]))
    start = (await journal.head())[0]
    await asyncio.gather(*(appends(journal, f"{start}-{w}") for w in range(4)))

asyncio.run(main())
"""


async def written_until_killed(
    path: Path, after: float, *, at_start: bool = False
) -> AsyncIterator[tuple[int, str]]:
    """What a writing process says is written until it is killed `after` seconds of writing.

    `at_start`: of living; it may be opening the journal then.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITES, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    lines = [] if at_start else [await process.stdout.readline()]
    await asyncio.sleep(after)
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    for line in lines:
        if line.endswith(b"\n"):
            seq, digest = line.split()
            yield int(seq), digest.decode()


@pytest.mark.parametrize("seed", range(4))
async def test_after_kill_9_at_any_moment_all_that_was_acknowledged_is_there(tmp_path, seed):
    path = tmp_path / "journal.db"
    moments = random.Random(seed)
    acknowledged: dict[int, str] = {}
    for n in range(10):
        at_start = n % 3 == 2
        after = moments.uniform(0.1, 0.4) if at_start else moments.uniform(0.0, 0.06)
        async for seq, digest in written_until_killed(path, after, at_start=at_start):
            assert acknowledged.setdefault(seq, digest) == digest
        records = {r.seq: r.hash for r in scan(path)}
        missing = [s for s, digest in acknowledged.items() if records.get(s) != digest]
        assert missing == []
    result = verify(scan(path))
    assert isinstance(result, Verified), result
    assert result.seq == result.records >= len(acknowledged) > 10


async def test_no_flipped_byte_of_the_file_is_taken_for_a_sound_journal(tmp_path, draft):
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append([draft(n) for n in range(40)])
    await journal.close()
    sound = list(scan(path))
    content = path.read_bytes()
    places = random.Random(1)
    broken = 0
    for n in range(300):
        flipped = bytearray(content)
        flipped[places.randrange(len(content))] ^= 1 << places.randrange(8)
        changed = tmp_path / f"flipped-{n}.db"
        changed.write_bytes(flipped)
        try:
            result = verify(scan(changed), expect=(40, sound[-1].hash))
        except JournalError:
            broken += 1
            continue
        if isinstance(result, Broken):
            broken += 1
        else:
            assert list(scan(changed)) == sound, "an index or free space, not a record"
    assert broken > 30


async def test_two_processes_never_write_at_the_same_time(tmp_path, draft):
    path = tmp_path / "journal.db"
    first = await SqliteJournal.open(path)
    await first.append([draft(1)])
    async for seq, _ in written_until_killed(path, 0.05):
        assert seq > 1
    with pytest.raises(Fenced, match=r"process \d+ took"):
        await first.append([draft(2)])
    await first.close()
    assert isinstance(verify(scan(path)), Verified)


async def test_reading_alone_changes_nothing_in_a_dead_journals_directory(tmp_path):
    path = tmp_path / "journal.db"
    async for _ in written_until_killed(path, 0.1):
        pass
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir() if not f.name.endswith("-shm")}
    assert isinstance(verify(scan(path)), Verified)
    assert last_records(path, 3)
    after = {f.name: f.read_bytes() for f in tmp_path.iterdir() if not f.name.endswith("-shm")}
    assert before == after
