"""S23: what was rolled back is not released again until a person says why it may be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core import quarantine
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.evolve import evolve
from hatchway.core.plan import PipelinePlan
from hatchway.core.state import State


def start(world: Any, commit: str = "c1") -> Accepted | Refused:
    command = cmd.StartRun(
        id="s", by="luis", service="shop", environment="prod", commit=commit, base="c0",
        from_version="1.4.0", to_version="1.5.0", mode="act", pace=1.0, plan=world.plan,
        policy_digest="d",
    )  # fmt: skip
    return decide(world.state, command, world.now)


def lift(world: Any, **more: Any) -> Accepted | Refused:
    given = {"id": "l", "by": "luis", "service": "shop", "commit": "c1", "reason": "mended", **more}
    return decide(world.state, cmd.Lift(**given), world.now)


def rolled_back(world: Any, who: str = "person") -> Any:
    world.to_canary()
    if who == "agent":
        world.propose("rollback", "auto")
    else:
        world.authority("rollback", "ana")
    world.settle()
    assert world.run.outcome == "rolled_back"
    return world


@pytest.mark.parametrize("who", ["agent", "person"])
def test_s23_what_was_rolled_back_is_not_started_again_and_it_says_who_when_and_why(
    world: Any, who: str
) -> None:
    rolled_back(world, who)
    refused = start(world)
    assert isinstance(refused, Refused)
    assert refused.code == "quarantined"
    by = "ana" if who == "person" else "agent"
    assert f"rolled back by {by}" in refused.why
    assert "1970-01-01 00:16 UTC" in refused.why
    assert "in run 1" in refused.why
    assert "hatchway quarantine lift c1 --reason" in refused.todo
    assert isinstance(start(world, "c2"), Accepted), "another commit may be released"


def test_s23_what_was_promoted_and_taken_back_is_in_quarantine_too(world: Any) -> None:
    world.to_canary()
    for _ in range(3):
        world.verdict("PASS")
        world.propose("promote", "auto")
        world.settle()
    assert world.run.outcome == "promoted"
    assert isinstance(start(world), Accepted)
    world.authority("rollback", "ana")
    refused = start(world)
    assert isinstance(refused, Refused)
    assert "rolled back by ana" in refused.why
    assert "because" in refused.why, "the reason that ana gave"


def test_a_run_that_ended_otherwise_puts_nothing_into_quarantine(world: Any) -> None:
    world.start()
    world.settle()
    world.close_item("rejected")
    world.settle()
    assert world.run.outcome == "rejected"
    assert isinstance(start(world), Accepted)


def test_a_person_lifts_it_with_a_reason_and_the_agent_never(world: Any) -> None:
    rolled_back(world)
    for by in ("agent", "hatchway", ""):
        refused = lift(world, by=by)
        assert isinstance(refused, Refused)
        assert refused.code == "not_a_person"
    refused = lift(world, reason="  ")
    assert isinstance(refused, Refused)
    assert refused.code == "reason_missing"
    accepted = lift(world)
    assert isinstance(accepted, Accepted)
    (event,) = accepted.events
    assert event == ev.QuarantineLifted(service="shop", commit="c1", by="luis", reason="mended")
    world.record(event)
    assert isinstance(start(world), Accepted)
    again = lift(world)
    assert isinstance(again, Refused)
    assert again.code == "no_such_quarantine"


def test_it_is_of_one_service(world: Any) -> None:
    rolled_back(world)
    assert quarantine.in_quarantine(world.state.quarantine, "cart", "c1") is None


def test_s23_a_run_whose_commit_was_rolled_back_elsewhere_is_held_and_not_promoted(
    world: Any,
) -> None:
    world.to_canary()
    other = quarantine.Quarantined("c1", "1.5.0", "9", "ana", world.now, "bad in another run")
    wards = quarantine.put(world.state.quarantine, "shop", other)
    world.state = msgspec.structs.replace(world.state, quarantine=wards)
    world.verdict("PASS")
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5]
    assert world.run.hold.cause == "quarantine"
    assert "bad in another run" in world.run.hold.why
    before = len(world.log)
    world.settle()
    assert len(world.log) == before, "it is said once"
    world.record(ev.QuarantineLifted(service="shop", commit="c1", by="luis", reason="r"))
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25]
    assert world.run.hold is None


def test_a_run_in_quarantine_deploys_nothing_and_can_be_rolled_back(world: Any) -> None:
    world.to_canary()
    other = quarantine.Quarantined("c1", "1.5.0", "9", "ana", world.now, "bad")
    world.state = msgspec.structs.replace(world.state, quarantine=quarantine.put({}, "shop", other))
    world.propose("rollback", "auto")
    world.settle()
    assert world.run.outcome == "rolled_back"


@given(st.lists(st.tuples(st.sampled_from(["back", "lift", "start"]), st.sampled_from("abc"))))
def test_no_sequence_starts_what_is_in_quarantine(steps: list[tuple[str, str]]) -> None:
    plan = PipelinePlan("shop", "shop", "prod", ())
    state, inside, runs = State(), set[str](), 0
    for n, (what, commit) in enumerate(steps, 1):
        if what == "lift":
            event: ev.Event = ev.QuarantineLifted(
                service="shop", commit=commit, by="ana", reason="r"
            )
            inside.discard(commit)
        else:
            command = cmd.StartRun(
                id="s", by="luis", service="shop", environment="prod", commit=commit, base="0",
                from_version="1", to_version="2", mode="act", pace=1.0, plan=plan,
                policy_digest="d",
            )  # fmt: skip
            outcome = decide(state, command, float(n))
            assert isinstance(outcome, Refused) == (commit in inside)
            if isinstance(outcome, Refused):
                continue
            runs += 1
            state = evolve(state, outcome.events[0], seq=n, at=float(n), idem="")
            ended = "rolled_back" if what == "back" else "failed"
            event = ev.RunEnded(run=str(runs), outcome=ended, why="w")  # type: ignore[arg-type]
            if what == "back":
                inside.add(commit)
        state = evolve(state, event, seq=n, at=float(n), idem="")


@pytest.mark.parametrize(
    ("word", "found"), [("abcdef1", 1), ("abcd", 2), ("abc", 0), ("1.5.0", 1), ("zzzz", 0)]
)
def test_a_commit_may_be_named_by_its_beginning_or_its_version(word: str, found: int) -> None:
    wards: quarantine.Wards = {}
    for commit, version in (("abcdef1234", "1.5.0"), ("abcdff9999", "1.6.0")):
        one = quarantine.Quarantined(commit, version, "1", "ana", 0.0, "w")
        wards = quarantine.put(wards, "shop", one)
    assert len(quarantine.named(wards, "shop", word)) == found


def test_what_stands_is_taken_back_also_while_the_next_run_is_at_its_checks(world: Any) -> None:
    world.to_canary()
    for _ in range(3):
        world.verdict("PASS")
        world.propose("promote", "auto")
        world.settle()
    assert world.run.outcome == "promoted"
    outcome = start(world, "c2")
    assert isinstance(outcome, Accepted)
    world.record(*outcome.events)
    world.authority("rollback", "ana")
    assert world.run.undone_by == "ana"
    assert world.state.live_commit("shop") == "c0"
    assert world.state.runs["2"].active
