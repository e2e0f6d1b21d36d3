"""Whatever comes in: no crash, no verdict without data, no state that cannot be stored."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import (
    Counts,
    Gauge,
    JudgeConfig,
    JudgeState,
    Latency,
    Look,
    Missing,
    Sample,
    Series,
    Verdict,
    before,
    from_bytes,
    judge,
    new,
    raised,
    to_bytes,
)

Kind = Literal["counts", "latency", "gauge", "state", "series"]

hostile = settings(max_examples=30, deadline=None)
HUGE = 10**15


def spec(name: str, kind: Kind, **more: object) -> MetricSpec:
    values = {"label": name, "source": "app", "total": SeriesRef(name), **more}
    return MetricSpec(name=name, kind=kind, **values)  # type: ignore[arg-type]


METRICS = (
    spec("errors", "counts", limit=2.0, shown_as="percent", weight=4),
    spec("latency", "latency", limit=300.0, shown_as="ms", weight=3),
    spec("orders", "counts", worse="down", limit=5.0, shown_as="per_minute"),
    spec("memory", "gauge", limit=90.0, judged=False),
    spec("payments", "state", judged=False, shared=True),
)
NAMES = tuple(one.name for one in METRICS)

numbers = st.one_of(st.integers(0, 200), st.sampled_from([0, 1, -1, -50, HUGE, 2 * HUGE]))
arms = st.tuples(numbers, numbers)
levels = st.one_of(st.floats(0, 100), st.sampled_from([0.0, -1.0, 1e15, -1e15]))
rows = st.lists(numbers, max_size=6).map(tuple)
bounds = st.one_of(
    st.sampled_from(
        [(0.1, 0.2, 0.5), (0.5, 0.2), (0.1, 0.1), (0.0, 1.0), (math.inf,), (math.nan,)]
    ),
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=5).map(tuple),
)
samples = st.one_of(
    st.builds(Counts, arms, arms, st.dictionaries(st.text(max_size=3), arms, max_size=6)),
    st.builds(Latency, bounds, rows, rows, st.dictionaries(st.text(max_size=3), rows, max_size=6)),
    st.builds(
        Gauge, st.lists(levels, max_size=3).map(tuple), st.lists(levels, max_size=3).map(tuple)
    ),
    st.builds(Series, st.none() | levels, st.none() | levels),
    st.builds(Missing, st.text(max_size=10), st.sampled_from(["", "canary", "stable", "?"])),
)
gaps = st.one_of(st.floats(0.0, 60.0), st.sampled_from([0.0, 1.0, 1e-9, 1e6, -5.0]))
lengths = st.one_of(st.floats(0.01, 60.0), st.sampled_from([1.0, 1e-9, 1e6]))
looks = st.lists(
    st.tuples(
        gaps, lengths, st.integers(-1, 101), st.dictionaries(st.sampled_from(NAMES), samples)
    ),
    max_size=20,
)  # fmt: skip

Plan = list[tuple[float, float, int, dict[str, Sample]]]


def told(plan: Plan, metrics: tuple[MetricSpec, ...] = METRICS, *, calm: int = 0) -> list[Verdict]:
    """Verdicts on hostile looks; the first `calm` are from before the rollout."""
    config, t = JudgeConfig(metrics=metrics), 1000.0
    state, said = new(config), []
    for i, (later, seconds, weight, found) in enumerate(plan):
        t += later
        look = Look(t=t, seconds=seconds, weight=weight, samples=found)
        if i < calm:
            state = before(config, state, look)
        else:
            state, verdict = judge(config, state, look, 2.0)
            said.append(verdict)
        stored(state)
    return said


def stored(state: JudgeState) -> None:
    data = to_bytes(state)
    assert to_bytes(from_bytes(data)) == data


def sane(verdict: Verdict) -> None:
    assert 0 <= verdict.confidence <= 1
    assert not math.isnan(verdict.e)
    assert (verdict.action == "rollback") == (verdict.word == "REGRESS")
    assert verdict.headline
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@given(looks, st.integers(0, 5))
@hostile
def test_no_look_breaks_the_judge(plan: Plan, calm: int) -> None:
    for verdict in told(plan, calm=calm):
        sane(verdict)


def silent(sample: Sample | None) -> bool:
    """Whether it says nothing about how the arms compare: an arm without requests, or no event."""
    match sample:
        case Counts(canary=(n_c, e_c), stable=(n_s, e_s)):
            return min(n_c, n_s) <= 0 or e_c + e_s <= 0
        case Latency(canary=canary, stable=stable):
            return sum(canary) <= 0 or sum(stable) <= 0
        case _:
            return True


missing = st.builds(
    Missing, st.sampled_from(["no series", "zero traffic"]), st.sampled_from(["", "canary"])
)
nothing = (
    st.builds(Counts, st.tuples(st.just(0), st.just(0)), arms),
    st.builds(Counts, arms, st.tuples(st.just(0), st.just(0))),
    st.builds(lambda n, m: Counts((n, 0), (m, 0)), st.integers(0, HUGE), st.integers(0, HUGE)),
    st.builds(
        Gauge, st.lists(levels, max_size=2).map(tuple), st.lists(levels, max_size=2).map(tuple)
    ),
    st.builds(Series, levels, levels),
    st.builds(
        Latency, st.just((0.1, 0.2)), st.just((0, 0, 0)), st.tuples(*[st.integers(0, 99)] * 3)
    ),
)
"""Each by itself says nothing. A look of one arm and a later one of the other are a comparison."""


@given(
    st.one_of(
        [
            st.lists(
                st.tuples(gaps, lengths, st.sampled_from([1, 5, 95]), st.one_of(missing, kind)),
                max_size=40,
            )
            for kind in nothing
        ]
    )
)
@hostile
def test_without_a_comparison_nothing_passes_and_nothing_is_rolled_back(
    plan: list[tuple[float, float, int, Sample]],
) -> None:
    metric = METRICS[:1]
    for verdict in told([(a, b, w, {"errors": sample}) for a, b, w, sample in plan], metric):
        assert verdict.word in ("UNSURE", "NO_DATA")
        assert verdict.action in ("none", "hold")


@given(looks)
@hostile
def test_pass_needs_data_of_every_judged_metric(plan: Plan) -> None:
    """Of each metric something must have come that compares the arms, before anything passes."""
    spoke: set[str] = set()
    for (_, _, _, found), verdict in zip(plan, told(plan), strict=True):
        spoke |= {name for name, sample in found.items() if not silent(sample)}
        if verdict.word == "PASS":
            assert spoke >= {one.name for one in METRICS if one.judged}


@given(looks)
@hostile
def test_a_rollback_needs_a_metric_that_is_worse(plan: Plan) -> None:
    for verdict in told(plan):
        if verdict.word == "REGRESS":
            assert verdict.e >= 1
            assert any(metric.n > 0 for metric in verdict.metrics)


@pytest.mark.parametrize("excludes", [1.0, 0.0, -2.0, math.nan])
def test_what_could_never_pass_is_said_at_once(excludes: float) -> None:
    config = JudgeConfig(metrics=METRICS)
    look = Look(t=1.0, seconds=1.0, weight=5, samples={})
    with pytest.raises(ValueError, match="write a number above 1"):
        judge(config, new(config), look, excludes)


@pytest.mark.parametrize("no_time", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("which", ["t", "seconds"])
def test_a_time_that_is_none_is_refused(which: str, no_time: float) -> None:
    """And not folded into the state: the looks after it are judged as if it had not been."""
    config = JudgeConfig(metrics=METRICS[:1])
    state = raised(new(config), 0.0, 5)
    for second in range(1, 30):
        sample: dict[str, Sample] = {"errors": Counts((50, 1), (950, 20))}
        broken = {"t": float(second), "seconds": 1.0, which: no_time}
        with pytest.raises(ValueError, match="nothing can be said of such a time"):
            judge(config, state, Look(**broken, weight=5, samples=sample), 5.0)
        state, verdict = judge(
            config, state, Look(t=float(second), seconds=1.0, weight=5, samples=sample), 5.0
        )
    assert verdict.word == "PASS"


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e9])
def test_a_look_of_no_length_is_refused(seconds: float) -> None:
    config = JudgeConfig(metrics=METRICS[:1])
    look = Look(t=1.0, seconds=seconds, weight=5, samples={})
    with pytest.raises(ValueError, match="nothing can be said of such a time"):
        judge(config, new(config), look, 5.0)
