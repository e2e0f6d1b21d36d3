"""Series: what one reading finds, how often chance does, and what must not matter."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from math import comb, exp, inf, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from hatchway.core.plan import MetricSpec
from hatchway.judge import JudgeConfig, JudgeState, Look, Series, Verdict, judge, new, raised
from hatchway.judge import series as judged
from hatchway.judge.series import BLOCK, FIRST, Finding, Moments, Window, at_least, share, whole
from hatchway.judge.state import MetricState, SeriesState, to_bytes

Make = Callable[..., MetricSpec]
Values = list[float | None]
RHOS = (0.0, 0.5, 0.8, 0.95)


def values(
    n: int, *, level: float = 10.0, spread: float = 0.2, rho: float = 0.0, seed: int = 1
) -> Values:
    """n values about `level`, scattered by `spread` of it."""
    draw, z, found = random.Random(seed), 0.0, []
    for i in range(n):
        z = draw.gauss(0, 1) if i == 0 else rho * z + (1 - rho * rho) ** 0.5 * draw.gauss(0, 1)
        found.append(level * exp(spread * z))
    return list(found)


def word(finding: Finding) -> str:
    """As the offline command says it."""
    if finding.trouble:
        return "unsure"
    if finding.worse < 0.01:
        return "worse"
    if finding.better < 0.01:
        return "better"
    return "same" if finding.bad < 0.05 else "unsure"


# One reading


def test_half_as_much_again_is_worse_and_the_arms_swapped_better() -> None:
    stable, canary = values(40), values(40, level=15.0, seed=2)
    assert word(whole(canary, stable, "up", 2.0)) == "worse"
    assert word(whole(stable, canary, "up", 2.0)) == "better"
    assert word(whole(canary, stable, "down", 2.0)) == "better"
    assert word(whole(stable, canary, "down", 2.0)) == "worse"


def test_without_autocorrelation_it_is_nearly_welchs_test() -> None:
    stable, canary = values(60, spread=0.1), values(60, level=11.0, spread=0.1, seed=2)
    found = whole(canary, stable, "up", 2.0)
    welch = stats.ttest_ind(canary, stable, equal_var=False, alternative="greater").pvalue
    assert 0.5 < log(found.worse) / log(welch) <= 1.0


def test_a_change_below_5_percent_is_none_however_certain() -> None:
    stable, canary = values(400, spread=0.02), values(400, level=10.3, spread=0.02, seed=2)
    assert word(whole(canary, stable, "up", 2.0)) == "same"
    assert word(whole(values(400, level=10.8, spread=0.02, seed=2), stable, "up", 2.0)) == "worse"


def test_values_that_repeat_the_same_news_are_worth_fewer() -> None:
    free = whole(values(60), values(60, seed=2), "up", 2.0)
    slow = whole(values(60, rho=0.9), values(60, rho=0.9, seed=2), "up", 2.0)
    assert min(free.sizes) > 30
    assert max(slow.sizes) < 20


def test_below_five_effective_values_nothing_is_said() -> None:
    rising: Values = [10.0 + i for i in range(60)]
    high: Values = [30.0 + i for i in range(60)]
    found = whole(high, rising, "up", 2.0)
    assert "changes so slowly that 60 values are worth" in found.trouble
    assert word(found) == "unsure"
    assert "too few values" in whole(values(9), values(9), "up", 2.0).trouble


def test_seven_of_thirty_error_intervals_against_none_are_flagged() -> None:
    draw, none = random.Random(3), [0.0] * 30
    flagged = 0
    for _ in range(200):
        canary: Values = [0.0] * 30
        for i in draw.sample(range(30), 7):
            canary[i] = 0.02
        flagged += word(whole(canary, list(none), "up", 2.0)) == "worse"
    assert flagged >= 190
    four: Values = [0.02 if i % 8 == 0 else 0.0 for i in range(30)]
    assert word(whole(four, list(none), "up", 2.0)) == "unsure"


def test_one_error_that_a_rate_shows_for_a_minute_is_one_error() -> None:
    canary: Values = [0.0] * 5 + [0.02] * 12 + [0.0] * 23
    assert word(whole(canary, [0.0] * 40, "up", 2.0)) == "unsure"
    assert word(whole([0.02] * 20, [0.0] * 20, "up", 2.0)) == "unsure"


def test_errors_all_the_time_against_never_are_worse() -> None:
    assert word(whole([0.5] * 40, [0.0] * 40, "up", 2.0)) == "worse"
    assert word(whole([0.0] * 40, [0.5] * 40, "down", 2.0)) == "worse"


def test_nothing_but_zeros_says_nothing() -> None:
    assert word(whole([0.0] * 60, [0.0] * 60, "up", 2.0)) == "unsure"


def test_as_many_non_zero_values_exclude_many_more() -> None:
    draw = random.Random(8)
    often: list[Values] = [[float(draw.random() < 0.4) for _ in range(100)] for _ in range(2)]
    assert word(whole(*often, "up", 5.0)) == "same"
    assert word(whole(*often, "up", 1.1)) == "unsure"


def test_constant_series_are_compared_as_they_are() -> None:
    assert word(whole([1.0] * 20, [1.0] * 20, "down", 2.0)) == "same"
    assert word(whole([0.5] * 20, [1.0] * 20, "down", 2.0)) == "worse"
    assert word(whole([0.97] * 20, [1.0] * 20, "down", 2.0)) == "same"
    assert word(whole(values(20, level=1.4), [1.0] * 20, "up", 5.0)) == "worse"


def test_values_below_zero_have_no_ratio_and_that_is_said() -> None:
    found = whole([-1.0, *values(20)], values(21), "up", 2.0)
    assert found.negative
    assert "below zero" in found.trouble


def test_a_change_of_spread_alone_is_reported_and_not_judged() -> None:
    calm, wild = values(100, spread=0.05), values(100, spread=0.3, seed=2)
    found = whole(wild, calm, "up", 2.0)
    assert found.spread > 3
    assert word(found) == "same"
    assert whole(values(100, seed=3), values(100), "up", 2.0).spread == 0.0


@pytest.mark.parametrize("odds", [Fraction(1, 5), Fraction(1), Fraction(3)])
def test_the_exact_test_is_exact(odds: Fraction) -> None:
    for size, both in ((5, 3), (30, 7), (30, 41), (160, 120)):
        ways = {
            x: comb(size, x) * comb(size, both - x) * odds**x
            for x in range(max(0, both - size), min(size, both) + 1)
        }
        for k in ways:
            exact = sum(way for x, way in ways.items() if x >= k) / sum(ways.values())
            assert at_least(k, size, both, float(odds)) == pytest.approx(float(exact), rel=1e-9)


def test_the_exact_test_survives_sizes_beyond_floats() -> None:
    assert at_least(5000, 5000, 5000, 1.0) == 0.0
    assert at_least(0, 5000, 5000, 1.0) == 1.0


# What must not matter


CASES: list[tuple[str, Values, Values]] = [
    ("worse", values(40, level=15.0, seed=2), values(40)),
    ("same", values(40, seed=2), values(40)),
    ("unsure", values(40, rho=0.97, seed=2), values(40, rho=0.97)),
    ("sparse", [float(i % 3 == 0) for i in range(40)], [float(i % 17 == 0) for i in range(40)]),
    ("constant", [3.0] * 40, [2.0] * 40),
]


@pytest.mark.parametrize("unit", [1e-6, 3e-3, 1.0, 7e2, 1e6])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_unit_does_not_matter(case: tuple[str, Values, Values], unit: float) -> None:
    _, canary, stable = case
    for way in ("up", "down"):
        plain = whole(canary, stable, way, 2.0)
        scaled = whole(
            [None if x is None else x * unit for x in canary],
            [None if x is None else x * unit for x in stable],
            way,
            2.0,
        )
        assert word(scaled) == word(plain)
        assert scaled.worse == pytest.approx(plain.worse, rel=1e-6)
        assert scaled.sizes == pytest.approx(plain.sizes)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_gaps_do_not_matter(case: tuple[str, Values, Values]) -> None:
    _, canary, stable = case
    a, b = list(canary), list(stable)
    draw = random.Random(1)
    for lost in ((None, None), (None, 5.0), (nan, 5.0), (5.0, None), (5.0, inf)):
        at = draw.randrange(len(a))
        a.insert(at, lost[0])
        b.insert(at, lost[1])
    assert whole(a, b, "up", 2.0) == whole(canary, stable, "up", 2.0)


def test_the_largest_and_the_smallest_numbers_do_not_break_it() -> None:
    for size in (1e-320, 1e-200, 1e-99, 1e99, 1e200, 1.7e308):
        found = whole(values(20, level=size), values(20, seed=2), "up", 2.0)
        assert 0.0 <= found.worse <= 1.0
    assert word(whole([1e99, 2e99] * 10, values(20), "up", 2.0)) == "worse"


@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.just(0.0)] * 2),
        max_size=60,
    ),
    st.sampled_from(("up", "down")),
)
def test_no_series_breaks_it(pairs: list[tuple[float | None, float | None]], way: str) -> None:
    found = whole([a for a, _ in pairs], [b for _, b in pairs], way, 2.0)
    for chance in (found.worse, found.better, found.bad):
        assert 0.0 <= chance <= 1.0
    other = whole([b for _, b in pairs], [a for a, _ in pairs], way, 2.0)
    assert (found.worse < 0.01) == (other.better < 0.01)


# How often chance does


def correlated(noise: np.random.Generator, rollouts: int, n: int, rho: float) -> np.ndarray:
    z = noise.standard_normal((rollouts, n))
    z[:, 1:] *= (1 - rho * rho) ** 0.5
    return np.asarray(lfilter([1.0], [1.0, -rho], z, axis=1))


def moments(rows: np.ndarray) -> list[Moments]:
    """What the judge keeps of each row; that it is the same is a test of its own."""
    x = rows - rows[:, :1]
    sums = zip(x.sum(1), (x * x).sum(1), (x[:, 1:] * x[:, :-1]).sum(1), x[:, -1], strict=True)
    n = rows.shape[1]
    return [
        Moments(n, float(a), float(b), float(c), 0.0, float(d), n, n - 1, (True, True), 0)
        for a, b, c, d in sums
    ]


def readings(canary: np.ndarray, stable: np.ndarray) -> list[Finding]:
    origins = zip(canary[:, 0], stable[:, 0], strict=True)
    arms = zip(moments(canary), moments(stable), strict=True)
    return [
        judged.read(Window((float(a), float(b)), now=both), "up", 2.0)
        for (a, b), both in zip(origins, arms, strict=True)
    ]


def test_the_simulation_reads_what_the_judge_reads() -> None:
    noise = np.random.default_rng(11)
    rows = 10 * np.exp(0.3 * correlated(noise, 6, 30, 0.5))
    for found, a, b in zip(readings(rows[:3], rows[3:]), rows[:3], rows[3:], strict=True):
        exact = whole([float(x) for x in a], [float(x) for x in b], "up", 2.0)
        assert found.worse == pytest.approx(exact.worse, rel=1e-9)
        assert found.sizes == pytest.approx(exact.sizes, rel=1e-9)


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("n", [10, 30, 60])
def test_equal_arms_are_called_worse_in_1_of_100_at_most(n: int, rho: float) -> None:
    rollouts, noise = 4000, np.random.default_rng([n, int(100 * rho)])
    canary, stable = (np.exp(0.35 * correlated(noise, rollouts, n, rho)) for _ in range(2))
    false = sum(found.worse < 0.01 for found in readings(canary, stable)) / rollouts
    assert false <= 0.012


@pytest.mark.parametrize("rho", RHOS)
def test_reading_at_every_planned_size_does_not_find_more(rho: float) -> None:
    rollouts, sizes = 3000, (10, 20, 40, 80, 160)
    noise = np.random.default_rng(int(100 * rho))
    canary, stable = (np.exp(0.35 * correlated(noise, rollouts, 160, rho)) for _ in range(2))
    false = np.zeros(rollouts, bool)
    for k, size in enumerate(sizes):
        found = readings(canary[:, :size], stable[:, :size])
        false |= np.array([finding.worse < 0.01 * share(k) for finding in found])
    assert false.mean() <= 0.012


def test_half_as_much_again_is_found_in_twenty_values() -> None:
    noise = np.random.default_rng(11)
    rollouts = 1500
    canary, stable = (np.exp(0.3 * correlated(noise, rollouts, 20, 0.0)) for _ in range(2))
    once = [found.worse < 0.01 for found in readings(1.5 * canary, stable)]
    assert np.mean(once) >= 0.80
    early = readings(1.5 * canary[:, :10], stable[:, :10])
    late = readings(1.5 * canary, stable)
    live = [
        a.worse < 0.01 * share(0) or b.worse < 0.01 * share(1)
        for a, b in zip(early, late, strict=True)
    ]
    assert np.mean(live) >= 0.70  # the price of looking again and again


def test_twice_as_bad_is_called_healthy_in_1_of_20_at_most() -> None:
    noise = np.random.default_rng(11)
    for rho in RHOS:
        canary, stable = (np.exp(0.35 * correlated(noise, 1000, 60, rho)) for _ in range(2))
        found = readings(2.0 * canary, stable)
        assert np.mean([not f.trouble and f.bad < 0.05 for f in found]) <= 0.06


# In the judge


class Rollout:
    """A series in the judge, a value each five seconds."""

    def __init__(self, spec: MetricSpec) -> None:
        self.config = JudgeConfig(metrics=(spec,), warmup_s=0.0)
        self.state = raised(new(self.config), 0.0, 5)
        self.name, self.t, self.weight = spec.name, 0.0, 5
        self.read_at: list[int] = []

    def look(self, canary: float | None, stable: float | None) -> Verdict:
        self.t += 5.0
        before = self.evidence.readings
        look = Look(
            t=self.t, seconds=5.0, weight=self.weight, samples={self.name: Series(canary, stable)}
        )
        self.state, verdict = judge(self.config, self.state, look, 2.0)
        if self.evidence.readings > before:
            self.read_at.append(self.evidence.values)
        return verdict

    def run(self, canary: Values, stable: Values) -> Verdict:
        return [self.look(a, b) for a, b in zip(canary, stable, strict=True)][-1]

    @property
    def evidence(self) -> SeriesState:
        found = self.state.metrics[0].evidence
        assert isinstance(found, SeriesState)
        return found


@pytest.fixture
def rollout(make_metric: Make) -> Rollout:
    return Rollout(make_metric("wait", "series", unit="ms", query="x"))


def test_a_worse_series_holds_and_never_rolls_back(rollout: Rollout) -> None:
    verdict = rollout.run(values(40, level=30.0, seed=2), values(40))
    assert (verdict.word, verdict.action) == ("UNSURE", "hold")
    assert verdict.metrics[0].word == "worse"
    assert verdict.metrics[0].e >= 100
    assert verdict.headline.startswith("wait 28.6 ms on canary")
    assert "against 10.4 ms on stable: worse, 2.8x" in verdict.headline
    assert "nothing is rolled back on it alone" in verdict.headline
    assert rollout.run(values(200, level=300.0, seed=2), values(200)).action == "hold"


def test_a_series_passes_once_what_must_be_excluded_is(rollout: Rollout) -> None:
    first = rollout.run(values(9, seed=2), values(9))
    assert (first.word, first.action) == ("UNSURE", "none")
    assert first.forecast_s == pytest.approx(5.0)
    verdict = rollout.run(values(11, seed=4), values(11, seed=3))
    assert verdict.word == "PASS"
    assert verdict.metrics[0].word == "same"


def test_it_is_read_at_planned_sizes_and_then_slides(rollout: Rollout) -> None:
    rollout.run(values(400, seed=2), values(400))
    assert rollout.read_at == [10, 20, 40, 80, 160, 240, 320, 400]
    assert rollout.evidence.window.n == BLOCK


def test_a_window_slides_as_if_its_values_had_been_read_at_once(rollout: Rollout) -> None:
    canary, stable = values(240, rho=0.5, seed=2), values(240, rho=0.5)
    rollout.run(canary, stable)
    found = rollout.evidence.reading.finding
    assert found is not None
    exact = whole(canary[80:], stable[80:], "up", 2.0)
    assert (found.n, exact.n) == (160, 160)
    assert found.worse == pytest.approx(exact.worse, rel=1e-9)
    assert found.sizes == pytest.approx(exact.sizes, rel=1e-9)


def test_slow_values_get_a_longer_window_instead(rollout: Rollout) -> None:
    canary, stable = ([10 + 5 * np.sin(i / 90 + k) for i in range(640)] for k in (0, 1))
    verdict = rollout.run([float(x) for x in canary], [float(x) for x in stable])
    assert rollout.read_at == [10, 20, 40, 80, 160, 320, 640]
    assert "changes so slowly" in " ".join(why.text for why in verdict.why)
    assert verdict.word == "UNSURE"


def test_a_late_regression_is_found_in_the_window(rollout: Rollout) -> None:
    assert rollout.run(values(320, seed=2), values(320)).word == "PASS"
    late = values(240, level=15.0, seed=5)
    words = [rollout.look(a, b).action for a, b in zip(late, values(240, seed=6), strict=True)]
    assert words.index("hold") < 160


def test_a_raise_begins_the_comparison_again_and_goes_on_paying(rollout: Rollout) -> None:
    rollout.run(values(20, seed=2), values(20))
    rollout.state = raised(rollout.state, rollout.t, 25)
    rollout.weight = 25
    evidence = rollout.evidence
    assert (evidence.window.n, evidence.readings, evidence.of_step) == (0, 2, 0)
    assert rollout.look(10.0, 10.0).word == "UNSURE"


def test_an_arm_without_a_number_is_missing_and_then_blind(rollout: Rollout) -> None:
    rollout.run(values(12, seed=2), values(12))
    n = rollout.evidence.window.n
    verdict = [rollout.look(lost, 10.0) for lost in (None, nan, inf, None, None, None, None)][-1]
    assert rollout.evidence.window.n == n == 12
    assert (verdict.word, verdict.action) == ("NO_DATA", "hold")
    assert "no number on canary" in verdict.headline


def test_a_series_has_a_limit_of_its_own(make_metric: Make) -> None:
    rollout = Rollout(make_metric("wait", "series", query="x", limit=50.0))
    verdict = rollout.run([80.0] * 5, [10.0] * 5)
    assert verdict.headline == "wait beyond its limit on canary"
    assert verdict.stable_healthy is True
    verdict = rollout.run([80.0] * 5, [80.0] * 5)
    assert "not ours" in verdict.headline


def test_shares_of_the_chance_add_up_to_one() -> None:
    assert sum(share(k) for k in range(100_000)) == pytest.approx(1.0, abs=1e-4)
    assert all(share(k) > 0 for k in range(50))


def test_the_state_of_a_series_stays_below_2_kb(rollout: Rollout) -> None:
    rollout.run(values(250, spread=0.31, seed=2), values(250))
    only = JudgeState((MetricState(rollout.evidence),))
    assert len(to_bytes(only)) <= 2000
    assert rollout.evidence.window.n >= FIRST
