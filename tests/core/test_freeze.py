"""A freeze holds what goes forward, by the journal alone, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core.freeze import shut
from hatchway.core.state import Frozen


def freeze(world: Any, stands: str, until: float = 0.0, people: int = 0) -> None:
    world.record(
        ev.FreezeChanged(
            environment="prod",
            stands=stands,  # type: ignore[arg-type]
            freeze="weekend",
            why="freeze weekend is in force",
            until=until,
            people=people,
        )
    )


@pytest.fixture
def allowed(world: Any) -> Any:
    """At the first share, with leave to go on."""
    world.to_canary()
    world.verdict("PASS")
    world.propose("promote", "auto")
    return world


def test_without_a_freeze_it_goes_on(allowed: Any) -> None:
    freeze(allowed, "open")
    allowed.settle()
    assert allowed.weight == 25


@pytest.mark.parametrize("stands", ["closed", "unknown"])
def test_in_a_freeze_or_in_doubt_it_is_held_and_goes_on_when_that_is_over(
    allowed: Any, stands: str
) -> None:
    freeze(allowed, stands)
    allowed.settle()
    assert (allowed.weight, allowed.run.hold.cause) == (5, "freeze")
    freeze(allowed, "open")
    allowed.settle()
    assert allowed.weight == 25
    assert allowed.run.hold is None


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_s34_at_the_time_up_to_which_it_is_known_nothing_goes_forward(
    allowed: Any, late: float
) -> None:
    freeze(allowed, "open", until=allowed.now + 5 - late)
    allowed.now += 5 - late
    allowed.settle()
    assert allowed.weight == 5


def test_a_moment_before_it_still_does(allowed: Any) -> None:
    freeze(allowed, "open", until=allowed.now + 5)
    allowed.now += 4.999
    allowed.settle()
    assert allowed.weight == 25


@pytest.mark.parametrize("stands", ["closed", "unknown"])
def test_s34_going_back_is_never_frozen(allowed: Any, stands: str) -> None:
    freeze(allowed, stands)
    allowed.verdict("REGRESS", "rollback")
    allowed.propose("rollback", "auto")
    allowed.settle()
    assert (allowed.weight, allowed.run.outcome) == (0, "rolled_back")


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
def test_s34_a_person_stops_it_in_a_freeze(allowed: Any, op: str) -> None:
    freeze(allowed, "closed")
    allowed.authority(op)
    allowed.settle()
    if op == "rollback":
        assert allowed.run.outcome == "rolled_back"
    else:
        assert allowed.weight == 5


def test_a_window_that_has_closed_since_the_answer_opens_nothing(world: Any) -> None:
    world.to_canary()
    world.verdict("PASS")
    world.propose("promote", "auto")
    proposal = next(reversed(world.run.proposals))
    event = next(e for e in reversed(world.log) if isinstance(e, ev.ProposalMade))
    assert event.proposal == proposal
    world.record(msgspec.structs.replace(event, until=world.now + 2))
    world.now += 2
    world.settle()
    assert world.weight == 5


def test_an_environment_without_freezes_is_open() -> None:
    assert shut(None, 1.0) == ""
    assert shut(Frozen("open", "", ""), 1.0) == ""
    assert shut(Frozen("closed", "w", "why"), 1.0).startswith("why")
