"""One look at counts is a fair bet: checked against every possible outcome, exactly."""

from __future__ import annotations

from math import comb, exp, fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.judge.counts import (
    HEALTHY_TILTS,
    WORSE_TILTS,
    Stratum,
    at_least,
    at_most,
    gains,
    log_e,
)

RATIOS = (1.0, 1.5, 2.0, 5.0, 10.0)
SIZES = ((1, 1), (1, 9), (3, 4), (5, 95), (20, 20), (95, 5), (40, 7))


def noncentral(n_c: int, n_s: int, m: int, ratio: float) -> dict[int, float]:
    """P(k events of m fall to the arm with n_c) when its odds are `ratio` times the other's."""
    ks = range(max(0, m - n_s), min(m, n_c) + 1)
    weights = {k: comb(n_c, k) * comb(n_s, m - k) * ratio**k for k in ks}
    whole = fsum(weights.values())
    return {k: weight / whole for k, weight in weights.items()}


def mean(chances: dict[int, float]) -> float:
    return fsum(k * p for k, p in chances.items())


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
def test_a_look_cannot_win_on_average_while_the_canary_is_no_worse(
    n_c: int, n_s: int, ratio: float
) -> None:
    for m in range(1, n_c + n_s):
        for true in (ratio, ratio / 2, ratio / 10):
            chances = noncentral(n_c, n_s, m, true)
            for psi in WORSE_TILTS:
                expected = fsum(
                    p * exp(log_e(stratum, psi))
                    for k, p in chances.items()
                    if (stratum := at_most(ratio, (n_c, k), (n_s, m - k))) is not None
                )
                assert expected <= 1 + 1e-9, (n_c, n_s, m, ratio, true, psi)


@pytest.mark.parametrize("ratio", RATIOS[1:])
@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
def test_a_look_cannot_call_a_bad_canary_healthy_on_average(
    n_c: int, n_s: int, ratio: float
) -> None:
    for m in range(1, n_c + n_s):
        for true in (ratio, 2 * ratio, 10 * ratio):
            chances = noncentral(n_c, n_s, m, true)
            for psi in HEALTHY_TILTS:
                expected = fsum(
                    p * exp(log_e(stratum, psi))
                    for k, p in chances.items()
                    if (stratum := at_least(ratio, (n_c, k), (n_s, m - k))) is not None
                )
                assert expected <= 1 + 1e-9, (n_c, n_s, m, ratio, true, psi)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
def test_the_bounds_enclose_the_true_mean(n_c: int, n_s: int, ratio: float) -> None:
    for m in range(1, n_c + n_s):
        true = mean(noncentral(n_c, n_s, m, ratio))
        k = min(m, n_c)
        above = at_most(ratio, (n_c, k), (n_s, m - k))
        below = at_least(ratio, (n_c, k), (n_s, m - k))
        assert above is not None
        assert below is not None
        assert below.mean - 1e-9 <= true <= above.mean + 1e-9


def test_at_a_ratio_of_one_the_mean_is_exact() -> None:
    stratum = at_most(1.0, (5, 2), (95, 3))
    assert stratum == Stratum(2, 5, pytest.approx(5 * 5 / 100))


@pytest.mark.parametrize(
    ("canary", "stable"), [((0, 0), (95, 1)), ((5, 1), (0, 0)), ((5, 0), (95, 0))]
)
def test_a_look_without_traffic_or_events_tells_nothing(
    canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    assert at_most(1.5, canary, stable) is None
    assert at_least(2.0, canary, stable) is None


arms = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(arms, arms, st.floats(1.0, 50.0), st.floats(1.0, 5.0))
@settings(max_examples=200, deadline=None)
def test_no_counts_break_the_arithmetic(
    canary: tuple[int, int], stable: tuple[int, int], ratio: float, phi: float
) -> None:
    for stratum, tilts in (
        (at_most(ratio, canary, stable), WORSE_TILTS),
        (at_least(ratio, canary, stable), HEALTHY_TILTS),
    ):
        if stratum is not None:
            assert 0 <= stratum.mean <= stratum.n * (1 + 1e-9)
            assert all(abs(gain) < 1e6 for gain in gains(stratum, tilts, phi))


@given(arms, arms)
@settings(max_examples=200, deadline=None)
def test_one_more_event_on_the_canary_never_looks_better(
    canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    if canary[1] == canary[0] or stable[1] == 0:
        return
    fewer = at_most(1.5, canary, stable)
    more = at_most(1.5, (canary[0], canary[1] + 1), (stable[0], stable[1] - 1))
    assert fewer is not None
    assert more is not None
    assert all(log_e(more, psi) > log_e(fewer, psi) for psi in WORSE_TILTS)


def test_more_events_than_requests_are_taken_as_requests_not_yet_counted() -> None:
    stratum = at_most(1.5, (2, 3), (95, 1))
    assert stratum is not None
    assert stratum.k <= stratum.n
