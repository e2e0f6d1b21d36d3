"""Wealth: never created, released when due, and capped so that one moment decides nothing."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.judge.wealth import BURST_NATS, Wealth, bet, released

looks = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 60)), min_size=1, max_size=50
)


@given(looks)
@settings(max_examples=100, deadline=None)
def test_looks_that_say_nothing_change_nothing(plan: list[tuple[float, float, float]]) -> None:
    wealth = Wealth()
    for _, _, seconds in plan:
        wealth = bet(wealth, (0.0, 0.0), seconds)
        assert wealth.now == pytest.approx(1.0)


@given(looks)
@settings(max_examples=100, deadline=None)
def test_a_fair_coin_bets_fairly(plan: list[tuple[float, float, float]]) -> None:
    """Before each look the expected wealth after it is at most the wealth now."""
    wealth = Wealth()
    for up, _, seconds in plan:
        gain = abs(up)
        # A coin that multiplies by e^gain or by what makes the mean 1.
        p = 0.5 / (1 + gain)
        loss = log((1 - p * 2.718281828**gain) / (1 - p)) if p * 2.718281828**gain < 1 else -50.0
        won, lost = (bet(wealth, (x, x), seconds) for x in (gain, loss))
        if p * 2.718281828**gain < 1:
            assert p * won.now + (1 - p) * lost.now <= wealth.now * (1 + 1e-9)
        wealth = lost


@given(looks)
@settings(max_examples=100, deadline=None)
def test_the_peak_never_falls(plan: list[tuple[float, float, float]]) -> None:
    wealth = Wealth()
    for a, b, seconds in plan:
        before, wealth = wealth, bet(wealth, (a, b), seconds)
        assert wealth.peak >= max(before.peak, wealth.now) * (1 - 1e-12)
        assert wealth.reserve >= 0


def test_one_second_adds_no_more_than_the_cap() -> None:
    wealth = bet(Wealth(), (500.0, 500.0), 1.0)
    assert log(wealth.now) <= BURST_NATS


def test_a_raise_brings_half_of_the_reserve_into_play() -> None:
    wealth = bet(Wealth(), (0.0,), 1.0)
    assert wealth.reserve == pytest.approx(0.5)
    wealth = bet(released(wealth), (0.0,), 1.0)
    assert wealth.reserve == pytest.approx(0.25)


def test_a_late_regression_is_found_despite_a_long_quiet_time() -> None:
    wealth = Wealth()
    for _ in range(3600):
        wealth = bet(wealth, (-0.3,), 1.0)
    seconds = 0
    while wealth.now < 100:
        wealth = bet(wealth, (1.0,), 1.0)
        seconds += 1
        assert seconds < 30


def test_certainty_does_not_overflow() -> None:
    wealth = Wealth()
    for _ in range(10_000):
        wealth = bet(wealth, (BURST_NATS,), 1.0)
    assert 1e100 < wealth.now < float("inf")


def test_a_reserve_that_days_have_used_up_is_no_error() -> None:
    wealth = Wealth(reserve=5e-324, due=0.0)
    after = bet(wealth, (0.1, 0.2), 5.0)
    assert after.now == pytest.approx(0.0)
    assert bet(after, (0.1, 0.2), 5.0).now == pytest.approx(0.0)
