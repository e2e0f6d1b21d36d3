"""`hatchway token`: a token is shown once, its hash is what the backend needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hatchway.cli.main import main
from hatchway.edge.tokens import Tokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token"


def made(file: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["token", "new", *words, "--file", str(file)]) == 0
    return capsys.readouterr().out.strip()


def test_a_new_token_opens_and_only_its_hash_is_kept(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = made(file, capsys, "ana", "--roles", "operator,approver", "--for", "30d")
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in file.read_text()
    owner = Tokens(file).whose(token)
    assert owner is not None
    assert (owner.name, owner.roles) == ("ana", ("operator", "approver"))
    other = made(file, capsys, "ci", "--roles", "operator", "--service", "shop,till")
    again = Tokens(file).whose(other)
    assert again is not None
    assert again.services == ("shop", "till")
    assert Tokens(file).whose(token) is not None, "the first one still opens"


def test_an_old_file_without_a_last_line_end_is_added_to(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(f"luis {'0' * 64} viewer")
    file.chmod(0o600)
    token = made(file, capsys, "ana", "--roles", "viewer")
    assert Tokens(file).whose(token) is not None
    assert len(Tokens(file).lines()) == 2


def test_tokens_are_listed_and_taken_out(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = made(file, capsys, "ana", "--roles", "operator", "--for", "1h")
    made(file, capsys, "luis", "--roles", "viewer")
    assert main(["token", "list", "--file", str(file), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(t["name"], t["until"] is None) for t in listed] == [("ana", False), ("luis", True)]
    assert main(["token", "revoke", "ana", "--file", str(file)]) == 0
    assert Tokens(file).whose(token) is None
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["token", "revoke", "ana", "--file", str(file)]) == 1
    capsys.readouterr()
    assert main(["token", "list", "--file", str(file)]) == 0
    assert capsys.readouterr().out == "luis  viewer  never ends\n"


@pytest.mark.parametrize(
    "words",
    [
        ("a b", "--roles", "viewer"),
        ("ana", "--roles", "king"),
        ("ana",),
        ("ana", "--roles", "viewer", "--for", "30"),
        ("ana", "--roles", "viewer", "--service", "a b"),
    ],
)
def test_what_makes_no_line_is_refused(file: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["token", "new", *words, "--file", str(file)])
    assert left.value.code == 2
    assert not file.exists()


def test_nothing_is_added_to_a_file_that_others_can_read(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("")
    file.chmod(0o644)
    assert main(["token", "new", "ana", "--roles", "viewer", "--file", str(file)]) == 1
    assert "chmod 600" in capsys.readouterr().err
    assert file.read_text() == ""
