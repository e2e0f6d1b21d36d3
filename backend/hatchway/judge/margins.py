"""How much worse than stable is still called the same: configured, or measured on stable itself."""

from __future__ import annotations

from math import exp, log

from msgspec import Struct, structs


class Margins(Struct, frozen=True, array_like=True):
    """Margins of one metric.

    Odds of an event up to `ratio` times stable's, a latency shift of up to `shift` (0.2: 20 %) and
    a tail up to `tail` times stable's are not called worse; evidence is divided by `phi`, since
    events that come in clumps are fewer facts than they look. `pods` is how many instances of
    stable it was measured on (0: configured, or only `phi` measured), in `seconds` of data.
    """

    phi: float
    ratio: float
    shift: float
    tail: float
    pods: int = 0
    seconds: float = 0.0


SURE = 2.33
"""Standard deviations between instances that a canary may be off by: one in a hundred is more."""

MOST_SPREAD = 0.5  # of instances (log scale): beyond it nothing could ever be called worse
TAIL_SLOPE = 3.4
"""How much the log-odds of lying beyond the 99.9th percentile move when a normal distribution
moves by one of its standard deviations; less for the 95th (2.1) and 99th (2.7)."""


def of_counts(phi: float, spread: float, pods: int, seconds: float) -> Margins:
    """Margins for events; `spread` is the standard deviation of ln(odds) between instances."""
    ratio = 1.1 * exp(SURE * min(spread, MOST_SPREAD))
    return Margins(phi, ratio, 0.0, 0.0, pods, seconds)


def of_latency(phi: float, spread: float, within: float, pods: int, seconds: float) -> Margins:
    """Margins for latency: `spread` of the instances' mean ln(latency), `within` of the requests'.

    A tail 1.25 times as frequent is allowed, and what the same spread does to a tail.
    """
    spread = min(spread, MOST_SPREAD)
    shift = exp(log(1.05) + SURE * spread) - 1.0
    tail = 1.25 * exp(min(SURE * spread * TAIL_SLOPE / max(within, 0.25), log(8.0)))
    return Margins(phi, 1.25, shift, tail, pods, seconds)


def of_clumps(phi: float, seconds: float) -> Margins:
    """What one instance can tell: how its events clump in time, and nothing of other instances."""
    return Margins(phi, 0.0, 0.0, 0.0, 0, seconds)


def joined(configured: Margins, measured: Margins | None) -> Margins:
    """The margins that hold. What only one instance told can make them more careful, no more."""
    if measured is None:
        return configured
    if measured.pods:
        return measured
    return structs.replace(
        configured, phi=max(configured.phi, measured.phi), seconds=measured.seconds
    )
