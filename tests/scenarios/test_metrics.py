"""S14 to S20: numbers that lie, and numbers that cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.rehearse import scenario as sc

BAD = sc.Metrics("canary", errors=12.0)


def test_s14_zero_2020_no_number_that_is_missing_or_absurd_moves_anything(rehearsed: Any) -> None:
    zero = rehearsed("zero-2020")
    assert zero.result.word == "STOPPED"
    assert zero.result.first.guard == "judge:no_data"
    assert zero.raised(30) == []
    assert zero.rolled_back_by("agent") == 0
    assert zero.proposals("page"), "people are called when it is blind for a minute"


@pytest.mark.parametrize("how", ["zero", "absent", "nan", "frozen", "html", "refused"])
@pytest.mark.parametrize("arm", ["canary", "stable"])
def test_s14_each_way_to_lie_is_no_data_whatever_the_policy(
    scene: Any, weakest: Any, arm: Any, how: Any
) -> None:
    # Undisturbed it would be promoted at 237 s.
    played = scene(250, (20, sc.Feed(arm, how)), over=weakest, every=2.0)
    assert played.when(ev.VerdictChanged, word="NO_DATA"), played.said
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0


def test_s15_a_canary_without_a_request_is_neither_promoted_nor_rolled_back(
    scene: Any, weakest: Any
) -> None:
    played = scene(450, traffic=0.02, over=weakest, every=2.0)
    assert {v.word for v in played.of(ev.VerdictChanged)} <= {"UNSURE", "NO_DATA"}
    assert "zero traffic" in played.said
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0
    assert played.proposals("page")


def test_s16_two_errors_of_122_are_not_sure_and_people_are_asked_with_n_of_many(
    scene: Any, weakest: Any
) -> None:
    levels = sc.Levels(errors=1.64)
    played = scene(430, canary=levels, traffic=5.8, over=weakest, every=2.0)
    assert {v.word for v in played.of(ev.VerdictChanged)} == {"UNSURE"}
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0
    asked = played.proposals("promote")[-1]
    assert asked.answer == "ask"
    assert "requests on canary" in asked.evidence[0].text
    assert played.run.hold.cause == "unsure"
    assert played.proposals("page")


def test_s17_flapping_2025_is_named_and_no_window_of_it_is_rolled_back(rehearsed: Any) -> None:
    flapping = rehearsed("flapping-2025")
    assert flapping.result.word == "STOPPED"
    assert flapping.result.first.guard == "judge:flapping"
    assert flapping.rolled_back_by("agent") == 0
    assert "2 times in 16 min, about 5 min each" in flapping.said


def test_s18_a_feed_that_stops_is_said_within_3_seconds_and_stops_still_work(scene: Any) -> None:
    played = scene(40, (20, sc.Feed("both", "refused")), (30, sc.Person("rollback", "oncall")))
    lost = played.when(ev.VerdictChanged, word="NO_DATA")
    assert lost
    assert 20 <= lost[0] <= 24.1  # 3 s, and the second until the next look
    assert played.when(ev.RunHeld, cause="no_data")
    assert played.rolled_back_by("agent") == 0
    assert played.run.outcome == "rolled_back"
    assert played.run.rollback_by == "oncall"


def test_s19_expected_spike_is_no_alarm_up_to_its_bound(rehearsed: Any) -> None:
    spike = rehearsed("expected-spike")
    assert spike.result.word == "STOPPED"
    assert spike.result.first.guard == "expectation"
    held = spike.when(ev.RunHeld)
    assert len(held) == 1
    assert held[0] > 120, "beyond the bound the normal rule applies"
    assert [e.code for e in spike.of(ev.CommandRefused)] == ["protected"]


NOISY = sc.Metrics("canary", warnings=200.0)


def test_s19_past_its_end_the_normal_rule_applies(scene: Any) -> None:
    minute = sc.Order("expect", "oncall", "warnings", at_most=400.0, for_s=60.0)
    played = scene(90, (5, minute), (10, NOISY))
    held = played.when(ev.RunHeld)
    assert held
    assert 65 <= held[0] <= 70


def test_s19_the_agent_can_declare_nothing(scene: Any) -> None:
    forged = sc.Order("expect", "agent", "warnings", at_most=400.0, for_s=600.0)
    played = scene(30, (5, forged), (10, NOISY))
    assert played.of(ev.ExpectationDeclared) == []
    assert [e.code for e in played.of(ev.CommandRefused)] == ["not_a_person"]
    assert played.when(ev.RunHeld)[0] < 20


def test_s20_what_stable_has_too_is_not_ours(scene: Any, weakest: Any) -> None:
    played = scene(250, (20, sc.Metrics("both", errors=15.0)), over=weakest)
    assert "not ours" in played.said
    assert played.rolled_back_by("agent") == 0
    assert played.raised() == []


def test_s20_a_dependency_that_was_down_before_is_named_as_a_cause(scene: Any) -> None:
    down = (-30, sc.Metrics("both", payments=False))
    played = scene(90, down, (20, BAD))
    assert "payments dependency was not well before the rollout" in played.said
