"""When a step may go on: for every word, action, time and option, not only for the likely ones."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.core import monitoring as mo
from hatchway.core.plan import CanaryStep

WORDS = st.sampled_from(get_args(mo.Word))
ACTIONS = st.sampled_from(get_args(mo.Action))
TIMES = st.floats(0, 20_000, allow_nan=False)
PACES = st.sampled_from([1.0, 1.5, 10.0, 60.0])
STEPS = st.builds(
    CanaryStep,
    weight=st.sampled_from([1, 5, 25, 100]),
    monitor_s=st.floats(1, 3600),
    hold_back=st.sampled_from([0, 5]),
    advance=st.sampled_from(["early", "timed"]),
    on_unsure=st.sampled_from(["extend", "ask", "hold"]),
    extends=st.integers(0, 4),
    at_most_s=st.none() | st.floats(1, 7200),
)


@given(STEPS, PACES, TIMES, WORDS, ACTIONS)
def test_nothing_but_a_clean_pass_that_was_compared_is_promoted(
    step: CanaryStep, pace: float, at: float, word: Any, action: Any
) -> None:
    due = mo.due(step, pace, at, word, action)
    assert due in get_args(mo.Due)
    if due == "promote":
        assert (word, action) == ("PASS", "none")
        assert step.weight - step.hold_back < 100
        assert step.advance == "early" or at >= step.monitor_s / pace
    if due == "ask":
        assert mo.a_person_may_go_on(word, action)
        assert step.on_unsure == "ask"
        assert word == "UNSURE" or not mo.compares(step)
        assert at >= step.monitor_s / pace
    if word in ("REGRESS", "NO_DATA") or action != "none":
        assert due == "hold"


@given(STEPS, PACES, st.floats(0, 20_000), WORDS, ACTIONS)
def test_after_its_longest_time_a_step_is_held_whatever_is_said(
    step: CanaryStep, pace: float, more: float, word: Any, action: Any
) -> None:
    assert mo.due(step, pace, mo.at_most_s(step) + more, word, action) == "hold"
    assert mo.patience_s(step, pace) <= mo.at_most_s(step)


@given(STEPS, PACES, TIMES, WORDS, ACTIONS)
def test_early_is_never_later_than_timed_and_otherwise_the_same(
    step: CanaryStep, pace: float, at: float, word: Any, action: Any
) -> None:
    timed = mo.due(replace(step, advance="timed"), pace, at, word, action)
    early = mo.due(replace(step, advance="early"), pace, at, word, action)
    assert early == timed or (timed, early, word) == ("wait", "promote", "PASS")


@given(STEPS, PACES, TIMES, st.floats(0, 5000))
def test_an_unclear_answer_never_gets_less_careful_with_time(
    step: CanaryStep, pace: float, at: float, more: float
) -> None:
    order = ("wait", "ask", "hold")
    before, after = (mo.due(step, pace, t, "UNSURE", "none") for t in (at, at + more))
    assert order.index(before) <= order.index(after)


@given(STEPS, PACES)
def test_a_pace_shortens_the_monitoring_and_never_the_need_for_evidence(
    step: CanaryStep, pace: float
) -> None:
    assert mo.monitor_s(step, pace) == step.monitor_s / pace
    free = replace(step, weight=5, on_unsure="extend", at_most_s=None)
    waited = mo.patience_s(free, pace) - mo.monitor_s(free, pace)
    assert waited == pytest.approx(free.extends * free.monitor_s)


STEP = CanaryStep(5, 100.0)


@pytest.mark.parametrize(
    ("more", "at", "due"),
    [
        ({}, 99, "wait"),
        ({}, 299, "wait"),
        ({}, 300, "hold"),
        ({"extends": 1}, 200, "hold"),
        ({"extends": 1, "at_most_s": 150.0}, 149, "wait"),
        ({"extends": 1, "at_most_s": 150.0}, 150, "hold"),
        ({"on_unsure": "hold"}, 99, "wait"),
        ({"on_unsure": "hold"}, 100, "hold"),
        ({"on_unsure": "ask"}, 99, "wait"),
        ({"on_unsure": "ask"}, 100, "ask"),
        ({"on_unsure": "ask"}, 100 + mo.ASK_FOR_S, "hold"),
        ({"on_unsure": "ask", "at_most_s": 150.0}, 150, "hold"),
        ({"weight": 100, "on_unsure": "ask"}, 99, "wait"),
        ({"weight": 100, "on_unsure": "ask"}, 100, "hold"),
        ({"weight": 100}, 100, "hold"),
        ({"weight": 100, "hold_back": 5}, 100, "wait"),
    ],
)
def test_what_an_unclear_answer_comes_to(more: dict[str, Any], at: float, due: str) -> None:
    assert mo.due(replace(STEP, **more), 1.0, at, "UNSURE", "none") == due


def test_only_a_pass_or_an_unsure_without_a_hold_is_worth_asking_a_person_about() -> None:
    every = product(get_args(mo.Word), get_args(mo.Action))
    allowed = [pair for pair in every if mo.a_person_may_go_on(*pair)]
    assert allowed == [("PASS", "none"), ("UNSURE", "none")]
