"""The share of traffic that the canary really gets."""

from __future__ import annotations

import random

import pytest

from hatchway.judge import Counts, JudgeConfig
from hatchway.judge.mismatch import Split, mismatched, observed


def split(share: float, seconds: int, *, rate: int = 100, weight: int = 5, seed: int = 1) -> Split:
    draw = random.Random(seed)
    found = Split()
    for _ in range(seconds):
        canary = sum(draw.random() < share for _ in range(rate))
        found = observed(found, canary, rate - canary, weight, 1.0)
    return found


def test_the_planned_share_is_never_a_mismatch():
    assert sum(mismatched(split(0.05, 600, seed=seed)) is not None for seed in range(30)) == 0


def test_a_share_within_the_tolerance_is_no_mismatch():
    assert sum(mismatched(split(0.055, 600, seed=seed)) is not None for seed in range(30)) == 0


@pytest.mark.parametrize(("share", "seconds"), [(0.1, 60), (0.02, 60), (0.0, 15), (0.5, 5)])
def test_another_share_is_said_with_its_figure(share: float, seconds: int):
    found = [mismatched(split(share, seconds, seed=seed)) for seed in range(20)]
    assert all(percent is not None for percent in found)
    assert sorted(found)[10] == pytest.approx(100 * share, rel=0.2, abs=0.1)  # type: ignore[type-var]


def test_a_split_that_is_right_again_is_believed_again():
    found = split(0.0, 60)
    assert mismatched(found) is not None
    for _ in range(20):
        found = observed(found, 5, 95, 5, 1.0)
    assert mismatched(found) is None


def test_with_a_wrong_split_nothing_is_concluded(make_sim, errors):
    sim = make_sim(errors)
    for _ in range(60):
        verdict = sim.look({"errors": Counts((30, 8), (70, 1))})
    assert (verdict.word, verdict.action) == ("UNSURE", "hold")
    assert "canary gets 30% of the requests, 5% are planned" in verdict.headline


def test_what_was_certain_before_the_split_went_wrong_stays_certain(make_sim, errors):
    sim = make_sim(errors)
    while sim.look({"errors": Counts((5, 2), (95, 1))}).word != "REGRESS":
        assert sim.t < 60
    for _ in range(30):
        verdict = sim.look({"errors": Counts((0, 0), (100, 1))})
    assert verdict.word in ("REGRESS", "NO_DATA")
    verdict = sim.look({"errors": Counts((1, 0), (99, 1))})
    assert verdict.word == "REGRESS"


def test_all_traffic_on_the_canary_is_never_passed_and_never_rolled_back(errors):
    from hatchway.judge import Look, judge, new, raised

    config = JudgeConfig(metrics=(errors,))
    for level, action in ((0.005, "none"), (0.2, "hold")):
        state = raised(new(config), 0.0, 100)
        draw = random.Random(6)
        for t in range(1, 200):
            n = sum(draw.random() < level for _ in range(100))
            samples = {"errors": Counts((100, n), (0, 0))}
            look = Look(t=t, seconds=1, weight=100, samples=samples)  # type: ignore[arg-type]
            state, verdict = judge(config, state, look, 2)
            assert verdict.word == "UNSURE"
            assert verdict.action != "rollback"
        assert verdict.action == action
        assert "nothing is held back" in verdict.headline
