"""One fault at every boundary of the canonical run: it ends as it would have, and holds its promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PARTS = 8


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_fault_at_every_boundary(
    simulation: Any,
    part: int,
    bar: Callable[[str, str, str], None],
    summed: Callable[[str, int, dict[str, float]], dict[str, float] | None],
) -> None:
    from simulated import crash_points as points

    played = 0
    broken: list[str] = []
    for run in points.RUNS:
        for at in range(1, len(points.boundaries(run)) + 1):
            if at % PARTS != part:
                continue
            for fault in points.FAULTS:
                played += 1
                try:
                    points.crash(run, fault, at)
                except simulation.Violation as error:
                    broken.append(str(error))
    total = summed("points", PARTS, {"played": played, "broken": len(broken)})
    if total is not None:
        figure = f"{total['broken']:.0f} broken of {total['played']:,.0f} (every boundary x fault)"
        bar("crash points", figure, "0")
    assert not broken, f"{len(broken)} broken, the first: {broken[0]}"


def test_the_canonical_run_has_boundaries_of_every_kind(simulation: Any) -> None:
    from simulated import crash_points as points

    named = {name for run in points.RUNS for name in points.boundaries(run)}
    assert named >= {
        "journal append",
        "journal written",
        "request sent",
        "answer taken",
        "target sent",
        "target done",
        "disk write",
        "disk fsync",
        "disk rename",
    }
