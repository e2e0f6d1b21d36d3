"""What disturbs a rollout though the new version is no worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

MOST_CANARIES = 19


@dataclass(frozen=True)
class Trouble:
    """Factors on the traffic and on the level of errors.

    `traffic` and `common` (both arms), `canary` (the canary alone): (rollouts, seconds);
    `pods`: (rollouts, seconds or 1, instances of stable). Errors come in lumps of `clump`.
    The canary has one instance for each 5 % of the traffic; it shows their mean.
    """

    traffic: Real
    common: Real
    pods: Real
    canary: Real
    clump: float = 1.0
    each: Real | None = None  # instances of the canary: (rollouts, seconds or 1, MOST_CANARIES)

    def on_canary(self, instances: NDArray[np.int64], now: slice) -> Real:
        """The factor on the canary in each second, with so many instances running."""
        alone = self.canary[:, now]
        if self.each is None:
            return alone
        each = self.each[:, now] if self.each.shape[1] > 1 else self.each
        mean = np.cumsum(each, axis=2) / np.arange(1, MOST_CANARIES + 1)
        seconds = np.arange(instances.size) if each.shape[1] > 1 else np.zeros_like(instances)
        return np.asarray(alone * mean[:, seconds, instances - 1])


Make = Callable[[np.random.Generator, int, int, int, int, float], Trouble]


def none_like(trouble: Trouble) -> Trouble:
    """The same traffic and nothing else."""
    one = np.ones_like(trouble.common)
    return Trouble(trouble.traffic, one, np.ones((one.shape[0], 1, trouble.pods.shape[2])), one)


def none(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Nothing at all."""
    one = np.ones((rollouts, before + seconds))
    return Trouble(one, one, np.ones((rollouts, 1, pods)), one)


def spike(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """The whole site has `strength` times the errors from 60 to 180 s after the raise."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    common = calm.common.copy()
    common[:, before + 60 : before + 180] = strength
    return replace(calm, common=common)


def drift(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """The errors of both arms rise slowly, to `strength` times as many at the end."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    rise = np.concatenate([np.zeros(before), np.linspace(0.0, 1.0, seconds)])
    return replace(calm, common=calm.common * strength**rise)


def bursts(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Every half minute or so a burst of some 5 s on both arms, `strength` times the errors."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    on = _switching(rng, calm.common.shape, 1 / 30, 1 / 5)
    return replace(calm, common=np.where(on, strength, 1.0))


def stalls(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Each instance by itself, canary too: 2 s with `strength` times the errors every 2 minutes."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    at_pods = _switching(rng, (rollouts, before + seconds, pods), 1 / 120, 1 / 2)
    at_canary = _switching(rng, (rollouts, before + seconds, MOST_CANARIES), 1 / 120, 1 / 2)
    return replace(
        calm, pods=np.where(at_pods, strength, 1.0), each=np.where(at_canary, strength, 1.0)
    )


def clumps(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Errors come in lumps of `strength` on average (a geometric law), in one second of one arm."""
    return replace(none(rng, rollouts, before, seconds, pods, strength), clump=strength)


def pods_differ(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Every instance has its own level: log-normal with a standard deviation of `strength`.

    The instances of the canary are more of that kind.
    """
    calm = none(rng, rollouts, before, seconds, pods, strength)
    own = np.exp(rng.normal(0.0, strength, (rollouts, 1, pods)))
    return replace(
        calm, pods=own, each=np.exp(rng.normal(0.0, strength, (rollouts, 1, MOST_CANARIES)))
    )


def cold(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """The canary begins with `strength` times the errors; the excess halves every 5 s."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    t = np.arange(before + seconds) - before
    extra = np.where(t >= 0, (strength - 1.0) * 0.5 ** (np.maximum(t, 0) / 5.0), 0.0)
    return replace(calm, canary=calm.canary * (1.0 + extra))


def diurnal(
    rng: np.random.Generator, rollouts: int, before: int, seconds: int, pods: int, strength: float
) -> Trouble:
    """Traffic swings by `strength` (0.5: half) and errors against it, twice in a rollout."""
    calm = none(rng, rollouts, before, seconds, pods, strength)
    wave = np.sin(np.arange(before + seconds) * 2 * np.pi / max(1, seconds / 2))
    phase = rng.choice([-1.0, 1.0], (rollouts, 1))
    return replace(
        calm,
        traffic=calm.common * (1 + strength * wave * phase),
        common=calm.common * (1 - strength * wave * phase),
    )


def _switching(
    rng: np.random.Generator, shape: tuple[int, ...], begin: float, end: float
) -> NDArray[np.bool_]:
    """On and off along the second axis, with these chances a second."""
    on = np.zeros(shape, dtype=bool)
    state = np.zeros((shape[0], *shape[2:]), dtype=bool)
    for t in range(shape[1]):
        dice = rng.random(state.shape)
        state = np.where(state, dice >= end, dice < begin)
        on[:, t] = state
    return on


NUISANCES: dict[str, Make] = {
    "none": none,
    "spike": spike,
    "drift": drift,
    "bursts": bursts,
    "stalls": stalls,
    "clumps": clumps,
    "pods": pods_differ,
    "cold": cold,
    "diurnal": diurnal,
}
