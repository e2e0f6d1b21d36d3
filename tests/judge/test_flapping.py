"""What comes and goes is named, and one window of it never rolls anything back."""

from __future__ import annotations

import random

import pytest

from hatchway.judge import Counts, JudgeConfig, Look, before
from hatchway.judge.flapping import Swings, flapping, period, swung


def wave(t: float, length: float) -> bool:
    """A square wave that begins good."""
    return int(t // length) % 2 == 1


def arm(levels: list[float], *, rate: int = 50, seed: int = 1) -> tuple[Swings, float]:
    draw = random.Random(seed)
    swings = Swings()
    for t, level in enumerate(levels, 1):
        seen = rate, sum(draw.random() < level for _ in range(rate))
        swings = swung(swings, seen, float(t), 1.0)
    return swings, float(len(levels))


@pytest.mark.parametrize("length", [60, 300])
def test_a_square_wave_is_flapping_and_its_period_is_known(length: int):
    swings, t = arm([0.1 if wave(s, length) else 0.005 for s in range(5 * length)])
    assert flapping(swings, t)
    assert period(swings) == pytest.approx(2 * length, rel=0.25)


def test_a_wave_that_begins_bad_is_flapping_too():
    swings, t = arm([0.005 if wave(s, 60) else 0.1 for s in range(240)])
    assert flapping(swings, t)


@pytest.mark.parametrize(
    "levels",
    [[0.01] * 1800, [0.01] * 300 + [0.1] * 600, [0.01 + 0.00002 * s for s in range(1800)]],
    ids=["calm", "one step", "slow drift"],
)
def test_calm_one_step_and_a_drift_are_no_flapping(levels: list[float]):
    found = [arm(levels, seed=seed) for seed in range(20)]
    assert sum(flapping(swings, t) for swings, t in found) == 0


def test_what_stays_calm_for_two_periods_does_not_flap_any_more():
    swings, t = arm([0.1 if wave(s, 60) else 0.005 for s in range(240)] + [0.005] * 300)
    assert not flapping(swings, t)


def test_a_five_minute_square_wave_on_both_arms_is_named_and_nothing_is_rolled_back(
    make_sim, errors
):
    sim = make_sim(errors, excludes=2.0)
    for t in range(60):
        seen = Counts((0, 0), (100, sim.events(100, 0.005)))
        look = Look(t=t - 60, seconds=1, weight=0, samples={"errors": seen})
        sim.state = before(sim.config, sim.state, look)
    words = []
    for t in range(25 * 60):
        level = 0.15 if wave(t, 300) else 0.005
        words.append(sim.run(1, errors=level, base=level))
    assert all(verdict.action != "rollback" for verdict in words)
    named = [verdict for verdict in words if verdict.headline.startswith("FLAPPING")]
    assert named
    assert all((v.word, v.action) == ("UNSURE", "hold") for v in named)
    assert "on both arms" in named[0].headline
    assert "not ours" in named[-1].headline
    # ... and a calm window between two bad ones is no PASS.
    assert all(v.word != "PASS" for v in words[16 * 60 :])


def test_flapping_of_the_canary_alone_is_named(make_sim, errors):
    sim = make_sim(errors, rollback_at=1e300)
    for t in range(240):
        verdict = sim.run(1, errors=0.3 if wave(t, 40) else 0.01)
    assert "FLAPPING" in " ".join(why.text for why in verdict.why)
    assert "on canary" in " ".join(why.text for why in verdict.why)


def test_two_seconds_of_nothing_but_errors_never_roll_back(make_sim, errors):
    """However many requests one stall hits: it is one fact."""
    rolled_back = 0
    for seed in range(20):
        sim = make_sim(errors, seed=seed)
        sim.run(60)
        for _ in range(2):
            sim.look({"errors": Counts((5, 5), (95, 1))})
        sim.run(60)
        rolled_back += any(verdict.action == "rollback" for verdict in sim.verdicts)
    assert rolled_back == 0


def test_a_bad_spell_that_is_over_is_held_and_not_rolled_back(make_sim, errors):
    """Evidence may pass the threshold on the last chance event after it has been calm again."""
    rolled_back = 0
    for seed in range(20):
        sim = make_sim(errors, seed=seed, rollback_at=1e300)
        sim.run(60)
        sim.run(40, errors=0.3)
        sim.run(60)
        sim.config = JudgeConfig(metrics=sim.config.metrics)
        verdict = sim.run(30)
        assert verdict.e >= 100
        assert verdict.action == "hold"
        rolled_back += any(v.action == "rollback" for v in sim.verdicts)
    assert rolled_back == 0


def test_a_regression_that_stays_is_rolled_back_in_the_first_spell(make_sim, errors):
    sim = make_sim(errors)
    sim.run(60)
    assert sim.run(30, errors=0.3, until=("REGRESS",)).action == "rollback"
