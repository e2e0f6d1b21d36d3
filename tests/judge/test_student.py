"""Student's t and Fisher's F agree with scipy."""

from __future__ import annotations

from math import inf

import pytest
from scipy import stats
from scipy.special import betainc

from hatchway.judge.student import beta_below, f_above, t_above

DEGREES = (0.5, 1.0, 2.0, 3.7, 9.0, 19.0, 58.3, 400.0, 20_000.0)


@pytest.mark.parametrize("df", DEGREES)
def test_the_tail_of_t_agrees_with_scipy(df: float) -> None:
    for t in (-40.0, -3.0, -0.2, 0.0, 1e-9, 0.5, 1.7, 2.5, 4.4, 8.0, 30.0, 1e4):
        assert t_above(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-8, abs=1e-290)


@pytest.mark.parametrize("df", DEGREES)
def test_t_finds_its_own_quantiles(df: float) -> None:
    for alpha in (0.4, 0.05, 0.01, 0.00025, 1e-7):
        assert t_above(float(stats.t.isf(alpha, df)), df) == pytest.approx(alpha, rel=1e-6)


def test_the_tail_of_f_agrees_with_scipy() -> None:
    for df1 in (1.0, 4.2, 30.0, 300.0):
        for df2 in (1.0, 7.0, 59.0):
            for f in (0.0, 0.01, 0.7, 1.0, 2.3, 12.0, 500.0):
                assert f_above(f, df1, df2) == pytest.approx(stats.f.sf(f, df1, df2), rel=1e-7)


def test_the_incomplete_beta_agrees_with_scipy() -> None:
    for a in (0.5, 1.0, 3.3, 80.0, 5000.0):
        for b in (0.5, 2.0, 41.0, 900.0):
            for x in (0.0, 1e-6, 0.03, 0.5, 0.97, 1.0):
                assert beta_below(x, a, b) == pytest.approx(betainc(a, b, x), rel=1e-7, abs=1e-250)


def test_infinity_has_no_tail() -> None:
    assert t_above(inf, 3.0) == 0.0
    assert t_above(-inf, 3.0) == 1.0
    assert f_above(inf, 3.0, 4.0) == 0.0
