"""What takes long starts first, and figures that tests measured are printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

SLOW = ("test_crash", "test_outcomes", "test_e2_fault_matrix")
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
    )
    if not lines:
        return
    terminalreporter.section("bars")
    width = max(len(what) for what, _, _ in lines)
    for what, figure, limit in lines:
        terminalreporter.write_line(f"{what:{width}}  {figure}  (bar {limit})")
