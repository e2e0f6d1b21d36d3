"""Events among requests: errors, conversions, requests slower than a bound.

Each look is a stratum: given how many requests each arm had and how many events there were in
all, the events of one arm are hypergeometric. What moves both arms alike cancels, and the level
may change freely from look to look.

The bounds on the mean come from Harkness' identity for Fisher's noncentral hypergeometric
distribution with 0 <= Var <= mu (1 - mu/n); the bound on E[psi^k] from its being a sum of n
independent Bernoulli variables (for a ratio of 1: Hoeffding 1963, theorem 4).
"""

from __future__ import annotations

from functools import lru_cache
from math import log, log1p, sqrt

from msgspec import Struct

WORSE_TILTS = (1.5, 2.0, 4.0, 10.0, 30.0)
HEALTHY_TILTS = (0.9, 0.75, 0.5, 0.35, 0.2, 0.1)

Arm = tuple[int, int]  # requests, events


class Stratum(Struct, frozen=True):
    """One look: `k` events of the suspected arm out of at most `n`, and a bound on their mean."""

    k: int
    n: int
    mean: float


def at_most(ratio: float, suspect: Arm, other: Arm) -> Stratum | None:
    """The look under "odds of the suspect <= ratio x odds of the other"; the mean from above.

    None when the look cannot tell anything: an arm without requests, or no event at all.
    """
    return _stratum(ratio, suspect, other, above=True)


def at_least(ratio: float, suspect: Arm, other: Arm) -> Stratum | None:
    """The look under "odds of the suspect >= ratio x odds of the other"; the mean from below."""
    return _stratum(ratio, suspect, other, above=False)


def log_e(stratum: Stratum, psi: float) -> float:
    """ln of the e-value of a tilt. psi > 1 goes with `at_most`, psi < 1 with `at_least`."""
    share = min(1.0, stratum.mean / stratum.n)
    return stratum.k * log(psi) - stratum.n * log1p(share * (psi - 1.0))


def gains(stratum: Stratum, tilts: tuple[float, ...], phi: float) -> tuple[float, ...]:
    """ln e of each tilt, tempered by `phi` >= 1 because events of one look may hang together."""
    share = min(1.0, stratum.mean / stratum.n)
    k, n = stratum.k, stratum.n
    return tuple(
        [
            (k * ln_psi - n * log1p(share * (psi - 1.0))) / phi
            for psi, ln_psi in zip(tilts, _logs(tilts), strict=True)
        ]
    )


@lru_cache(maxsize=16)
def _logs(tilts: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(log, tilts))


def _stratum(ratio: float, suspect: Arm, other: Arm, *, above: bool) -> Stratum | None:
    (requests, k), (others, rest) = suspect, other
    if requests <= 0 or others <= 0 or k + rest <= 0:
        return None
    # An order may be counted a moment before its request: never more events than requests.
    events, requests, others = k + rest, max(requests, k), max(others, rest)
    n = min(events, requests)
    a = ratio - 1.0
    b = others - events + ratio * (events + requests)
    if above:
        b -= a
        a *= 1.0 - 1.0 / n
    c = ratio * events * requests
    return Stratum(k, n, 2.0 * c / (b + sqrt(max(0.0, b * b - 4.0 * a * c))))
