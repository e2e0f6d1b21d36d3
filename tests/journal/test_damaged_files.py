"""Whatever became of a journal's bytes, each verb answers in words, and steers no terminal."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from hatchway.cli import audit
from hatchway.core import events as ev
from hatchway.core.plan import PipelinePlan

VERBS = (
    ("verify",),
    ("report", "1"),
    ("report", "1", "--format", "csv"),
    ("export",),
    ("export", "--format", "cdevents"),
    ("export", "--format", "cloudevents"),
    ("replay", "1"),
)


@pytest.fixture
async def whole(written):
    """The bytes of a journal: as a database in one file, and exported."""
    start = ev.RunStarted(
        run="1",
        service="shop",
        environment="prod",
        mode="act",
        pace=1.0,
        commit="c",
        base="b",
        from_version="1",
        to_version="2",
        plan=PipelinePlan("shop", "shop", "prod", ()),
        policy_digest="",
    )
    held = [ev.RunHeld(run="1", cause="unsure", why=f"look {n}") for n in range(60)]
    directory = await written(start, *held)
    with closing(sqlite3.connect(directory / "journal.db")) as conn:
        conn.execute("PRAGMA journal_mode = DELETE")
    return directory


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_are_a_plain_error_never_a_traceback(whole, capsysbinary, seed):
    rnd = random.Random(seed)
    database = whole / "journal.db"
    assert audit.main(["export", "--file", str(database)]) == 0
    exported = whole / "journal.jsonl"
    exported.write_bytes(capsysbinary.readouterr().out)
    for file in (database, exported):
        for _ in range(3):
            damaged = bytearray(file.read_bytes())
            for _ in range(rnd.choice((1, 3, 60))):
                damaged[rnd.randrange(100, len(damaged))] = rnd.randrange(256)
            if rnd.random() < 0.2:
                del damaged[rnd.randrange(len(damaged)) :]
            place = whole / f"damaged{file.suffix}"
            place.write_bytes(damaged)
            for verb in VERBS:
                named = [str(place)] if verb[0] == "verify" else ["--file", str(place)]
                assert audit.main([*verb, *named]) in (0, 1, 2)
                said = capsysbinary.readouterr()
                text = (said.out + said.err).decode().replace("\r\n", "\n")
                assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("value", ["NULL", "7", "'text'", "x'ff'", "1e999"])
@pytest.mark.parametrize(
    "column", ["stream", "kind", "actor", "epoch", "at", "cause", "idem", "payload", "prev", "hash"]
)
async def test_a_value_of_a_wrong_type_is_a_plain_error(written, edit, capsys, column, value):
    directory = await written(*[ev.RunHeld(run="1", cause="unsure", why="x")] * 3)
    edit(directory / "journal.db", "PRAGMA writable_schema = ON", _without_not_null())
    edit(directory / "journal.db", f"UPDATE event SET {column} = {value} WHERE seq = 2")
    assert audit.main(["verify", "--dir", str(directory)]) == 1
    assert "BROKEN at record 2" in capsys.readouterr().out
    assert audit.main(["tail", "--dir", str(directory)]) in (0, 1)


def _without_not_null() -> str:
    return "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'event'"
