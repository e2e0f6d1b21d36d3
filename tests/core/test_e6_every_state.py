"""E6: a stop works in every state of a run, and after it nothing is raised any more. Exhaustive.

The lives of a run below are played event by event; at every single point each stop is tried on a
world of its own. E8: what is given back afterwards only recommends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.core.next import Apply, Record, next_actions

STOPS = ("pause", "takeover", "rollback")
Life = Callable[[Any], Iterator[None]]


def steps(world: Any, job: str = "passed") -> Iterator[None]:
    """Everything that is due, one thing after the other."""
    while world.run.active and world.step(job):
        yield


def promoted(world: Any) -> Iterator[None]:
    """From the start to 100 %, with a yes, and every step on a PASS."""
    yield
    world.start()
    yield
    yield from steps(world)
    world.close_item()
    yield
    yield from steps(world)
    while world.run.active and world.run.step < 3:
        world.now += 400
        world.verdict("PASS")
        yield
        world.propose("promote", "auto")
        yield
        yield from steps(world)


def rolled_back(world: Any) -> Iterator[None]:
    """A canary that is worse: the agent goes back."""
    world.to_canary()
    world.verdict("REGRESS", "rollback")
    yield
    world.propose("rollback", "auto")
    yield
    yield from steps(world)


def asked(world: Any) -> Iterator[None]:
    """The agent asks, is held, and goes on when the data are back."""
    world.to_canary()
    world.verdict("NO_DATA", "hold")
    yield
    world.record(ev.RunHeld(run="1", cause="no_data", why="w"))
    yield
    world.record(ev.RunResumed(run="1", why="w"))
    yield
    world.verdict("PASS")
    world.now += 400
    world.propose("promote", "ask")
    yield
    world.close_item()
    yield
    yield from steps(world)


def failed(world: Any) -> Iterator[None]:
    """A check fails: the run ends before any traffic."""
    world.start()
    yield from steps(world, "failed")


def diverged(world: Any) -> Iterator[None]:
    """The target does not do what it is told: recovering."""
    world.to_canary()
    world.verdict("PASS")
    world.now += 400
    world.propose("promote", "auto")
    while not any(isinstance(a, Apply) for a in world.actions()):
        assert world.step()
        yield
    (effect,) = [a.effect for a in world.actions() if isinstance(a, Apply)]
    world.record(ev.EffectDiverged(run="1", key=effect.key, observed=None, why="silent"))
    yield
    yield from steps(world)


LIVES: tuple[Life, ...] = (promoted, rolled_back, asked, failed, diverged)


def points(make_world: Callable[[], Any], life: Life) -> int:
    return sum(1 for _ in life(make_world()))


def at(make_world: Callable[[], Any], life: Life, point: int) -> Any:
    world = make_world()
    for number, _ in enumerate(life(world)):
        if number == point:
            break
    return world


def raises(world: Any) -> list[str]:
    """What would raise the canary's share now. What was intended before the stop is still sent, to
    learn what became of it: of an older epoch, it is fenced.
    """
    found = []
    epoch = world.state.authority_of("shop").epoch
    for action in next_actions(world.state, world.run, world.now):
        raised = isinstance(action, Apply) and action.effect.weight > world.weight
        if isinstance(action, Apply) and raised and action.effect.epoch >= epoch:
            found.append(f"apply {action.effect.weight}")
        if isinstance(action, Record):
            found += [
                f"intend {e.weight}"
                for e in action.events
                if isinstance(e, ev.EffectIntended) and e.weight > world.weight
            ]
    return found


def where(world: Any) -> str:
    """The state that it was in, in a word."""
    if not world.state.runs:
        return "idle"
    run = world.run
    if not run.active:
        return "ended"
    if any(e.status == "diverged" for e in run.effects.values()):
        return "recovering"
    pending = [e for e in run.effects.values() if e.status == "intended"]
    if pending:
        return "rolling back" if pending[0].weight == 0 else "promoting"
    if run.hold is not None:
        return "held"
    if any(i.status == "open" for i in run.items.values()):
        return "waiting"
    return "running"


@pytest.mark.parametrize("op", STOPS)
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_e6_every_state_of_a_run_has_the_edge(
    make_world: Callable[[], Any], life: Life, op: str
) -> None:
    for point in range(points(make_world, life)):
        world = at(make_world, life, point)
        state, weight = where(world), world.weight
        armed = bool(world.state.runs) and (world.run.capsule or world.run.effects)
        world.now += 1
        world.authority(op, by="luis")
        authority = world.state.authority_of("shop")
        said = f"{op} at point {point}, {state}"
        assert authority.mode == ("person" if op == "takeover" else "paused"), said
        assert world.state.answers[f"{op}-{world.spool}"].code == "", said
        if not world.state.runs:
            continue
        share = 0 if op == "rollback" else weight
        for _ in range(30):
            assert raises(world) == [], said
            if not world.run.active or not world.step():
                break
        assert world.weight in (share, 0), said
        if op == "rollback" and armed and state not in ("ended", "idle"):
            assert world.run.outcome == "rolled_back", said


def test_e6_the_lives_go_through_every_state(make_world: Callable[[], Any]) -> None:
    seen = {
        where(at(make_world, life, point))
        for life in LIVES
        for point in range(points(make_world, life))
    }
    assert seen == {
        "idle", "running", "waiting", "promoting", "rolling back", "recovering", "held", "ended",
    }  # fmt: skip


@pytest.mark.parametrize("op", ["pause", "takeover"])
def test_e8_what_is_given_back_recommends_only_and_goes_on_through_its_gates(
    make_world: Callable[[], Any], op: str
) -> None:
    for point in range(points(make_world, promoted)):
        world = at(make_world, promoted, point)
        if not world.state.runs or not world.run.active:
            continue
        weight = world.weight
        world.authority(op)
        world.authority("release")
        assert world.run.mode == "recommend"
        for _ in range(30):
            epoch = world.state.authority_of("shop").epoch
            actions = [a for a in world.actions() if isinstance(a, Apply)]
            pending = [a for a in actions if a.effect.epoch >= epoch]
            assert all(a.effect.by.kind != "agent" for a in pending), f"point {point}"
            if not world.run.active or not world.step():
                break
        closed = [e for e in world.log if isinstance(e, ev.ItemClosed) and e.status == "accepted"]
        assert world.weight in (weight, 5 if closed else 0), "nothing went up by itself"
