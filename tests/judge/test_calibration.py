"""Margins measured on stable's own instances before the rollout."""

from __future__ import annotations

import math
import random

import pytest
from msgspec import structs

from hatchway.judge import Counts, JudgeConfig, Latency, Look, before, calibrate, judge, new, raised
from hatchway.judge.calibrate import Calibration
from hatchway.judge.margins import joined, of_clumps


def poisson(draw: random.Random, mean: float) -> int:
    limit, k, p = math.exp(-mean), 0, 1.0
    while True:
        p *= draw.random()
        if p <= limit:
            return k
        k += 1


def total(cells: dict[str, tuple[int, int]]) -> tuple[int, int]:
    return sum(n for n, _ in cells.values()), sum(k for _, k in cells.values())


def counted(
    *, pods: int = 20, seconds: int = 600, spread: float = 0.0, clump: int = 1, seed: int = 1,
    rate: float = 10.0, p: float = 0.02,
) -> Calibration:  # fmt: skip
    """Instances whose ln(error rate) differs by `spread`; errors come `clump` at once."""
    draw = random.Random(seed)
    level = [p * math.exp(draw.gauss(0, spread)) for _ in range(pods)]
    known = Calibration()
    for _ in range(seconds // 5):
        cells = {}
        for i in range(pods):
            n = poisson(draw, 5 * rate)
            k = clump * sum(draw.random() < level[i] for _ in range(n // clump))
            cells[f"pod-{i}"] = (n, k)
        known = calibrate.with_counts(known, total(cells), cells, 5.0)
    return known


def test_instances_that_are_alike_give_the_smallest_margin():
    margins = calibrate.measured(counted(seed=2))
    assert margins is not None
    assert (margins.phi, margins.pods, margins.seconds) == (1.0, 20, 600.0)
    assert margins.ratio == pytest.approx(1.1, abs=0.12)


def test_alike_is_said_in_nearly_all_of_many_drawings():
    found = [calibrate.measured(counted(seed=seed, seconds=300)) for seed in range(40)]
    assert all(m is not None for m in found)
    assert sum(m.phi == 1.0 for m in found if m) >= 36
    assert sum(m.ratio < 1.35 for m in found if m) >= 36


def test_events_in_clumps_weigh_less():
    margins = calibrate.measured(counted(clump=4))
    assert margins is not None
    assert 4.0 <= margins.phi <= 8.5  # 4 in truth, and a safety of 1.5


@pytest.mark.parametrize("seed", range(6))
def test_instances_that_differ_widen_the_margin_and_are_not_taken_for_clumps(seed: int):
    margins = calibrate.measured(counted(spread=0.4, seed=seed))
    assert margins is not None
    assert 1.1 * math.exp(2.33 * 0.2) < margins.ratio <= 1.1 * math.exp(2.33 * 0.5)
    assert margins.phi == 1.0


@pytest.mark.parametrize(("clump", "least", "most"), [(1, None, None), (2, 2.0, 4.5), (4, 4.0, 9)])
def test_one_instance_tells_how_its_events_clump_in_time(
    clump: int, least: float | None, most: float | None
):
    found = [
        calibrate.measured(counted(pods=1, rate=100, clump=clump, seed=seed)) for seed in range(10)
    ]
    if least is None:
        assert sum(margins is None for margins in found) >= 9
        return
    assert all(m is not None and m.pods == 0 and least <= m.phi <= most for m in found)


def test_what_one_instance_told_only_makes_the_judge_more_careful():
    floors = JudgeConfig(metrics=()).floors
    assert joined(floors, None) == floors
    assert joined(floors, of_clumps(4.0, 600)) == structs.replace(floors, phi=4.0, seconds=600)
    assert joined(floors, of_clumps(1.1, 600)).phi == floors.phi


def test_a_slow_drift_of_both_arms_is_no_clumping():
    draw, known = random.Random(7), Calibration()
    for block in range(120):
        cell = (500, poisson(draw, 5 * (1 + block / 60)))
        known = calibrate.with_counts(known, cell, {}, 5.0)
    assert calibrate.measured(known) is None


@pytest.mark.parametrize(
    "few", [{"pods": 4}, {"seconds": 20}, {"p": 0.0001}], ids=["instances", "seconds", "events"]
)
def test_too_little_gives_no_estimate_rather_than_a_bad_one(few: dict[str, float]):
    assert calibrate.measured(counted(**few)) is None  # type: ignore[arg-type]


BOUNDS = tuple(0.005 * 1.5**i for i in range(14))


def timed(*, spread: float, pods: int = 20, seed: int = 1, blocks: int = 120) -> Calibration:
    draw = random.Random(seed)
    middle = [draw.gauss(0, spread) for _ in range(pods)]
    known = Calibration()
    for _ in range(blocks):
        cells = {}
        for i in range(pods):
            counts = [0] * (len(BOUNDS) + 1)
            for _ in range(25):
                x = 0.03 * math.exp(middle[i] + 0.5 * draw.gauss(0, 1))
                counts[sum(x > bound for bound in BOUNDS)] += 1
            cells[f"pod-{i}"] = tuple(counts)
        known = calibrate.with_latency(known, BOUNDS, (), cells, 5.0)
    return known


def test_latency_of_instances_that_are_alike_allows_five_percent():
    margins = calibrate.measured(timed(spread=0.0))
    assert margins is not None
    assert margins.phi == 1.0
    assert 0.05 <= margins.shift < 0.12
    assert 1.25 <= margins.tail < 1.8


def test_latency_of_instances_that_differ_allows_more():
    margins = calibrate.measured(timed(spread=0.15))
    assert margins is not None
    assert 0.25 < margins.shift < 0.75


def test_an_instance_that_comes_or_goes_does_not_spoil_what_was_known():
    draw = random.Random(3)
    known = Calibration()
    for i in range(120):
        names = [f"pod-{n}" for n in range(20 if i != 60 else 19)]
        cells = {name: (50, poisson(draw, 1.0)) for name in names}
        known = calibrate.with_counts(known, total(cells), cells, 5.0)
    margins = calibrate.measured(known)
    assert margins is not None
    assert margins.phi == 1.0


def test_the_order_of_the_instances_changes_no_byte():
    draw = random.Random(4)
    one = other = Calibration()
    for _ in range(40):
        cells = {f"pod-{n}": (50, poisson(draw, 1.0)) for n in range(12)}
        turned = dict(reversed(cells.items()))
        one = calibrate.with_counts(one, total(cells), cells, 5.0)
        other = calibrate.with_counts(other, total(cells), turned, 5.0)
    assert one == other


def test_the_measured_margin_is_used_said_and_settled_at_the_first_raise(errors):
    config = JudgeConfig(metrics=(errors,))
    draw = random.Random(5)
    state = new(config)
    for t in range(0, 600, 5):
        pods = {f"pod-{n}": (50, poisson(draw, 1.0)) for n in range(20)}
        whole = (1000, sum(k for _, k in pods.values()))
        looked = Look(t=t, seconds=5, weight=0, samples={"errors": Counts((0, 0), whole, pods)})
        state = before(config, state, looked)
    state = raised(state, 600, 5)
    assert before(config, state, looked) == state
    margins = state.metrics[0].margins
    assert margins is not None
    assert margins.pods == 20
    look = Look(t=601, seconds=1, weight=5, samples={"errors": Counts((10, 0), (190, 4))})
    _, verdict = judge(config, state, look, 2)
    said = next(why.text for why in verdict.why if "margins" in why.text)
    assert said.startswith("margins measured on 20 instances of stable over 10 min: 1.1x")


def test_few_instances_keep_the_configured_margin_and_it_is_said(errors):
    config = JudgeConfig(metrics=(errors,))
    state = raised(new(config), 0, 5)
    look = Look(t=1, seconds=1, weight=5, samples={"errors": Counts((10, 0), (190, 4))})
    state, verdict = judge(config, state, look, 2)
    assert state.metrics[0].margins is None
    assert any("configured, not measured" in why.text for why in verdict.why)


def test_before_the_rollout_nothing_but_stable_is_learned(errors, latency):
    config = JudgeConfig(metrics=(errors, latency))
    state = new(config)
    buckets = (*([10] * 6), *([0] * 7))
    bounds = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
    samples = {
        "errors": Counts((7, 7), (100, 1)),
        "latency": Latency(bounds, (50,) * 13, buckets),
    }
    for t in range(30):
        state = before(config, state, Look(t=t, seconds=1, weight=0, samples=samples))  # type: ignore[arg-type]
    one, two = state.metrics
    assert one.evidence.canary == (0, 0)  # type: ignore[union-attr]
    assert two.evidence.known == tuple(30 * n for n in buckets)  # type: ignore[union-attr]
    assert two.evidence.at_canary.now == ()  # type: ignore[union-attr]
