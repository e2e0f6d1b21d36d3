"""The shop's git repository: version 1.4.0 on `main`, and the commits that make 1.5.0.

Built in one `git fast-import`, so that it costs tens of milliseconds; the dates are fixed, so that
the same files give the same commits on every machine.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).parent / "shop_template"
AUTHOR = "shop team <shop@example.invalid>"
FIRST_COMMIT_AT = 1_767_603_600  # a Monday morning, UTC
HOURS_BETWEEN = 5
RELEASE_BRANCH = "release/1.5.0"
COMMITS = ("c1_merge_lines", "c2_free_shipping", "c3_totals_in_cents", "c4_release")
BROKEN_COMMIT = "c2_free_shipping_broken"  # one test of it fails


class RepoError(Exception):
    """git could not do it; the message says what it said."""


class ShopRepo(NamedTuple):
    """The repository and its two interesting commits (full ids)."""

    path: Path
    stable: str
    release: str


def create(path: Path, *, broken: bool = False) -> ShopRepo:
    """Make the repository at `path`, which must not exist. With `broken` a unit test of it fails.

    Raises RepoError.
    """
    git("init", "--quiet", "--template=", "--initial-branch=main", str(path))
    marks = path / ".git" / "marks"
    git(
        *("-C", str(path), "fast-import", "--quiet", f"--export-marks={marks}"),
        stdin=b"".join(_stream(broken)),
    )
    ids = dict(line.split(" ", 1) for line in marks.read_text().splitlines())
    marks.unlink()
    git("-C", str(path), "reset", "--quiet", "--hard")  # so that people find files in there
    return ShopRepo(path, ids[":1"], ids[f":{len(COMMITS) + 1}"])


def checkout(repo: Path, commit: str, work: Path) -> Path:
    """The files of `commit`, in `work`/`commit`; made once. Raises RepoError."""
    place = work / commit
    if place.is_dir():
        return place
    work.mkdir(parents=True, exist_ok=True)
    # Made beside its place and renamed, so that a half-written checkout is never used.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=work) as scratch:
        new = Path(scratch) / "tree"
        new.mkdir()
        git(
            *("--git-dir", str(repo / ".git"), "--work-tree", str(new)),
            *("read-tree", "--reset", "-u", commit),
            index=Path(scratch) / "index",
        )
        try:
            os.rename(new, place)
        except OSError as error:
            if not place.is_dir():  # somebody else was first
                raise RepoError(f"cannot make the checkout {place}: {error}") from error
    return place


def resolve(repo: Path, name: str) -> str:
    """The full id of a commit, branch or tag. Raises RepoError."""
    verify = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    try:
        return git("-C", str(repo), *verify).decode().strip()
    except RepoError:
        raise RepoError(f"the shop's repository has no commit {name!r}") from None


def git(*arguments: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
    """Run git without the user's configuration, hooks or prompts. Raises RepoError."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    try:
        done = subprocess.run(
            ["git", *arguments], input=stdin, capture_output=True, env=environment, check=False
        )
    except OSError as error:
        raise RepoError(f"cannot run git: {error.strerror}. Install git.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RepoError(f"git {arguments[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout


def _stream(broken: bool) -> Iterator[bytes]:
    """What fast-import reads: one commit for the first version, then one for each folder."""
    yield _commit(1, "main", "shop: a catalogue, a cart and a checkout\n")
    yield from _files(TEMPLATE / "v1_4_0")
    yield _tag("v1.4.0", 1)
    mark = 1
    for name in COMMITS:
        folder = BROKEN_COMMIT if broken and BROKEN_COMMIT.startswith(name) else name
        source = TEMPLATE / "v1_5_0" / folder
        mark += 1
        yield _commit(mark, RELEASE_BRANCH, (source / "MESSAGE").read_text())
        if mark == 2:
            yield b"from :1\n"
        yield from _files(source)
    yield _tag("v1.5.0", mark)
    yield b"done\n"


def _commit(mark: int, branch: str, message: str) -> bytes:
    at = FIRST_COMMIT_AT + (mark - 1) * HOURS_BETWEEN * 3600
    text = message.encode()
    return (
        f"commit refs/heads/{branch}\nmark :{mark}\n"
        f"committer {AUTHOR} {at} +0000\ndata {len(text)}\n"
    ).encode() + text


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or name.name == "MESSAGE" or _left_by_tools(name):
            continue
        text = path.read_bytes()
        yield f"M 100644 inline {name.as_posix()}\ndata {len(text)}\n".encode() + text + b"\n"


def _left_by_tools(name: Path) -> bool:
    """Caches that a linter or an interpreter left in the template are no part of the shop."""
    return any(part == "__pycache__" or part.endswith("_cache") for part in name.parts)


def _tag(name: str, mark: int) -> bytes:
    return f"reset refs/tags/{name}\nfrom :{mark}\n\n".encode()
