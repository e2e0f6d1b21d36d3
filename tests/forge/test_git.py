"""A real repository, also one whose authors mean no good."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from hatchway.forge import git
from hatchway.forge.git import GitForge
from hatchway.forge.port import ForgeError

WHO = {
    "GIT_AUTHOR_NAME": "ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}


class Repo:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, **env: str) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "HOME": str(self.path), **WHO, **env},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, title: str, author: str = "ana", **files: str) -> str:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", title, GIT_AUTHOR_NAME=author)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


@pytest.fixture
def forge(repo: Repo, tmp_path: Path) -> GitForge:
    return GitForge(repo.path, tmp_path / "work")


async def test_what_lies_between_two_commits(repo: Repo, forge: GitForge) -> None:
    base = repo.commit("first", a="1\n", b="1\n")
    repo.commit("second", a="2\n3\n")
    (repo.path / "blob").write_bytes(bytes(range(256)))
    head = repo.commit("third", author="luis")
    found = await forge.changes(base, head)
    assert [(c.author, c.title) for c in found.commits] == [("luis", "third"), ("ana", "second")]
    assert found.commits[0].commit == head
    assert {(f.path, f.added, f.removed) for f in found.files} == {("a", 2, 1), ("blob", -1, -1)}
    assert found.in_all == 2
    assert (await forge.changes(head, head)).commits == ()


@pytest.mark.parametrize("break_", ["\u2028", "\x1c", "\x85", "\x0b", "\x1b[2J", "[@click=x]"])
async def test_no_line_break_or_markup_in_a_name_hides_a_commit(
    repo: Repo, forge: GitForge, break_: str
) -> None:
    base = repo.commit("first")
    head = repo.commit(f"harmless{break_}title", author=f"an{break_}a")
    found = await forge.changes(base, head)
    assert len(found.commits) == 1
    assert found.commits[0].title == f"harmless{break_}title"
    assert found.commits[0].author == f"an{break_}a"


async def test_names_and_titles_are_cut_and_odd_paths_are_kept(repo: Repo, forge: GitForge) -> None:
    base = repo.commit("first")
    head = repo.commit("t" * 5000, author="a" * 500, **{"di r/ta\tb\nnew": "x"})
    found = await forge.changes(base, head)
    assert len(found.commits[0].title) == git.LONGEST_TITLE
    assert len(found.commits[0].author) == git.LONGEST_NAME
    assert [f.path for f in found.files] == ["di r/ta\tb\nnew"]


async def test_more_commits_than_are_listed_are_counted(
    repo: Repo, forge: GitForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "MOST_COMMITS", 2)
    base = repo.commit("first")
    for i in range(4):
        head = repo.commit(str(i))
    found = await forge.changes(base, head)
    assert (len(found.commits), found.in_all) == (2, 4)


async def test_a_ref_is_resolved_and_a_hostile_one_is_refused(repo: Repo, forge: GitForge) -> None:
    head = repo.commit("first")
    repo.git("tag", "v1.5.0")
    assert await forge.resolve("main") == head
    assert await forge.version(head) == "1.5.0"
    assert await forge.version(repo.commit("second")) == repo.git("rev-parse", "HEAD")[:7]
    for bad in ("--output=/tmp/x", "nowhere", "a\0b", "\udc80", ""):
        with pytest.raises(ForgeError):
            await forge.resolve(bad)


async def test_a_checkout_is_made_once_and_whole(repo: Repo, forge: GitForge) -> None:
    first = repo.commit("first", **{"a/b": "1", "files": "f", "archive.tar": "mine"})
    repo.commit("second", **{"a/b": "2"})
    places = await asyncio.gather(*(forge.checkout(first) for _ in range(4)))
    assert len(set(places)) == 1
    assert (places[0] / "a" / "b").read_text() == "1"
    assert (places[0] / "archive.tar").read_text() == "mine"
    assert [p.name for p in places[0].parent.iterdir()] == [first], "nothing half-made is left"
    with pytest.raises(ForgeError):
        await forge.checkout("0" * 40)


async def test_a_replaced_object_does_not_change_what_a_commit_is(
    repo: Repo, forge: GitForge
) -> None:
    real = repo.commit("real", a="good")
    fake = repo.commit("fake", a="evil")
    repo.git("replace", real, fake)
    assert (await forge.checkout(real) / "a").read_text() == "good"


async def test_a_repository_that_hangs_is_given_up_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "TIMEOUT_S", 0.5)
    mark = tmp_path / "pid"
    with pytest.raises(ForgeError, match="did not end"):
        await git._run(["sh", "-c", f"sleep 600 & echo $! > {mark}; wait"])
    pid = int(mark.read_text())
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
            await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


async def test_a_folder_that_is_no_repository_says_so(tmp_path: Path) -> None:
    forge = GitForge(tmp_path / "nothing", tmp_path / "work")
    with pytest.raises(ForgeError, match="nothing"):
        await forge.resolve("HEAD")


async def test_without_git_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ForgeError, match="Install it"):
        await GitForge(tmp_path, tmp_path).resolve("HEAD")


# --- what going back needs to know ------------------------------------------------------------


async def test_every_file_that_differs_in_either_direction(repo: Repo, forge: GitForge) -> None:
    base = repo.commit("one", **{"a": "1", "gone": "1", "same": "1"})
    repo.git("rm", "-q", "gone")
    tip = repo.commit("two", **{"a": "2", "migrations/new\tline\n.sql": "x"})
    found = {f.path: f.change for f in await forge.difference(base, tip)}
    assert found == {"a": "changed", "gone": "deleted", "migrations/new\tline\n.sql": "added"}
    back = {f.path: f.change for f in await forge.difference(tip, base)}
    assert back == {"a": "changed", "gone": "added", "migrations/new\tline\n.sql": "deleted"}


async def test_what_the_live_version_has_and_the_new_one_lacks_is_a_difference(
    repo: Repo, forge: GitForge
) -> None:
    """A migration of a hotfix that the release branch does not have."""
    repo.commit("one", a="1")
    repo.git("branch", "release")
    live = repo.commit("hotfix", **{"migrations/9.sql": "x"})
    repo.git("checkout", "-q", "release")
    tip = repo.commit("release", a="2")
    found = {f.path: f.change for f in await forge.difference(live, tip)}
    assert found["migrations/9.sql"] == "deleted"


async def test_a_file_is_read_as_it_is_in_the_commit(repo: Repo, forge: GitForge) -> None:
    (repo.path / "raw").write_bytes(b"a\r\n\xff\x00")
    first = repo.commit("one", **{"a": "1", "*": "star", "d/e": "x"})
    repo.commit("two", a="2")
    read = await forge.read(first, "a", 10)
    assert read is not None
    assert (read.data, read.size) == (b"1", 1)
    raw, star = await forge.read(first, "raw", 10), await forge.read(first, "*", 10)
    assert raw is not None
    assert raw.data == b"a\r\n\xff\x00"
    assert star is not None
    assert star.data == b"star"
    for absent in ("nothing", "d", "d/"):
        assert await forge.read(first, absent, 10) is None, absent


async def test_what_is_too_large_a_link_or_another_repository_has_no_content(
    repo: Repo, forge: GitForge
) -> None:
    (repo.path / "link").symlink_to("/etc/passwd")
    first = repo.commit("one", large="x" * 5_000_000)
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{first},module")
    repo.git("commit", "-q", "-m", "two")
    large = await forge.read("HEAD", "large", 1000)
    assert large is not None
    assert (large.data, large.size) == (None, 5_000_000)
    link = await forge.read("HEAD", "link", 1000)
    assert link is not None
    assert link.data is None
    assert await forge.read("HEAD", "module", 1000) is None


async def test_names_that_are_not_utf_8_are_differences_that_cannot_be_read(
    repo: Repo, forge: GitForge
) -> None:
    base = repo.commit("one", a="1")
    folder = os.fsencode(repo.path / "migrations")
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/1_\xff.sql")).write_text("DROP TABLE a")
    tip = repo.commit("two")
    (found,) = await forge.difference(base, tip)
    assert found.path.startswith("migrations/1_")
    assert await forge.read(tip, found.path, 1000) is None


async def test_everybody_who_wrote_a_part_is_named_however_many_commits_there_are(
    repo: Repo, forge: GitForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "MOST_COMMITS", 1)
    base = repo.commit("base")
    repo.commit("first", author="luis")
    message = "second\n\nCo-authored-by: Wren <wren@example.org>\nCo-authored-by: Ana B <ab@x>"
    repo.git("commit", "-q", "--allow-empty", "-m", message, GIT_AUTHOR_NAME="rita")
    renamed = {".mailmap": "Somebody Else <other@x> <ana@example.com>\n"}
    head = repo.commit("third", **renamed)
    changes = await forge.changes(base, head)
    assert len(changes.commits) == 1
    assert set(changes.authors) == {
        "ana <ana@example.com>",
        "luis <ana@example.com>",
        "rita <ana@example.com>",
        "Wren <wren@example.org>",
        "Ana B <ab@x>",
    }
    assert changes.pushers == ("ana <ana@example.com>",)
    assert changes.tree == repo.git("rev-parse", f"{head}^{{tree}}")
