"""How sure one may be that an agent is seldom wrong, however often one has looked. Pure, closed form.

Whoever looks after each decision and stops when the figure is good will be lucky sooner or later: a
raw ratio below 5 % after a hundred decisions lets most agents through that are wrong in 5 % of
cases. So the bound is valid at all times together: the share of wrong ones is tested by a mixture
over the beta distribution `PRIOR`, whose odds against a share p after `wrong` of `of` are

    B(1 + wrong, 19 + of - wrong) / B(1, 19)  /  (p^wrong (1 - p)^(of - wrong))

and stay below 1 / `ALPHA` for ever with a probability of 1 - `ALPHA` where p is the true share
(Ville). Every p for which they are still below it may be the true one; `at_most` is the greatest.
"""

from __future__ import annotations

from math import exp, lgamma, log

ALPHA = 0.05
"""The chance that the true share is ever outside of what is said."""

LIMIT = 0.05
"""The share of wrong decisions below which an agent could be let act alone."""

PRIOR = (1.0, 19.0)
"""Of the mixture: as if one of twenty had been wrong."""

_STEPS = 60  # of a bisection of [0, 1]: as near as a float can tell


def odds_against(share: float, wrong: int, of: int) -> float:
    """The logarithm of the mixture's odds against `share` being the true share of wrong ones."""
    a, b = PRIOR
    right = of - wrong
    mixed = _beta(a + wrong, b + right) - _beta(a, b)
    return mixed - (wrong * log(share) if wrong else 0.0) - (right * log1m(share) if right else 0.0)


def log1m(share: float) -> float:
    """log(1 - share), minus infinity for 1."""
    return log(1.0 - share) if share < 1.0 else float("-inf")


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def at_most(wrong: int, of: int) -> float:
    """The greatest share of wrong decisions that is not excluded; 1 when nothing is known."""
    if wrong >= of:
        return 1.0
    bar = -log(ALPHA)
    if wrong == 0:  # solved for p
        a, b = PRIOR
        return min(1.0, 1.0 - exp((_beta(a, b + of) - _beta(a, b) - bar) / of))
    low, high = wrong / of, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if odds_against(middle, wrong, of) < bar:
            low = middle
        else:
            high = middle
    return high


def shown(wrong: int, of: int) -> bool:
    """Whether it is shown that fewer than `LIMIT` are wrong."""
    return of > 0 and wrong < LIMIT * of and odds_against(LIMIT, wrong, of) >= -log(ALPHA)


def clean_needed(wrong: int, of: int) -> int:
    """How many more decisions, all of them right, would show that; 0 when it is shown."""
    if shown(wrong, of):
        return 0
    low, high = 0, 1
    while not shown(wrong, of + high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(wrong, of + middle) else (middle, high)
    return high
