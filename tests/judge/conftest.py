"""A simulated shop, seeded, and the metrics that it is judged by."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import Counts, JudgeConfig, JudgeState, Latency, Look, Verdict, judge

from hatchway.judge import new, raised  # isort: skip

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)


def metric(name: str, kind: str = "counts", **more: object) -> MetricSpec:
    values = {"label": name, "source": "app", "total": SeriesRef(name), **more}
    return MetricSpec(name=name, kind=kind, **values)  # type: ignore[arg-type]


ERRORS = metric("errors", weight=4, limit=2.0, shown_as="percent")
LATENCY = metric("latency", "latency", label="latency p95", weight=3, limit=300.0, shown_as="ms")
ORDERS = metric("orders", weight=2, worse="down", shown_as="per_minute")


@dataclass
class Sim:
    """Rollouts of a shop: 100 req/s, 1 % errors, 10 % orders, p95 about 45 ms."""

    config: JudgeConfig
    draw: random.Random
    weight: int = 5
    excludes: float = 10.0
    rate: int = 100
    t: float = 0.0
    state: JudgeState = field(init=False)
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = raised(new(self.config), self.t, self.weight)

    def events(self, n: int, p: float) -> int:
        return sum(self.draw.random() < p for _ in range(n))

    def latencies(self, n: int, slower: float) -> tuple[int, ...]:
        counts = [0] * (len(BOUNDS) + 1)
        for _ in range(n):
            seconds = slower * 0.02 * math.exp(0.5 * self.draw.gauss(0, 1))
            counts[bisect_left(BOUNDS, seconds)] += 1
        return tuple(counts)

    def samples(
        self, *, errors: float = 0.01, base: float = 0.01, slower: float = 1, orders: float = 0.1
    ) -> dict[str, object]:
        n_c = self.rate * self.weight // 100
        n_s = self.rate - n_c
        made: dict[str, object] = {}
        for spec in self.config.metrics:
            match spec.name:
                case "errors":
                    made["errors"] = Counts(
                        (n_c, self.events(n_c, errors)), (n_s, self.events(n_s, base))
                    )
                case "latency":
                    made["latency"] = Latency(
                        BOUNDS, self.latencies(n_c, slower), self.latencies(n_s, 1)
                    )
                case "orders":
                    made["orders"] = Counts(
                        (n_c, self.events(n_c, orders)), (n_s, self.events(n_s, 0.1))
                    )
        return made

    def raise_to(self, weight: int) -> None:
        self.weight = weight
        self.state = raised(self.state, self.t, weight)

    def look(self, samples: dict[str, object], seconds: float = 1.0) -> Verdict:
        self.t += seconds
        look = Look(t=self.t, seconds=seconds, weight=self.weight, samples=samples)  # type: ignore[arg-type]
        self.state, verdict = judge(self.config, self.state, look, self.excludes)
        self.verdicts.append(verdict)
        return verdict

    def run(self, seconds: int, *, until: tuple[str, ...] = (), **levels: float) -> Verdict:
        """Looks once a second; ends early at one of the words `until`."""
        verdict = self.verdicts[-1] if self.verdicts else None
        for _ in range(seconds):
            verdict = self.look(self.samples(**levels))
            if verdict.word in until:
                break
        assert verdict is not None
        return verdict


Make = Callable[..., Sim]


@pytest.fixture
def make_sim() -> Make:
    def make(*metrics: MetricSpec, seed: int = 1, weight: int = 5, **more: object) -> Sim:
        excludes = float(more.pop("excludes", 10.0))  # type: ignore[arg-type]
        config = JudgeConfig(metrics=metrics or (ERRORS, LATENCY, ORDERS), **more)  # type: ignore[arg-type]
        return Sim(config, random.Random(seed), weight=weight, excludes=excludes)

    return make


@pytest.fixture
def errors() -> MetricSpec:
    return ERRORS


@pytest.fixture
def latency() -> MetricSpec:
    return LATENCY


@pytest.fixture
def orders() -> MetricSpec:
    return ORDERS


@pytest.fixture
def make_metric() -> Callable[..., MetricSpec]:
    return metric
