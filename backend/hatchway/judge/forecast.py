"""How long until the data can tell, if the traffic stays as it is."""

from __future__ import annotations

from math import log

from .counts import Arm

START = 1.5  # nats that a mixture loses to the tilt that turns out best
ENOUGH = 20  # requests of each arm before the traffic's share is as seen
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
    planned: float,
) -> float | None:
    """Expected seconds until evidence against odds `ratio` reaches `threshold`; None: never.

    `suspect` and `other` are (requests, events) seen in `seconds`; `now` is the evidence so far.
    `planned` is the suspect's share of the traffic by the weight, for while little was seen.
    Each event falls to the suspect with a share that the traffic and the ratio fix, so evidence
    grows with the relative entropy between the observed share and the one at `ratio`.
    """
    requests = suspect[0] + other[0]
    if seconds <= 0 or requests <= 0:
        return None
    events = suspect[1] + other[1] + 0.5
    traffic = suspect[0] / requests if min(suspect[0], other[0]) >= ENOUGH else planned
    expected = ratio * traffic / (1 - traffic + ratio * traffic)
    observed = (suspect[1] + 0.5 * traffic) / events
    missing = max(0.0, log(threshold) + START - log(max(now, 0.2)))
    # What was seen may lie just where nothing can be told; then as if both arms were alike.
    for share in (observed, traffic):
        speed = events / seconds * _relative_entropy(share, expected) / phi
        if speed * TOO_LONG > missing:
            return missing / speed
    return None


def _relative_entropy(a: float, b: float) -> float:
    a, b = min(1 - 1e-9, max(1e-9, a)), min(1 - 1e-9, max(1e-9, b))
    return a * log(a / b) + (1 - a) * log((1 - a) / (1 - b))
