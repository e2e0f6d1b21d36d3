"""Old records move into a sealed file; nothing is lost however it is interrupted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.cli import audit
from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.plan import CheckpointSpec, PipelinePlan
from hatchway.journal import checkpoint as cp
from hatchway.journal import keeping, segment
from hatchway.journal.chain import Broken, Sound, Verified
from hatchway.journal.lines import to_line
from hatchway.journal.note import make_key, parse, signer_of, signers
from hatchway.journal.port import Damaged, Draft, Duplicate, JournalError
from hatchway.journal.sealing import seal
from hatchway.journal.source import origin_of, rows_of
from hatchway.journal.sqlite import SqliteJournal
from hatchway.journal.sqlite_file import scan
from hatchway.settings import shipped

N = 60


def events(count: int) -> list[ev.Event]:
    started = ev.RunStarted(
        run="1",
        service="shop",
        environment="prod",
        mode="act",
        pace=1.0,
        commit="c" * 40,
        base="b" * 40,
        from_version="1",
        to_version="2",
        plan=PipelinePlan("p", "shop", "prod", ()),
        policy_digest="d",
    )
    more = [
        ev.CommandRefused(command=f"c{n}", by="ana", what="pause shop", code="x", why="w")
        if n % 3
        else ev.StageStarted(run="1", stage=f"s{n}")
        for n in range(count - 1)
    ]
    return [started, *more]


async def fill(directory: Path, count: int = N) -> None:
    journal = await SqliteJournal.open(directory / "journal.db")
    await journal.append(
        [
            Draft(
                stream=ev.stream_of(event),
                kind=ev.kind_of(event),
                actor="ana",
                payload=ev.encode(event),
                idem=event.command if isinstance(event, ev.CommandRefused) else "",
            )
            for event in events(count)
        ]
    )
    await journal.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    asyncio.run(fill(tmp_path))
    return tmp_path


def sealed(directory: Path, last: int, **more: Any) -> Any:
    return seal(
        directory / "journal.db",
        directory / "old",
        last,
        clock=lambda: 2e9,
        by="ana",
        **more,
    )


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


def lines(path: Path) -> list[bytes]:
    return [to_line_of(row) for rows in rows_of(path) for row in rows]


def to_line_of(row: Any) -> bytes:
    from hatchway.journal.chain import to_record

    return to_line(to_record(row))


async def state_of(directory: Path) -> Any:
    journal = await SqliteJournal.open(directory / "journal.db")
    ledger = Ledger(journal, lambda: None)
    await ledger.replay()
    await journal.close()
    assert ledger.broken == ""
    return ledger.state


def test_segments_and_database_are_read_as_one_journal(state, capsys):
    before, whole = lines(state), asyncio.run(state_of(state))
    done = sealed(state, 40)
    assert (done.first, done.last, done.trouble) == (1, 40, "")
    after = lines(state)
    assert after[:N] == before
    assert len(after) == N + 1
    assert [r.seq for r in scan(state / "journal.db", 40)] == list(range(41, N + 2))
    assert run("verify", "--dir", state) == 0
    assert f"whole: {N + 1} records" in capsys.readouterr().out
    rebuilt = asyncio.run(state_of(state))
    assert msgspec.structs.replace(rebuilt, seq=N) == whole
    assert run("report", "1", "--dir", state) == 0
    assert run("replay", "1", "--dir", state, "--at", 20) == 0
    capsys.readouterr()
    assert run("export", "--dir", state) == 0
    assert capsys.readouterr().out.encode().split() == b"\n".join(after).split()


def test_a_journal_is_sealed_again_and_again_and_goes_on(state, capsys):
    sealed(state, 20)
    asyncio.run(fill_more(state))
    sealed(state, 41)
    sealed(state, 50)
    assert run("verify", "--dir", state) == 0
    names = [segment.name_of(*pair) for pair in ((1, 20), (21, 41), (42, 50))]
    assert sorted(file.name for file in (state / "old").iterdir()) == names
    with pytest.raises(JournalError, match="sealed already"):
        sealed(state, 50)
    with pytest.raises(JournalError, match="no record"):
        sealed(state, 500)
    assert run("verify", "--dir", state) == 0


async def fill_more(directory: Path) -> None:
    journal = await SqliteJournal.open(directory / "journal.db")
    drafts = [Draft(stream="run/1", kind="k", actor="a", payload=b"{}") for _ in range(5)]
    records = await journal.append(drafts)
    assert records[0].version > 5, "versions go on from those that were sealed"
    with pytest.raises(Duplicate) as twice:
        await journal.append(
            [Draft(stream="commands", kind="k", actor="a", payload=b"{}", idem="c1")]
        )
    assert twice.value.seq == 3
    await journal.close()


def test_a_command_that_was_answered_before_is_known_and_refused_twice(state):
    sealed(state, N)
    assert "c1" in asyncio.run(state_of(state)).answers
    asyncio.run(fill_more(state))


def test_a_sealed_file_is_verified_by_itself_and_its_note_by_anybody(state, capsys):
    make_key(state / "checkpoint.key")
    for before in (31, 51):
        assert run("seal", "--dir", state, "--before", before, "--to", state / "old") == 0
    verifier = signer_of(state / "checkpoint.key", origin_of(state)).verifier
    for file in (state / "old").iterdir():
        capsys.readouterr()
        assert run("verify", file) == 0
        said = capsys.readouterr().out
        note = parse(segment.end_of(file).note)
        assert signers(note, (verifier,)) == [verifier.name]
    assert "whole from record 31 on: 20 records" in said or "whole: 30 records" in said


def test_a_missing_segment_is_named_and_found_where_it_is_said_to_be(state, capsys):
    done = sealed(state, 40)
    (state / "elsewhere").mkdir()
    done.file.rename(state / "elsewhere" / done.file.name)
    assert run("verify", "--dir", state) == 1
    said = capsys.readouterr().out
    assert "BROKEN at record 1" in said
    assert done.file.name in said
    assert "--segments" in said
    assert run("verify", "--dir", state, "--segments", state / "elsewhere") == 0
    assert run("report", "1", "--dir", state, "--segments", state / "elsewhere") == 0
    capsys.readouterr()
    assert run("verify", "--dir", state, "--without-segments") == 0
    assert f"whole from record 41 on: {N - 39} records" in capsys.readouterr().out
    assert asyncio.run(state_of(state)).seq == N + 1, "the backend needs no segment to start"


def test_records_before_a_date_are_sealed(state, capsys, edit):
    assert run("seal", "--dir", state, "--before", "1999-01-01", "--to", state / "old") == 2
    assert "there are none" in capsys.readouterr().err
    assert run("seal", "--dir", state, "--before", "soon", "--to", state / "old") == 2
    assert run("seal", "--json", "--dir", state, "--before", "2999-01-01", "--to", state) == 0
    assert json.loads(capsys.readouterr().out)["last"] == N


def test_a_broken_journal_is_not_sealed(state, edit, capsys):
    edit(state / "journal.db", "UPDATE event SET actor = 'eve' WHERE seq = 50")
    assert run("seal", "--dir", state, "--before", 20, "--to", state / "old") == 1
    assert "Nothing was sealed" in capsys.readouterr().err
    with closing(sqlite3.connect(state / "journal.db")) as conn:
        assert conn.execute("SELECT count(*) FROM event").fetchone() == (N,)


def test_nothing_is_sealed_while_a_backend_runs(state, capsys):
    import fcntl

    with open(state / "backend.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run("seal", "--dir", state, "--before", 20, "--to", state / "old") == 2
    assert "stop it first" in capsys.readouterr().err


def test_a_segment_of_another_journal_is_never_replaced(state, tmp_path_factory):
    """One archive for two installations: the same numbers are the same name."""
    other = tmp_path_factory.mktemp("other")
    asyncio.run(fill(other, N + 1))
    done = seal(other / "journal.db", state / "old", 40, clock=lambda: 2e9, by="ana")
    before = lines(other)
    with pytest.raises(JournalError, match="has other records"):
        sealed(state, 40)
    assert len(list(scan(state / "journal.db"))) == N
    assert lines(other) == before
    assert done.file.exists()


async def test_what_is_said_of_drills_outlives_their_records(state, capsys):
    from hatchway.cli.main import main
    from hatchway.core.drills import NEEDED_FAULTS, STOPS, Cell, Evidence

    cells = tuple(Cell(fault=f, stop=s, status="passed") for f in NEEDED_FAULTS for s in STOPS)
    evidence = Evidence(
        drill="one", environment="staging", service="shop", began=1.0, ended=9e8, by="ana",
        cells=cells,
    )  # fmt: skip
    journal = await SqliteJournal.open(state / "journal.db")
    ledger = Ledger(journal, lambda: None)
    await ledger.replay()
    event = ev.DrillRecorded(evidence=evidence, digest="d")
    await ledger.record(lambda _: (event,), actor="ana")
    await journal.close()
    shutil.copytree(shipped(), state / "config")
    await asyncio.to_thread(sealed, state, N + 1)
    main(["drill", "--status", "--json", "--dir", str(state)])
    assert [d["drill"] for d in json.loads(capsys.readouterr().out)["drills"]] == ["one"]


STEPS = (
    "write the file",
    "flush the file",
    "verify the file",
    "rename the file",
    "open the database",
    "note the segment",
    "journal it",
    "remove the records",
    "commit",
    "vacuum",
    "done",
)


def killed_at(directory: Path, wanted: str) -> None:
    """Seal in another process that is killed (-9) as it comes to a step."""
    pid = os.fork()
    if pid == 0:

        def step(name: str) -> None:
            if name == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sealed(directory, 40, step=step)
        finally:
            os._exit(3)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"it never came to {wanted!r}"


@pytest.mark.parametrize("wanted", STEPS)
def test_killed_at_any_step_nothing_is_lost_and_it_can_be_done_again(state, wanted, capsys):
    before = lines(state)
    killed_at(state, wanted)
    after = lines(state)
    assert after[:N] == before
    assert run("verify", "--dir", state) == 0
    assert asyncio.run(state_of(state)).seq == len(after)
    if len(after) == N:  # killed before the commit: all records are in the database
        assert len(list(scan(state / "journal.db"))) == N
        sealed(state, 40)
    assert lines(state)[:N] == before
    assert run("verify", "--dir", state) == 0
    with closing(sqlite3.connect(state / "journal.db")) as conn:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            conn.execute("DELETE FROM event")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            conn.execute("UPDATE event SET actor = 'eve'")


def test_a_disk_that_is_full_changes_nothing(state, monkeypatch):
    import errno

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = lines(state)
    with monkeypatch.context() as patch:
        patch.setattr("hatchway.journal.sealing.os.fsync", full)
        with pytest.raises(JournalError, match="Nothing was changed"):
            sealed(state, 40)
    assert lines(state) == before


def broken(path: Path) -> Broken:
    from hatchway.cli.audit_reading import records

    sound = records(path, cp.Anchors())
    for _ in sound:
        pass
    assert isinstance(sound.found, Broken)
    return sound.found


def test_every_change_of_a_segment_is_found(state, bar):
    """Flip each byte's lowest bit, drop, swap, double and insert each line, cut at each line."""
    done = sealed(state, 40)
    whole = done.file.read_bytes()
    pieces = whole.splitlines(keepends=True)
    after = [rows for rows in rows_of(state / "journal.db") if rows][-1:]
    assert after[0][0][0] == 41
    begins, end = segment.begin_of(done.file), segment.end_of(done.file)
    tried = 0

    def changed(data: bytes) -> None:
        """As `rows_of` reads it, without opening the database each time."""
        nonlocal tried
        done.file.write_bytes(data)
        sound = Sound(chain(segment.rows(done.file, end.last, begins, end.root), after))
        try:
            for _ in sound:
                pass
        except Damaged:
            tried += 1  # the file as a whole
            return
        assert isinstance(sound.found, Broken)
        assert 1 <= sound.found.seq <= 41
        tried += 1

    changed(b"")

    inner = range(len(pieces[0]), len(whole) - len(pieces[-1]), 17)
    for at in (*range(len(pieces[0])), *inner, *range(len(whole) - len(pieces[-1]), len(whole))):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        if same(bytes(flipped), whole):
            continue
        changed(bytes(flipped))
    for at in range(len(pieces)):
        rest = pieces[:at] + pieces[at + 1 :]
        changed(b"".join(rest))
        changed(b"".join(pieces[:at]))
        changed(b"".join([*pieces[: at + 1], pieces[at], *pieces[at + 1 :]]))
        if at + 1 < len(pieces):
            changed(b"".join([*pieces[:at], pieces[at + 1], pieces[at], *pieces[at + 2 :]]))
    done.file.write_bytes(whole)
    assert run("verify", "--dir", state) == 0
    bar("audit mutations found, of a segment", f"{tried} of {tried}", "all")


def same(changed: bytes, whole: bytes) -> bool:
    """Whether a changed file still says the very same (a note's text beside it, an escape)."""
    for a, b in zip(changed.splitlines(), whole.splitlines(), strict=False):
        if a == b:
            continue
        try:
            one, other = json.loads(a), json.loads(b)
        except ValueError:
            return False
        return bool(one == other)
    return len(changed.splitlines()) == len(whole.splitlines())


def test_what_stands_in_place_of_sealed_records_cannot_be_changed(state, edit):
    """The state, the last hash and the file's name: the chain has their digests."""
    sealed(state, 40)
    database = state / "journal.db"
    with closing(sqlite3.connect(database)) as conn:
        (kept,) = conn.execute("SELECT state FROM sealed").fetchone()
    for name, value in (
        ("state", kept.replace(b'"shop"', b'"shoq"')),
        ("hash", "0" * 64),
        ("root", "0" * 64),
        ("file", "/x/other.jsonl"),
        ("first", 2),
    ):
        with closing(sqlite3.connect(database)) as conn:
            (old,) = conn.execute(f"SELECT {name} FROM sealed").fetchone()
            conn.execute(f"UPDATE sealed SET {name} = ?", (value,))
            conn.commit()
        with pytest.raises(Damaged, match="was changed"):
            asyncio.run(state_of(state))
        if name != "state":
            assert broken(state)
        with closing(sqlite3.connect(database)) as conn:
            conn.execute(f"UPDATE sealed SET {name} = ?", (old,))
            conn.commit()
    assert asyncio.run(state_of(state)).seq == N + 1
    assert hashlib.sha256(kept).hexdigest() in (lines(state)[-1]).decode()


async def test_checkpoints_go_on_over_sealed_records(tmp_path, capsys):
    await fill(tmp_path)
    spec = CheckpointSpec(3600.0, ("far",), ())
    for expected in (N, N + 1):
        journal = await SqliteJournal.open(tmp_path / "journal.db")
        said: list[str] = []
        kept = keeping.Checkpoints(spec, tmp_path, lambda: 1.0, said.append, await journal.base())
        ledger = Ledger(journal, lambda: None)
        ledger.listen(kept.take)
        await ledger.replay()
        task = asyncio.create_task(kept.run())
        async with asyncio.timeout(30):
            while kept.noted != expected:
                await asyncio.sleep(0.01)
        task.cancel()
        await journal.close()
        if expected == N:
            await asyncio.to_thread(sealed, tmp_path, 50)
    vkey = tmp_path / keeping.VKEY
    options = ("--checkpoint", tmp_path / "far", "--vkey", vkey)
    assert run("verify", "--dir", tmp_path, *options) == 0
    assert f"the last is record {N + 1}" in capsys.readouterr().out
    assert run("verify", "--dir", tmp_path, "--without-segments", *options) == 0


def test_a_sound_is_verified_over_a_segment_alone(state):
    done = sealed(state, 40)
    begin = segment.begin_of(done.file)
    sound = Sound(segment.rows(done.file), begin.head)
    assert sum(len(rows) for rows in sound) == 40
    assert isinstance(sound.found, Verified)
