"""Files of recorded data: read strictly, judged as if they came now, and never PASS by silence."""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.judge import Counts, JudgeConfig, Look, judge, new
from hatchway.judge.outcome import Outcome
from hatchway.judge.reading import RecordingError, read
from hatchway.judge.recorded import config_of, judged
from hatchway.judge.recording import Rule

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0]
Metric = dict[str, Any]


def events(draw: random.Random, n: int, p: float) -> list[int]:
    return [n, sum(draw.random() < p for _ in range(n))]


def counts(times: float = 1, n: int = 60, seed: int = 1, **more: Any) -> Metric:
    """200 requests a second, 5 % on canary, 1 % errors, a look every 5 s."""
    draw = random.Random(seed)
    looks = [
        {
            "t": 5 * (i + 1),
            "canary": events(draw, 50, 0.01 * times),
            "stable": events(draw, 950, 0.01),
        }
        for i in range(n)
    ]
    return {"metric": "errors", "kind": "counts", "worse": "up", "looks": looks, **more}


def latency(slower: float = 1, n: int = 30, seed: int = 1, **more: Any) -> Metric:
    draw = random.Random(seed)

    def buckets(requests: int, factor: float) -> list[int]:
        found = [0] * (len(BOUNDS) + 1)
        for _ in range(requests):
            found[bisect_left(BOUNDS, 0.02 * factor * math.exp(0.5 * draw.gauss(0, 1)))] += 1
        return found

    looks = [
        {
            "t": 5 * (i + 1),
            "bounds": BOUNDS,
            "canary": buckets(50, slower),
            "stable": buckets(950, 1),
        }
        for i in range(n)
    ]
    return {"metric": "latency", "kind": "latency", "looks": looks, **more}


def series(level: float = 1, n: int = 60, seed: int = 1, **more: Any) -> Metric:
    draw = random.Random(seed)
    stable = [draw.gauss(1, 0.1) for _ in range(n)]
    canary = [draw.gauss(level, 0.1) for _ in range(n)]
    times = [5 * (i + 1) for i in range(n)]
    looks = {"stable": stable, "canary": canary, "t": times}
    return {"metric": "ratio", "kind": "series", "worse": "up", "looks": looks, **more}


def gauge(level: float = 1, n: int = 60, pods: int = 6, **more: Any) -> Metric:
    draw = random.Random(1)
    looks = [
        {"t": 5 * (i + 1), "canary": [draw.gauss(level, 0.05)],
         "stable": [draw.gauss(1, 0.05) for _ in range(pods)]}
        for i in range(n)
    ]  # fmt: skip
    return {"metric": "memory", "kind": "gauge", "worse": "up", "looks": looks, **more}


def outcomes(value: Any) -> tuple[Outcome, ...]:
    return judged(read(json.dumps(value).encode()))


def one(value: Any) -> Outcome:
    (found,) = outcomes(value)
    return found


# --- verdicts -------------------------------------------------------------------------------------


def test_more_errors_are_held_and_rolled_back_at_a_look_that_is_named() -> None:
    found = one(counts(5))
    assert found.word == "REGRESS"
    assert found.hold_at is not None
    assert found.rollback_at is not None
    assert 1 < found.hold_at <= found.rollback_at < 30
    assert found.e >= 100
    assert found.looks == found.rollback_at + 1  # what came after a rollback is not judged
    assert "on canary against" in found.why


def test_the_file_gets_what_the_live_judge_says() -> None:
    recording = read(json.dumps(counts(4)).encode())
    track = recording.tracks[0]
    config = config_of((track,), recording.rule)
    assert (config.hold_at, config.rollback_at) == (JudgeConfig(metrics=()).hold_at, 100.0)
    assert config.warmup_s == 10.0
    state, said = new(config), []
    for t, sample in track.looks:
        state, verdict = judge(
            config, state, Look(t=t, seconds=5.0, weight=0, samples={"errors": sample}), 2.0
        )
        said.append(verdict)
        if verdict.action == "rollback":
            break
    found = one(counts(4))
    assert (found.word, found.why, found.e) == (said[-1].word, said[-1].headline, said[-1].e)
    assert found.hold_at == next(i for i, v in enumerate(said) if v.action != "none")


def test_enough_calm_data_pass_and_few_do_not() -> None:
    assert one(counts(n=300)).word == "PASS"
    found = one(counts(n=6))
    assert found.word == "UNSURE"
    assert found.forecast_s is None or found.forecast_s > 0
    assert found.rollback_at is None


def test_fewer_orders_are_worse_only_when_fewer_is_worse() -> None:
    fewer = counts(0.1, n=400)
    assert one({**fewer, "worse": "down"}).word == "REGRESS"
    assert one({**fewer, "worse": "up"}).word == "PASS"


def test_either_finds_both_directions_and_passes_neither_by_half() -> None:
    for times in (0.1, 5):
        assert one(counts(times, n=200, worse="either")).word == "REGRESS"
    assert one(counts(1, n=200, worse="either")).word == "PASS"
    # One direction alone is surely well by now, the other is not known yet.
    assert one(counts(0.55, n=100, worse="up")).word == "PASS"
    assert one(counts(0.55, n=100, worse="either")).word != "PASS"


def test_slower_requests_regress() -> None:
    assert one(latency(2)).word == "REGRESS"
    assert one(latency(1)).word != "REGRESS"


def test_a_series_is_judged_over_its_whole_length() -> None:
    found = one(series(1.5, n=20))
    assert (found.word, found.rollback_at) == ("REGRESS", 19)
    assert one(series(1.0)).word == "PASS"
    assert one(series(0.6, worse="down")).word == "REGRESS"
    assert one(series(0.6, worse="either")).word == "REGRESS"
    assert one(series(1.0, n=3)).word == "UNSURE"


def test_a_series_may_be_written_in_several_ways() -> None:
    stable, canary = [1.0, 1.1, None, 0.9] * 5, [1.5, 1.6, 1.4, None] * 5
    head = {"metric": "ratio", "kind": "series"}
    ways = [
        {**head, "looks": {"stable": stable, "canary": canary}},
        {**head, "stable": stable, "canary": canary},
        {**head, "looks": [{"stable": stable, "canary": canary}]},
        {
            **head,
            "looks": [{"stable": s, "canary": c} for s, c in zip(stable, canary, strict=True)],
        },
    ]
    found = [one(way) for way in ways]
    assert all(each == found[0] for each in found)
    assert found[0].word == "REGRESS"


def test_a_gauge_may_hold_and_never_rolls_back() -> None:
    assert one(gauge(1.0)).word == "PASS"
    found = one(gauge(3.0))
    assert (found.word, found.rollback_at) == ("UNSURE", None)
    assert found.hold_at is not None
    assert "instances differ by" in found.why
    assert one(gauge(1.0, pods=2)).word == "UNSURE"
    limited = one(gauge(3.0, limit=2.0))
    assert limited.hold_at == 2
    assert "beyond its limit of 2 on canary" in limited.why


def test_several_metrics_get_a_line_each_and_one_together() -> None:
    errors, slow, ratio, memory, both = outcomes([counts(5), latency(), series(), gauge()])
    assert (errors.word, both.word) == ("REGRESS", "REGRESS")
    assert both.metrics == ("errors", "latency", "ratio", "memory")
    assert slow.word != "REGRESS"
    assert (ratio.word, memory.word) == ("PASS", "PASS")
    # A third of the weight: the same evidence is found later together than alone.
    assert both.rollback_at is not None
    assert errors.rollback_at is not None
    assert both.rollback_at >= errors.rollback_at


def test_together_pass_needs_every_metric() -> None:
    calm = counts(n=150)
    *_, both = outcomes([calm, {**counts(n=150, seed=2), "metric": "orders"}])
    assert both.word == "PASS"
    *_, both = outcomes([calm, gauge(2.0, n=150)])
    assert (both.word, both.rollback_at) == ("UNSURE", None)
    assert "memory" in both.why
    *_, both = outcomes([calm, series(n=5)])
    assert both.word == "UNSURE"
    *_, both = outcomes([calm, {**series(n=0), "metric": "lag"}])
    assert both.word == "NO_DATA"


def test_a_weak_series_among_many_metrics_has_only_its_share_of_the_chance() -> None:
    levels = [(1.05 + i / 1000, seed) for i in range(20) for seed in range(10)]
    weak, found = next(
        (given, found)
        for level, seed in levels
        if 100 <= (found := one(given := series(level, seed=seed))).e < 180
    )
    assert found.word == "REGRESS"
    *_, both = outcomes([weak, counts(n=60)])
    assert both.word != "REGRESS"
    assert both.e == pytest.approx(found.e / 2)


def test_a_metric_that_stops_is_blind_not_well() -> None:
    *_, both = outcomes([counts(n=60), latency(n=10)])
    assert both.word == "NO_DATA"
    assert "latency: no look in the file" in both.why


def test_options_beside_the_metrics_set_the_rule() -> None:
    plain = one({"metrics": [counts(5)]})
    early = one({"metrics": [counts(5)], "r0_floor": 1.0, "phi_floor": 1.0, "warmup_s": 0})
    assert plain.rollback_at is not None
    assert early.rollback_at is not None
    assert early.rollback_at < plain.rollback_at
    assert one({"metrics": [counts(5)], "rollback_at": 1e9, "hold_at": 5}).word == "UNSURE"
    few = counts(n=15)
    assert one({"metrics": [few], "excludes": 10}).word == "PASS"
    assert one({"metrics": [few]}).word == "UNSURE"


def test_a_split_that_is_off_is_noticed_when_the_plan_is_told() -> None:
    found = one({"metrics": [counts(n=100)], "weight": 25})
    assert found.word == "UNSURE"
    assert "split is not as planned" in found.why


def test_evidence_goes_on_when_the_share_goes_up() -> None:
    early, late = counts(n=40)["looks"], counts(n=40, seed=2)["looks"]
    for look in early:
        look["weight"] = 5
    for look in late:
        look["t"] += 200
        look["weight"] = 10
        look["canary"] = [100, 6]
        look["stable"] = [900, 9]
    found = one({"metric": "errors", "kind": "counts", "looks": [*early, *late]})
    assert found.word == "REGRESS"
    assert found.rollback_at is not None
    assert found.rollback_at >= 40


def test_pods_before_the_rollout_settle_the_margins() -> None:
    draw = random.Random(1)
    earlier = []
    for i in range(120):
        pods = {f"pod-{j}": events(draw, 100, 0.01) for j in range(8)}
        earlier.append({"t": 5 * i - 700, "pods": pods})
    found = one({**counts(5), "before": earlier})
    plain = one(counts(5))
    assert any("measured on 8 instances" in why.text for why in found.reasons)
    assert any("configured" in why.text for why in plain.reasons)
    assert found.rollback_at is not None
    assert plain.rollback_at is not None
    assert found.rollback_at < plain.rollback_at


# --- never by silence -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["counts", "latency", "gauge", "series"])
def test_no_look_is_no_data(kind: str) -> None:
    looks: Any = {"stable": [], "canary": []} if kind == "series" else []
    found = one({"metric": "m", "kind": kind, "looks": looks})
    assert (found.word, found.hold_at, found.rollback_at) == ("NO_DATA", None, None)


@pytest.mark.parametrize(
    "look",
    [
        {"canary": [0, 0], "stable": [0, 0]},
        {"canary": [0, 0], "stable": [950, 9]},
        {"canary": [50, 0], "stable": [0, 0]},
        {"canary": [50, 0], "stable": [950, 0]},
    ],
)
def test_silence_never_passes(look: Metric) -> None:
    looks = [{"t": 5 * (i + 1), **look} for i in range(500)]
    found = one({"metric": "errors", "kind": "counts", "looks": looks})
    assert found.word in ("NO_DATA", "UNSURE")
    assert found.rollback_at is None


ARM = st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 90), ARM, ARM), max_size=20))
def test_any_counts_get_a_verdict(looks: list[tuple[float, Any, Any]]) -> None:
    t, made = 0.0, []
    for seconds, canary, stable in looks:
        t += seconds
        made.append({"t": t, "canary": canary, "stable": stable})
    found = one({"metric": "errors", "kind": "counts", "looks": made})
    assert found.word in ("PASS", "REGRESS", "UNSURE", "NO_DATA")
    assert found.e >= 0
    if sum(c[1] + s[1] for _, c, s in looks) == 0:
        assert found.word != "PASS"


LEVEL = st.none() | st.floats(-1e100, 1e100)


@settings(max_examples=40)
@given(st.lists(st.tuples(LEVEL, LEVEL), max_size=40))
def test_any_series_gets_a_verdict(points: list[tuple[float | None, float | None]]) -> None:
    stable, canary = [s for s, _ in points], [c for _, c in points]
    found = one({"metric": "m", "kind": "series", "looks": {"stable": stable, "canary": canary}})
    assert found.word in ("PASS", "REGRESS", "UNSURE", "NO_DATA")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.lists(LEVEL, max_size=3), st.lists(LEVEL, max_size=5)), max_size=12))
def test_any_gauge_gets_a_verdict_and_no_rollback(levels: list[tuple[Any, Any]]) -> None:
    looks = [{"t": 15 * i, "canary": c, "stable": s} for i, (c, s) in enumerate(levels)]
    found = one({"metric": "m", "kind": "gauge", "worse": "either", "looks": looks})
    assert found.word in ("PASS", "UNSURE", "NO_DATA")
    assert found.rollback_at is None


# --- errors ---------------------------------------------------------------------------------------


def look(**more: Any) -> Metric:
    made = {"t": 5, "canary": [50, 1], "stable": [950, 9], **more}
    return {
        "metric": "errors",
        "kind": "counts",
        "looks": [{"t": 0, "canary": [1, 0], "stable": [1, 0]}, made],
    }


def buckets(**more: Any) -> Metric:
    made = {"t": 5, "bounds": [0.1, 0.5], "canary": [1, 2, 3], "stable": [3, 2, 1], **more}
    return {"metric": "slow", "kind": "latency", "looks": [made]}


WRONG: list[tuple[Any, str, str]] = [
    (look(canary=[2, 3]), "looks[1].canary", "3 events in 2 requests"),
    (look(canary=[-2, 0]), "looks[1].canary[0]", ">= 0"),
    (look(canary=[2.5, 0]), "looks[1].canary[0]", "a whole number"),
    (look(canary=[10**16, 0]), "looks[1].canary[0]", "<= 1000000000000000"),
    (look(canary=["2", 0]), "looks[1].canary[0]", "expected a whole number, got text"),
    (look(canary=[2]), "looks[1].canary", "length 2"),
    (look(canary=None), "looks[1].canary", "a list"),
    (look(t=0), "looks[1].t", "0 is not after 0"),
    (look(t=-5), "looks[1].t", "is not after"),
    (look(t="now"), "looks[1].t", "a number"),
    (look(t=1e300), "looks[1].t", "<="),
    (look(seconds=5), "looks[1]", "unknown field 'seconds'"),
    (look(pods={"a": [1, 2]}), "looks[1].pods['a']", "2 events in 1 requests"),
    (look(weight=0), "looks[1].weight", ">= 1"),
    ({**look(), "worse": "sideways"}, "worse", "sideways"),
    ({**look(), "kind": "histogram"}, "kind", "histogram"),
    ({**look(), "metric": ""}, "metric", "length >= 1"),
    ({**look(), "excludes": 1}, "excludes", "> 1"),
    ({**look(), "before": [{"t": 0, "stable": [1, 0]}]}, "before[0].t", "not before the first look"),
    ({"kind": "counts", "looks": []}, "the file", "missing required field 'metric'"),
    ({"metric": "m", "looks": []}, "the file", "missing required field 'kind'"),
    (buckets(bounds=[0.5, 0.1]), "looks[0].bounds[1]", "0.1 is not above 0.5"),
    (buckets(bounds=[0.1, 0.1]), "looks[0].bounds[1]", "is not above"),
    (buckets(bounds=[0, 0.1]), "looks[0].bounds[0]", "> 0"),
    (buckets(bounds=[], canary=[1], stable=[1]), "looks[0].bounds", "0 of them"),
    (buckets(canary=[1, 2]), "looks[0].canary", "2 counts for 2 bounds"),
    (buckets(pods={"a": [1]}), "looks[0].pods['a']", "1 counts for 2 bounds"),
    (buckets(canary=[1, 5, 5], stable=[2, 9, 9]), "looks", "cumulative"),
    ({**buckets(), "worse": "either"}, "worse", "only slower is"),
    ({"metric": "m", "kind": "series", "looks": {"stable": [1], "canary": []}}, "looks", "1 points"),
    ({"metric": "m", "kind": "series", "looks": {"stable": [1], "canary": [1], "t": []}}, "looks", "0 times"),
    ({"metric": "m", "kind": "series", "looks": {"stable": [1, 1], "canary": [1, 1], "t": [2, 1]}}, "looks", "is not after"),
    ([look(), {"metric": "m", "kind": "series", "looks": {"stable": [1], "canary": [1]}}], "[1].looks", "needs its own"),
    ([], "the file", "no metric"),
    ({"metrics": []}, "metrics", "no metric"),
    ({"metrics": [look(), look()]}, "metrics[1].metric", "there twice"),
    ({"metrics": [look()], "threshold": 5}, "the file", "unknown field 'threshold'"),
    ({"metrics": [look()], "hold_at": 200}, "hold_at", "holds at 200 but rolls back at 100"),
    ({"metrics": [look()], "excludes": 0.5}, "excludes", "> 1"),
    ({"metrics": 7}, "metrics", "expected a list"),
    ([7], "[0]", "expected an object"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "place", "wrong"), WRONG)
def test_a_mistake_is_named_with_its_place_and_what_to_write(
    value: Any, place: str, wrong: str
) -> None:
    with pytest.raises(RecordingError) as caught:
        read(json.dumps(value).encode())
    assert caught.value.place == place
    assert wrong in caught.value.wrong
    assert caught.value.write
    assert "$" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "wrong"),
    [
        (b"", "the file", "empty"),
        (b"  \n", "the file", "empty"),
        (b"hello", "the file", "neither { nor ["),
        (b"{", "the end of the file", "cut off"),
        (b'{"metric": "m",\n "kind": counts}', "line 2, column 10", "not JSON"),
        (b'{"metric": "m",\n "kind": "series", "looks": {"stable": [NaN]}}', "line 2", "NaN"),
        (b'{"metric": "m", "kind": "series", "looks": {"stable": [-Infinity]}}', "line 1", "infin"),
        (b'[{"metric": "m", "kind": "gauge", "looks": [{"t": 1e999}]}]', "[0].looks[0].t", "range"),
        (b"[" * 200_000, "", ""),
        (b'{"a":' * 200_000, "", ""),
        (b'{"metric": "\xff\xfe", "kind": "counts", "looks": []}', "the file", ""),
        (b"\x00\x01\x02", "the file", "neither"),
    ],
)
def test_what_is_no_json_is_said(text: bytes, place: str, wrong: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(text)
    assert caught.value.place.startswith(place)
    assert wrong in caught.value.wrong


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_is_an_error_or_a_verdict(data: st.DataObject) -> None:
    text = bytearray(json.dumps([counts(n=3), latency(n=2), series(n=3), gauge(n=3)]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b'0123456789-.eE[]{},:"ntrue \xff'))
    try:
        found = judged(read(bytes(text)))
    except RecordingError:
        return
    assert found[-1].word in ("PASS", "REGRESS", "UNSURE", "NO_DATA")


def test_the_sim_of_the_house_is_read_back(make_sim: Callable[..., Any], errors: Any) -> None:
    """What the live judge saw, written to a file, gets the same verdict."""
    sim = make_sim(errors, warmup_s=10.0)
    looks = []
    for _ in range(60):
        samples = sim.samples(errors=0.3)
        verdict = sim.look(samples)
        seen: Counts = samples["errors"]
        looks.append({"t": sim.t, "canary": seen.canary, "stable": seen.stable, "weight": 5})
        if verdict.action == "rollback":
            break
    found = one(
        {
            "metrics": [{"metric": "errors", "kind": "counts", "looks": looks, "limit": 2.0}],
            "excludes": 10,
        }
    )
    assert (found.word, found.looks) == ("REGRESS", len(looks))
    assert found.e == pytest.approx(sim.verdicts[-1].e)


def test_the_rule_is_the_house_rule_unless_told() -> None:
    assert {f: getattr(Rule(), f) for f in ("hold_at", "rollback_at", "r0_floor")} == {
        "hold_at": None,
        "rollback_at": None,
        "r0_floor": None,
    }
