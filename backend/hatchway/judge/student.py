"""Student's t and Fisher's F: how rarely chance alone goes so far."""

from __future__ import annotations

from math import exp, inf, lgamma, log, log1p

_TINY = 1e-300
_PRECISE = 1e-14


def t_above(t: float, df: float) -> float:
    """P(T > t) of Student's t with `df` > 0 degrees of freedom, which need not be whole."""
    if t == 0.0:
        return 0.5
    square = t * t
    tail = 0.0 if square == inf else 0.5 * beta_below(df / (df + square), df / 2.0, 0.5)
    return tail if t > 0 else 1.0 - tail


def f_above(f: float, df1: float, df2: float) -> float:
    """P(F > f) of Fisher's F: how rarely a ratio of two variances is above `f` >= 0."""
    if f == inf:
        return 0.0
    return beta_below(df2 / (df2 + df1 * f), df2 / 2.0, df1 / 2.0)


def beta_below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), to about twelve digits.

    By its continued fraction, on the side of the mode where that converges fast.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's way through the continued fraction of I_x(a, b)."""
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    result = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _away(1.0 + term * d)
            c = _away(1.0 + term / c)
            change = d * c
            result *= change
        if abs(change - 1.0) < _PRECISE:
            break
    return result


def _away(value: float) -> float:
    """Not zero, so that it can be divided by."""
    return value if abs(value) > _TINY else _TINY
