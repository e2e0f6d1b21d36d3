"""What people may ask for, and why it is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, Refused, decide


def accept(world: Any, by: str = "ana") -> Accepted | Refused:
    item = list(world.run.items.values())[-1]
    return decide(world.state, cmd.Accept(id="i", by=by, item=item.id), world.now)


def code(outcome: Accepted | Refused) -> str:
    return outcome.code if isinstance(outcome, Refused) else ""


def start(world: Any) -> cmd.StartRun:
    return cmd.StartRun(
        id="s",
        by="ana",
        service="shop",
        environment="prod",
        commit="c1",
        base="c0",
        from_version="1",
        to_version="2",
        mode="act",
        pace=1.0,
        plan=world.plan,
        policy_digest="d",
    )


def test_a_run_is_numbered_and_there_is_one_at_a_time(world: Any) -> None:
    outcome = decide(world.state, start(world), 0.0)
    assert isinstance(outcome, Accepted)
    (event,) = outcome.events
    assert isinstance(event, ev.RunStarted)
    assert event.run == "1"
    world.start()
    assert code(decide(world.state, start(world), 0.0)) == "busy"


def test_a_yes_closes_the_item(world: Any) -> None:
    world.start()
    world.settle()
    outcome = accept(world)
    assert isinstance(outcome, Accepted)
    (closed,) = outcome.events
    assert isinstance(closed, ev.ItemClosed)
    assert (closed.status, closed.by) == ("accepted", "ana")


def test_a_no_keeps_its_reason_and_is_taken_from_anybody(world: Any) -> None:
    world.start()
    world.settle()
    world.authority("takeover", "luis")
    item = next(iter(world.run.items))
    no = decide(world.state, cmd.Reject(id="i", by="ana", item=item, reason="not now"), world.now)
    assert isinstance(no, Accepted)
    (closed,) = no.events
    assert isinstance(closed, ev.ItemClosed)
    assert (closed.status, closed.reason) == ("rejected", "not now")


def test_an_answer_to_nothing_and_a_second_answer_are_refused(world: Any) -> None:
    world.start()
    world.settle()
    nothing = decide(world.state, cmd.Accept(id="i", by="ana", item="x"), world.now)
    assert code(nothing) == "no_such_item"
    world.close_item()
    second = accept(world, "luis")
    assert code(second) == "closed"
    assert isinstance(second, Refused)
    assert "accepted by ana" in second.why


def test_an_answer_after_the_run_ended_is_refused(world: Any) -> None:
    world.start()
    world.settle()
    world.record(ev.RunEnded(run="1", outcome="failed", why="x"))
    refused = accept(world)
    assert isinstance(refused, Refused)
    assert "superseded" in refused.why


def test_an_expired_question_is_refused(world: Any) -> None:
    world.start()
    world.settle()
    world.now += 5 * 3600
    assert code(accept(world)) == "expired"


@pytest.mark.parametrize("op", ["pause", "takeover", "release"])
def test_a_recommendation_is_void_once_control_changed_hands(world: Any, op: str) -> None:
    world.to_canary()
    world.propose("promote", "ask")
    world.authority(op)
    assert code(accept(world)) == "superseded"


def test_under_a_pause_a_new_recommendation_is_refused_and_says_what_to_do(world: Any) -> None:
    world.to_canary()
    world.authority("pause")
    world.propose("rollback", "ask")
    refused = accept(world)
    assert code(refused) == "paused"
    assert isinstance(refused, Refused)
    assert "roll back" in refused.todo


def test_who_took_over_decides_alone(world: Any) -> None:
    world.to_canary()
    world.authority("takeover", "luis")
    world.propose("promote", "ask")
    assert code(accept(world, "ana")) == "not_holder"
    assert isinstance(accept(world, "luis"), Accepted)


def test_the_second_yes_has_to_come_from_a_second_person(make_world: Any) -> None:
    world = make_world()
    release = msgspec.structs.replace(world.plan.stages[1], approvals=2)
    stages = (world.plan.stages[0], release, world.plan.stages[2])
    world.plan = msgspec.structs.replace(world.plan, stages=stages)
    world.start()
    world.settle()
    world.close_item(by="ana")
    world.settle()
    assert world.weights == []
    assert code(accept(world, "ana")) == "second_person"
    assert isinstance(accept(world, "luis"), Accepted)
    world.close_item(by="luis")
    world.settle()
    assert world.weights == [5]


@pytest.mark.parametrize("what", ["plan", "policy"])
def test_a_yes_to_something_else_than_what_is_there_is_refused(world: Any, what: str) -> None:
    world.start()
    world.settle()
    item = next(iter(world.run.items.values()))
    binding = {**item.binding, what: "another"}
    world.record(
        ev.ItemOpened(
            run="1",
            item="other",
            type="approval",
            capability="open_release",
            step=-1,
            expires_at=world.now + 9,
            binding=binding,
        )
    )
    assert code(accept(world)) == "changed"


def test_giving_back_is_left_to_the_governor_once_it_is_well_asked(world: Any) -> None:
    world.to_canary()
    world.authority("pause")

    def release(**more: Any) -> str:
        given = {"id": "i", "by": "ana", "service": "shop", "reason": "fine", **more}
        outcome = decide(world.state, cmd.Release(**given), world.now)
        assert isinstance(outcome, Refused) or outcome.events == ()
        return code(outcome)

    assert release() == ""
    assert release(expect_epoch=1) == ""
    assert release(expect_epoch=0) == "stale"
    assert release(reason=" ") == "reason_missing"
