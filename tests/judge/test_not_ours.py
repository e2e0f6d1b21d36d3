"""What both arms have, and what was so before the rollout, is said and not blamed on the canary."""

from __future__ import annotations

from hatchway.core.plan import SeriesRef
from hatchway.judge import (
    Counts,
    Gauge,
    JudgeConfig,
    Look,
    Missing,
    before,
    judge,
    new,
    raised,
)


def run(config, levels, *, down_before, down_after=True, seconds=60, seed=1):
    import random

    draw = random.Random(seed)
    state = new(config)

    def look(t, weight, canary, stable, down):
        n_c = 100 * weight // 100
        samples = {
            "errors": Counts(
                (n_c, sum(draw.random() < canary for _ in range(n_c))),
                (100 - n_c, sum(draw.random() < stable for _ in range(100 - n_c))),
            ),
            "payments": Gauge((1.0 - down,) if n_c else (), (1.0 - down,)),
        }
        return Look(t=t, seconds=1, weight=weight, samples=samples)

    for t in range(-30, 0):
        state = before(config, state, look(t, 0, 0, levels[1], down_before))
    state = raised(state, 0, 5)
    for t in range(1, seconds):
        down = down_before or (down_after and t > 20)
        state, verdict = judge(config, state, look(t, 5, *levels, down), 10)
    return verdict


def config_of(errors, make_metric):
    payments = make_metric(
        "payments", "state", label="payments dependency", judged=False, shared=True,
        total=SeriesRef("payments_up"),
    )  # fmt: skip
    return JudgeConfig(metrics=(errors, payments))


def test_a_dependency_that_was_down_before_the_deploy_is_said(errors, make_metric):
    verdict = run(config_of(errors, make_metric), (0.01, 0.01), down_before=True)
    said = " ".join(why.text for why in verdict.why)
    assert "payments dependency DOWN on both arms since before the rollout: not ours" in said


def test_a_dependency_that_goes_down_later_is_said_without_before(errors, make_metric):
    verdict = run(config_of(errors, make_metric), (0.01, 0.01), down_before=False)
    said = " ".join(why.text for why in verdict.why)
    assert "payments dependency DOWN on both arms: not ours" in said


def test_a_canary_that_suffers_from_it_is_attributed_to_it(errors, make_metric):
    verdict = run(config_of(errors, make_metric), (0.3, 0.01), down_before=True)
    assert verdict.word == "REGRESS"
    assert "payments dependency was not well before the rollout" in verdict.headline


def test_errors_on_both_arms_are_not_ours_and_never_roll_back(errors, make_metric):
    for seed in range(10):
        verdict = run(
            config_of(errors, make_metric), (0.2, 0.2), down_before=False, seed=seed, seconds=120
        )
        assert verdict.action == "hold"
        assert "not ours" in verdict.headline


def test_stable_that_was_ill_before_the_rollout_is_said_to_have_been(errors, make_metric):
    verdict = run(config_of(errors, make_metric), (0.2, 0.2), down_before=False)
    said = " ".join(why.text for why in verdict.why)
    assert "stable itself is beyond the limit since before the rollout: not ours" in said


def test_stable_is_known_to_be_well_for_a_while_after_the_canary_hangs(errors):
    config = JudgeConfig(metrics=(errors,))
    state = raised(new(config), 0, 5)
    healthy = {}
    for t in range(1, 60):
        sample = Counts((5, 0), (95, 1)) if t <= 20 else Missing("scrape failed", "canary")
        state, verdict = judge(
            config, state, Look(t=t, seconds=1, weight=5, samples={"errors": sample}), 10
        )
        healthy[t] = verdict.stable_healthy
    assert healthy[20] is True
    assert healthy[35] is True
    assert healthy[45] is None
