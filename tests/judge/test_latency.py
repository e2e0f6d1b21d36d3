"""Latency: a slower canary is found, a slower site is not blamed on it."""

from __future__ import annotations

from itertools import product
from math import comb, exp, fsum, prod

import pytest

from hatchway.judge.latency import SHIFT_TILTS, middles, shift_gains, slower, tail_bucket
from hatchway.judge.quantile import bound_above, bucket_of, quantile


def test_a_look_at_latency_cannot_win_on_average_when_both_arms_are_alike() -> None:
    bounds, pooled, n_c = (0.01, 0.02, 0.05), (6, 5, 3, 2), 4
    known = (400, 300, 200, 100)
    whole = comb(sum(pooled), n_c)
    expected = [0.0] * len(SHIFT_TILTS)
    for canary in product(*(range(count + 1) for count in pooled)):
        if sum(canary) != n_c:
            continue
        chance = prod(comb(a, b) for a, b in zip(pooled, canary, strict=True)) / whole
        stable = tuple(a - b for a, b in zip(pooled, canary, strict=True))
        got = shift_gains(bounds, canary, stable, known, 0.0, 1.0)
        assert got is not None
        expected = [e + chance * exp(gain) for e, gain in zip(expected, got, strict=True)]
    assert all(e <= 1 + 1e-9 for e in expected)


def test_a_slower_canary_gains_and_a_faster_one_loses() -> None:
    bounds, known = (0.01, 0.02, 0.05), (100, 800, 100, 0)
    stable = (10, 75, 10, 0)
    worse = shift_gains(bounds, (0, 0, 0, 5), stable, known, 0.2, 1.0)
    better = shift_gains(bounds, (5, 0, 0, 0), stable, known, 0.2, 1.0)
    assert worse is not None
    assert better is not None
    assert max(worse) > 2
    assert max(better) < 0


def test_without_enough_of_stable_nothing_is_said() -> None:
    assert shift_gains((0.1,), (1, 1), (5, 5), (10, 10), 0.2, 1.0) is None
    assert tail_bucket((10, 10), 0.99) is None


def test_the_unit_does_not_matter() -> None:
    bounds = (0.01, 0.02, 0.05)
    arms = ((1, 2, 2, 3), (30, 40, 20, 5), (300, 400, 200, 50))
    small = shift_gains(bounds, *arms, 0.2, 1.3)
    large = shift_gains(tuple(1000 * bound for bound in bounds), *arms, 0.2, 1.3)
    assert small is not None
    assert small == pytest.approx(large)


def test_the_tail_is_what_lies_beyond_stables_quantile() -> None:
    known = (900, 50, 40, 10)
    assert tail_bucket(known, 0.95) == 1
    assert slower((1, 2, 3, 4), 1) == (10, 7)


def test_no_tail_is_left_above_the_last_bucket() -> None:
    assert tail_bucket((0, 0, 0, 1000), 0.95) is None


@pytest.mark.parametrize(
    ("counts", "q", "expected"),
    [
        ((10, 0, 0), 0.5, 0.05),
        ((0, 10, 0), 0.5, 0.15),
        ((5, 5, 0), 0.95, 0.19),
        ((0, 0, 10), 0.5, 0.2),
        ((0, 0, 0), 0.5, None),
    ],
)
def test_quantiles_are_read_inside_their_bucket(
    counts: tuple[int, ...], q: float, expected: float | None
) -> None:
    got = quantile((0.1, 0.2), counts, q)
    assert got == (None if expected is None else pytest.approx(expected))


def test_the_quantile_of_a_lone_bucket_is_that_bucket() -> None:
    assert bucket_of((0, 0, 1), 0.01) == 2
    assert bound_above((0.1, 0.2), (1, 0, 0), 0.99) == 0.1
    assert bound_above((0.1, 0.2), (0, 0, 1), 0.99) == float("inf")


def test_middles_grow_also_beyond_the_edges() -> None:
    mids = middles((0.01, 0.02, 0.05))
    assert list(mids) == sorted(mids)
    assert fsum(mids) < 0
