"""One fault at every boundary of the canonical run: it ends as it would have, and holds its promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PARTS = 8


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_fault_at_every_boundary(
    alone: Callable[..., Any],
    part: int,
    bar: Callable[[str, str, str], None],
    summed: Callable[[str, int, dict[str, float]], dict[str, float] | None],
) -> None:
    from simulated import parts

    played, broken = alone(parts.points, part, PARTS)
    total = summed("points", PARTS, {"played": played, "broken": len(broken)})
    if total is not None:
        figure = f"{total['broken']:.0f} broken of {total['played']:,.0f} (every boundary x fault)"
        bar("crash points", figure, "0")
    assert not broken, f"{len(broken)} broken, the first: {broken[0]}"


def test_the_canonical_run_has_boundaries_of_every_kind(alone: Callable[..., Any]) -> None:
    from simulated import parts

    assert alone(parts.boundaries) >= {
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
