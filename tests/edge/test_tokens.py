from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hatchway.edge.identity import Identity
from hatchway.edge.tokens import TokenFileError, Tokens


def line(name: str, token: str, roles: str) -> str:
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()} {roles}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(
        "# tokens of dashboards\n\n"
        + line("ana", "s3cret", "operator,approver")
        + line("wall", "wall-token", "viewer  # the big screen").upper().replace("WALL", "wall", 1)
    )
    path.chmod(0o600)
    return path


def test_a_token_says_whose_it_is(file: Path) -> None:
    tokens = Tokens(file)
    tokens.check()
    assert tokens.whose("s3cret") == Identity("ana", -1, ("operator", "approver"))
    assert tokens.whose("wall-token") is not None
    assert tokens.whose("S3cret") is None
    assert tokens.whose("") is None
    assert tokens.whose("\udcff") is None


def test_the_hash_itself_is_not_a_token(file: Path) -> None:
    stored = hashlib.sha256(b"s3cret").hexdigest()
    assert Tokens(file).whose(stored) is None


def test_an_empty_token_is_nobodys_even_if_its_hash_is_listed(file: Path) -> None:
    file.write_text(line("nobody", "", "operator"))
    assert Tokens(file).whose("") is None


def test_a_line_that_is_taken_out_stops_working_at_once(file: Path) -> None:
    tokens = Tokens(file)
    assert tokens.whose("s3cret") is not None
    file.write_text(line("luis", "other", "viewer"))
    assert tokens.whose("s3cret") is None


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o666, 0o610])
def test_a_file_that_others_can_open_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(TokenFileError, match="chmod 600"):
        Tokens(file).check()
    with pytest.raises(TokenFileError):
        Tokens(file).whose("s3cret")


@pytest.mark.parametrize(
    "bad", ["ana", "ana s3cret operator", f"ana {'0' * 64}", f"a {'g' * 64} x"]
)
def test_a_bad_line_is_named(file: Path, bad: str) -> None:
    file.write_text(line("luis", "other", "viewer") + bad + "\n")
    with pytest.raises(TokenFileError, match=r"tokens:2 .*sha256sum"):
        Tokens(file).check()


def test_no_file_a_directory_and_an_empty_file_are_refused(tmp_path: Path, file: Path) -> None:
    file.write_text("# nothing\n")
    for path in (tmp_path / "missing", tmp_path, file):
        with pytest.raises(TokenFileError, match=str(path)):
            Tokens(path).check()
