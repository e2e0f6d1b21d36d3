"""What the judge promises about words and actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import (
    Counts,
    Gauge,
    JudgeConfig,
    Latency,
    Look,
    Missing,
    Sample,
    Verdict,
    from_bytes,
    judge,
    new,
    raised,
    to_bytes,
)

Make = Callable[..., Any]


def text_of(verdict: Verdict) -> str:
    return "\n".join([verdict.headline, *(why.text for why in verdict.why)])


# --- the four words ------------------------------------------------------------------------------


def test_a_good_canary_passes_within_a_minute(make_sim: Make) -> None:
    sim = make_sim(seed=3)
    verdict = sim.run(90, until=("PASS", "REGRESS"))
    assert verdict.word == "PASS"
    assert verdict.action == "none"
    assert verdict.stable_healthy is True
    assert verdict.confidence >= 0.95
    assert verdict.headline == "no harm seen: 10x worse is excluded"
    assert {metric.word for metric in verdict.metrics} == {"same"}


def test_errors_on_the_canary_regress_and_the_words_say_how_many(make_sim: Make) -> None:
    sim = make_sim()
    verdict = sim.run(60, until=("REGRESS",), errors=0.2)
    assert verdict.word == "REGRESS"
    assert verdict.action == "rollback"
    canary = verdict.metrics[0].canary
    assert verdict.headline.startswith(f"errors {canary[1]} of {canary[0]} on canary against ")
    assert "by chance" in verdict.headline
    assert verdict.why[0].sign == "-"
    assert verdict.why[0].metric == "errors"


def test_a_slow_canary_regresses(make_sim: Make) -> None:
    verdict = make_sim().run(60, until=("REGRESS",), slower=3)
    assert verdict.word == "REGRESS"
    assert verdict.headline.startswith("latency p95 ")
    assert "slower" in verdict.headline


def test_fewer_orders_regress(make_sim: Make) -> None:
    verdict = make_sim().run(120, until=("REGRESS",), orders=0.0)
    assert verdict.word == "REGRESS"
    assert verdict.headline.startswith("orders 0 in ")


def test_more_orders_are_no_regression(make_sim: Make, orders: MetricSpec) -> None:
    sim = make_sim(orders)
    sim.run(60, orders=0.5)
    assert all(verdict.word != "REGRESS" for verdict in sim.verdicts)
    assert sim.verdicts[-1].metrics[0].word == "better"


def test_strong_but_not_certain_evidence_holds_and_does_not_roll_back(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(120, until=("REGRESS",), errors=0.1)
    suspected = [verdict for verdict in sim.verdicts if 20 <= verdict.e < 100]
    assert suspected
    assert all((verdict.word, verdict.action) == ("UNSURE", "hold") for verdict in suspected)
    assert suspected[0].headline.startswith("looks worse, not certain: errors ")
    assert all(
        verdict.action != "rollback" or verdict.word == "REGRESS" for verdict in sim.verdicts
    )


def test_two_errors_of_122_could_be_chance(make_sim: Make, errors: MetricSpec) -> None:
    sim = make_sim(errors, warmup_s=0.0)
    for second in range(24):
        canary = (5, 1 if second in (5, 15) else 0)
        stable = (100, 1 if second % 2 else 0)
        verdict = sim.look({"errors": Counts(canary, stable)})
    verdict = sim.look({"errors": Counts((2, 0), (100, 0))})
    assert verdict.word == "UNSURE"
    assert verdict.action == "none"
    line = "errors 2 of 122 on canary against 0.48% on stable: could be chance"
    assert line in text_of(verdict)


def test_unsure_says_how_long_it_will_take(make_sim: Make) -> None:
    sim = make_sim()
    verdict = sim.run(12)
    assert verdict.word == "UNSURE"
    assert verdict.forecast_s is not None
    assert 3 <= verdict.forecast_s <= 120
    assert "enough data in about" in text_of(verdict)


def test_the_margins_that_nobody_measured_are_said(make_sim: Make) -> None:
    assert "margins are configured, not measured" in text_of(make_sim().run(3))


# --- never by silence ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "silence",
    [
        Missing("no series"),
        Missing("scrape failed: connection refused", "canary"),
        Counts((0, 0), (0, 0)),
        Counts((0, 0), (95, 1)),
        Counts((5, 0), (0, 0)),
        None,
        Gauge((), ()),
        Latency((), (), ()),
        Latency((0.1,), (1, 2, 3), (1, 2)),
    ],
)
def test_silence_never_passes_and_never_regresses(
    silence: Sample | None, make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    for _ in range(300):
        sim.look({} if silence is None else {"errors": silence})
    assert {verdict.word for verdict in sim.verdicts} <= {"UNSURE", "NO_DATA"}
    last = sim.verdicts[-1]
    assert last.word == "NO_DATA"
    assert last.action == "hold"
    assert last.confidence == 0


@pytest.mark.parametrize(
    ("silence", "said"),
    [
        (Missing("no series http_requests_total"), "no series http_requests_total"),
        (Missing("scrape failed: connection refused", "canary"), "connection refused on canary"),
        (Counts((0, 0), (95, 1)), "zero traffic on canary"),
        (Counts((0, 0), (0, 0)), "zero traffic"),
    ],
)
def test_the_kinds_of_silence_are_told_apart(
    silence: Sample, said: str, make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    sim.run(20)
    for _ in range(40):
        verdict = sim.look({"errors": silence})
    assert verdict.word == "NO_DATA"
    assert said in verdict.headline


def test_no_event_on_either_arm_is_not_blindness_and_not_health(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    verdict = sim.run(300, errors=0, base=0)
    assert verdict.word == "UNSURE"
    assert verdict.forecast_s is None or verdict.forecast_s > 60
    assert "nothing to compare yet" in text_of(verdict)


def test_data_that_stop_are_noticed_in_three_seconds(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(60, until=("PASS",))
    words = [sim.look({}).word for _ in range(4)]
    assert words[2:] == ["NO_DATA", "NO_DATA"]
    assert sim.verdicts[-1].blind_for_s == pytest.approx(4)


def test_one_silent_metric_among_others_blocks_pass(make_sim: Make) -> None:
    sim = make_sim()
    for _ in range(120):
        samples = sim.samples()
        samples["latency"] = Missing("scrape failed: no whole answer within 0.9 s", "canary")
        verdict = sim.look(samples)
    assert verdict.word == "NO_DATA"
    assert "latency p95: scrape failed" in verdict.headline
    assert all(verdict.word != "PASS" for verdict in sim.verdicts)


def test_low_traffic_is_not_blindness(make_sim: Make, errors: MetricSpec) -> None:
    """2 req/s, 5 % of it: most seconds have no request on the canary."""
    sim = make_sim(errors, seed=5)
    for _ in range(900):
        n_c = sim.events(2, 0.05)
        n_s = 2 - n_c
        sim.look({"errors": Counts((n_c, sim.events(n_c, 0.01)), (n_s, sim.events(n_s, 0.01)))})
    words = [verdict.word for verdict in sim.verdicts]
    assert words.count("UNSURE") >= 0.99 * len(words)
    assert "PASS" not in words


def test_without_a_judged_metric_nothing_passes(make_sim: Make, make_metric: Callable) -> None:
    sim = make_sim(make_metric("db", "gauge", limit=80.0, judged=False))
    for _ in range(60):
        verdict = sim.look({"db": Gauge((1.0,), (1.0,))})
    assert verdict.word == "NO_DATA"


# --- not ours ------------------------------------------------------------------------------------


def test_trouble_on_both_arms_is_not_ours(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(20)
    verdict = sim.run(100, errors=0.3, base=0.3)
    assert all(verdict.word != "REGRESS" for verdict in sim.verdicts)
    assert verdict.stable_healthy is False
    assert verdict.word == "UNSURE"
    assert verdict.action == "hold"
    assert verdict.headline == "not ours: errors beyond the limit on both arms"


def test_a_sick_stable_is_never_rolled_back_to(make_sim: Make) -> None:
    """The canary is far worse still, but what it would be rolled back to is no good either."""
    sim = make_sim()
    sim.run(20)
    sim.run(10, base=0.3, errors=0.3)
    verdict = sim.run(60, base=0.3, errors=0.95)
    assert verdict.e > 100
    assert verdict.word == "UNSURE"
    assert verdict.action == "hold"
    assert "not ours" in verdict.headline


def test_stable_is_healthy_again_after_its_trouble(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(30, errors=0.3, base=0.3)
    verdict = sim.run(120, until=("PASS",))
    assert verdict.word == "PASS"
    assert verdict.stable_healthy is True


def test_stables_health_is_unknown_before_there_are_data(make_sim: Make) -> None:
    assert make_sim().look({}).stable_healthy is None


def test_a_shared_dependency_that_is_down_is_named(make_sim: Make, make_metric: Callable) -> None:
    payments = make_metric(
        "payments", "state", label="payments dependency", judged=False, shared=True
    )
    errors = make_metric("errors", limit=2.0, shown_as="percent")
    sim = make_sim(errors, payments)
    for _ in range(20):
        verdict = sim.look({**sim.samples(), "payments": Gauge((0.0,), (0.0,))})
    assert "payments dependency DOWN on both arms: not ours" in text_of(verdict)
    assert verdict.stable_healthy is True


def test_a_gauge_beyond_its_limit_on_the_canary_alone_holds(
    make_sim: Make, make_metric: Callable
) -> None:
    sim = make_sim(make_metric("errors", limit=2.0), make_metric("memory", "gauge", limit=90.0))
    for second in range(120):
        level = 95.0 if second > 60 else 50.0
        verdict = sim.look({**sim.samples(), "memory": Gauge((level,), (50.0,))})
    assert (verdict.word, verdict.action) == ("UNSURE", "hold")
    assert "memory beyond its limit on canary" in verdict.headline
    assert any(earlier.word == "PASS" for earlier in sim.verdicts)


# --- steps ---------------------------------------------------------------------------------------


def test_pass_starts_again_with_the_next_share_and_regress_goes_on(make_sim: Make) -> None:
    sim = make_sim()
    before = sim.run(90, until=("PASS",))
    sim.raise_to(25)
    after = sim.look(sim.samples())
    assert before.word == "PASS"
    assert after.word == "UNSURE"
    assert after.headline.startswith("warming up at 25%")
    assert all(metric.healthy_e < 20 for metric in after.metrics)
    assert after.metrics[0].e == pytest.approx(before.metrics[0].e, rel=0.2)


def test_no_verdict_for_pass_comes_in_the_warm_up(make_sim: Make) -> None:
    sim = make_sim(warmup_s=60.0)
    sim.run(59)
    assert {verdict.word for verdict in sim.verdicts} == {"UNSURE"}


def test_a_total_failure_is_found_within_the_warm_up(make_sim: Make) -> None:
    sim = make_sim()
    verdict = sim.run(10, until=("REGRESS",), errors=1.0)
    assert verdict.word == "REGRESS"


def test_one_bad_second_never_rolls_back(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(40)
    sim.look(sim.samples(errors=1.0, slower=100, orders=0))
    sim.run(60)
    assert all(verdict.word != "REGRESS" for verdict in sim.verdicts)


def test_a_fright_asks_for_new_evidence_of_health(make_sim: Make) -> None:
    sim = make_sim(seed=2)
    sim.run(90, until=("PASS",))
    for _ in range(60):
        if sim.run(1, errors=0.5).e >= 20:
            break
    assert all(metric.healthy_e < 20 for metric in sim.verdicts[-1].metrics)


def test_a_swapped_hold_back_judges_as_well(make_sim: Make) -> None:
    good = make_sim(weight=95, seed=4).run(60)
    bad = make_sim(weight=95).run(120, until=("REGRESS",), errors=0.2)
    assert good.word in ("UNSURE", "PASS")
    assert bad.word == "REGRESS"


def test_an_excludes_of_one_is_refused_with_words(make_sim: Make) -> None:
    with pytest.raises(ValueError, match="write a number above 1"):
        make_sim(excludes=1.0).look({})


# --- error rates, short forms of the bench ---------------------------------------------------------


def test_nothing_changed_is_hardly_ever_rolled_back(make_sim: Make, errors: MetricSpec) -> None:
    """150 rollouts of a minute; the theorem allows 1.5 on average, simulation says hardly one."""
    wrong = sum(
        make_sim(errors, seed=seed).run(60, until=("REGRESS",)).word == "REGRESS"
        for seed in range(150)
    )
    assert wrong <= 1


def test_a_bad_canary_is_hardly_ever_passed(make_sim: Make, errors: MetricSpec) -> None:
    wrong = sum(
        make_sim(errors, seed=seed).run(60, until=("PASS", "REGRESS"), errors=0.11).word == "PASS"
        for seed in range(100)
    )
    assert wrong <= 5


# --- replay and metamorphic relations ---------------------------------------------------------------


def test_the_state_survives_as_bytes_and_replays_to_the_same_bytes(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(30, errors=0.05)
    looks = [
        Look(t=sim.t + 1 + i, seconds=1.0, weight=5, samples=sim.samples())  # type: ignore[arg-type]
        for i in range(30)
    ]
    straight, resumed = sim.state, from_bytes(to_bytes(sim.state))
    for look in looks:
        straight, verdict = judge(sim.config, straight, look, 10)
        resumed, again = judge(sim.config, from_bytes(to_bytes(resumed)), look, 10)
        assert msgspec.json.encode(verdict) == msgspec.json.encode(again)
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
    assert to_bytes(straight) == to_bytes(resumed)


def test_the_state_is_small(make_sim: Make) -> None:
    sim = make_sim()
    sim.run(60)
    assert len(to_bytes(sim.state)) <= 2048 * len(sim.config.metrics)


def test_swapped_arms_turn_worse_into_better(make_sim: Make, errors: MetricSpec) -> None:
    sim = make_sim(errors, weight=50)
    flipped = make_sim(errors, weight=50)
    for _ in range(60):
        sample = sim.samples(errors=0.2)["errors"]
        assert isinstance(sample, Counts)
        one = sim.look({"errors": sample})
        other = flipped.look({"errors": Counts(sample.stable, sample.canary)})
    assert one.word == "REGRESS"
    assert other.metrics[0].word == "better"
    assert other.word != "REGRESS"


def test_the_order_of_metrics_does_not_matter(make_sim: Make) -> None:
    sim = make_sim(seed=9)
    config = JudgeConfig(metrics=tuple(reversed(sim.config.metrics)))
    state = raised(new(config), 0.0, 5)
    for second in range(40):
        samples = sim.samples(errors=0.1)
        one = sim.look(samples)
        look = Look(t=second + 1.0, seconds=1.0, weight=5, samples=samples)  # type: ignore[arg-type]
        state, other = judge(config, state, look, 10)
        assert (one.word, one.action) == (other.word, other.action)
        assert one.e == pytest.approx(other.e)


def test_gaps_between_looks_do_not_change_the_evidence(make_sim: Make, errors: MetricSpec) -> None:
    steady, gappy = make_sim(errors), make_sim(errors)
    for second in range(60):
        samples = steady.samples(errors=0.1)
        steady.look(samples)
        if second % 7 == 0:
            gappy.look({"errors": Missing("scrape failed: reset", "canary")})
        gappy.look(samples)
    a, b = steady.verdicts[-1], gappy.verdicts[-1]
    assert a.metrics[0].canary == b.metrics[0].canary
    assert a.word == b.word


numbers = st.integers(-3, 50)
counts = st.tuples(numbers, numbers)
samples_ = st.one_of(
    st.builds(Counts, counts, counts),
    st.builds(
        Latency,
        st.lists(st.floats(0.001, 10), min_size=0, max_size=4, unique=True).map(
            lambda found: tuple(sorted(found))
        ),
        st.lists(st.integers(0, 50), max_size=5).map(tuple),
        st.lists(st.integers(0, 50), max_size=5).map(tuple),
    ),
    st.builds(
        Gauge,
        st.lists(st.floats(-1e9, 1e9), max_size=3).map(tuple),
        st.lists(st.floats(-1e9, 1e9), max_size=3).map(tuple),
    ),
    st.builds(Missing, st.text(max_size=10), st.sampled_from(["", "canary", "stable"])),
)


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 60),
            st.integers(0, 100),
            st.dictionaries(st.sampled_from(["errors", "latency", "orders", "db"]), samples_),
        ),
        max_size=30,
    )
)
@settings(max_examples=100, deadline=None)
def test_no_input_breaks_the_judge(
    plan: list[tuple[float, int, dict[str, Sample]]],
) -> None:
    specs = tuple(
        MetricSpec(
            name=name,
            label=name,
            kind=kind,  # type: ignore[arg-type]
            source="app",
            total=SeriesRef(name),
            limit=limit,
        )
        for name, kind, limit in (
            ("errors", "counts", 2.0),
            ("latency", "latency", 300.0),
            ("orders", "counts", None),
            ("db", "gauge", 80.0),
        )
    )
    config, t = JudgeConfig(metrics=specs), 1000.0
    state = new(config)
    for seconds, weight, samples in plan:
        t += seconds
        state, verdict = judge(
            config, state, Look(t=t, seconds=seconds, weight=weight, samples=samples), 2.0
        )
        assert from_bytes(to_bytes(state)) == state
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
        assert 0 <= verdict.confidence <= 1
        assert (verdict.action == "rollback") == (verdict.word == "REGRESS")
