"""Every scenario of the catalogue has a test, and every test that is named exists."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from hatchway.rehearse.reading import load, names

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ID = re.compile(r"test_((?:[sf]\d+_)+)")


@pytest.fixture(scope="module")
def catalogue() -> Any:
    spec = importlib.util.spec_from_file_location("catalogue", HERE / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named_in(file: Path) -> set[str]:
    """The names of the test functions in a file."""
    tree = ast.parse(file.read_bytes())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        n.name for n in ast.walk(tree) if isinstance(n, functions) and n.name.startswith("test_")
    }


def shown_here() -> set[str]:
    """The ids that a test of this folder is named after; `test_f1_f2_...` is for two."""
    names = {name for file in HERE.glob("test_*.py") for name in named_in(file)}
    found = (ID.match(name) for name in names)
    return {i.upper() for match in found if match for i in match[1].strip("_").split("_")}


def test_every_scenario_is_shown_by_a_test(catalogue: Any) -> None:
    covered = shown_here() | set(catalogue.ELSEWHERE)
    assert set(catalogue.TITLES) - covered == set()


def test_no_test_is_named_after_a_scenario_that_is_not_in_the_catalogue(catalogue: Any) -> None:
    assert shown_here() - set(catalogue.TITLES) == set()


def test_every_test_that_is_named_exists(catalogue: Any) -> None:
    for scenario, nodes in catalogue.ELSEWHERE.items():
        assert scenario in catalogue.TITLES
        for node in nodes:
            file, _, name = node.partition("::")
            assert (ROOT / file).is_file(), node
            assert name in named_in(ROOT / file), node


def test_every_rehearsal_of_the_catalogue_is_shipped_and_reads_well(catalogue: Any) -> None:
    assert set(catalogue.REHEARSALS) <= set(catalogue.TITLES)
    assert set(catalogue.REHEARSALS.values()) <= set(names())
    for name in names():
        scenario = load(name)
        assert scenario.name == name
        assert scenario.nevers
        assert scenario.stopped_by
        assert scenario.without
        assert scenario.story


@pytest.mark.parametrize("name", names())
def test_each_shipped_rehearsal_is_stopped_by_the_guard_it_is_about(
    rehearsed: Any, name: str
) -> None:
    """Counted at the end of a run: "rehearsals stopped", see tests/conftest.py."""
    result = rehearsed(name).result
    assert result.word == "STOPPED", (result.why, result.harms)
    assert result.first.guard in load(name).stopped_by
