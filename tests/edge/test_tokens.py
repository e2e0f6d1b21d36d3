from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hatchway.edge.tokens import TokenFileError, Tokens


def line(name: str, token: str, roles: str) -> str:
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()} {roles}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(
        "# tokens of dashboards\n\n"
        + line("ana", "s3cret", "operator,approver")
        + line("wall", "wall-token", "").upper().replace("WALL ", "wall ").strip()
        + " viewer  # the big screen\n"
    )
    path.chmod(0o600)
    return path


def test_a_token_says_whose_it_is(file: Path) -> None:
    tokens = Tokens(file)
    tokens.check()
    ana = tokens.whose("s3cret")
    assert ana is not None
    assert (ana.name, ana.uid, ana.roles) == ("ana", -1, ("operator", "approver"))
    assert ana.who.how == "token ana"
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


NOON = 1_900_000_000.0  # 2030-03-17T17:46:40Z


@pytest.mark.parametrize(
    ("until", "good"),
    [
        ("2030-03-17", True),  # the whole of its last day
        ("2030-03-16", False),
        ("2030-03-17T17:46Z", False),
        ("2030-03-17T17:47Z", True),
        ("2030-03-17T18:46+01:00", False),
    ],
)
def test_a_token_ends_and_says_when(file: Path, until: str, good: bool) -> None:
    file.write_text(line("ana", "s3cret", f"operator until={until}"))
    found = Tokens(file, clock=lambda: NOON).login("s3cret")
    assert isinstance(found, str) != good
    if not good:
        assert "this token of ana ended at 2030-03-1" in str(found)


def test_a_token_is_good_for_what_it_says(file: Path) -> None:
    file.write_text(line("ci", "s3cret", "operator service=shop,till environment=staging,qa"))
    found = Tokens(file, environment="staging").login("s3cret")
    assert not isinstance(found, str)
    assert found.services == ("shop", "till")
    assert found.covers("till")
    assert not found.covers("api")
    assert Tokens(file, environment="prod").login("s3cret") == (
        "this token of ci is good for staging, qa, not for prod"
    )


def test_who_somebody_is_follows_the_file(file: Path) -> None:
    tokens = Tokens(file)
    ana = tokens.whose("s3cret")
    assert ana is not None
    file.write_text(line("ana", "s3cret", "viewer"))
    less = tokens.renewed(ana)
    assert not isinstance(less, str)
    assert less.roles == ("viewer",)
    file.write_text(line("luis", "other", "viewer"))
    assert tokens.renewed(ana) == "your token was taken out of the token file"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("operator until=soon", "until=2031-12-31"),
        ("operator until=2030-01-01T10:00", "until=2031-12-31"),  # of which zone?
        ("operator until=9999-12-31", "until=2031-12-31"),
        ("operator untill=2030-01-01", "until="),
        ("operator until=2030-01-01 until=2031-01-01", "each once"),
        ("operator service=", "each once"),
        ("king", "there are viewer"),
        ("until=2030-01-01", "NAME SHA256 ROLES"),
    ],
)
def test_a_wrong_option_is_named_with_its_line(file: Path, rest: str, said: str) -> None:
    file.write_text(line("luis", "other", "viewer") + line("ana", "x", rest))
    with pytest.raises(TokenFileError, match=f"tokens:2 .*{said}"):
        Tokens(file).check()
