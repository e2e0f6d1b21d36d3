"""S19: what a person expects of one metric is no evidence, and hides nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import Counts, JudgeConfig, Look, judge, new, raised, set_aside


def spec(name: str, **more: Any) -> MetricSpec:
    said = {"label": name, "kind": "counts", "source": "app", "total": SeriesRef("r"), **more}
    return MetricSpec(name=name, events=SeriesRef("e"), **said)


ERRORS = spec("errors")
LOGS = spec("logs")
BOTH = JudgeConfig(metrics=(LOGS, ERRORS))

ARM = st.tuples(st.integers(20, 200), st.integers(0, 20))
LOOKS = st.lists(st.tuples(ARM, ARM, ARM, ARM), min_size=1, max_size=25)


def look(t: float, logs: tuple[Any, Any], errors: tuple[Any, Any]) -> Look:
    samples = {"logs": Counts(*logs, {}, {}), "errors": Counts(*errors, {}, {})}
    return Look(t=t, seconds=1.0, weight=50, samples=samples)


@settings(max_examples=60)
@given(LOOKS)
def test_s19_with_one_metric_set_aside_the_verdict_is_that_of_the_others_alone(
    looks: list[Any],
) -> None:
    hidden, alone = raised(new(BOTH), 0.0, 50), raised(new(BOTH), 0.0, 50)
    without = replace(BOTH, metrics=(replace(LOGS, judged=False), ERRORS))
    for t, (a, b, c, d) in enumerate(looks, 1):
        # `split` is counted from the first judged metric: the same one, with logs not judged.
        config, state = set_aside(BOTH, hidden, {"logs"})
        hidden, one = judge(config, state, look(float(t), (a, b), (c, d)), 2.0)
        alone, other = judge(without, alone, look(float(t), (a, b), (c, d)), 2.0)
        assert (one.word, one.action, one.e) == (other.word, other.action, other.e)


def bad_logs(state: Any, t: int, aside: set[str]) -> Any:
    config, state = set_aside(BOTH, state, aside)
    sample = look(float(t), ((100, 60), (100, 2)), ((100, 1), (100, 1)))
    return judge(config, state, sample, 2.0)


def test_s19_a_spike_that_was_expected_is_no_evidence_when_the_expectation_ends() -> None:
    state = raised(new(BOTH), 0.0, 50)
    for t in range(1, 120):
        state, verdict = bad_logs(state, t, {"logs"})
        assert verdict.action == "none"
        assert verdict.word != "REGRESS"
    for t in range(120, 180):  # it is over, and logs are as they were
        sample = look(float(t), ((100, 2), (100, 2)), ((100, 1), (100, 1)))
        state, verdict = judge(BOTH, state, sample, 2.0)
        assert verdict.action == "none"


def test_s19_past_its_end_the_same_spike_is_a_regression() -> None:
    state = raised(new(BOTH), 0.0, 50)
    for t in range(1, 30):
        state, _ = bad_logs(state, t, {"logs"})
    words = set()
    for t in range(30, 90):
        state, verdict = bad_logs(state, t, set())
        words.add(verdict.word)
    assert "REGRESS" in words


def test_s19_what_the_judge_was_certain_of_before_is_not_excused_afterwards() -> None:
    state = raised(new(BOTH), 0.0, 50)
    for t in range(1, 90):
        state, verdict = bad_logs(state, t, set())
    assert verdict.word == "REGRESS"
    for t in range(90, 100):
        state, verdict = bad_logs(state, t, {"logs"})
    assert (verdict.word, verdict.action) == ("REGRESS", "rollback")


def test_with_everything_set_aside_nothing_passes() -> None:
    state = raised(new(BOTH), 0.0, 50)
    for t in range(1, 60):
        config, state = set_aside(BOTH, state, {"logs", "errors"})
        good = look(float(t), ((100, 1), (100, 1)), ((100, 1), (100, 1)))
        state, verdict = judge(config, state, good, 2.0)
        assert (verdict.word, verdict.action) == ("NO_DATA", "hold")


def test_nothing_set_aside_changes_nothing() -> None:
    state = new(BOTH)
    assert set_aside(BOTH, state, set()) == (BOTH, state)
