"""The shop's repository: the same everywhere, and what is said in it is so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hatchway.demo import repo
from hatchway.demo.repo import RepoError


def git(path: Path, *arguments: str) -> str:
    return repo.git("-C", str(path), *arguments).decode().strip()


def test_the_same_files_give_the_same_commits(tmp_path: Path):
    one, two = repo.create(tmp_path / "one"), repo.create(tmp_path / "two")
    assert (one.stable, one.release) == (two.stable, two.release)


def test_it_is_a_sound_repository_with_both_versions_named(tmp_path: Path):
    made = repo.create(tmp_path / "repo")
    git(made.path, "fsck", "--strict")
    assert git(made.path, "status", "--porcelain") == ""
    assert git(made.path, "rev-parse", "main") == git(made.path, "rev-parse", "v1.4.0")
    assert git(made.path, "rev-parse", "release/1.5.0") == made.release
    assert git(made.path, "describe", "--tags", "--exact-match", made.release) == "v1.5.0"
    assert git(made.path, "show", f"{made.stable}:VERSION") == "1.4.0"
    assert git(made.path, "show", f"{made.release}:VERSION") == "1.5.0"
    titles = git(made.path, "log", "--format=%s", f"{made.stable}..{made.release}").splitlines()
    assert len(titles) == 4
    changed = git(made.path, "diff", "--name-only", made.stable, made.release).splitlines()
    assert "api/openapi.yaml" in changed
    assert not any("_cache" in name or "__pycache__" in name for name in changed)


def test_a_broken_release_differs_in_one_comparison(tmp_path: Path):
    good, bad = repo.create(tmp_path / "good"), repo.create(tmp_path / "bad", broken=True)
    assert good.stable == bad.stable
    assert good.release != bad.release
    lines = [
        git(of.path, "show", f"{of.release}:shop/pricing.py").splitlines() for of in (good, bad)
    ]
    assert [a for a, b in zip(*lines, strict=True) if a != b] == [
        "    shipping = 0 if goods >= FREE_SHIPPING_FROM else SHIPPING"
    ]


def test_a_persons_git_configuration_changes_nothing(tmp_path: Path, monkeypatch):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hooks / "post-checkout").chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\thooksPath = {hooks}\n[init]\n\tdefaultBranch = other\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    made = repo.create(tmp_path / "repo")
    repo.checkout(made.path, made.release, tmp_path / "work")
    assert git(made.path, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert not (tmp_path / "ran").exists()


def test_a_checkout_is_made_once_and_has_the_commits_files(tmp_path: Path):
    made = repo.create(tmp_path / "repo")
    place = repo.checkout(made.path, made.release, tmp_path / "work")
    assert (place / "VERSION").read_text() == "1.5.0\n"
    (place / "mark").touch()
    assert repo.checkout(made.path, made.release, tmp_path / "work") == place
    assert (place / "mark").exists()
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == [made.release]
    listed = subprocess.run(
        ["git", "-C", str(made.path), "ls-tree", "-r", "--name-only", made.release],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all((place / name).is_file() for name in listed)


def test_what_does_not_exist_is_said_in_words(tmp_path: Path):
    made = repo.create(tmp_path / "repo")
    with pytest.raises(RepoError, match="no commit 'v9'"):
        repo.resolve(made.path, "v9")
    with pytest.raises(RepoError, match="no commit '--help'"):
        repo.resolve(made.path, "--help")
    assert repo.resolve(made.path, made.release[:8]) == made.release
