"""`hatchway audit`: the words and the exit status an auditor gets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hatchway.cli import audit
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal


@pytest.fixture
async def state(tmp_path, draft):
    """A state directory with a journal of 40 records."""
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([draft(n) for n in range(40)])
    await journal.close()
    return tmp_path


def test_a_whole_journal_is_said_to_be_whole(state, capsys):
    assert audit.main(["verify", "--dir", str(state)]) == 0
    said = capsys.readouterr().out
    assert "40 records" in said
    assert "Head 40:" in said


def test_the_first_bad_record_is_named_with_what_it_means(state, capsys, edit):
    edit(
        state / "journal.db",
        "UPDATE event SET actor = 'eve' WHERE seq = 17",
        "UPDATE event SET actor = 'eve' WHERE seq = 30",
    )
    assert audit.main(["verify", "--dir", str(state)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN at record 17" in said
    assert "What it means" in said
    assert "What to do" in said


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("DELETE FROM event WHERE seq = 9", 9),
        ("UPDATE event SET payload = x'7b7d' WHERE seq = 1", 1),
        ("UPDATE event SET payload = cast(payload AS text) WHERE seq = 5", 5),
        ("UPDATE event SET stream = cast(x'ff' AS text) WHERE seq = 6", 6),
        ("UPDATE event SET seq = 100 WHERE seq = 40", 40),
        ("UPDATE event SET at = 'now' WHERE seq = 12", 12),
    ],
)
def test_json_names_the_first_bad_record_too(state, capsys, edit, statement, seq):
    edit(state / "journal.db", statement)
    assert audit.main(["verify", "--json", "--dir", str(state)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["seq"]) == (False, seq)


def test_a_cut_tail_is_found_with_an_expected_head(state, capsys, edit):
    assert audit.main(["verify", "--json", "--dir", str(state)]) == 0
    seq, digest = json.loads(capsys.readouterr().out)["head"]
    edit(state / "journal.db", "DELETE FROM event WHERE seq > 35")
    assert audit.main(["verify", "--dir", str(state)]) == 0
    assert audit.main(["verify", "--dir", str(state), "--expect", f"{seq}:{digest}"]) == 1
    assert "BROKEN at record 36" in capsys.readouterr().out


async def test_a_live_journal_is_verified_while_it_is_written(tmp_path, draft):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([draft(n) for n in range(10)])
    command = "import sys; from hatchway.cli.audit import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", command, "verify", "--json", "--dir", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert json.loads(done.stdout)["events"] == 10
    await journal.append([draft(11)])
    await journal.close()


@pytest.mark.parametrize("verb", ["verify", "tail"])
def test_no_journal_is_a_plain_error(tmp_path, capsys, verb):
    assert audit.main([verb, "--dir", str(tmp_path)]) == 2
    assert "no journal at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "looking creates nothing"


def test_garbage_is_a_plain_error(tmp_path, capsys):
    (tmp_path / "journal.db").write_bytes(b"junk" * 999)
    assert audit.main(["verify", "--dir", str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_tail_prints_the_newest_records_oldest_first(state, capsys):
    assert audit.main(["tail", "-n", "3", "--dir", str(state)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["#38", "#39", "#40"]
    assert audit.main(["tail", "-n", "2", "--json", "--dir", str(state)]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["payload"] for r in records] == [{"n": 38}, {"n": 39}]


async def test_tail_shows_control_characters_and_never_obeys_them(tmp_path, capsys):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    hostile = "\x1b]52;c;aGk=\x07\u202e\r\n"
    await journal.append(
        [Draft(stream=hostile, kind=hostile, actor=hostile, payload=hostile.encode())]
    )
    await journal.close()
    for extra in ([], ["--json"]):
        assert audit.main(["tail", "--dir", str(tmp_path), *extra]) == 0
        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert said.strip("\n").isprintable()
    assert audit.main(["tail", "--dir", str(tmp_path)]) == 0
    assert "␛]52" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["tail", "-n", "0"], ["verify", "--expect", "7"]])
def test_misuse_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        audit.main(arguments)
    assert left.value.code == 2
