"""The bound on how often an agent is wrong: right in numbers, and not fooled by looking often."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.trust import ALPHA, LIMIT, at_most, clean_needed, odds_against, shown


def integrated(share: float, wrong: int, of: int, steps: int = 20_000) -> float:
    """The mixture's odds by Simpson's rule over the density of Beta(1, 19), which is 19 (1-p)^18."""

    def term(p: float) -> float:
        return 19 * (1 - p) ** 18 * p**wrong * (1 - p) ** (of - wrong)

    step = 1.0 / steps
    inner = sum((4 if i % 2 else 2) * term(i * step) for i in range(1, steps))
    mixed = step / 3 * (term(0.0) + inner + term(1.0))
    return math.log(mixed / (share**wrong * (1 - share) ** (of - wrong)))


@pytest.mark.parametrize(
    ("wrong", "of", "share"),
    [(0, 1, 0.05), (0, 93, 0.05), (1, 20, 0.3), (7, 40, 0.05), (3, 3, 0.9)],
)
def test_the_closed_form_is_the_integral(wrong: int, of: int, share: float) -> None:
    assert odds_against(share, wrong, of) == pytest.approx(integrated(share, wrong, of), abs=1e-6)


def test_ninety_three_clean_decisions_show_that_fewer_than_one_in_twenty_are_wrong() -> None:
    assert not shown(0, 92)
    assert shown(0, 93)
    assert at_most(0, 92) > LIMIT >= at_most(0, 93)
    assert clean_needed(0, 0) == 93


def test_nothing_known_bounds_nothing() -> None:
    assert at_most(0, 0) == 1.0
    assert at_most(3, 3) == 1.0
    assert not shown(0, 0)


@given(st.integers(0, 60), st.integers(1, 400))
def test_the_bound_is_where_the_odds_are_the_bar(wrong: int, of: int) -> None:
    wrong = min(wrong, of)
    found = at_most(wrong, of)
    assert wrong / of <= found <= 1.0
    if wrong < of:
        assert odds_against(found, wrong, of) == pytest.approx(-math.log(ALPHA), abs=1e-6)
    assert shown(wrong, of) == (found <= LIMIT)


@given(st.integers(0, 30), st.integers(1, 300))
def test_more_wrong_ones_never_look_better_and_more_right_ones_never_worse(
    wrong: int, of: int
) -> None:
    wrong = min(wrong, of)
    assert at_most(wrong + 1, of + 1) >= at_most(wrong, of) - 1e-9
    assert at_most(wrong, of + 1) <= at_most(wrong, of) + 1e-9
    left = clean_needed(wrong, of)
    assert shown(wrong, of + left)
    assert left == 0 or not shown(wrong, of + left - 1)


def first_shown(runs: int, share: float, seed: int, decisions: int = 1000) -> list[float]:
    """After how many decisions each of `runs` simulated agents was believed; infinity: never."""
    dice, believed, few = random.Random(seed), [-1], -1
    for of in range(1, decisions + 1):  # the most wrong ones with which it is shown
        while shown(few + 1, of):
            few += 1
        while few >= 0 and not shown(few, of):
            few -= 1
        believed.append(few)
    found = []
    for _ in range(runs):
        wrong, when = 0, math.inf
        for of in range(1, decisions + 1):
            wrong += dice.random() < share
            if wrong <= believed[of]:
                when = of
                break
        found.append(when)
    return found


def test_an_agent_that_is_wrong_in_5_percent_is_hardly_ever_let_through(
    bar: Callable[[str, str, str], None],
) -> None:
    found = first_shown(600, 0.05, seed=7)
    through = sum(math.isfinite(each) for each in found) / len(found)
    bar("agents that are wrong in 5 %, let through within 1,000", f"{through:.1%}", "3 %")
    assert through <= 0.03


def test_an_agent_that_is_wrong_in_half_a_percent_is_let_through_after_93() -> None:
    assert median(first_shown(301, 0.005, seed=11)) == 93


def test_the_raw_ratio_would_let_nearly_every_such_agent_through() -> None:
    """Why the raw ratio is only shown beside the bound."""
    dice, through = random.Random(3), 0
    for _ in range(200):
        wrong = 0
        for of in range(1, 1001):
            wrong += dice.random() < 0.05
            if of >= 100 and wrong / of < 0.05:
                through += 1
                break
    assert through / 200 > 0.8
