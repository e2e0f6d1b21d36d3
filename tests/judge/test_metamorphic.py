"""What must not matter does not: the same facts told in another way give the same verdict."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import (
    Counts,
    JudgeConfig,
    JudgeState,
    Latency,
    Look,
    Missing,
    Sample,
    Verdict,
    before,
    from_bytes,
    judge,
    new,
    raised,
    to_bytes,
)

BOUNDS = tuple(0.004 * 1.4**i for i in range(15))
Kind = Literal["counts", "latency"]

few = settings(max_examples=8, deadline=None)
seeds = st.integers(0, 10_000)


def spec(
    name: str, kind: Kind = "counts", *, weight: float = 1.0, down: bool = False
) -> MetricSpec:
    return MetricSpec(
        name=name, label=name, kind=kind, source="app", total=SeriesRef(name), weight=weight,
        worse="down" if down else "up",
    )  # fmt: skip


ERRORS, LATENCY = spec("errors", weight=4), spec("latency", "latency", weight=3)
ORDERS = spec("orders", weight=2, down=True)
ALL = (ERRORS, LATENCY, ORDERS)


@dataclass(frozen=True)
class Canary:
    """How the canary differs from stable: factors on errors, latency and orders."""

    errors: float = 1.0
    slower: float = 1.0
    orders: float = 1.0


GOOD = Canary()
BAD = (Canary(errors=12), Canary(slower=3.0), Canary(orders=0.1))
BETTER = Canary(errors=0.05)
ANY = st.sampled_from((GOOD, BETTER, *BAD))


def drawn(
    seed: int, canary: Canary, count: int, *, weight: int = 20, rate: int = 200
) -> list[Look]:
    """Looks a second long: 3 % errors, 20 % orders, a median latency of 20 ms."""
    dice = random.Random(seed)
    n_c = rate * weight // 100
    n_s = rate - n_c

    def events(n: int, p: float) -> int:
        return sum(dice.random() < p for _ in range(n))

    def latencies(n: int, slower: float) -> tuple[int, ...]:
        found = [0] * (len(BOUNDS) + 1)
        for _ in range(n):
            found[bisect_left(BOUNDS, slower * 0.02 * math.exp(0.5 * dice.gauss(0, 1)))] += 1
        return tuple(found)

    return [
        Look(
            t=float(t),
            seconds=1.0,
            weight=weight,
            samples={
                "errors": Counts(
                    (n_c, events(n_c, min(1.0, 0.03 * canary.errors))), (n_s, events(n_s, 0.03))
                ),
                "latency": Latency(BOUNDS, latencies(n_c, canary.slower), latencies(n_s, 1.0)),
                "orders": Counts((n_c, events(n_c, 0.2 * canary.orders)), (n_s, events(n_s, 0.2))),
            },
        )
        for t in range(1, count + 1)
    ]


def judged(
    looks: Iterable[Look],
    metrics: tuple[MetricSpec, ...] = ALL,
    *,
    between: Callable[[JudgeState, Look], JudgeState] = lambda state, look: state,
    **config: float,
) -> list[Verdict]:
    """All verdicts. `between` may do something to the state before each look."""
    settled = JudgeConfig(metrics=metrics, **config)
    state, said = new(settled), []
    for look in looks:
        state, verdict = judge(settled, between(state, look), look, 3.0)
        said.append(verdict)
    return said


def words(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(verdict.word, verdict.action) for verdict in verdicts]


def plain(verdict: Verdict) -> bytes:
    return msgspec.json.encode(verdict)


def regressed(verdicts: list[Verdict]) -> bool:
    return any(verdict.word == "REGRESS" for verdict in verdicts)


def ln(verdict: Verdict) -> float:
    return math.log(max(verdict.e, 1e-9))


def in_unit(look: Look, scale: float) -> dict[str, Sample]:
    sample = look.samples["latency"]
    assert isinstance(sample, Latency)
    bounds = tuple(scale * bound for bound in sample.bounds)
    return {"latency": msgspec.structs.replace(sample, bounds=bounds)}


# --- told in another order or unit -----------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.37, 1e3, 1e6])
@pytest.mark.parametrize("canary", [GOOD, BAD[1]])
def test_the_unit_of_latency_does_not_matter(scale: float, canary: Canary) -> None:
    looks = drawn(1, canary, 40)
    scaled = [msgspec.structs.replace(look, samples=in_unit(look, scale)) for look in looks]
    straight, other = judged(looks, (LATENCY,)), judged(scaled, (LATENCY,))
    assert words(straight) == words(other)
    assert [v.e for v in straight] == pytest.approx([v.e for v in other], rel=1e-6)


@given(seeds, ANY)
@few
def test_the_order_and_the_names_of_metrics_do_not_matter(seed: int, canary: Canary) -> None:
    looks = drawn(seed, canary, 30)
    other_names = {"errors": "zz top", "latency": "Ωmega", "orders": "a"}
    renamed = [
        msgspec.structs.replace(
            look, samples={other_names[k]: v for k, v in reversed(look.samples.items())}
        )
        for look in looks
    ]
    metrics = tuple(
        msgspec.structs.replace(one, name=other_names[one.name])
        for one in (ORDERS, ERRORS, LATENCY)
    )
    straight, other = judged(looks), judged(renamed, metrics)
    assert words(straight) == words(other)
    assert [v.e for v in straight] == pytest.approx([v.e for v in other])


@given(seeds, ANY, st.floats(0, 1e9))
@few
def test_the_time_of_day_does_not_matter(seed: int, canary: Canary, offset: float) -> None:
    offset = float(round(offset))
    looks = drawn(seed, canary, 30)
    later = [msgspec.structs.replace(look, t=look.t + offset) for look in looks]
    straight, other = judged(looks), judged(later)
    assert words(straight) == words(other)
    assert [v.e for v in straight] == pytest.approx([v.e for v in other])


@given(seeds, ANY)
@few
def test_a_metric_that_nobody_declared_does_not_matter(seed: int, canary: Canary) -> None:
    looks = drawn(seed, canary, 30)
    more = [
        msgspec.structs.replace(
            look,
            samples={**look.samples, "other": Counts((9, 9), (9, 0)), "": Missing("no series")},
        )
        for look in looks
    ]
    assert list(map(plain, judged(looks))) == list(map(plain, judged(more)))


@given(seeds)
@few
def test_stables_instances_may_come_in_any_order(seed: int) -> None:
    dice = random.Random(seed)
    config = JudgeConfig(metrics=(ERRORS, LATENCY))
    one = other = new(config)
    for t in range(1, 131):
        pods = {f"pod-{i}": (50, sum(dice.random() < 0.05 for _ in range(50))) for i in range(7)}
        slow = {
            name: (dice.randint(0, 9), dice.randint(5, 40), dice.randint(0, 9)) for name in pods
        }
        order = dice.sample(sorted(pods), len(pods))
        both = (350, sum(k for _, k in pods.values()))
        whole = tuple(map(sum, zip(*slow.values(), strict=True)))

        def look(names: Iterable[str], t: int = t, both: tuple[int, int] = both,
                 whole: tuple[int, ...] = whole, pods: dict[str, tuple[int, int]] = pods,
                 slow: Mapping[str, tuple[int, ...]] = slow) -> Look:  # fmt: skip
            return Look(
                t=float(t), seconds=5.0, weight=0,
                samples={
                    "errors": Counts((0, 0), both, {name: pods[name] for name in names}),
                    "latency": Latency((0.1, 0.2), (0, 0, 0), whole, {name: slow[name] for name in names}),
                },
            )  # fmt: skip

        one, other = before(config, one, look(pods)), before(config, other, look(order))
    assert to_bytes(one) == to_bytes(other)
    assert to_bytes(raised(one, 131.0, 5)) == to_bytes(raised(other, 131.0, 5))


# --- told in other portions ------------------------------------------------------------------------


def merged(looks: list[Look], of: int) -> list[Look]:
    """`of` looks each as one."""

    def plus(samples: list[Sample]) -> Sample:
        first = samples[0]
        if isinstance(first, Counts):
            arms = [(s.canary, s.stable) for s in samples if isinstance(s, Counts)]
            canary, stable = (
                (sum(a[i][0] for a in arms), sum(a[i][1] for a in arms)) for i in (0, 1)
            )
            return Counts(canary, stable)
        assert isinstance(first, Latency)
        rows = [s for s in samples if isinstance(s, Latency)]
        return Latency(
            first.bounds,
            tuple(map(sum, zip(*(s.canary for s in rows), strict=True))),
            tuple(map(sum, zip(*(s.stable for s in rows), strict=True))),
        )

    return [
        Look(
            t=group[-1].t,
            seconds=float(of),
            weight=group[-1].weight,
            samples={
                name: plus([look.samples[name] for look in group]) for name in group[0].samples
            },
        )
        for i in range(0, len(looks), of)
        for group in (looks[i : i + of],)
    ]


@given(seeds, ANY, st.sampled_from([2, 5]))
@few
def test_two_half_looks_say_what_one_whole_look_says(seed: int, canary: Canary, of: int) -> None:
    looks = drawn(seed, canary, 60)
    halves, wholes = judged(looks), judged(merged(looks, of))
    assert regressed(halves) == regressed(wholes) == (canary in BAD)
    assert halves[-1].word == wholes[-1].word
    if canary not in BAD:  # a bad one has all the evidence there can be, in both
        assert ln(halves[-1]) == pytest.approx(ln(wholes[-1]), abs=2.0)


@given(seeds, ANY)
@few
def test_a_look_heard_twice_never_turns_the_verdict_around(seed: int, canary: Canary) -> None:
    looks = drawn(seed, canary, 40)
    twice = [
        msgspec.structs.replace(look, t=2 * look.t - 1 + again)
        for look in looks
        for again in (0, 1)
    ]
    once, double = judged(looks), judged(twice)
    assert regressed(once) == regressed(double) == (canary in BAD)


@given(seeds, ANY)
@few
def test_the_same_series_under_two_names_is_judged_as_one(seed: int, canary: Canary) -> None:
    looks = drawn(seed, canary, 40)
    doubled = [
        msgspec.structs.replace(look, samples={**look.samples, "again": look.samples["errors"]})
        for look in looks
    ]
    alone = judged(looks, (ERRORS,))
    both = judged(doubled, (ERRORS, msgspec.structs.replace(ERRORS, name="again")))
    assert words(alone) == words(both)
    assert [v.e for v in alone] == pytest.approx([v.e for v in both])


@given(seeds, ANY, st.integers(1, 7), st.sampled_from(["", "canary", "stable"]))
@few
def test_gaps_never_make_a_verdict(seed: int, canary: Canary, every: int, arm: str) -> None:
    """With a look missing here and there the evidence is the same, and nothing new is claimed.

    After the warm-up: that one ends by the clock, whether or not there are data at that moment.
    """
    looks = drawn(seed, canary, 50)
    gone: Sample = Missing("scrape failed: refused", arm)
    gappy: list[Look] = []
    kept = []
    for i, look in enumerate(looks):
        if i % (every + 1) == every and look.t > 11:
            gappy.append(msgspec.structs.replace(look, samples=dict.fromkeys(look.samples, gone)))
        else:
            gappy.append(look)
        kept.append(gappy[-1] is look)
    told = judged(gappy)
    assert regressed(told) == (canary in BAD)
    for i, here in enumerate(kept):
        if not here:
            assert told[i].e <= (told[i - 1].e if i else 1.0)
            assert told[i].word != "PASS" or told[i - 1].word == "PASS"
            assert told[i].word != "REGRESS" or told[i - 1].word == "REGRESS"


@given(seeds, ANY)
@few
def test_the_state_may_be_stored_and_read_at_every_look(seed: int, canary: Canary) -> None:
    looks = drawn(seed, canary, 40)
    straight = judged(looks)
    stored = judged(looks, between=lambda state, look: from_bytes(to_bytes(state)))
    assert list(map(plain, straight)) == list(map(plain, stored))


# --- the arms and the share of traffic -------------------------------------------------------------


def swapped(looks: list[Look]) -> list[Look]:
    def turned(sample: Sample) -> Sample:
        assert isinstance(sample, Counts | Latency)
        return msgspec.structs.replace(sample, canary=sample.stable, stable=sample.canary)

    return [
        msgspec.structs.replace(
            look,
            weight=100 - look.weight,
            samples={name: turned(sample) for name, sample in look.samples.items()},
        )
        for look in looks
    ]


@given(seeds, st.sampled_from([(ERRORS, BAD[0]), (LATENCY, BAD[1]), (ORDERS, BAD[2])]))
@few
def test_with_the_arms_swapped_worse_is_better(seed: int, case: tuple[MetricSpec, Canary]) -> None:
    metric, canary = case
    looks = drawn(seed, canary, 60, weight=50)
    straight, turned = judged(looks, (metric,)), judged(swapped(looks), (metric,))
    assert straight[-1].word == "REGRESS"
    assert straight[-1].metrics[0].word == "worse"
    assert not regressed(turned)
    assert turned[-1].metrics[0].word == "better"


@given(seeds)
@few
def test_with_the_arms_of_equals_swapped_nothing_is_found(seed: int) -> None:
    looks = drawn(seed, GOOD, 60, weight=50)
    assert not regressed(judged(looks))
    assert not regressed(judged(swapped(looks)))


@given(seeds, ANY, st.integers(15, 35))
@few
def test_a_raise_in_between_does_not_turn_the_verdict_around(
    seed: int, canary: Canary, at: int
) -> None:
    small, large = drawn(seed, canary, 70, weight=5), drawn(seed, canary, 70, weight=25)
    looks = [*small[:at], *large[at:]]

    def climb(state: JudgeState, look: Look) -> JudgeState:
        return raised(state, look.t - 1, look.weight) if look.t == at + 1 else state

    assert regressed(judged(looks, between=climb)) == (canary in BAD)


def test_stronger_evidence_never_looks_better() -> None:
    """More errors on the canary, all else the same draws: never less evidence at the end."""
    found = [ln(judged(drawn(3, Canary(errors=x), 40), (ERRORS,))[-1]) for x in (1, 2, 4, 8, 16)]
    assert found == sorted(found)
