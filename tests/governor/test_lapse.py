"""E9: the dead-man's two steps. Hold after the lease; back to stable after a longer lapse."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.governor.authority import Authority, Lapse, Stop, decide
from hatchway.governor.keeper import GAP_S
from hatchway.governor.value import replace


def leased(governor: Any, lease_s: float, lapse_s: float) -> Any:
    path = governor.directory / "governor.json"
    doc = json.loads(path.read_text())
    doc |= {"lease_s": lease_s, "lapse_rollback_s": lapse_s}
    path.write_text(json.dumps(doc))
    governor.start().at(25)
    governor.ask(op="lease")
    return governor


def ops(governor: Any) -> list[tuple[str, str]]:
    return [(e["op"], e["by"]) for e in governor.spool()]


def test_e9_first_it_holds_and_then_it_goes_back(cold: Any, wait_for: Any) -> None:
    leased(cold, 0.6, 2.5)
    silent = time.monotonic()
    wait_for(lambda: cold.status()["mode"] == "paused")
    assert cold.splitter.weights["canary"] == 25, "a hold moves nothing"
    wait_for(lambda: cold.splitter.weights["canary"] == 0)
    assert time.monotonic() - silent > 2.0
    wait_for(lambda: cold.status()["drained"])
    assert ops(cold) == [("pause", "dead-man"), ("rollback", "dead-man")]
    assert "silent for" in cold.status()["reason"]


def test_without_the_setting_it_stays_held(cold: Any, wait_for: Any) -> None:
    leased(cold, 0.3, 0)
    wait_for(lambda: cold.status()["mode"] == "paused")
    time.sleep(1.5)
    assert ops(cold) == [("pause", "dead-man")]
    assert cold.splitter.weights["canary"] == 25


def test_a_backend_that_comes_back_in_time_keeps_its_share(cold: Any, wait_for: Any) -> None:
    leased(cold, 0.4, 2.0)
    wait_for(lambda: cold.status()["mode"] == "paused")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        cold.ask(op="lease")
        time.sleep(0.1)
    assert ops(cold) == [("pause", "dead-man")]


@pytest.mark.parametrize("op", ["pause", "takeover"])
def test_where_a_person_holds_or_drives_silence_moves_nothing(
    cold: Any, wait_for: Any, op: str
) -> None:
    leased(cold, 0.4, 1.0)
    cold.stop(op)
    time.sleep(2.0)
    assert ops(cold) == [(op, "ana")]
    assert cold.splitter.weights["canary"] == 25


def test_a_governor_that_stood_still_itself_gives_the_backend_a_full_lease_first(
    cold: Any, wait_for: Any
) -> None:
    lease_s = 2.5
    leased(cold, lease_s, lease_s + 0.5)
    cold.process.send_signal(signal.SIGSTOP)
    time.sleep(lease_s + GAP_S)  # longer than the lapse: the backend could not be heard
    cold.process.send_signal(signal.SIGCONT)
    awake = time.monotonic()
    wait_for(lambda: cold.status()["mode"] == "paused", "the hold comes at once")
    while time.monotonic() - awake < lease_s - 0.7:
        assert "rollback" not in [op for op, _ in ops(cold)]
        time.sleep(0.1)
    wait_for(lambda: cold.splitter.weights["canary"] == 0, "and then it goes back")


def test_after_standing_still_one_renewal_is_enough(cold: Any, wait_for: Any) -> None:
    leased(cold, 1.0, 1.5)
    cold.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5 + GAP_S)
    cold.process.send_signal(signal.SIGCONT)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        cold.ask(op="lease")
        time.sleep(0.1)
    assert "rollback" not in [op for op, _ in ops(cold)]


SHARES = st.one_of(st.none(), st.integers(0, 100))


@given(
    mode=st.sampled_from(["agent", "paused", "person"]),
    holder=st.sampled_from(["", "ana", "dead-man"]),
    desired=SHARES,
    leased=st.booleans(),
    goes_back=st.booleans(),
)
def test_only_the_dead_mans_own_hold_of_a_partial_share_goes_back(
    mode: Any, holder: str, desired: int | None, leased: bool, goes_back: bool
) -> None:
    state = replace(
        Authority("shop"),
        mode=mode,
        holder=holder,
        desired=desired,
        confirmed=desired,
        leased=leased,
    )
    new, _, effects = decide(state, Lapse(99.0, goes_back), 1.0, 1)
    if not leased:
        assert new == state
    elif mode == "agent":
        assert (new.mode, new.holder, new.desired) == ("paused", "dead-man", desired)
    elif goes_back and (mode, holder) == ("paused", "dead-man") and desired not in (None, 0, 100):
        assert (new.desired, new.ceiling, new.epoch) == (0, "latched", state.epoch + 1)
    else:
        assert (new, effects) == (state, ())


def test_a_lapse_is_longer_than_the_lease(cold: Any) -> None:
    path = cold.directory / "governor.json"
    doc = json.loads(path.read_text())
    path.write_text(json.dumps(doc | {"lease_s": 15, "lapse_rollback_s": 10}))
    process = cold.launch()
    assert process.wait(30) == 2
    assert "first the agent is paused" in (cold.directory / "log").read_text()


@pytest.mark.parametrize("id", ["dead-man-shop-1", "dead-man-shop-3"])
def test_e9_an_id_that_somebody_used_before_does_not_keep_it_from_holding(id: str) -> None:
    state = Authority("shop", desired=25, confirmed=25, leased=True)
    for op, by in (("pause", id), ("release", "r1")):
        state, _, _ = decide(state, Stop(op, by, by="gus", reason="x"), 1.0, 1)
    assert (state.mode, state.epoch) == ("agent", 3)
    state, _, effects = decide(state, Lapse(20.0), 2.0, 3)
    assert (state.mode, state.holder) == ("paused", "dead-man")
    assert effects
