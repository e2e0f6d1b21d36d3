"""Shares, permissions, and ways back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core import next as nx
from hatchway.core.canary import weight_of


def intend(world: Any) -> Any:
    """Until the next effect is intended."""
    while not any(isinstance(a, nx.Apply) for a in world.actions()):
        assert world.step()
    return world.actions()[0].effect


def test_what_is_held_back_is_taken_off_until_the_last_change(world: Any) -> None:
    plan = world.plan.stages[2]
    assert [weight_of(plan, i) for i in range(4)] == [5, 25, 95, 100]


def test_a_rollback_that_was_permitted_overtakes_a_raise(world: Any) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    raised = intend(world)
    world.verdict("REGRESS", "rollback")
    world.propose("rollback", "auto")
    world.settle()
    assert world.run.effects[raised.key].code == "overtaken"
    assert world.weights == [5, 0]
    assert world.run.outcome == "rolled_back"


def test_a_rollback_does_not_wait_for_a_capsule(world: Any) -> None:
    world.to_canary()
    world.record(ev.EffectFenced(run="1", key="run-1.step0.1", code="no_capsule", why="lost"))
    assert world.actions() == (nx.ArmCapsule("1"),)
    world.propose("rollback", "auto")
    assert intend(world).weight == 0


@pytest.mark.parametrize("code", ["held", "agent_may_not_write", "fenced"])
def test_what_the_governor_refused_is_held_with_its_words_and_not_asked_again(
    world: Any, code: str
) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    key = intend(world).key
    world.record(ev.EffectFenced(run="1", key=key, code=code, why="because I say so"))
    world.settle()
    assert world.run.hold is not None
    assert "because I say so" in world.run.hold.why
    assert len([e for e in world.log if isinstance(e, ev.EffectIntended)]) == 2


def test_a_refused_raise_does_not_stand_in_the_way_of_a_rollback(make_world: Any) -> None:
    world = make_world()
    world.to_canary()
    world.propose("promote", "auto")
    key = intend(world).key
    world.record(ev.EffectFenced(run="1", key=key, code="agent_may_not_write", why="no"))
    world.propose("rollback", "ask")
    world.close_item(by="luis")
    world.settle()
    assert world.weights == [5, 0]


def test_a_rollback_that_was_refused_is_not_intended_again_and_again(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "auto")
    key = intend(world).key
    world.record(ev.EffectFenced(run="1", key=key, code="agent_may_not_write", why="no"))
    world.settle()
    assert world.run.active
    assert len([e for e in world.log if isinstance(e, ev.EffectIntended) and e.weight == 0]) == 1


def test_a_rollback_that_is_not_there_yet_is_tried_in_every_epoch(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "auto")
    effect = intend(world)
    world.record(ev.EffectDiverged(run="1", key=effect.key, observed=0, why="not empty"))
    world.authority("pause")
    (action,) = world.actions()
    assert isinstance(action, nx.Apply)
    assert action.effect.key == effect.key


@pytest.mark.parametrize("word", ["UNSURE", "NO_DATA", "REGRESS"])
def test_a_verdict_that_is_no_longer_pass_stops_what_was_permitted(world: Any, word: str) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    world.verdict(word)
    world.settle()
    assert world.weights == [5]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_permission_from_another_time_is_none_whichever_way_the_clock_jumped(
    world: Any, jump: float
) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    world.now += jump
    assert world.actions() == ()
    assert not nx.has_spoken(world.run, "promote", 0, world.now), "it may be said again"


def test_a_canary_that_nobody_could_approve_fails_with_the_reason(make_world: Any) -> None:
    world = make_world()
    stages = (world.plan.stages[0], world.plan.stages[2])
    world.plan = msgspec.structs.replace(world.plan, stages=stages)
    world.start()
    world.settle()
    assert world.run.outcome == "failed"
    assert "nobody could approve" in world.run.why


def test_a_policy_that_denies_the_release_request_ends_the_run(world: Any) -> None:
    world.start()
    while not any(isinstance(a, nx.Ask) for a in world.actions()):
        world.step()
    world.propose("open_release", "deny")
    world.settle()
    assert world.run.outcome == "failed"
    assert "may not request a release" in world.run.why
    assert not world.run.items


def test_a_pause_starts_no_command_and_costs_none_of_the_stages_budget(world: Any) -> None:
    world.start()
    world.step()  # the stage has started, its jobs have not
    world.authority("pause")
    assert world.actions() == ()
    world.now += 10_000
    world.authority("release")
    world.step()
    assert {a.timeout_s for a in world.actions()} == {30.0}


def test_a_pause_lets_what_runs_come_to_its_end(world: Any) -> None:
    world.start()
    world.step()
    world.step()
    world.authority("pause")
    assert [type(a) for a in world.actions()] == [nx.RunJob, nx.RunJob]
    world.step()
    world.settle()
    assert world.run.stages[0].status == "passed"
    assert world.run.stages[1].status == "pending"


def test_the_budget_is_what_the_jobs_took(world: Any) -> None:
    world.start()
    world.step()
    world.step()
    world.now += 12
    assert {a.timeout_s for a in world.actions()} == {18.0}
    world.now += 100
    assert {a.timeout_s for a in world.actions()} == {1.0}


def ask_unsure(world: Any) -> Any:
    """At the first share, with a person asked to go on although the verdict is UNSURE."""
    world.to_canary()
    world.verdict("UNSURE")
    world.now += 1
    world.propose("promote", "ask", on="UNSURE")
    return world


def test_a_persons_yes_goes_on_where_the_verdict_is_unsure(world: Any) -> None:
    ask_unsure(world)
    world.settle()
    assert world.weights == [5], "asking does nothing by itself"
    world.close_item(by="luis")
    world.settle()
    assert world.weights == [5, 25]
    raised = [e for e in world.log if isinstance(e, ev.EffectIntended)][-1]
    assert raised.by == ev.By("person", "luis")
    assert "not sure" in raised.reason


@pytest.mark.parametrize(
    ("word", "action"),
    [("REGRESS", "rollback"), ("REGRESS", "none"), ("NO_DATA", "hold"), ("UNSURE", "hold")],
)
def test_a_yes_to_unsure_is_worth_nothing_on_anything_worse(
    world: Any, word: str, action: str
) -> None:
    ask_unsure(world)
    world.close_item()
    world.verdict(word, action)  # in the very moment of the yes
    world.settle()
    assert world.weights == [5]
    world.now += 1
    world.verdict("UNSURE")
    world.settle()
    assert world.weights == [5], "nor when it is unsure again: that is another UNSURE"


def test_a_yes_to_unsure_is_as_good_when_the_verdict_has_become_pass(world: Any) -> None:
    ask_unsure(world)
    world.close_item()
    world.now += 1
    world.verdict("PASS")
    world.settle()
    assert world.weights == [5, 25]


def test_a_yes_to_a_pass_is_worth_nothing_on_unsure(world: Any) -> None:
    world.to_canary()
    world.verdict("PASS")
    world.propose("promote", "ask")
    world.close_item()
    world.verdict("UNSURE")
    world.settle()
    assert world.weights == [5]


@pytest.mark.parametrize(
    ("word", "action", "status"),
    [
        ("UNSURE", "none", "open"),
        ("PASS", "none", "superseded"),
        ("UNSURE", "hold", "superseded"),
        ("REGRESS", "rollback", "superseded"),
        ("NO_DATA", "hold", "superseded"),
    ],
)
def test_a_question_stands_as_long_as_what_it_was_asked_on(
    world: Any, word: str, action: str, status: str
) -> None:
    ask_unsure(world)
    world.verdict(word, action)
    world.settle()
    assert list(world.run.items.values())[-1].status == status


def test_an_agent_never_goes_on_without_pass_whatever_stands_in_the_journal(world: Any) -> None:
    world.to_canary()
    world.verdict("UNSURE")
    world.propose("promote", "auto", on="UNSURE")
    world.settle()
    assert world.weights == [5]


def test_a_hold_is_over_when_the_next_share_is_there(world: Any) -> None:
    ask_unsure(world)
    world.record(ev.RunHeld(run="1", cause="unsure", why="not sure"))
    world.close_item(by="luis")
    world.settle()
    assert world.run.step == 1
    assert world.run.hold is None
    assert "luis" in [e.why for e in world.log if isinstance(e, ev.RunResumed)][-1]
