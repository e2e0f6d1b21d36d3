"""Draws rollouts: what two arms, and the instances of stable, do second by second.

Everything is drawn once, for many rollouts at a time; all rules judge the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import nuisances
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Whole = NDArray[np.int64]
Real = NDArray[np.float64]

LADDER = ((300, 5), (120, 25), (180, 95))  # seconds, percent: 5 % of stable are held back
FINE = tuple(0.001 * 1.25**i for i in range(44))  # 1 ms to 15 s
COARSE = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
MEDIAN_S, SPREAD = 0.02, 0.5  # of the log-normal latency: p95 is about 45 ms
BEFORE_LOOK_S = 5  # latencies of single instances are drawn by looks, not by seconds


@dataclass(frozen=True, kw_only=True)
class World:
    """A service and what its new version does. Ratios of 1 are an A/A rollout.

    `errors`, `slower` and `orders` are the canary's level divided by stable's, from `onset_s`
    seconds after the first raise on; `tail` is the share of the canary's requests that take ten
    times as long. `before_s` seconds without a canary come first, for the calibration.
    """

    rate: float = 200.0
    base: float = 0.01
    conversion: float = 0.1
    errors: float = 1.0
    slower: float = 1.0
    tail: float = 0.0
    orders: float = 1.0
    onset_s: int = 0
    nuisance: str = "none"
    strength: float = 0.0
    metrics: tuple[str, ...] = ("errors",)
    bounds: tuple[float, ...] = FINE
    steps: tuple[tuple[int, int], ...] = LADDER
    pods: int = 20
    before_s: int = 600

    @property
    def seconds(self) -> int:
        """How long the rollout takes."""
        return sum(length for length, _ in self.steps)

    @property
    def weights(self) -> Whole:
        """The canary's percent in each second of the rollout."""
        return np.repeat([w for _, w in self.steps], [s for s, _ in self.steps])


@dataclass(frozen=True)
class Arms:
    """Events among requests in each second: (rollouts, seconds)."""

    n_c: Whole
    e_c: Whole
    n_s: Whole
    e_s: Whole


@dataclass(frozen=True)
class Draws:
    """Rollouts of one world.

    `pods_n` and `pods_e` are stable's instances in the seconds before the rollout (rollouts,
    seconds, instances). Latencies are requests by bucket (rollouts, seconds, buckets), and
    `pods_latency` (rollouts, looks, instances, buckets). `bad` is how many requests of each second
    went wrong on the canary only because it is worse, on average.
    """

    world: World
    arms: dict[str, Arms]
    pods_n: Whole
    pods_e: dict[str, Whole]
    latency: tuple[Whole, Whole] | None
    pods_latency: Whole | None
    bad: Real

    @property
    def rollouts(self) -> int:
        return int(self.bad.shape[0])


def draw(world: World, rollouts: int, seed: tuple[int, ...]) -> Draws:
    """The same seed always gives the same draws."""
    rng = np.random.default_rng(seed)
    trouble = nuisances.NUISANCES[world.nuisance](
        rng, rollouts, world.before_s, world.seconds, world.pods, world.strength
    )
    now = slice(world.before_s, None)
    share = np.concatenate([np.zeros(world.before_s), world.weights / 100.0])
    traffic = world.rate * trouble.traffic
    n_c = rng.poisson(np.maximum(traffic * share, 0.0))[:, now]
    stable = (traffic * (1.0 - share) / world.pods)[:, :, None]
    pods_n = rng.poisson(np.broadcast_to(stable, (*trouble.common.shape, world.pods)))
    on = np.arange(world.seconds) >= world.onset_s
    instances = np.clip(world.weights // 5, 1, nuisances.MOST_CANARIES)
    arms, pods_e, bad = {}, {}, np.zeros(n_c.shape)
    ratios = {"errors": (world.base, world.errors), "orders": (world.conversion, world.orders)}
    for name, (level, ratio) in ratios.items():
        if name not in world.metrics:
            continue
        hit = trouble if name == "errors" else nuisances.none_like(trouble)
        p_pods = np.clip(level * hit.common[:, :, None] * hit.pods, 0.0, 0.95)
        alone = level * hit.common[:, now] * hit.on_canary(instances, now)
        p_canary = np.clip(alone * np.where(on, ratio, 1.0), 0.0, 0.95)
        e_pods = _events(rng, pods_n, p_pods, hit.clump)
        e_c = _events(rng, n_c, p_canary, hit.clump)
        arms[name] = Arms(n_c, e_c, pods_n[:, now].sum(axis=2), e_pods[:, now].sum(axis=2))
        pods_e[name] = e_pods[:, : world.before_s]
        bad += n_c * np.abs(p_canary - np.clip(alone, 0.0, 0.95))
    latency = pods_latency = None
    if "latency" in world.metrics:
        latency, pods_latency = _latency(rng, world, n_c, pods_n, on)
    return Draws(world, arms, pods_n[:, : world.before_s], pods_e, latency, pods_latency, bad)


def buckets(world: World, slower: float, tail: float = 0.0) -> Real:
    """The share of requests in each bucket."""
    edges = np.log(np.array(world.bounds))

    def under(median: float) -> Real:
        return np.asarray(norm.cdf((edges - np.log(median)) / SPREAD))

    below = (1 - tail) * under(MEDIAN_S * slower) + tail * under(10 * MEDIAN_S * slower)
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


def _events(rng: np.random.Generator, n: Whole, p: Real, clump: float) -> Whole:
    """Events among n; with `clump` > 1 they come in lumps of that mean size (geometric)."""
    if clump <= 1.0:
        return rng.binomial(n, p)
    lumps = rng.binomial(n, p / clump)
    more = rng.negative_binomial(np.maximum(lumps, 1), 1.0 / clump)
    return np.minimum(n, np.where(lumps > 0, lumps + more, 0))


def _latency(
    rng: np.random.Generator, world: World, n_c: Whole, pods_n: Whole, on: NDArray[np.bool_]
) -> tuple[tuple[Whole, Whole], Whole]:
    """Requests by bucket. With the nuisance "pods differ" instances differ in latency as well."""
    rollouts = n_c.shape[0]
    spread = world.strength if world.nuisance == "pods" else 0.0
    good, bad = buckets(world, 1.0), buckets(world, world.slower, world.tail)
    n_s = pods_n[:, world.before_s :].sum(axis=2)
    looks = world.before_s // BEFORE_LOOK_S
    before = pods_n[:, : looks * BEFORE_LOOK_S].reshape(rollouts, looks, BEFORE_LOOK_S, world.pods)
    if spread:
        own = np.exp(rng.normal(0.0, spread, (rollouts, world.pods + 1)))
        shares = np.array([[buckets(world, x) for x in row] for row in own])
        stable, good_c = shares[:, 1:].mean(axis=1)[:, None, :], shares[:, :1]
        bad_c = np.array([[buckets(world, row[0] * world.slower, world.tail)] for row in own])
        at_pods = rng.multinomial(before.sum(axis=2), shares[:, None, 1:, :])
    else:
        stable, good_c, bad_c = good[None, None], good[None, None], bad[None, None]
        at_pods = rng.multinomial(before.sum(axis=2), good)
    canary = rng.multinomial(n_c, np.where(on[None, :, None], bad_c, good_c))
    return (canary, rng.multinomial(n_s, stable)), at_pods
