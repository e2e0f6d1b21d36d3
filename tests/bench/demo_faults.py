"""What each fault of the demo shop does to its figures, and what the judge should make of it, when.

Two expectations: `planned` by judge/planning.py, from the fault's true ratio, and `simulated`: the
judge itself on figures that are drawn as the shop, the splitter and the customers make them. What
a running demo really did is in its journal: `observed`.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hatchway.core import events as ev
from hatchway.core.plan import MetricSpec
from hatchway.demo.summary import Reader
from hatchway.journal.sqlite_file import scan
from hatchway.judge import Counts, Gauge, JudgeConfig, Latency, Look, Missing, Verdict, new, raised
from hatchway.judge import judge as judged
from hatchway.judge.drift import Traffic
from hatchway.judge.joint import weights
from hatchway.judge.look import Sample
from hatchway.judge.planning import Counted, seconds_to_find
from hatchway.settings.load import load_installation, shipped

BUCKETS = (
    *(0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15),
    *(0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5),
)  # as in the shop's metrics.py
ERRORS = 0.01  # of all requests, on a good day
CHECKOUTS = 0.30  # of all requests
SILENCE_S = 1  # after which the splitter answers 504 for a server
LONGEST_S = 120


class Fault(NamedTuple):
    """What policy intends: the verdict's first words, and how the run ends in act mode."""

    verdict: str
    outcome: str


FAULTS: Mapping[str, Fault] = {
    "errors": Fault("REGRESS", "rolled_back"),
    "slow": Fault("REGRESS", "rolled_back"),
    "orders-drop": Fault("REGRESS", "rolled_back"),
    "hang": Fault("REGRESS", "rolled_back"),
    "metrics-silent": Fault("NO_DATA", "held"),
    "both-arms": Fault("not ours", "held"),
    "dependency-down": Fault("not ours", "held"),
}


def says(word: str, headline: str, wanted: str) -> bool:
    """Whether a verdict is the wanted one: by its word, or by how its headline begins."""
    return word == wanted or headline.startswith(wanted)


def observed(journal: Path, fault: str) -> tuple[str, float | None]:
    """The verdict that a run came to, and how long after the first raise (seconds).

    The newest verdict, and no time, when the intended one never came.
    """
    began, last = None, "none"
    for h in Reader().read(scan(journal)):
        if isinstance(h.event, ev.StepEntered) and began is None:
            began = h.at
        if isinstance(h.event, ev.VerdictChanged) and began is not None:
            last = f"{h.event.word}: {h.event.headline}"
            if says(h.event.word, h.event.headline, FAULTS[fault].verdict):
                return FAULTS[fault].verdict, h.at - began
    return last, None


@cache
def _config() -> JudgeConfig:
    [shop] = load_installation(shipped() / "hatchway.yaml").services
    return JudgeConfig(metrics=shop.metrics)


def planned(fault: str, rate: float, weight: int) -> float | None:
    """Expected seconds from the raise to REGRESS; None for what planning cannot reckon.

    It reckons with one metric at a time: the one that the fault is about.
    """
    config = _config()
    share = dict(zip((spec.name for spec in config.metrics), weights(config), strict=True))
    traffic = Traffic(rate, weight / 100)
    orders = CHECKOUTS * (1 - ERRORS)
    if fault == "errors":
        factor = _odds(ERRORS + 0.20) / _odds(ERRORS)
        return seconds_to_find(config, Counted(ERRORS), traffic, factor, share=share["errors"])
    if fault == "orders-drop":
        factor = _odds(orders) / _odds(0.4 * orders)
        subject = Counted(orders, down=True)
        return seconds_to_find(config, subject, traffic, factor, share=share["orders"])
    return None


def simulated(
    fault: str, rate: float, weight: int, *, excludes: float = 10, rollouts: int = 200
) -> list[float]:
    """Seconds from the raise to the intended verdict, in so many drawn rollouts, ascending.

    Infinity where it did not come within two minutes.
    """
    dice = random.Random(f"{fault} {rate} {weight}")
    return sorted(_rollout(dice, fault, rate, weight, excludes) for _ in range(rollouts))


def _rollout(dice: random.Random, fault: str, rate: float, weight: int, excludes: float) -> float:
    config = _config()
    shop = _Shop(dice, fault, rate, weight)
    # The first look of a step comes up to a second after the raise; it only sets the base.
    phase = dice.random()
    state = raised(new(config), 0.0, weight)
    for second in range(1, LONGEST_S):
        samples = {spec.name: shop.sample(spec, second) for spec in config.metrics}
        look = Look(t=float(second), seconds=1.0, weight=weight, samples=samples)
        state, verdict = judged(config, state, look, excludes)
        if _is(verdict, FAULTS[fault].verdict):
            return second + phase
    return float("inf")


def _is(verdict: Verdict, wanted: str) -> bool:
    return says(verdict.word, verdict.headline, wanted)


class _Shop:
    """Draws what happens in a second on both arms."""

    def __init__(self, dice: random.Random, fault: str, rate: float, weight: int) -> None:
        self._dice = dice
        self._fault = fault
        self._requests = {
            "canary": round(rate * weight / 100),
            "stable": round(rate * (100 - weight) / 100),
        }

    def sample(self, spec: MetricSpec, second: int) -> Sample:
        fault = self._fault
        if fault in ("metrics-silent", "hang") and spec.source == "app":
            return Missing("scrape failed", "canary")
        if fault == "hang" and second <= SILENCE_S:
            return Counts((0, 0), self._counted("stable", self._failed))
        match spec.name:
            case "errors":
                return Counts(*self._both(self._failed))
            case "orders":
                return Counts(*self._both(self._ordered))
            case "latency":
                return Latency(BUCKETS, self._times("canary"), self._times("stable"))
            case "payments":
                up = 0.0 if fault == "dependency-down" else 1.0
                return Gauge((up,), (up,))
        return Gauge((14.0,), (40.0,))

    def _both(self, happens: Callable[[str], bool]) -> tuple[tuple[int, int], tuple[int, int]]:
        return self._counted("canary", happens), self._counted("stable", happens)

    def _counted(self, arm: str, happens: Callable[[str], bool]) -> tuple[int, int]:
        n = self._requests[arm]
        return n, sum(happens(arm) for _ in range(n))

    def _failed(self, arm: str) -> bool:
        """Whether a request is answered with 5xx."""
        dice, fault = self._dice, self._fault
        share = ERRORS
        if fault == "hang" and arm == "canary":
            return True
        if fault == "dependency-down" and dice.random() < CHECKOUTS:
            return True
        if fault == "errors" and arm == "canary":
            share += 0.20
        if fault == "both-arms":
            share += 0.15
        return dice.random() < share

    def _ordered(self, arm: str) -> bool:
        """Whether a request becomes an order; of those that fail some are checkouts too."""
        dice, fault = self._dice, self._fault
        if fault == "dependency-down" or dice.random() >= CHECKOUTS or self._failed(arm):
            return False
        return not (fault == "orders-drop" and arm == "canary" and dice.random() < 0.60)

    def _times(self, arm: str) -> tuple[int, ...]:
        dice = self._dice
        counts = [0] * (len(BUCKETS) + 1)
        for _ in range(self._requests[arm]):
            seconds = 0.020 * dice.lognormvariate(0.0, 0.35)
            if self._fault == "slow" and arm == "canary" and dice.random() < 0.30:
                seconds += dice.uniform(0.25, 0.40)
            counts[bisect_left(BUCKETS, seconds)] += 1
        return tuple(counts)


def _odds(p: float) -> float:
    return p / (1 - p)
