"""Latency of a service so even that one bucket has it all: how much slower, nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hatchway.core.plan import MetricSpec
from hatchway.judge import Latency
from hatchway.judge.latency import next_bucket

Make = Callable[..., Any]
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0)
STABLE = (0, 94, 1, 0, 0, 0)


@pytest.mark.parametrize("canary", [(0, 3, 2, 0, 0, 0), (0, 0, 5, 0, 0, 0)])
def test_a_few_percent_across_a_bound_hold_and_never_roll_back(
    make_sim: Make, latency: MetricSpec, canary: tuple[int, ...]
) -> None:
    """From 99 to 101 ms is no harm, and looks like 75 to 158 ms."""
    sim = make_sim(latency)
    for _ in range(300):
        verdict = sim.look({"latency": Latency(BOUNDS, canary, STABLE)})
    assert (verdict.word, verdict.action) == ("UNSURE", "hold")
    assert "across the one bound at 100 ms" in verdict.headline
    assert "REGRESS" not in {verdict.word for verdict in sim.verdicts}


def test_two_buckets_slower_is_slower(make_sim: Make, latency: MetricSpec) -> None:
    sim = make_sim(latency)
    for _ in range(60):
        verdict = sim.look({"latency": Latency(BOUNDS, (0, 2, 0, 3, 0, 0), STABLE)})
    assert verdict.word == "REGRESS"


def test_beyond_the_last_bound_there_is_no_next_bucket() -> None:
    assert next_bucket((0, 500, 0), (0, 0, 9)) is None
    assert next_bucket((500, 1, 0), (0, 9, 0)) == 0


def test_a_usual_spread_over_buckets_is_not_one_bucket() -> None:
    assert next_bucket((100, 300, 100, 0), (0, 5, 5, 0)) is None
