"""`hatchway check` says everything that is wrong, exits 2, and is silent about what is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.cli.check import main
from hatchway.core.plan import CanaryStage
from hatchway.settings import load_all

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


def test_a_last_step_without_a_hold_back_is_a_warning_and_no_mistake(
    home: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    line = edit("pipelines/shop.yaml", "weight: 100\n        hold_back: 5\n", "weight: 100\n")
    file = home / "pipelines" / "shop.yaml"
    for arguments in (["--dir", str(home)], [str(file)]):
        assert main(arguments) == 0
        assert capsys.readouterr().err.splitlines() == [
            f"warning: {file}:{line}: without hold_back nothing is left to compare with at 100 %: "
            "the final step can only hold and page, never roll back by itself",
            "  write: hold_back: 5",
        ]
    assert main(["--json", "--dir", str(home)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert [(n["line"], n["write"]) for n in said["notes"]] == [(line, "hold_back: 5")]
    canary = load_all(home).pipelines["shop"].stages[-1]
    assert isinstance(canary, CanaryStage)
    assert (canary.steps[-1].weight, canary.steps[-1].hold_back) == (100, 0)
