"""A metric that is frequent enough may have to exclude less than the step asks for."""

from __future__ import annotations

import random

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import Counts, JudgeConfig, Look, judge, new


def orders(excludes: float | None) -> MetricSpec:
    return MetricSpec(
        name="orders",
        label="orders",
        kind="counts",
        source="app",
        total=SeriesRef("requests"),
        events=SeriesRef("orders"),
        worse="down",
        excludes=excludes,
    )


def passed_after(excludes: float | None, canary: float, seconds: int = 120) -> int | None:
    """Seconds to PASS at 5 requests a second on the canary, where stable orders in 30 %."""
    dice = random.Random(7)
    config = JudgeConfig(metrics=(orders(excludes),))
    state = new(config)
    for t in range(1, seconds):
        n_c, n_s = 5, 95
        e_c = sum(dice.random() < canary for _ in range(n_c))
        e_s = sum(dice.random() < 0.3 for _ in range(n_s))
        look = Look(
            t=float(t), seconds=1.0, weight=5, samples={"orders": Counts((n_c, e_c), (n_s, e_s))}
        )
        state, verdict = judge(config, state, look, 10.0)
        if verdict.word == "PASS":
            return t
        if verdict.word == "REGRESS":
            return None
    return None


def test_a_tighter_bound_of_a_metric_is_what_passes_it() -> None:
    loose, tight = passed_after(None, 0.3), passed_after(2.0, 0.3)
    assert loose is not None
    assert tight is not None
    assert tight >= loose


def test_orders_that_fall_by_60_percent_never_pass_under_a_bound_of_2() -> None:
    assert passed_after(2.0, 0.12) is None


def test_a_looser_bound_than_the_steps_changes_nothing() -> None:
    assert passed_after(50.0, 0.3) == passed_after(None, 0.3)
