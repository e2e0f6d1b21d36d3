"""E6 and E8 at the governor, exhaustively: every state takes every stop; only a release gives back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from hatchway.governor import authority as au
from hatchway.governor.requests import BadRequest, Peer, read

SHARES = (None, 0, 5, 100)
CEILINGS = ("none", "apply", "until_seen", "latched")
CAPSULE = {"run": "1", "rollback": {"canary": 0}}


def states() -> Iterator[au.Authority]:
    """Every combination that the fields allow, also those that no history leads to."""
    for mode, desired, confirmed, ceiling, capsule, leased, writes in itertools.product(
        ("agent", "paused", "person"),
        SHARES,
        SHARES,
        CEILINGS,
        (None, CAPSULE),
        *[(True, False)] * 2,
    ):
        keys = (au.Key("k", desired),) if desired is not None else ()
        yield au.Authority(
            "shop", epoch=7, mode=mode, holder="" if mode == "agent" else "ana", desired=desired,
            confirmed=confirmed, ceiling=ceiling, capsule=capsule, leased=leased, keys=keys,
            agent_may_write=writes,
        )  # fmt: skip


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
def test_e6_every_state_takes_every_stop_and_says_what_it_came_to(op: str) -> None:
    count = 0
    for state in states():
        new, answer, effects = au.decide(state, au.Stop(op, "id", "luis"), 9.0, 1)
        assert answer["ok"], state
        assert answer["said"], state
        assert new.epoch == 8, state
        assert new.mode == ("person" if op == "takeover" else "paused"), state
        assert any(isinstance(e, au.Spool) for e in effects), "it is spooled"
        if op == "rollback":
            assert (new.desired, new.ceiling) == (0, "latched"), state
        elif new.desired is not None:
            assert new.desired <= max(state.confirmed or 0, state.desired or 0), state
            assert new.desired in (state.desired, state.confirmed), "no third share"
        old = au.Apply(7, "late", 100, "agent")
        after, refused, _ = au.decide(new, old, 9.1, 2)
        assert not refused["ok"], "nothing older than the stop"
        assert after == new
        count += 1
    assert count == 3 * 4 * 4 * 4 * 2 * 2 * 2


def test_e6_with_nothing_in_flight_a_rollback_is_a_no_op_that_says_so() -> None:
    state = au.Authority("shop", desired=0, confirmed=0)
    _, answer, _ = au.decide(state, au.Stop("rollback", "id", "ana"), 9.0, 1)
    assert "It had no traffic before" in answer["said"]


def everything_else() -> Iterator[au.Request]:
    """Every request but a release with a reason."""
    for op in ("pause", "takeover", "rollback"):
        yield au.Stop(op, "id", "ana", reason="r")
    yield au.Stop("release", "id", "ana", reason=" ")
    for kind, epoch, share in itertools.product(("agent", "person", "system"), (6, 7, 8), (0, 5)):
        for name in ("ana", "luis"):
            yield au.Apply(epoch, "new", share, kind, name)
    yield au.Arm(CAPSULE)
    yield au.Lease()
    yield au.Lapse(3600.0)
    for share in (0, 5, 100):
        yield au.Observed(share, {"canary": share}, "k")


def test_e8_nothing_but_a_release_with_a_reason_gives_control_back() -> None:
    for state in states():
        if state.mode == "agent":
            continue
        for request in everything_else():
            new, _, _ = au.decide(state, request, 1e12, 1)  # however much time has passed
            assert new.mode != "agent", (state, request)
        new, answer, _ = au.decide(state, au.Stop("release", "id", "ana", reason="r"), 9.0, 1)
        assert (new.mode, new.epoch) == ("agent", 8)
        assert "GIVEN BACK" in answer["said"]


@pytest.mark.parametrize("uid", [1234, 65534])
def test_e8_an_account_that_is_not_the_governors_may_stop_and_never_give_back(uid: int) -> None:
    peer = Peer(1, uid)
    for op in ("pause", "takeover", "rollback"):
        _, request = read({"op": op, "service": "shop", "by": "root"}, peer, ("shop",))
        assert isinstance(request, au.Stop)
        assert request.by != "root", "nobody speaks for others"
    with pytest.raises(BadRequest) as refused:
        read({"op": "release", "service": "shop", "reason": "r"}, peer, ("shop",))
    assert refused.value.answer["code"] == "not_allowed"
