"""A proof replays to the very bytes that were decided on, and says so when it does not."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import Counts, Gauge, JudgeConfig, Latency, Look, Missing, Series, judge, new
from hatchway.judge import proof as proofs
from hatchway.judge.arithmetic import arithmetic, to_json
from hatchway.judge.proof import FORMAT, MAX_SIZE, ProofError, Replay, replayed, sealed

COUNT = st.integers(0, 2000)
BOUNDS = (0.01, 0.1, 1.0)


def spec(name: str, kind: str, **more: Any) -> MetricSpec:
    return MetricSpec(name=name, label=name, kind=kind, source="app", total=SeriesRef(name), **more)  # type: ignore[arg-type]


CONFIG = JudgeConfig(
    metrics=(
        spec("errors", "counts", weight=4.0, limit=2.0, shown_as="percent", by="route"),
        spec("latency", "latency", weight=3.0, limit=0.5),
        spec("orders", "counts", worse="down", excludes=2.0),
        spec("memory", "gauge", limit=80.0),
        spec("lag", "series", query="lag"),
    )
)


@st.composite
def arms(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(COUNT)
    return n, draw(st.integers(0, n))


BUCKETS = st.tuples(*(st.integers(0, 300),) * 4)
SAMPLES = {
    "errors": st.builds(
        Counts,
        arms(),
        arms(),
        parts=st.dictionaries(st.sampled_from("abc"), st.tuples(arms(), arms()), max_size=3),
    )
    | st.just(Missing("no series", "canary")),
    "latency": st.builds(Latency, st.just(BOUNDS), BUCKETS, BUCKETS) | st.just(Missing("frozen")),
    "orders": st.builds(Counts, arms(), arms()),
    "memory": st.builds(Gauge, st.tuples(st.floats(0, 200)), st.tuples(*(st.floats(0, 200),) * 4)),
    "lag": st.builds(Series, st.none() | st.floats(0, 9), st.floats(0, 9)),
}


@st.composite
def rollouts(draw: st.DrawFn) -> list[Look]:
    """Looks of one to thirty seconds, with the share going up at some of them."""
    looks: list[Look] = []
    t, weight = draw(st.floats(0, 2e9)), 5
    for _ in range(draw(st.integers(1, 8))):
        seconds = draw(st.floats(0.5, 30))
        t += seconds
        weight = min(100, weight * draw(st.sampled_from((1, 1, 1, 5))))
        samples = draw(st.fixed_dictionaries({}, optional=SAMPLES))
        looks.append(Look(t=t, seconds=seconds, weight=weight, samples=samples))
    return looks


def replays(looks: list[Look], excludes: float = 2.0) -> list[Replay]:
    state, found = new(CONFIG), []
    for look in looks:
        before = state
        state, verdict = judge(CONFIG, before, look, excludes)
        found.append(replayed(sealed(CONFIG, before, look, excludes, state, verdict)))
    return found


@settings(max_examples=30)
@given(rollouts())
def test_every_look_replays_to_the_same_bytes(looks: list[Look]) -> None:
    for replay in replays(looks):
        assert replay.same_state
        assert replay.same_verdict


@settings(max_examples=30)
@given(rollouts())
def test_the_arithmetic_shown_is_the_arithmetic_done(looks: list[Look]) -> None:
    for replay in replays(looks):
        account = arithmetic(replay)
        for metric in account.metrics:
            for bet in metric.bets:
                assert bet.as_judged, (metric.name, bet)
            if metric.bets:
                assert sum(b.share * b.after.now for b in metric.bets) == pytest.approx(metric.e)
        parts = [metric.share * metric.e for metric in account.metrics]
        assert min(sum(parts), 1e12) == pytest.approx(account.e)
        assert msgspec.json.decode(msgspec.json.encode(to_json(account)))["word"] == account.word


@pytest.fixture
def late(make_sim: Callable[..., Any]) -> tuple[bytes, Any, Any]:
    """A proof of a look in the middle of a rollout, with the state after it and the verdict."""
    sim = make_sim()
    sim.run(60)
    before, look = sim.state, None
    samples = sim.samples(errors=0.2)
    look = Look(t=sim.t + 1, seconds=1.0, weight=5, samples=samples)
    after, verdict = judge(sim.config, before, look, 10.0)
    return sealed(sim.config, before, look, 10.0, after, verdict), after, verdict


def test_the_same_look_gives_the_same_proof_and_a_small_one(
    make_sim: Callable[..., Any], late: tuple[bytes, Any, Any]
) -> None:
    proof, after, verdict = late
    replay = replayed(proof)
    assert (
        sealed(replay.config, replay.before, replay.look, replay.excludes, after, verdict) == proof
    )
    assert (replay.after, replay.verdict) == (after, verdict)
    assert replay.size == len(proof) < 4000


def test_another_judge_is_noticed(
    late: tuple[bytes, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, _, verdict = late

    def careless(*given: Any) -> Any:
        state, said = judge(*given)
        return state, msgspec.structs.replace(said, word="NO_DATA")

    monkeypatch.setattr(proofs, "judge", careless)
    replay = replayed(proof)
    assert replay.same_state
    assert not replay.same_verdict
    assert not replay.same
    assert replay.verdict.word == "NO_DATA" != verdict.word


def test_a_verdict_that_was_not_the_judges_is_noticed(late: tuple[bytes, Any, Any]) -> None:
    proof, after, verdict = late
    replay = replayed(proof)
    forged = msgspec.structs.replace(verdict, headline="all is well")
    forgery = sealed(replay.config, replay.before, replay.look, replay.excludes, after, forged)
    assert not replayed(forgery).same_verdict


def test_a_judge_that_fails_is_no_traceback(
    late: tuple[bytes, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(proofs, "judge", failing)
    with pytest.raises(ProofError, match=r"stops at what was seen then \(ZeroDivisionError"):
        replayed(late[0])


def test_what_is_no_proof_is_said(late: tuple[bytes, Any, Any]) -> None:
    proof = late[0]
    with pytest.raises(ProofError, match="no proof was journaled"):
        replayed(b"")
    with pytest.raises(ProofError, match="a format that this version does not know"):
        replayed(b"9" + proof[1:])
    with pytest.raises(ProofError, match="cannot be read by this version"):
        replayed(proof[:-40])
    with pytest.raises(ProofError, match="cannot be read by this version"):
        replayed(FORMAT + b"garbage")
    with pytest.raises(ProofError, match="cannot be read by this version"):
        replayed(FORMAT + zlib.compress(msgspec.msgpack.encode([1, 2, 3])))
    bomb = FORMAT + zlib.compress(bytes(MAX_SIZE + 1))
    with pytest.raises(ProofError, match="it unpacks to more than"):
        replayed(bomb)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    for proof in (data, FORMAT + data, FORMAT + zlib.compress(data)):
        with pytest.raises(ProofError, match=r"."):
            replayed(proof)


@settings(max_examples=50)
@given(st.data())
def test_a_changed_byte_is_an_error_or_a_difference(data: st.DataObject) -> None:
    """Inside the packing; the packing itself has a checksum."""
    look = Look(t=9.0, seconds=1.0, weight=5, samples={"errors": Counts((9, 3), (99, 1))})
    before = new(CONFIG)
    after, verdict = judge(CONFIG, before, look, 2.0)
    plain = zlib.decompress(sealed(CONFIG, before, look, 2.0, after, verdict)[1:])
    at = data.draw(st.integers(0, len(plain) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != plain[at]))
    changed = plain[:at] + bytes([other]) + plain[at + 1 :]
    try:
        replay = replayed(FORMAT + zlib.compress(changed))
    except ProofError:
        return
    # What the judge does not look at (a label's unit, a source) may change without a difference.
    assert not replay.same or (replay.after, replay.verdict) == (after, verdict)
