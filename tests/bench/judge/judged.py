"""The judge itself on the drawn rollouts, look by look, by its public functions only."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from world import BEFORE_LOOK_S, Draws

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import (
    Counts,
    JudgeConfig,
    Latency,
    Look,
    before,
    judge,
    new,
    raised,
    to_bytes,
)

Real = NDArray[np.float64]

WEIGHTS = {"errors": 4.0, "latency": 3.0, "orders": 2.0}  # as shipped


@dataclass(frozen=True)
class Way:
    """How the judge is run: a look every `look_s`; calibrated from the instances, or as shipped
    on a stable of one instance, which tells only how its events clump in time.

    `warm` False leaves the warm-up out: to see the rule by itself, as the other rules are.
    """

    look_s: int
    calibrated: bool
    excludes: float = 2.0
    warm: bool = True

    @property
    def name(self) -> str:
        """As in the table."""
        margins = "calibrated" if self.calibrated else "as shipped"
        return f"{self.look_s} s, {margins}{'' if self.warm else ', no warm-up'}"


@dataclass
class Said:
    """What the judge said, for each rollout; times in seconds after the raise, inf for never.

    `asked` counts looks after warm-up in the first step and `open` those of them that said UNSURE
    with a forecast. `us` is processor time a look and metric, `size` of the state a metric.
    """

    rolled: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    passed: list[float] = field(default_factory=list)
    asked: int = 0
    open: int = 0
    us: float = 0.0
    size: float = 0.0
    looks: int = 0


def said(draws: Draws, way: Way) -> Said:
    """Runs the judge over every rollout until it rolls back."""
    config = JudgeConfig(metrics=specs(draws.world.metrics))
    if not way.warm:
        config = replace(config, warmup_s=0.0)
    out = Said()
    spent = 0.0
    for row in range(draws.rollouts):
        state = new(config)
        for look in _looks_before(draws, row, one_by_one=way.calibrated):
            state = before(config, state, look)
        looks = _looks(draws, row, way.look_s)
        rolled = held = passed = np.inf
        began = time.process_time()
        weight = 0
        for look in looks:
            if look.weight > weight:
                weight = look.weight
                state = raised(state, look.t - look.seconds, weight)
            state, verdict = judge(config, state, look, way.excludes)
            out.looks += 1
            if look.weight == draws.world.steps[0][1] and look.t > config.warmup_s:
                out.asked += 1
                out.open += verdict.word == "UNSURE" and verdict.forecast_s is not None
            if verdict.e >= config.hold_at and held == np.inf:
                held = look.t
            if verdict.word == "PASS" and passed == np.inf:
                passed = look.t
            if verdict.word == "REGRESS":
                rolled = look.t
                break
        spent += time.process_time() - began
        out.rolled.append(rolled)
        out.held.append(min(held, rolled))
        out.passed.append(passed)
        out.size = max(out.size, len(to_bytes(state)) / len(config.metrics))
    out.us = 1e6 * spent / max(1, out.looks * len(config.metrics))
    return out


@lru_cache(maxsize=8)
def specs(names: tuple[str, ...]) -> tuple[MetricSpec, ...]:
    """The metrics as the shipped configuration has them, without limits: only evidence speaks."""
    return tuple(
        MetricSpec(
            name=name,
            label=name,
            kind="latency" if name == "latency" else "counts",
            source="app",
            total=SeriesRef(name),
            worse="down" if name == "orders" else "up",
            weight=WEIGHTS[name],
        )
        for name in names
    )


def _looks(draws: Draws, row: int, look_s: int) -> list[Look]:
    world = draws.world
    sums = {
        name: [_sums(x[row], look_s) for x in (arms.n_c, arms.e_c, arms.n_s, arms.e_s)]
        for name, arms in draws.arms.items()
    }
    latency = [_sums(x[row], look_s) for x in draws.latency] if draws.latency else None
    weights = world.weights
    looks = []
    for i in range(world.seconds // look_s):
        samples: dict[str, Counts | Latency] = {
            name: Counts((n_c[i], e_c[i]), (n_s[i], e_s[i]))
            for name, (n_c, e_c, n_s, e_s) in sums.items()
        }
        if latency is not None:
            samples["latency"] = Latency(world.bounds, tuple(latency[0][i]), tuple(latency[1][i]))
        looks.append(
            Look(
                t=float((i + 1) * look_s),
                seconds=float(look_s),
                weight=int(weights[i * look_s]),
                samples=samples,  # type: ignore[arg-type]
            )
        )
    return looks


def _looks_before(draws: Draws, row: int, *, one_by_one: bool) -> list[Look]:
    """Looks at stable alone: with its instances one by one, or as if it were a single one."""
    world, step = draws.world, BEFORE_LOOK_S
    names = [f"pod-{i:02}" for i in range(world.pods)]
    requests = _sums(draws.pods_n[row], step)
    events = {name: _sums(e[row], step) for name, e in draws.pods_e.items()}
    latency = draws.pods_latency[row].tolist() if draws.pods_latency is not None else None
    looks = []
    for i in range(world.before_s // step):
        samples: dict[str, Counts | Latency] = {}
        for name, found in events.items():
            pods = dict(zip(names, zip(requests[i], found[i], strict=True), strict=True))
            pods = pods if one_by_one else {}
            samples[name] = Counts((0, 0), (sum(requests[i]), sum(found[i])), pods)
        if latency is not None:
            at_pods = {name: tuple(x) for name, x in zip(names, latency[i], strict=True)}
            whole = tuple(map(sum, zip(*latency[i], strict=True)))
            at_pods = at_pods if one_by_one else {}
            samples["latency"] = Latency(world.bounds, (0,) * len(whole), whole, at_pods)
        t = float((i + 1) * step - world.before_s)
        looks.append(Look(t=t, seconds=float(step), weight=0, samples=samples))  # type: ignore[arg-type]
    return looks


def _sums(values: NDArray[np.int64], seconds: int) -> list[Any]:
    """Sums of whole blocks of seconds along the first axis, as plain integers."""
    blocks = values.shape[0] // seconds
    cut = values[: blocks * seconds].reshape(blocks, seconds, *values.shape[1:])
    found: list[Any] = cut.sum(axis=1).tolist()
    return found
