"""Broken variants of the design are caught: without this the simulation would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SEEDS = range(100_000, 106_000)
"""Far fewer than the schedules of a run: who survives these is not seen."""
NAMES = (Path(__file__).parent / "simulated" / "mutants.py").read_text().split("MUTANTS: ")[1]
COUNT = NAMES.count("    Mutant(")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(COUNT))
def test_a_broken_variant_is_caught(
    alone: Callable[..., Any],
    number: int,
    bar: Callable[[str, str, str], None],
    summed: Callable[[str, int, dict[str, float]], dict[str, float] | None],
) -> None:
    from simulated import parts

    played, caught = alone(parts.mutant, number, SEEDS)
    total = summed("mutants", COUNT, {"killed": bool(caught), "at": played})
    if total is not None:
        figure = f"{total['killed']:.0f} of {COUNT}, after {total['at'] / COUNT:,.0f} schedules"
        bar("mutants killed", figure, "all, at least 10")
    assert caught, f"variant {number} survives {played} schedules"
