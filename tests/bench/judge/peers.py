"""How other tools and textbook tests decide, written anew from their documentation.

Each rule takes the draws and says, for every rollout, after how many seconds it would have rolled
back (inf: never). All see the metric that is named; only the decision is modelled, not the tool.
"""

from __future__ import annotations

from typing import Any

import mann_whitney
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from world import Arms, Draws, World, buckets

Real = NDArray[np.float64]
Numbers = NDArray[Any]

ALPHA = 0.01  # for the textbook tests: the same as the judge's


def argo(draws: Draws) -> Real | None:
    """Argo Rollouts, analysis by a threshold: success rate >= 0.95 every 30 s, failureLimit 3.

    Source: its documentation, "Analysis & Progressive Delivery", example of a background analysis
    (there every 5 minutes; here ten times as often, in its favour). A measurement that does not
    meet the condition has failed; the run fails with the first one beyond the limit, the fourth.
    NaN, from no traffic, does not meet it. Simplified: the rate is that of the last 30 s.
    """
    arms = draws.arms.get("errors")
    if arms is None:
        return None
    n, e = _by(arms.n_c, 30), _by(arms.e_c, 30)
    failed = ~(_rate(n - e, n) >= 0.95)
    return _first(np.cumsum(failed, axis=1) > 3, 30)


def flagger(draws: Draws) -> Real | None:
    """Flagger, request-success-rate >= 99, interval 1m, threshold 5.

    Source: its documentation, "Metrics Analysis" and "How it works": every interval each metric is
    asked for that interval; a value out of range, or none, is a failed check; failed checks are
    counted over the whole analysis and reaching the threshold rolls back. For latency its second
    built-in check: p99 (request-duration) of at most 500 ms. Simplified: a failed check does not
    delay the ladder.
    """
    failed: NDArray[np.bool_] | None = None
    if (arms := draws.arms.get("errors")) is not None:
        n, e = _by(arms.n_c, 60), _by(arms.e_c, 60)
        failed = ~(_rate(n - e, n) >= 0.99)
    if draws.latency is not None:
        slow = ~(_quantile(draws.world, _by(draws.latency[0], 60), 0.99) <= 0.5)
        failed = slow if failed is None else failed | slow
    return None if failed is None else _first(np.cumsum(failed, axis=1) >= 5, 60)


def kayenta(draws: Draws, point_s: int) -> Real:
    """Kayenta's default judge: Mann-Whitney at 98 % on points, over a growing window.

    Source: Spinnaker's guide "How canary judgment works" and the defaults of its classifier. A
    metric is High when the lower end of the 98 % confidence interval for the shift of location
    (Hodges-Lehmann) lies above 0.25 of the estimate's size; identical arms pass. Direction as
    the metric's; a critical metric that is High fails the canary at once. Judged at each point.
    Simplified: stable as a whole is the baseline; normal approximation with correction for ties
    and no other effect size; points without requests (NaN) are left out of both arms.
    """
    found = np.full(draws.rollouts, np.inf)
    for canary, stable, sign in _points(draws, point_s):
        high = mann_whitney.first_high(sign * canary, sign * stable)
        found = np.minimum(found, np.where(high >= 0, (high + 1.0) * point_s, np.inf))
    return found


def z_test(draws: Draws, look_s: int) -> Real:
    """The textbook test at every look, each time at 1 % one-sided, on everything so far.

    Two proportions with a pooled variance; for latency the means of ln(latency) with known
    variance. What an impatient person does: it is right at one look and wrong at a hundred.
    """
    found = np.full(draws.rollouts, np.inf)
    critical = norm.isf(ALPHA)
    for name, arms in draws.arms.items():
        n_c, e_c, n_s, e_s = (
            np.cumsum(_by(x, look_s), axis=1) for x in (arms.n_c, arms.e_c, arms.n_s, arms.e_s)
        )
        pool = _rate(e_c + e_s, n_c + n_s)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(pool * (1 - pool) * (1 / n_c + 1 / n_s))
            z = (_rate(e_c, n_c) - _rate(e_s, n_s)) / error
        found = np.minimum(found, _first(_sign(name) * z > critical, look_s))
    if draws.latency is not None:
        sums = [np.cumsum(_by(x, look_s), axis=1) for x in draws.latency]
        mids = _middles(draws.world)
        (m_c, v_c, n_c), (m_s, v_s, n_s) = (_moments(x, mids) for x in sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (m_c - m_s) / np.sqrt(v_c / n_c + v_s / n_s)
        found = np.minimum(found, _first(z > critical, look_s))
    return found


def sprt(draws: Draws, look_s: int) -> Real | None:
    """Wald's sequential test that knows the answer: the canary's ratio, and when it began.

    The likelihood ratio of the true ratio against 1, given the events of both arms (each falls to
    the canary with a chance that traffic and ratio fix); for latency, of the true distribution.
    Rolls back at 1/alpha. Nothing that must find the ratio out can be faster on average; it is
    the limit, not a rule to be had. Asked only where there is something to know.
    """
    world = draws.world
    gain = np.zeros(draws.bad.shape)
    for name, ratio in (("errors", world.errors), ("orders", world.orders)):
        if name in draws.arms and ratio != 1.0:
            gain += _likelihood(draws.arms[name], ratio)
    if draws.latency is not None and (world.slower != 1.0 or world.tail):
        good, bad = buckets(world, 1.0), buckets(world, world.slower, world.tail)
        with np.errstate(divide="ignore"):
            score = np.log(np.maximum(bad, 1e-12) / np.maximum(good, 1e-12))
        gain += draws.latency[0] @ score
    if not gain.any():
        return None
    gain[:, : world.onset_s] = 0.0
    return _first(np.cumsum(_by(gain, look_s), axis=1) >= np.log(1 / ALPHA), look_s)


def _likelihood(arms: Arms, ratio: float) -> Real:
    share = arms.n_c / np.maximum(1, arms.n_c + arms.n_s)
    worse = share * ratio / (1 - share + share * ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = arms.e_c * np.log(worse / share) + arms.e_s * np.log((1 - worse) / (1 - share))
    both = (arms.n_c > 0) & (arms.n_s > 0)
    return np.where(both, np.nan_to_num(gain, posinf=0.0, neginf=0.0), 0.0)


def _points(draws: Draws, point_s: int) -> list[tuple[Real, Real, float]]:
    points = [
        (
            _rate(_by(arms.e_c, point_s), _by(arms.n_c, point_s)),
            _rate(_by(arms.e_s, point_s), _by(arms.n_s, point_s)),
            _sign(name),
        )
        for name, arms in draws.arms.items()
    ]
    if draws.latency is not None:
        canary, stable = (_quantile(draws.world, _by(x, point_s), 0.95) for x in draws.latency)
        points.append((canary, stable, 1.0))
    return points


def _sign(name: str) -> float:
    return -1.0 if name == "orders" else 1.0


def _by(values: Numbers, seconds: int) -> Numbers:
    """Sums of whole blocks of seconds along the second axis."""
    blocks = values.shape[1] // seconds
    cut = values[:, : blocks * seconds]
    whole: Numbers = cut.reshape(values.shape[0], blocks, seconds, *values.shape[2:]).sum(axis=2)
    return whole


def _rate(events: Numbers, requests: Numbers) -> Real:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(events / requests, dtype=np.float64)


def _first(fired: NDArray[np.bool_], seconds: int) -> Real:
    """The end of the first block that fired, in seconds; inf when none did."""
    return np.where(fired.any(axis=1), (fired.argmax(axis=1) + 1.0) * seconds, np.inf)


def _middles(world: World) -> Real:
    edges = np.log(np.array(world.bounds))
    return np.concatenate([[edges[0] - 0.1], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 0.1]])


def _moments(counts: Numbers, mids: Real) -> tuple[Real, Real, Real]:
    n = counts.sum(axis=-1)
    mean = _rate(counts @ mids, n)
    return mean, _rate(counts @ mids**2, n) - mean**2, np.asarray(n, dtype=np.float64)


def _quantile(world: World, counts: Numbers, q: float) -> Real:
    """By interpolation inside the bucket, as histogram_quantile; NaN without a request."""
    total = counts.sum(axis=-1)
    seen = np.cumsum(counts, axis=-1)
    index = (seen >= q * total[..., None]).argmax(axis=-1)
    low = np.concatenate([[0.0], world.bounds, world.bounds[-1:]])[index]
    high = np.concatenate([world.bounds, world.bounds[-1:]])[index]
    inside = np.take_along_axis(counts, index[..., None], -1)[..., 0]
    below = np.take_along_axis(seen, index[..., None], -1)[..., 0] - inside
    part = (q * total - below) / np.maximum(1, inside)
    return np.where(total > 0, low + (high - low) * np.clip(part, 0, 1), np.nan)
