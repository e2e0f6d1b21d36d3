"""`hatchway audit checkpoint` and `verify --checkpoint`: a tail that was cut off is missed."""

from __future__ import annotations

import json
import subprocess

import pytest

from hatchway.cli import audit
from hatchway.journal.checkpoint import Checkpoint, CheckpointError, anchors, read, to_line
from hatchway.journal.lines import to_line as record_line
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal
from hatchway.journal.sqlite_file import scan


@pytest.fixture
async def state(tmp_path, draft):
    """A state directory with a journal of 40 records."""
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([draft(n) for n in range(40)])
    await journal.close()
    return tmp_path


@pytest.fixture
def exported(state):
    """The same journal as JSON Lines."""
    file = state / "journal.jsonl"
    file.write_bytes(b"".join(record_line(r) + b"\n" for r in scan(state / "journal.db")))
    return file


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


def grow(state, draft, count: int) -> None:
    import asyncio

    async def go() -> None:
        journal = await SqliteJournal.open(state / "journal.db")
        await journal.append([draft(n) for n in range(count)])
        await journal.close()

    asyncio.run(go())


def test_a_cut_tail_is_found_with_a_checkpoint(state, capsys, edit):
    kept = state / "elsewhere.jsonl"
    assert run("checkpoint", "--dir", state, "--to", kept) == 0
    assert "record 40" in capsys.readouterr().out
    assert run("verify", "--dir", state, "--checkpoint", kept) == 0
    assert "the last is record 40" in capsys.readouterr().out
    edit(state / "journal.db", "DELETE FROM event WHERE seq > 35")
    assert run("verify", "--dir", state) == 0
    capsys.readouterr()
    assert run("verify", "--dir", state, "--checkpoint", kept) == 1
    assert "BROKEN at record 36" in capsys.readouterr().out


def test_checkpoints_add_up_and_a_growing_journal_contains_them_all(state, capsys, draft):
    kept = state / "elsewhere.jsonl"
    assert run("checkpoint", "--dir", state, "--to", kept) == 0
    grow(state, draft, 5)
    assert run("checkpoint", "--dir", state, "--to", kept) == 0
    grow(state, draft, 3)
    assert [c.seq for c in read(kept)] == [40, 45]
    capsys.readouterr()
    assert run("verify", "--dir", state, "--checkpoint", kept) == 0
    said = capsys.readouterr().out
    assert "2 checkpoints are in it" in said
    assert "3 records after it" in said
    assert run("verify", "--json", "--dir", state, "--checkpoint", kept) == 0
    assert json.loads(capsys.readouterr().out)["anchored_to"] == 45


def test_no_checkpoint_is_added_to_a_journal_that_lost_an_older_one(state, capsys, edit):
    kept = state / "elsewhere.jsonl"
    assert run("checkpoint", "--dir", state, "--to", kept) == 0
    edit(state / "journal.db", "DELETE FROM event WHERE seq > 35")
    before = kept.read_bytes()
    assert run("checkpoint", "--dir", state, "--to", kept) == 1
    assert kept.read_bytes() == before
    edit(state / "journal.db", "UPDATE event SET actor = 'eve' WHERE seq = 3")
    assert run("checkpoint", "--dir", state) == 1
    assert '"seq":' not in capsys.readouterr().out


def test_a_checkpoint_is_printed_when_no_file_is_named(state, capsys):
    assert run("checkpoint", "--dir", state) == 0
    line = capsys.readouterr().out
    (state / "noted").write_text(line)
    assert read(state / "noted")[0].seq == 40


def test_an_exported_file_is_verified_as_the_database_is(state, exported, capsys):
    kept = state / "elsewhere.jsonl"
    assert run("checkpoint", "--dir", state, "--to", kept) == 0
    assert run("verify", exported, "--checkpoint", kept) == 0
    lines = exported.read_bytes().splitlines(keepends=True)
    exported.write_bytes(b"".join(lines[:-1]))
    assert run("verify", exported) == 0
    assert run("verify", exported, "--checkpoint", kept) == 1
    exported.write_bytes(b"".join(lines[:9] + lines[10:]))
    capsys.readouterr()
    assert run("verify", exported) == 1
    assert "BROKEN at record 10" in capsys.readouterr().out
    assert run("verify", exported, "--selection") == 1  # a run's own records have no gaps
    exported.write_bytes(b"".join(lines[9:]))
    capsys.readouterr()
    assert run("verify", exported) == 1
    assert run("verify", exported, "--selection", "--checkpoint", kept) == 0
    assert "A selection of 31 records" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"", b"junk\n", b'{"type":"checkpoint-1","seq":0,"hash":"","at":0}\n', b"\xff\n"]
)
def test_a_file_that_holds_no_checkpoints_is_no_proof_of_anything(state, capsys, content):
    (state / "noted").write_bytes(content)
    assert run("verify", "--dir", state, "--checkpoint", state / "noted") == 2
    assert run("verify", "--dir", state, "--checkpoint", state / "nowhere") == 2
    assert "noted" in capsys.readouterr().err


def test_checkpoints_that_contradict_each_other_are_refused():
    one = Checkpoint(seq=7, hash="a" * 64, at=1.0)
    other = Checkpoint(seq=7, hash="b" * 64, at=2.0)
    assert anchors([one, one]).heads == {7: "a" * 64}
    with pytest.raises(CheckpointError, match="contradict"):
        anchors([one, other])


async def test_an_empty_journal_has_no_head_to_note(tmp_path, capsys):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.close()
    assert run("checkpoint", "--dir", tmp_path) == 2
    assert "empty" in capsys.readouterr().err


def keypair(directory, name):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory / name],
        check=True,
    )
    return directory / name


def test_a_signed_checkpoint_names_its_signer_and_a_forged_one_is_refused(state, capsys):
    key, other = keypair(state, "auditor"), keypair(state, "eve")
    allowed = state / "allowed"
    allowed.write_text("auditor@shop " + (state / "auditor.pub").read_text())
    kept = state / "elsewhere.jsonl"
    assert run("checkpoint", "--dir", state, "--to", kept, "--sign", key) == 0
    capsys.readouterr()
    signed = ("verify", "--dir", state, "--checkpoint", kept, "--signers", allowed)
    assert run(*signed) == 0
    assert "auditor@shop" in capsys.readouterr().out
    whole = read(kept)[0]
    for forged in (
        Checkpoint(seq=39, hash=whole.hash, at=whole.at, sshsig=whole.sshsig),
        Checkpoint(seq=40, hash="0" * 64, at=whole.at, sshsig=whole.sshsig),
        Checkpoint(seq=40, hash=whole.hash, at=whole.at + 1, sshsig=whole.sshsig),
        Checkpoint(seq=40, hash=whole.hash, at=whole.at),
        Checkpoint(seq=40, hash=whole.hash, at=whole.at, sshsig="junk\x1b"),
    ):
        kept.write_bytes(to_line(forged))
        assert run(*signed) == 2
        assert "\x1b" not in capsys.readouterr().err
    kept.unlink()
    assert run("checkpoint", "--dir", state, "--to", kept, "--sign", other) == 0
    assert run(*signed) == 2
    assert run("checkpoint", "--dir", state, "--sign", state / "nokey") == 2


async def test_hostile_names_in_a_broken_journal_are_made_visible(tmp_path, capsys, edit):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([Draft(stream="\x1b]0;x\x07", kind="k", actor="a", payload=b"{}")] * 2)
    await journal.close()
    edit(tmp_path / "journal.db", "UPDATE event SET version = 7 WHERE seq = 2")
    assert run("verify", "--dir", tmp_path) == 1
    assert "\x1b" not in capsys.readouterr().out
