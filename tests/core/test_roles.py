"""All actors x all commands x all states: nobody gets what the table does not give.

The table is written out here from the design, not read from the code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, decide
from hatchway.core.people import Who
from hatchway.core.roles import RIGHTS, ROLES, STOPS
from hatchway.edge.door import StartRequest, allowed
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command
from hatchway.governor import authority as au

MAY: dict[str, set[str]] = {
    "pause": {"operator", "approver", "admin"},
    "takeover": {"operator", "approver", "admin"},
    "rollback": {"operator", "approver", "admin"},
    "stop_all": {"operator", "approver", "admin"},
    "release": {"operator", "admin"},
    "readmit": {"operator", "admin"},
    "accept": {"approver"},
    "reject": {"approver"},
    "challenge": {"approver"},
    "review": {"operator", "approver", "admin", "auditor"},
    "start": {"operator"},
    "handover": {"operator", "approver", "admin"},
    "acknowledge": {"operator", "approver", "admin"},
    "ask": {"operator", "approver", "admin", "viewer", "auditor"},
}
COMMANDS = tuple(MAY)
GROUPS = [
    frozenset(group)
    for size in range(len(ROLES) + 1)
    for group in itertools.combinations(ROLES, size)
]


def in_table(kind: str, roles: frozenset[str], read_only: bool) -> bool:
    if kind == "ask":  # it changes nothing, so it is open to those who may only look
        read_only = False
    return not read_only and "agent" not in roles and bool(MAY[kind] & roles)


def request(kind: str, item: str = "") -> Any:
    if kind == "start":
        return StartRequest(id="i", service="shop")
    return Command(id="i", kind=kind, service="shop", item=item, reason="why")  # type: ignore[arg-type]


def people() -> Iterator[Identity]:
    for roles in GROUPS:
        for read_only in (False, True):
            for name in ("ana", "agent", "rita", "wren"):
                yield Identity(name, 1000, tuple(sorted(roles)), read_only)


# --- states of a run, and of control --------------------------------------------------------------


def at_release(world: Any) -> None:
    world.start()
    world.settle()


def at_canary(world: Any) -> None:
    world.to_canary()


def recommended(world: Any) -> None:
    world.to_canary()
    world.propose("promote", "ask")


def rolling_back(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "ask")


def held(world: Any) -> None:
    world.to_canary()
    world.record(ev.RunHeld(run="1", cause="evidence", why="x"))


def changed(world: Any) -> None:
    at_release(world)
    world.record(
        ev.TermsChanged(
            run="1", policy="other", policy_says={}, pipeline="plan", pipeline_says={},
            artifact="", ref_commit="c1",
        )
    )  # fmt: skip


def ended(world: Any) -> None:
    world.to_canary()
    world.record(ev.RunEnded(run="1", outcome="failed", why="x"))


def expired(world: Any) -> None:
    at_release(world)
    world.now += 1e6


RUNS: dict[str, Callable[[Any], None]] = {
    f.__name__: f
    for f in (at_release, at_canary, recommended, rolling_back, held, changed, ended, expired)
}
CONTROL = (None, "pause", "takeover", "rollback", "release")


def states(make_world: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    for run, control in itertools.product(RUNS, CONTROL):
        world = make_world()
        RUNS[run](world)
        world.record(
            ev.ReleaseRequested(
                run="1", risk="LOW", reasons=(), attention=(), changes=(), files=(),
                authors=("wren <wren@example.org>",),
            )
        )  # fmt: skip
        state = world.state.runs["1"]
        requested = msgspec.structs.replace(state, requester="rita")
        world.state = msgspec.structs.replace(
            world.state, runs={**world.state.runs, "1": requested}
        )
        if control is not None:
            world.authority(control, "luis")
        yield f"{run}, {control}", world


def core_command(kind: str, who: Identity, item: str) -> Any:
    given: dict[str, Any] = {"id": "i", "by": who.name}
    match kind:
        case "accept":
            return cmd.Accept(**given, item=item, who=who.who)
        case "reject":
            return cmd.Reject(**given, item=item, who=who.who)
        case "release":
            return cmd.Release(**given, service="shop", reason="why")
    return None


def test_every_kind_of_command_and_every_role_is_in_the_table() -> None:
    from typing import get_args

    from hatchway.edge.protocol import CommandKind

    assert {*get_args(CommandKind), "start"} == set(MAY)
    assert set().union(*RIGHTS.values()) <= set(ROLES)


def test_nobody_gets_what_the_table_does_not_give_in_any_state(
    make_world: Callable[..., Any], bar: Callable[[str, str, str], None]
) -> None:
    count = 0
    everybody = list(people())
    for name, world in states(make_world):
        items = [i.id for i in world.run.items.values()] or ["none"]
        for who, kind in itertools.product(everybody, COMMANDS):
            count += 1
            refused = allowed(request(kind, items[-1]), who)
            may = in_table(kind, frozenset(who.roles), who.read_only)
            assert (refused is None) == may, (name, who, kind)
            if refused is not None:
                assert refused.why, "a refusal has its reason"
                continue
            asked = core_command(kind, who, items[-1])
            if asked is None:
                continue
            outcome = decide(world.state, asked, world.now)
            if kind == "accept" and isinstance(outcome, Accepted):
                item = world.run.items[items[-1]]
                assert item.status == "open"
                assert world.now <= item.expires_at
                if item.type == "approval":
                    assert who.name not in ("rita", "wren"), (name, who)
                    assert "changed" not in name
            if not isinstance(outcome, Accepted):
                assert outcome.why
    bar("property tests' examples: actors x commands x states", f"{count:,}", "0 not in the table")
    assert count > 200_000


@pytest.mark.parametrize("mode", ["agent", "paused", "person"])
def test_a_stop_is_refused_to_nobody_who_may_stop_in_any_state_of_control(mode: str) -> None:
    """The governor takes it whatever the run is at: it does not know of runs, policy or screens."""
    stoppers = [w for w in people() if in_table("pause", frozenset(w.roles), w.read_only)]
    assert stoppers
    for who, op in itertools.product(stoppers, sorted(STOPS - {"stop_all"})):
        assert allowed(request(op), who) is None
        state = au.Authority("shop")
        if mode != "agent":
            first = au.Stop(op={"paused": "pause", "person": "takeover"}[mode], id="0", by="luis")
            state, _, _ = au.decide(state, first, 1.0, 1)
        _, answer, _ = au.decide(state, au.Stop(op=op, id="1", by=who.name), 2.0, 2)
        assert answer["ok"], (who, op, answer)


def test_the_agent_never_says_yes_whatever_it_calls_itself(world: Any) -> None:
    world.start()
    world.settle()
    item = next(iter(world.run.items))
    for roles in GROUPS:
        bot = Identity("bot", -1, (*roles, "agent"))
        for kind in COMMANDS:
            assert allowed(request(kind, item), bot) is not None
    assert Who("agent") != Who("ana")
