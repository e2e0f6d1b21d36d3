"""F23, F24: a change of the target that nobody here made is journaled, alarms, and holds the run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.conductor.reconcile import of_target, of_version
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance
from hatchway.edge.standing import standing_doc
from hatchway.targets.port import Observed, Standing

BY_HAND = "5 % is wanted and the target has 50 %: it was changed outside Hatchway"


async def test_f23_a_weight_that_was_changed_by_hand_holds_the_run_and_is_named(
    house: Any,
) -> None:
    await house.to_canary()
    house.governor.weight["shop"] = 50
    house.governor.drift["shop"] = BY_HAND
    await house.until(lambda: house.run.hold, "it is held")
    (changed,) = house.of(ev.TargetChanged)
    assert (changed.what, changed.wanted, changed.found, changed.run) == (
        "weight",
        "5 %",
        "50 %",
        "1",
    )
    assert house.run.hold.cause == "drift"
    assert "unattributed change: weight is 50 %, 5 % is wanted" in house.run.hold.why
    assert "roll back" in house.run.hold.why
    for _ in range(3):
        await house.look("PASS")
    await house.still(0.1)
    assert house.run.step == 0, "nothing is promoted on top of it"
    assert len(house.of(ev.TargetChanged)) == 1, "it is said once"
    doc = standing_doc(house.ledger.state, "shop", house.clock())
    assert "50 %" in doc.changed[0]

    house.governor.weight["shop"] = 5
    house.governor.drift.clear()
    await house.until(lambda: house.run.hold is None, "it is over")
    (restored,) = house.of(ev.TargetRestored)
    assert restored.seconds >= 0
    await house.looking(lambda: house.run.step == 1)


async def test_f23_it_is_known_and_can_be_rolled_back_after_a_restart(house: Any) -> None:
    await house.to_canary()
    house.governor.drift["shop"] = "a third server took traffic"
    await house.until(lambda: house.run.hold, "it is held")
    assert house.of(ev.TargetChanged)[0].what == "state"
    await house.again()
    assert house.run.hold.cause == "drift"
    await house.until(lambda: "shop" in house.live.standing, "the governor was read")
    await house.regress()
    assert await house.ended() == "rolled_back"
    assert len(house.of(ev.TargetChanged)) == 1


async def test_without_a_run_it_is_journaled_and_alarms_all_the_same(house: Any) -> None:
    house.governor.weight["shop"] = 20
    house.governor.drift["shop"] = "0 % is wanted and the target has 20 %"
    (changed,) = await house.until(lambda: house.of(ev.TargetChanged))
    assert changed.run == ""
    doc = standing_doc(house.ledger.state, "shop", house.clock())
    assert doc.changed


def standing(
    drift: str = "", canary: int = 5, trouble: str = "", seen: bool = True, own: bool = False
) -> Standing:
    observed = Observed(canary=canary, stable=100 - canary, inflight=0, total=0, at=1.0)
    return Standing(
        service="shop", epoch=1, mode="agent", holder="", spool=0, desired=5,
        observed=observed if seen else None, trouble=trouble, drift=drift, agent_writes=0,
        person_writes=0, drift_since=7.0 if drift else 0.0, drift_own=own,
    )  # fmt: skip


def test_a_target_that_cannot_be_read_is_not_as_it_should_be_again() -> None:
    state = State()
    for event in of_target(state, standing(BY_HAND, 50), 9.0):
        state = evolve(state, event, seq=1, at=9.0, idem="")
    assert state.drift["shop"]["weight"].since == 7.0
    assert of_target(state, standing(seen=False), 10.0) == ()
    assert of_target(state, standing(trouble="it hangs"), 10.0) == ()
    (restored,) = of_target(state, standing(), 19.0)
    assert restored == ev.TargetRestored(service="shop", what="weight", seconds=12.0)


def test_a_way_back_that_a_slow_target_has_not_taken_yet_is_nobodys_change_by_hand() -> None:
    """Also where no run is under way: what was promoted is taken back."""
    assert of_target(State(), standing("5 % is wanted, it has 50 %", 50, own=True), 9.0) == ()
    assert of_target(State(), standing("5 % is wanted, it has 50 %", 50), 9.0)


def test_a_second_change_by_hand_is_another_line_since_the_first() -> None:
    state = State()
    for found in (50, 60):
        (event,) = of_target(state, standing(f"it has {found} %", found), 9.0)
        assert isinstance(event, ev.TargetChanged)
        assert (event.found, event.since) == (f"{found} %", 7.0)
        state = evolve(state, event, seq=1, at=9.0, idem="")


@pytest.mark.parametrize(
    ("said", "events"),
    [
        (("1.5.0", "1.5.0"), 0),
        (("v1.5.0", "c1c1c1c1c1"), 0),  # by another spelling, and by its commit
        (("1.5.0", ""), 0),  # silence is no third version
        ((), 0),
        (("1.5.0", "1.6.0"), 1),
        (("1.4.0", "1.4.0"), 1),
    ],
)
def test_f24_a_third_version_is_what_an_instance_says_and_not_what_it_does_not(
    world_run: Run, said: tuple[str, ...], events: int
) -> None:
    canary = tuple(Instance(f"i{n}", version) for n, version in enumerate(said))
    found = of_version(State(runs={"1": world_run}), world_run, canary, 5.0)
    assert len(found) == events
    if events:
        (changed,) = found
        assert isinstance(changed, ev.TargetChanged)
        assert (changed.what, changed.wanted) == ("version", "1.5.0")


def test_f24_what_was_read_before_the_run_ended_bars_no_later_one(world_run: Run) -> None:
    canary = (Instance("i", "1.6.0"),)
    ended = msgspec.structs.replace(world_run, outcome="rolled_back")
    assert of_version(State(runs={"1": world_run}), world_run, canary, 5.0)
    assert of_version(State(runs={"1": ended}), world_run, canary, 5.0) == ()


@pytest.fixture
def world_run() -> Run:
    from hatchway.core.plan import PipelinePlan

    return Run(
        id="1", service="shop", environment="prod", mode="act", pace=1.0,
        commit="c1c1c1c1c1d2d2", base="c0", from_version="1.4.0", to_version="1.5.0",
        plan=PipelinePlan("p", "shop", "prod", ()), policy_digest="", started_at=0.0, stages=(),
    )  # fmt: skip
