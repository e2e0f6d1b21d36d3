"""`hatchway check` says everything that is wrong, exits 2, and is silent about what is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.cli.check import main

Edit = Callable[[str, str, str], int]


def test_what_is_right_is_said_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(home)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "services: shop" in printed.out


def test_a_state_directory_is_checked_by_its_config(home: Path) -> None:
    assert main(["--dir", str(home.parent)]) == 0


def test_single_files_are_checked_by_what_they_are(
    home: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("policy.yaml", "version: 1", "version: one")
    files = [home / "hatchway.yaml", home / "policy.yaml", home / "pipelines" / "shop.yaml"]
    assert main([str(file) for file in files]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [f"{files[0]}: right", f"{files[2]}: right"]
    assert f'{files[1]}:4: "version" in the policy: "one" is not a whole number' in printed.err
    assert "  write: version: 1" in printed.err.splitlines()


def test_mistakes_of_all_files_are_printed_and_the_exit_status_is_2(
    home: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("policy.yaml", "      rollback:", "      rolback:")
    edit("pipelines/shop.yaml", "budget: 3m", "budget: 3")
    assert main(["--dir", str(home)]) == 2
    printed = capsys.readouterr().err
    assert 'did you mean "rollback"?' in printed
    assert "write: budget: 3s, 3m or 3h" in printed
    assert printed.splitlines()[-1] == "hatchway check: 2 mistakes; nothing was started"


def test_json_says_the_same(home: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    line = edit("pipelines/shop.yaml", "budget: 3m", "budget: 3")
    assert main(["--json", "--dir", str(home)]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [(t["line"], t["write"]) for t in said["troubles"]] == [(line, "budget: 3s, 3m or 3h")]


def test_a_directory_without_configuration_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--dir", str(tmp_path)]) == 2
    assert "holds no hatchway.yaml" in capsys.readouterr().err
