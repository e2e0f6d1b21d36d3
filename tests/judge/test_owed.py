"""Looks in which one arm had no request wait for it, and nothing is lost or counted twice."""

from __future__ import annotations

import random

from hatchway.judge import Counts, JudgeConfig, Latency, Look, judge, new, raised
from hatchway.judge.owed import merged


def rollout(errors, *, every: int, seed: int, canary: float, stable: float = 0.01, rate=2.0):
    """Until REGRESS, 600 s at most: seconds, with looks `every` so many seconds, 5 % of `rate`."""
    draw = random.Random(seed)
    config = JudgeConfig(metrics=(errors,))
    state = raised(new(config), 0.0, 5)
    held: list[int] = []
    words = []
    sums = [[0, 0], [0, 0]]
    for t in range(1, 601):
        for arm, share, p in ((0, 0.05, canary), (1, 0.95, stable)):
            n = sum(draw.random() < rate * share / 20 for _ in range(20))
            sums[arm][0] += n
            sums[arm][1] += sum(draw.random() < p for _ in range(n))
        if t % every:
            continue
        sample = Counts(tuple(sums[0]), tuple(sums[1]))  # type: ignore[arg-type]
        look = Look(t=t, seconds=every, weight=5, samples={"errors": sample})
        state, verdict = judge(config, state, look, 10)
        sums = [[0, 0], [0, 0]]
        words.append(verdict)
        if verdict.action == "hold" and verdict.e >= 20:
            held.append(t)
            break
    return held, words


def test_two_requests_a_second_are_judged_as_well_each_second_as_every_ten(errors):
    found = {
        every: sum(
            bool(rollout(errors, every=every, seed=seed, canary=0.5)[0]) for seed in range(25)
        )
        for every in (1, 10)
    }
    assert found[1] >= 20
    assert found[1] >= found[10] - 4


def test_two_requests_a_second_are_no_blindness(errors):
    blind = looks = 0
    for seed in range(10):
        _, words = rollout(errors, every=1, seed=seed, canary=0.01)
        blind += sum(verdict.word == "NO_DATA" for verdict in words)
        looks += len(words)
    assert looks > 5000
    assert blind < 0.01 * looks


def test_merged_looks_add_up_by_arm_and_by_part():
    one = Counts((0, 0), (5, 1), parts={"/a": ((0, 0), (5, 1))})
    two = Counts((2, 1), (7, 0), parts={"/a": ((1, 0), (7, 0)), "/b": ((1, 1), (0, 0))})
    assert merged(one, two) == Counts(
        (2, 1), (12, 1), parts={"/a": ((1, 0), (12, 1)), "/b": ((1, 1), (0, 0))}
    )
    old = Latency((0.1,), (0, 0), (3, 1))
    assert merged(old, Latency((0.1,), (1, 0), (1, 1))) == Latency((0.1,), (1, 0), (4, 2))
    other = Latency((0.2,), (1, 0), (1, 1))
    assert merged(old, other) == other
    assert merged(None, two) == two


def test_what_is_owed_is_forgotten_at_a_raise_and_after_half_a_minute(errors):
    config = JudgeConfig(metrics=(errors,))
    state = raised(new(config), 0.0, 5)

    def look(t, canary, stable):
        nonlocal state
        samples = {"errors": Counts(canary, stable)}
        state, _ = judge(config, state, Look(t=t, seconds=1, weight=5, samples=samples), 2)
        return state.metrics[0]

    for t in range(1, 6):
        metric = look(t, (0, 0), (1, 0))
    assert metric.owed == Counts((0, 0), (5, 0))
    assert metric.owed_s == 5
    assert raised(state, 6.0, 25).metrics[0].owed is None
    assert look(6, (1, 0), (1, 0)).evidence.stable == (6, 0)  # type: ignore[union-attr]
    for t in range(7, 60):
        metric = look(t, (0, 0), (1, 0))
    assert metric.owed_s <= 30


def test_pass_does_not_begin_with_a_look_that_saw_nothing(errors):
    config = JudgeConfig(metrics=(errors,))
    state = raised(new(config), 0.0, 50)
    words = []
    for t in range(1, 14):
        samples = {} if t in (10, 11) else {"errors": Counts((500, 5), (500, 5))}
        look = Look(t=t, seconds=1, weight=50, samples=samples)  # type: ignore[arg-type]
        state, verdict = judge(config, state, look, 10)
        words.append(verdict.word)
    assert words == ["UNSURE"] * 11 + ["PASS", "PASS"]
    look = Look(t=14, seconds=1, weight=50, samples={})
    assert judge(config, state, look, 10)[1].word == "PASS"  # one scrape that failed is no alarm
