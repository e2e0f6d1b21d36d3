"""Signed notes and checkpoints as C2SP writes them; a changed one is refused."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.cli import audit
from hatchway.journal import checkpoint as cp
from hatchway.journal import note as n
from hatchway.journal.sqlite import SqliteJournal

# The key and the note of the reference implementation's documentation (Go, sumdb/note).
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
NOTE = (
    f"{TEXT}\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
HEAD = n.TreeHead("hatchway.invalid/journal/1", 3, bytes(32))


def key_file(directory: Path, kind: str = "ed25519") -> Path:
    """A key as people make one."""
    file = directory / f"key-{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file], check=True)
    return file


def test_the_reference_note_is_verified_and_comes_back_as_it_was():
    note = n.parse(NOTE)
    assert note.text == TEXT
    assert str(note) == NOTE
    assert n.signers(note, (n.verifier_of(VKEY),)) == ["PeterNeumann"]
    assert str(n.verifier_of(VKEY)) == VKEY


def test_every_changed_character_of_the_reference_note_is_refused():
    known = (n.verifier_of(VKEY),)
    for at in range(len(NOTE)):
        changed = NOTE[:at] + chr(ord(NOTE[at]) ^ 1) + NOTE[at + 1 :]
        with pytest.raises(n.NoteError):
            n.signers(n.parse(changed), known)


def test_a_key_that_ssh_keygen_made_signs_and_openssl_agrees(tmp_path):
    signer = n.signer_of(key_file(tmp_path), "here.example/log")
    note = signer.sign(HEAD.text)
    assert n.signers(n.parse(str(note)), (signer.verifier,)) == ["here.example/log"]
    # Another implementation of Ed25519 says the same of the very bytes.
    der = bytes.fromhex("302a300506032b6570032100") + signer.verifier.public
    for name, data in (
        ("public", der),
        ("text", HEAD.text.encode()),
        ("signature", note.signatures[0].value),
    ):
        (tmp_path / name).write_bytes(data)
    subprocess.run(
        "openssl pkeyutl -verify -pubin -keyform DER -inkey public -rawin -in text"
        " -sigfile signature",
        shell=True,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


def test_a_key_that_was_made_here_can_be_read_by_its_account_alone(tmp_path):
    n.make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    signer = n.signer_of(tmp_path / "key", "x")
    assert n.signers(signer.sign("a\n"), (signer.verifier,)) == ["x"]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_keys_are_refused_with_what_to_do(tmp_path, kind):
    with pytest.raises(n.NoteError, match="ssh-keygen -t ed25519"):
        n.signer_of(key_file(tmp_path, kind), "x")


def test_what_is_no_key_is_refused(tmp_path):
    (tmp_path / "junk").write_text("junk")
    for path, says in (("junk", "no private key"), ("nowhere", "cannot be read")):
        with pytest.raises(n.NoteError, match=says):
            n.signer_of(tmp_path / path, "x")
    key = key_file(tmp_path)
    for name in ("a b", "a+b", "", "a\u2003b"):
        with pytest.raises(n.NoteError, match="name of a key"):
            n.signer_of(key, name)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "x+y",
        "x+00000000+!!",
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("PeterNeumann", "EveNeumann"),
        VKEY[:-4],
        "a b" + VKEY,
    ],
)
def test_a_changed_verifiers_key_is_refused(line):
    with pytest.raises(n.NoteError):
        n.verifier_of(line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        "a\nb\n",
        "a\n\nb\n",
        "a\n\n— x\n",
        "a\n\n— x !!\n",
        "a\n\n— x AAAA\n",
        "a\n\n— x+y AAAAAAAA\n",
        "a\n\n- x AAAAAAAA\n",
        "a\n\n— x AAAAAAAA",
        "a\x1b\n\n— x AAAAAAAA\n",
        "a\n\n" + "— x AAAAAAAA\n" * 101,
    ],
)
def test_what_is_no_note_is_refused(text):
    with pytest.raises(n.NoteError):
        n.parse(text)


@pytest.mark.parametrize(
    "text",
    ["a\n", "a\n1\n", "a\n01\nAA==\n", "a\n1\nAA==\n", "a\n-1\n" + "A" * 43 + "=\n"],
)
def test_a_note_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(n.NoteError):
        n.tree_head(n.Note(text, ()))
    assert n.tree_head(n.Note(HEAD.text + "an extension\n", ())) == HEAD


def test_a_signature_of_an_unknown_key_is_let_be_and_alone_proves_nothing(tmp_path):
    mine = n.signer_of(key_file(tmp_path), "mine")
    n.make_key(tmp_path / "other")
    other = n.signer_of(tmp_path / "other", "mine")
    note = mine.sign(HEAD.text)
    both = n.Note(note.text, (*other.sign(HEAD.text).signatures, *note.signatures))
    assert n.signers(both, (mine.verifier,)) == ["mine"]
    with pytest.raises(n.NoteError, match="None of the known keys"):
        n.signers(note, (other.verifier,))


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(n.NoteError):
        n.tree_head(n.parse(text))


@pytest.fixture
async def state(tmp_path, draft):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([draft(k) for k in range(40)])
    await journal.close()
    return tmp_path


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


def test_a_checkpoint_as_a_note_finds_a_cut_tail_and_names_its_signer(state, capsys, edit):
    key, kept = key_file(state), state / "elsewhere"
    assert run("checkpoint", "--dir", state, "--to", kept, "--note", key) == 0
    said = capsys.readouterr().out
    vkey = said.split("--vkey ")[1].split()[0]
    assert kept.read_text().splitlines()[1] == "40"
    assert run("verify", "--dir", state, "--checkpoint", kept, "--vkey", vkey) == 0
    said = capsys.readouterr().out
    assert "1 checkpoint is in it; the last is record 40" in said
    assert "Each is signed, by: hatchway.invalid/journal/" in said
    assert run("verify", "--dir", state, "--checkpoint", kept) == 0
    assert "were not checked" in capsys.readouterr().out
    edit(state / "journal.db", "DELETE FROM event WHERE seq > 35")
    assert run("verify", "--dir", state, "--checkpoint", kept) == 1
    assert "BROKEN at record 36" in capsys.readouterr().out


def test_notes_and_lines_stand_in_one_file_and_all_are_checked(state, capsys):
    key, kept = key_file(state), state / "elsewhere"
    for more in ((), ("--note", key), (), ("--note", key)):
        assert run("checkpoint", "--dir", state, "--to", kept, *more) == 0
    assert [type(c) for c in cp.read(kept)] == [cp.Checkpoint, cp.Noted] * 2
    assert run("verify", "--dir", state, "--checkpoint", kept) == 0
    capsys.readouterr()
    assert run("report", "1", "--dir", state, "--checkpoint", kept, "--vkey", VKEY) == 2
    assert "is no signed note" in capsys.readouterr().err


def test_a_note_of_another_journal_or_of_a_rewritten_one_is_refused(state, capsys):
    key, kept = key_file(state), state / "elsewhere"
    assert run("checkpoint", "--dir", state, "--to", kept, "--note", key) == 0
    (noted,) = cp.read(kept)
    assert isinstance(noted, cp.Noted)
    signer = n.signer_of(key, noted.head.origin)
    head = n.TreeHead(noted.head.origin, 40, bytes(32))
    kept.write_text(str(signer.sign(head.text)))
    capsys.readouterr()
    assert run("verify", "--dir", state, "--checkpoint", kept) == 1
    assert "have not the root" in capsys.readouterr().out
    kept.write_text(str(noted.note) + str(signer.sign(head.text)))
    assert run("verify", "--dir", state, "--checkpoint", kept) == 2
    assert "contradict" in capsys.readouterr().err
    kept.write_text(str(noted.note).replace("\n40\n", "\n41\n"))
    assert run("verify", "--dir", state, "--checkpoint", kept, "--vkey", signer.verifier) == 2
    assert "not of this text" in capsys.readouterr().err
    kept.write_text(str(noted.note)[:-9])
    assert run("verify", "--dir", state, "--checkpoint", kept) == 2


def test_half_a_checkpoint_is_never_left_in_a_file(tmp_path, monkeypatch):
    """A full disk takes some bytes and refuses the rest."""
    import resource
    import signal

    kept = tmp_path / "kept"
    cp.append(kept, cp.Checkpoint(seq=1, hash="a" * 64, at=1.0))
    whole = kept.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, old[1]))
    try:
        with pytest.raises(OSError, match=r"."):
            cp.append(kept, cp.Checkpoint(seq=2, hash="b" * 64, at=1.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert kept.read_bytes() == whole
