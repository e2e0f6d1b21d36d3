"""Shares of the work, each for a process of its own: nothing that other tests left running, like the
thread of a target, sees the wired modules. Arguments and results are pickled.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterable
from typing import Any
from unittest import mock

from simulated import crash_points, schedules
from simulated.mutants import MUTANTS
from simulated.world import wired


def alone() -> None:
    """The first call of the process: what warns is a failure, and what is imported stays."""
    warnings.simplefilter("error")
    gc.freeze()


def many(seeds: Iterable[int]) -> tuple[dict[str, float], str]:
    """The sums of these schedules, and the first that broke a promise, told."""
    with wired():
        played = schedules.play_many(seeds)
        said = schedules.explained(*played.broken[0]) if played.broken else ""
    figures = {
        "schedules": played.schedules,
        "broken": len(played.broken),
        "boundaries": played.boundaries,
        "cpu_s": played.cpu_s,
        "wall_s": played.wall_s,
        "late": played.late,
    }
    return figures, said


def told(seed: int) -> list[str]:
    """What happened in a schedule."""
    with wired():
        return schedules.play(seed, tracing=True).told


def quiet(name: str, word: str) -> tuple[str | None, dict[str, int]]:
    """How a run without a fault ended, and the weights of the target."""
    with wired():
        world = schedules.quiet(name, word)
        assert world.backend.run is not None
        return world.backend.run.outcome, dict(world.target.weights)


def points(part: int, parts: int) -> tuple[int, list[str]]:
    """Every fault at every n-th boundary: how many were played, and what was broken."""
    played, broken = 0, []
    with wired(whole=True):
        for run in crash_points.RUNS:
            for at in range(1, len(crash_points.boundaries(run)) + 1):
                if at % parts != part:
                    continue
                for fault in crash_points.FAULTS:
                    played += 1
                    try:
                        crash_points.crash(run, fault, at)
                    except schedules.Violation as error:
                        broken.append(str(error))
    return played, broken


def boundaries() -> set[str]:
    """The names of all boundaries of the canonical runs."""
    with wired(whole=True):
        return {name for run in crash_points.RUNS for name in crash_points.boundaries(run)}


def mutant(number: int, seeds: Iterable[int]) -> tuple[int, str]:
    """Play a broken variant until it is caught: after how many schedules, and by what it was.

    What is remembered of unbroken prefixes stays. Errors: AssertionError when it was caught by
    something else than the promise that it breaks.
    """
    variant = MUTANTS[number]
    with wired(), contextlib.ExitStack() as stack:
        for name in schedules.MAKERS:
            schedules.prefix(name)

        def put(module: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(module, name, value))

        variant.put(put)
        played = schedules.play_many(seeds, most_broken=1, favour=variant.favour)
        if not played.broken:
            return played.schedules, ""
        seed, error = played.broken[0]
        said = f"{variant.name}, seed {seed}: {error!r}"
        assert isinstance(error, schedules.Violation), said
        assert any(promise in str(error) for promise in variant.breaks), said
        return played.schedules, said
