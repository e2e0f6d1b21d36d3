"""Broken variants of the design are caught: without this the simulation would prove nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

SEEDS = range(100_000, 106_000)
"""Far fewer than the schedules of a run: who survives these is not seen."""
NAMES = (Path(__file__).parent / "simulated" / "mutants.py").read_text().split("MUTANTS: ")[1]
COUNT = NAMES.count("    Mutant(")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(COUNT))
def test_a_broken_variant_is_caught(
    simulation: Any,
    number: int,
    bar: Callable[[str, str, str], None],
    summed: Callable[[str, int, dict[str, float]], dict[str, float] | None],
) -> None:
    from simulated.mutants import MUTANTS

    mutant = MUTANTS[number]
    played = caught_in(simulation, mutant)
    if played.broken:
        seed, error = played.broken[0]
        assert isinstance(error, simulation.Violation), f"{mutant.name}, seed {seed}: {error!r}"
        right = any(promise in str(error) for promise in mutant.breaks)
        assert right, f"{mutant.name} should break {mutant.breaks}: {error}"
    total = summed("mutants", COUNT, {"killed": len(played.broken), "at": played.schedules})
    if total is not None:
        figure = f"{total['killed']:.0f} of {COUNT}, after {total['at'] / COUNT:,.0f} schedules"
        bar("mutants killed", figure, "all, at least 10")
    assert played.broken, f"{mutant.name} survives {played.schedules} schedules"


def caught_in(simulation: Any, mutant: Any) -> Any:
    """Play until the variant is caught. What is remembered of unbroken prefixes stays."""
    for name in simulation.MAKERS:
        simulation.prefix(name)
    with contextlib.ExitStack() as stack:

        def put(module: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(module, name, value))

        mutant.put(put)
        return simulation.play_many(SEEDS, most_broken=1, favour=mutant.favour)
