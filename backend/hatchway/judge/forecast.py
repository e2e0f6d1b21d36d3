"""How long until the data can tell, if the traffic stays as it is."""

from __future__ import annotations

from math import log

from .counts import Arm

START = 1.5  # nats that a mixture loses to the tilt that turns out best
TOO_LONG = 7 * 24 * 3600.0


def seconds_to(
    suspect: Arm,
    other: Arm,
    seconds: float,
    *,
    ratio: float,
    threshold: float,
    now: float,
    phi: float,
) -> float | None:
    """Expected seconds until evidence against odds `ratio` reaches `threshold`; None: never.

    `suspect` and `other` are (requests, events) seen in `seconds`; `now` is the evidence so far.
    Each event falls to the suspect with a share that the traffic and the ratio fix, so evidence
    grows with the relative entropy between the observed share and the one at `ratio`.
    """
    if seconds <= 0 or suspect[0] <= 0 or other[0] <= 0:
        return None
    events = suspect[1] + other[1] + 0.5
    traffic = suspect[0] / (suspect[0] + other[0])
    expected = ratio * traffic / (1 - traffic + ratio * traffic)
    observed = (suspect[1] + 0.5 * traffic) / events
    speed = events / seconds * _relative_entropy(observed, expected) / phi
    missing = max(0.0, log(threshold) + START - log(max(now, 0.2)))
    if speed * TOO_LONG <= missing:
        return None
    return missing / speed


def _relative_entropy(a: float, b: float) -> float:
    a, b = min(1 - 1e-9, max(1e-9, a)), min(1 - 1e-9, max(1e-9, b))
    return a * log(a / b) + (1 - a) * log((1 - a) / (1 - b))
