"""Proofs convince somebody who has the verifier's key alone, and of nothing that is not so."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from hatchway.cli import audit
from hatchway.journal import proofs
from hatchway.journal.note import NoteError, make_key, signer_of
from hatchway.journal.source import origin_of
from hatchway.journal.sqlite import SqliteJournal

N = 37


@pytest.fixture
def state(tmp_path: Path, draft) -> Path:
    async def fill() -> None:
        journal = await SqliteJournal.open(tmp_path / "journal.db")
        await journal.append([draft(k) for k in range(N)])
        await journal.close()

    asyncio.run(fill())
    make_key(tmp_path / "key")
    return tmp_path


@pytest.fixture
def vkey(state: Path) -> str:
    return str(signer_of(state / "key", origin_of(state)).verifier)


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


def test_a_record_is_proved_to_somebody_who_has_no_journal(state, vkey, capsys):
    proof = state / "proof"
    for seq in (1, 2, 18, N):
        assert run("prove", seq, "--dir", state, "--note", state / "key", "--to", proof) == 0
        elsewhere = ("--dir", state / "nowhere")
        assert run("check", proof, "--vkey", vkey, *elsewhere) == 0
        said = capsys.readouterr().out
        assert f"PROVED: this is record {seq} of {N}" in said
        assert f"#{seq} " in said


def test_no_changed_proof_is_believed(state, vkey, capsys):
    proof = state / "proof"
    assert run("prove", 18, "--dir", state, "--note", state / "key", "--to", proof) == 0
    whole = proof.read_text()
    believed = 0
    for at in range(0, len(whole), 11):
        changed = whole[:at] + chr(ord(whole[at]) ^ 1) + whole[at + 1 :]
        proof.write_text(changed)
        believed += run("check", proof, "--vkey", vkey) == 0
        capsys.readouterr()
    assert believed == 0
    other = proofs.read(whole)
    assert isinstance(other, proofs.Inclusion)
    assert str(other) == whole
    proof.write_text(whole.replace("index 17\n", "index 16\n"))
    assert run("check", proof, "--vkey", vkey) == 1
    assert "NOT PROVED" in capsys.readouterr().out


def test_an_older_checkpoint_is_proved_to_be_the_beginning(state, vkey, capsys, draft, edit):
    kept, proof = state / "kept", state / "proof"
    assert run("checkpoint", "--dir", state, "--note", state / "key", "--to", kept) == 0

    async def grow() -> None:
        journal = await SqliteJournal.open(state / "journal.db")
        await journal.append([draft(k) for k in range(9)])
        await journal.close()

    asyncio.run(grow())
    made = ("prove", "--old", N, "--dir", state, "--note", state / "key", "--to", proof)
    assert run(*made) == 0
    assert proof.read_text().startswith(f"old {N}\n")
    checked = ("check", proof, "--vkey", vkey, "--checkpoint", kept)
    assert run(*checked) == 0
    assert f"the first {N} of {N + 9} records" in capsys.readouterr().out
    lines = kept.read_text().splitlines(keepends=True)
    forged = state / "forged"
    signer = signer_of(state / "key", lines[0].strip())
    text = "".join([*lines[:2], "A" * 43 + "=\n"])
    forged.write_text(str(signer.sign(text)))
    assert run("check", proof, "--vkey", vkey, "--checkpoint", forged) == 1
    assert run("check", proof, "--vkey", vkey) == 2


def test_what_cannot_be_proved_is_said(state, vkey, capsys, edit):
    assert run("prove", "--dir", state, "--note", state / "key") == 2
    assert run("prove", N + 1, "--dir", state, "--note", state / "key") == 2
    kept = state / "kept"
    assert run("checkpoint", "--dir", state, "--note", state / "key", "--to", kept) == 0
    edit(state / "journal.db", "UPDATE event SET hash = prev WHERE seq = 30")
    assert run("prove", 3, "--dir", state, "--checkpoint", kept) == 1
    other = state / "other"
    make_key(other)
    stranger = signer_of(other, "stranger").verifier
    proof = state / "proof"
    edit(state / "journal.db", "DELETE FROM event WHERE seq >= 30")
    assert run("prove", 3, "--dir", state, "--note", state / "key", "--to", proof) == 0
    capsys.readouterr()
    assert run("check", proof, "--vkey", stranger) == 2
    assert "None of the known keys" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        f"{proofs.PROOF}\n\n",
        f"{proofs.PROOF}\nindex -1\n\nx\n1\ny\n\n— a AAAAAAAA\n",
        "old x\n\nx\n1\n" + "A" * 43 + "=\n\n— a AAAAAAAA\n",
        "old 1\nAA==\n\nx\n1\n" + "A" * 43 + "=\n\n— a AAAAAAAA\n",
    ],
)
def test_what_is_no_proof_is_refused(text):
    with pytest.raises(NoteError):
        proofs.read(text)
    with contextlib.suppress(NoteError):
        proofs.read(text + text)
