"""The plan of a roll back: what it does, what it took before, whom it calls; nothing made up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core.oncall import Roster
from hatchway.core.plan import Installation, PipelinePlan, ServiceSpec, TargetSpec
from hatchway.core.state import Effect, Run, State
from hatchway.core.undo import Reason, Undo
from hatchway.edge.queries.answer import NotKnown
from hatchway.edge.queries.plan import plan_of

SHOP = ServiceSpec("shop", "r", "p", TargetSpec("haproxy", "s"), (), ())
INSTALLATION = Installation("prod", "test", (SHOP,))


def run(id: str, took: float = 0.0, **more: Any) -> Run:
    effects = {}
    if took:
        by = ev.By("person", "ana")
        effects["k"] = Effect("k", 0, 0, 2, by, "w", "verified", at=100.0 + took, begun=100.5)
        more |= {"rollback_at": 100.0, "outcome": "rolled_back"}
    plan = PipelinePlan(name="shop", service="shop", environment="prod", stages=(), digest="d")
    return Run(
        id=id, service="shop", environment="prod", mode="act", pace=1, commit="c1d2e3f4a5",
        base="c0", from_version="1.4.0", to_version="1.5.0", plan=plan, policy_digest="p",
        started_at=1.0, stages=(), effects=effects, **more,
    )  # fmt: skip


def plan(*runs: Run, roster: Roster | None = None) -> Any:
    state = State(runs={each.id: each for each in runs})
    return plan_of(lambda: state, INSTALLATION, lambda: roster, lambda: 50.0)("shop")


def test_how_long_it_takes_is_what_it_took_before_or_not_known() -> None:
    assert plan(run("1")).before == "not known: it was never rolled back before"
    assert plan(run("1", 3.0)).before == "3 s until the traffic is back (once before)"
    several = plan(run("1", 3.0), run("2", 9.0), run("3", 4.0))
    assert several.before == "4 s until the traffic is back (3 times before, 9 s at most)"


def test_every_hazard_is_named_the_certain_first() -> None:
    undo = Undo("no", (Reason("?", "a", "not read"), Reason("-", "b", "drops orders.note")), ("x",))
    told = plan(run("1", capsule="c", undo=undo))
    assert told.against == ("drops orders.note", "not read")
    assert told.stays == ("x",)


def test_whoever_is_called_when_it_fails_is_named() -> None:
    assert "no roster says" in plan(run("1")).pages
    assert plan(roster=Roster(people=("ana", "luis"))).pages == "pages everybody: ana, luis"


def test_nothing_in_flight_is_said_and_an_unknown_service_is_refused() -> None:
    assert plan().does == ("nothing is in flight: it stays at 0 %, and says so",)
    make = plan_of(State, INSTALLATION, lambda: None, lambda: 0.0)
    with pytest.raises(NotKnown, match="no service is called"):
        make("\x1b[31m")
    assert msgspec.json.encode(make("shop"))
