"""What takes long starts first, and figures that tests measured are printed at the end of a run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SLOW = (
    "test_crash",
    "test_outcomes",
    "test_e2_fault_matrix",
    "test_kill",
    "test_schedules",
    "test_crash_points",
)
BAR = "bar"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, then everything in the order it was found in: the workers share out what
    is left (see addopts).
    """

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return SLOW.index(name) if name in SLOW else len(SLOW)

    items.sort(key=place)


@pytest.fixture
def bar(record_property: Callable[[str, Any], None]) -> Callable[[str, str, str], None]:
    """`bar(what, measured, limit)`: print a figure beside its limit when the run ends.

    To assert it, if it may not be missed, is the test's own business.
    """

    def measured(what: str, figure: str, limit: str) -> None:
        record_property(BAR, (what, figure, limit))

    return measured


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each figure, also of tests that failed."""
    reports = [r for name in ("passed", "failed") for r in terminalreporter.stats.get(name, [])]
    lines = sorted(
        {tuple(value) for r in reports for name, value in r.user_properties if name == BAR}
        | set(_scenarios(reports))
    )
    if not lines:
        return
    terminalreporter.section("bars")
    width = max(len(what) for what, _, _ in lines)
    for what, figure, limit in lines:
        terminalreporter.write_line(f"{what:{width}}  {figure}  (bar {limit})")


CATALOGUE = Path(__file__).parent / "scenarios" / "catalogue.py"
REHEARSED = "test_catalogue.py::test_each_shipped_rehearsal_is_stopped_by_the_guard_it_is_about["
SCENARIO = re.compile(r"test_((?:[sf]\d+_)+)")


def _scenarios(reports: list[Any]) -> list[tuple[str, str, str]]:
    """How many scenarios passed all of their tests of this run, and how many rehearsals were stopped;
    nothing if none ran.
    """
    spec = importlib.util.spec_from_file_location("catalogue", CATALOGUE)
    assert spec is not None
    assert spec.loader is not None
    catalogue = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(catalogue)
    ran: dict[str, bool] = {}
    for report in reports:
        node = report.nodeid.partition("[")[0]
        named = SCENARIO.match(node.rpartition("::")[2])
        ids = [i.upper() for i in named[1].strip("_").split("_")] if named else []
        ids += [i for i, nodes in catalogue.ELSEWHERE.items() if node in nodes]
        for each in ids:
            ran[each] = ran.get(each, True) and report.passed
    if not any(ran.values()) or not any("tests/scenarios/" in r.nodeid for r in reports):
        return []
    total = len(catalogue.TITLES)
    lines = [("scenarios passed", f"{sum(ran.values())} of {total}", str(total))]
    played = [r.passed for r in reports if REHEARSED in r.nodeid]
    if played:
        all_of_them = str(len(played))
        lines.append(("rehearsals stopped", f"{sum(played)} of {all_of_them}", all_of_them))
    return lines
