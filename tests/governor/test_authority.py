"""The pure decisions: properties over random histories, and the promises one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.governor.authority import (
    REMEMBERED,
    Apply,
    Arm,
    Authority,
    Drive,
    Lapse,
    Lease,
    Observed,
    Request,
    Save,
    Spool,
    Stop,
    decide,
)
from hatchway.governor.value import replace

CAPSULE = {"run": "run-1", "rollback": {"canary": 0}}
AT_5 = Authority("shop", desired=5, confirmed=5, capsule=CAPSULE)


def stop(op: str, by: str = "ana", id: str = "id-1", reason: str = "because") -> Stop:
    return Stop(op=op, id=id, by=by, reason=reason)  # type: ignore[arg-type]


def raised(state: Authority, canary: int, key: str = "k", kind: str = "agent") -> Apply:
    return Apply(epoch=state.epoch, key=key, canary=canary, kind=kind)  # type: ignore[arg-type]


def after(state: Authority, *requests: Request) -> Authority:
    for request in requests:
        state, answer, _ = decide(state, request, 1.0, 1)
        assert answer["ok"], answer
    return state


# --- properties ---------------------------------------------------------------------------------

OPS = st.sampled_from(["pause", "takeover", "rollback", "release", "stop_all", "readmit"])
GIVES_BACK = ("release", "readmit")
NAMES = st.sampled_from(["ana", "luis"])
SHARES = st.integers(0, 100)
STEPS = st.one_of(
    st.builds(
        Stop,
        op=OPS,
        id=st.integers(0, 8).map(str),
        by=NAMES,
        reason=st.sampled_from(["", "safe again"]),
    ),
    st.builds(
        Apply,
        epoch=st.integers(1, 12),
        key=st.integers(0, 6).map(str),
        canary=SHARES,
        kind=st.sampled_from(["agent", "person", "system"]),
        name=NAMES,
    ),
    st.just("apply at the present epoch"),
    st.just(Arm(CAPSULE)),
    st.just(Lease()),
    st.just(Lapse(15.0)),
    st.builds(Observed, canary=SHARES, seen=st.just({"canary": 1})),
    st.just("the target shows what is desired"),
)


def made(step: Any, state: Authority) -> Request:
    if step == "apply at the present epoch":
        return Apply(state.epoch, f"k{state.epoch}", 25, "person", state.holder)
    if step == "the target shows what is desired":
        return Observed(state.desired or 0, {"canary": state.desired or 0})
    request: Request = step
    return request


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_no_history_breaks_the_rules(history: list[Any]) -> None:
    state, seq = Authority("shop"), 1
    for step in history:
        request = made(step, state)
        new, answer, effects = decide(state, request, 7.0, seq)
        lines = [e.entry for e in effects if isinstance(e, Spool)]
        changed_hands = (new.mode, new.holder) != (state.mode, state.holder)

        assert new.epoch >= state.epoch
        assert (new.epoch > state.epoch) == bool(lines), "every change of authority has one line"
        assert not changed_hands or lines
        assert all(line["epoch"] == new.epoch and line["seq"] == seq for line in lines)
        if isinstance(request, Stop) and request.op not in GIVES_BACK:
            assert answer["ok"], "stops are never refused"
        if new.mode == "agent" and state.mode != "agent":
            assert isinstance(request, Stop)
            assert request.op == "release"
            assert request.reason
        if state.barred is not None and new.barred is None:
            assert isinstance(request, Stop)
            assert (request.op, bool(request.reason)) == ("readmit", True)
        if isinstance(request, Apply) and request.kind == "agent" and state.barred is not None:
            assert new is state, "no agent writes after STOP ALL"
        if state.desired is not None and not isinstance(request, Apply):
            highest = max(state.desired, state.confirmed or 0)
            assert (new.desired or 0) <= highest, "only an apply raises"
        if isinstance(request, Apply) and new is not state:
            assert state.mode != "paused"
            assert request.epoch == state.epoch
            assert state.mode != "person" or request.name == state.holder
            assert request.canary <= (state.confirmed or 0) or state.capsule
            assert isinstance(effects[0], Save)
        if new != state:
            assert effects, "nothing is changed in memory only"
        assert new.desired is None or 0 <= new.desired <= 100
        state, seq = new, seq + len(lines)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=25), OPS, NAMES)
def test_the_same_id_again_has_the_same_answer_and_no_effect(
    history: list[Any], op: str, by: str
) -> None:
    state = Authority("shop", desired=0, confirmed=0)
    for step in history:
        state, _, _ = decide(state, made(step, state), 7.0, 1)
    first, answer, _ = decide(state, stop(op, by, "once"), 8.0, 2)
    second, again, effects = decide(first, stop(op, by, "once"), 9.0, 3)
    assert second == first
    assert not any(isinstance(e, Save | Spool) for e in effects)
    if answer["ok"]:
        assert again == {**answer, "replayed": True}


# --- stops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["pause", "takeover"])
def test_pause_and_takeover_leave_the_weight(op: str) -> None:
    new, _, effects = decide(AT_5, stop(op), 1.0, 1)
    assert (new.desired, new.confirmed, new.ceiling) == (5, 5, "none")
    assert not any(isinstance(e, Drive) for e in effects)


def test_a_rollback_is_one_change() -> None:
    new, _, effects = decide(AT_5, stop("rollback"), 1.0, 1)
    assert (new.epoch, new.mode, new.holder, new.desired) == (2, "paused", "ana", 0)
    assert new.ceiling == "latched"
    assert [type(e) for e in effects] == [Save, Spool, Drive]


@pytest.mark.parametrize("op", ["pause", "takeover"])
@pytest.mark.parametrize("share", [25, 1])
def test_a_stop_undoes_what_nobody_has_seen_yet(op: str, share: int) -> None:
    moving = after(AT_5, raised(AT_5, share))
    assert moving.desired == share
    stopped, answer, _ = decide(moving, stop(op), 1.0, 1)
    assert stopped.desired == 5
    assert f"a change to {share} %" in answer["said"].lower()


@pytest.mark.parametrize("op", ["pause", "takeover"])
def test_a_stop_does_not_undo_a_rollback(op: str) -> None:
    back = after(AT_5, stop("rollback"), stop(op, "luis", "id-2"))
    assert back.desired == 0
    assert back.ceiling in ("latched", "until_seen")


def test_a_raise_that_a_way_back_replaced_is_not_done_when_it_is_asked_again() -> None:
    # Found by simulation: a backend that died in between knows of the raise only.
    back = after(AT_5, raised(AT_5, 25, "raise"), raised(AT_5, 0, "back"))
    new, answer, effects = decide(back, raised(back, 25, "raise"), 1.0, 1)
    assert (answer["code"], effects) == ("fenced", ())
    assert new.desired == 0


def test_a_rolled_back_canary_is_held_down_until_hands_are_on_it() -> None:
    back = after(AT_5, stop("rollback"), Observed(0, {"canary": 0}))
    assert back.ceiling == "latched"
    taken = after(back, stop("takeover"))
    assert taken.ceiling == "until_seen"  # one more look, then it is theirs
    assert after(taken, Observed(0, {"canary": 0})).ceiling == "none"


@pytest.mark.parametrize("op", ["takeover", "release"])
def test_what_a_pause_undid_is_driven_down_although_nobody_saw_it_before_control_went_on(
    op: str,
) -> None:
    # Found by simulation: the target was away, so 25 % stood there unseen after the release.
    paused = after(AT_5, raised(AT_5, 25), stop("pause"))
    assert after(paused, stop(op)).ceiling == "until_seen"


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
@pytest.mark.parametrize("before", ["", "pause", "takeover", "rollback"])
def test_a_stop_works_in_every_mode_and_raises_the_fence(op: str, before: str) -> None:
    state = after(AT_5, stop(before, "luis", "id-0")) if before else AT_5
    new, answer, _ = decide(state, stop(op), 1.0, 1)
    assert answer["ok"]
    assert new.epoch == state.epoch + 1
    assert new.mode == ("person" if op == "takeover" else "paused")


def test_giving_back_needs_a_reason_and_something_to_give() -> None:
    held = after(AT_5, stop("pause"))
    for state, reason, code in (
        (held, " ", "reason_needed"),
        (AT_5, "fine", "nothing_to_release"),
    ):
        new, answer, effects = decide(state, stop("release", reason=reason), 1.0, 1)
        assert (new, answer["code"], effects) == (state, code, ())
    assert after(held, stop("release")).mode == "agent"


def test_a_silent_backend_pauses_the_agent_once_and_nobody_else() -> None:
    assert decide(AT_5, Lapse(15.0), 1.0, 1)[0] == AT_5, "no lease was ever taken"
    leased = after(AT_5, Lease())
    held = after(leased, Lapse(15.4))
    assert (held.mode, held.holder, held.epoch) == ("paused", "dead-man", 2)
    assert after(held, Lapse(16.0)) == held
    driven = after(leased, stop("takeover"))
    assert after(driven, Lapse(16.0)) == driven


# --- applies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ask", "code"),
    [
        (AT_5, Apply(7, "k", 25, "agent"), "fenced"),
        (AT_5, Apply(0, "k", 0, "agent"), "fenced"),
        (replace(AT_5, mode="paused"), Apply(1, "k", 0, "person", "ana"), "held"),
        (replace(AT_5, mode="person", holder="ana"), Apply(1, "k", 9, "agent", "ana"), "held"),
        (replace(AT_5, mode="person", holder="ana"), Apply(1, "k", 9, "person", "luis"), "held"),
        (replace(AT_5, capsule=None), Apply(1, "k", 9, "agent"), "no_capsule"),
        (replace(AT_5, agent_may_write=False), Apply(1, "k", 0, "agent"), "agent_may_not_write"),
        (replace(AT_5, desired=None, confirmed=None), Apply(1, "k", 9, "agent"), "target_failed"),
    ],
)
def test_an_apply_is_refused_with_its_reason(state: Authority, ask: Apply, code: str) -> None:
    new, answer, effects = decide(state, ask, 1.0, 1)
    assert answer["code"] == code
    assert answer["why"]
    assert answer["todo"]
    assert (new, effects) == (state, ())


def test_the_driver_of_a_taken_over_service_may_apply() -> None:
    driven = after(AT_5, stop("takeover"))
    ask = Apply(driven.epoch, "k", 50, "person", "ana")
    assert after(driven, ask).desired == 50


def test_lowering_needs_no_capsule() -> None:
    bare = replace(AT_5, capsule=None)
    assert after(bare, raised(bare, 0)).desired == 0


def test_a_key_is_applied_once_and_then_only_looked_after() -> None:
    moving = after(AT_5, raised(AT_5, 25))
    done = after(moving, Observed(25, {"canary": 25}, "k"))
    again, answer, effects = decide(done, raised(done, 25), 1.0, 1)
    assert again == done
    assert answer == {"ok": True, "replayed": True}
    assert effects == (Drive("k"),)
    assert done.agent_writes == 1


def test_an_old_key_after_a_stop_is_answered_and_not_applied() -> None:
    done = after(AT_5, raised(AT_5, 25), Observed(25, {"canary": 25}, "k"))
    held = after(done, stop("rollback"))
    _, answer, effects = decide(held, raised(done, 25), 1.0, 1)
    assert answer == {"ok": True, "observed": {"canary": 25}, "replayed": True}
    assert effects == ()


def test_a_key_that_was_never_seen_done_is_fenced_after_a_stop() -> None:
    moving = after(AT_5, raised(AT_5, 25))
    held = after(moving, stop("pause"))
    assert decide(held, raised(moving, 25), 1.0, 1)[1]["code"] == "fenced"


def test_a_key_with_another_weight_is_refused() -> None:
    moving = after(AT_5, raised(AT_5, 25))
    assert decide(moving, raised(moving, 50), 1.0, 1)[1]["code"] == "bad_request"


def test_what_is_remembered_is_bounded() -> None:
    state = AT_5
    for number in range(REMEMBERED + 50):
        state = after(state, Apply(state.epoch, f"k{number}", 5, "agent"))
        state = after(state, stop("pause", id=f"p{number}"), stop("release", id=f"r{number}"))
    assert len(state.keys) == len(state.stops) == REMEMBERED
