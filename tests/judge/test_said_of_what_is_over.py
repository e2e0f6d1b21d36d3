"""What is said at 02:00 of a fright that is over, of harm within the bound, and of nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatchway.core.plan import MetricSpec
from hatchway.judge import Counts
from hatchway.judge.words import chance

Make = Callable[..., Any]


def test_a_bad_start_that_is_over_is_not_held_against_the_canary_for_ever(
    make_sim: Make, make_metric: Callable[..., MetricSpec]
) -> None:
    sim = make_sim(make_metric("errors"), excludes=5.0)
    for bad in (3, 2, 2, 2, 3, 2, 2, 2, 2):  # enough for a hold, too little for a rollback
        start = sim.look({"errors": Counts((10, bad), (190, 2))})
    assert start.action == "hold"
    for second in range(600):
        after = sim.look({"errors": Counts((10, 1 if second % 10 == 0 else 0), (190, 2))})
    assert after.word == "PASS"


def test_a_canary_that_is_plainly_worse_within_the_bound_is_not_said_to_be_harmless(
    make_sim: Make, make_metric: Callable[..., MetricSpec]
) -> None:
    sim = make_sim(make_metric("errors"), excludes=2.0)
    for _ in range(30):
        verdict = sim.look({"errors": Counts((5000, 72), (95000, 950))})
    assert verdict.word == "PASS"
    assert verdict.headline == "errors 1.4x, more than chance: 2x worse is excluded"
    assert "more than chance" in " ".join(why.text for why in verdict.why)


def test_equal_arms_at_any_traffic_are_said_to_show_no_harm(
    make_sim: Make, make_metric: Callable[..., MetricSpec]
) -> None:
    sim = make_sim(make_metric("errors"), excludes=2.0)
    for _ in range(30):
        verdict = sim.look({"errors": Counts((5000, 52), (95000, 950))})
    assert verdict.headline == "no harm seen: 2x worse is excluded"


def test_without_one_event_on_either_arm_no_time_to_an_answer_is_promised(
    make_sim: Make, make_metric: Callable[..., MetricSpec]
) -> None:
    sim = make_sim(make_metric("errors"))
    for _ in range(300):
        verdict = sim.look({"errors": Counts((5, 0), (95, 0))})
    assert verdict.word == "UNSURE"
    assert "none on either arm" in verdict.headline
    assert "to go" not in verdict.headline


def test_a_regression_that_has_passed_is_told_in_the_past_tense(
    make_sim: Make, make_metric: Callable[..., MetricSpec]
) -> None:
    sim = make_sim(make_metric("errors"))
    for _ in range(12):
        bad = sim.look({"errors": Counts((10, 6), (190, 2))})
    assert bad.word == "REGRESS"
    for second in range(3600):
        verdict = sim.look({"errors": Counts((10, 1 if second % 20 == 0 else 0), (190, 2))})
    assert verdict.word == "REGRESS"
    assert "was worse" in verdict.headline


def test_no_evidence_is_not_a_chance_of_one_in_nothing() -> None:
    assert {chance(e) for e in (0.0, 0.4, 1.0, 1.9)} == {"could be chance"}
