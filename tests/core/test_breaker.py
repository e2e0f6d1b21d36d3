"""S05, S07: at most one automatic rollback in a window; after it people decide."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core import next as nx
from hatchway.core.breaker import WINDOW_S, Breaker, is_open, spent
from hatchway.core.decide import Accepted, Refused, decide

HOUR = 3600.0


def start(world: Any, commit: str) -> None:
    """A new run of another commit, as a person asks for it."""
    command = cmd.StartRun(
        id=f"s-{commit}", by="luis", service="shop", environment="prod", commit=commit, base="c0",
        from_version="1.4.0", to_version="1.6.0", mode="act", pace=1.0, plan=world.plan,
        policy_digest="policy",
    )  # fmt: skip
    outcome = decide(world.state, command, world.now)
    assert isinstance(outcome, Accepted)
    world.record(*outcome.events)


def test_s05_after_a_rollback_of_its_own_the_agent_only_recommends(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "auto")
    world.settle()
    assert world.run.mode == "recommend"
    assert is_open(world.state.breakers["shop"], world.now)
    start(world, "c2")
    assert world.state.runs["2"].mode == "recommend"
    world.record(ev.RunEnded(run="2", outcome="failed", why="x"))
    world.now += WINDOW_S
    start(world, "c3")
    assert world.state.runs["3"].mode == "act", "the window is over"


def test_a_person_closes_the_breaker_with_a_reason_and_the_agent_does_not(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "auto")
    world.settle()

    def close(**more: Any) -> Accepted | Refused:
        said = {"id": "c", "by": "ana", "service": "shop", "reason": "looked at it", **more}
        return decide(world.state, cmd.CloseBreaker(**said), world.now)

    assert isinstance(close(by="agent"), Refused)
    assert isinstance(close(reason=""), Refused)
    closed = close()
    assert isinstance(closed, Accepted)
    world.record(*closed.events)
    assert isinstance(close(), Refused), "it is closed already"
    start(world, "c2")
    assert world.state.runs["2"].mode == "act"


def test_giving_back_control_closes_it_too(world: Any) -> None:
    world.to_canary()
    world.propose("rollback", "auto")
    world.settle()
    world.authority("pause")
    assert "shop" in world.state.breakers
    world.authority("release")
    assert "shop" not in world.state.breakers


def test_a_closed_breaker_gives_no_second_rollback(world: Any) -> None:
    """The budget is the window's, whatever a person says of the agent."""
    world.to_canary()
    world.propose("rollback", "auto")
    world.settle()
    world.record(ev.BreakerClosed(service="shop", by="ana", reason="r"))
    times = world.state.automatic_rollbacks["shop"]
    assert spent(times, world.now) == 1


def test_s07_what_made_it_worse_leaves_the_breaker_open_until_a_person_looks(world: Any) -> None:
    world.to_canary()
    world.record(ev.BreakerOpened(service="shop", run="1", why="latency rose after the rollback"))
    assert world.run.mode == "recommend", "also in the run that is under way"
    world.propose("promote", "auto")
    world.propose("rollback", "auto")
    world.settle()
    assert world.weights == [5]
    world.now += 100 * WINDOW_S
    assert is_open(world.state.breakers["shop"], world.now)


def test_one_rollback_does_not_hide_what_made_it_worse(world: Any) -> None:
    world.to_canary()
    world.record(ev.BreakerOpened(service="shop", run="1", why="it rose"))
    world.record(
        ev.EffectIntended(
            run="1", key="k", step=0, weight=0, epoch=0, by=ev.By("agent", "agent"), reason="r"
        )
    )
    assert world.state.breakers["shop"].cause == "feedback"


@pytest.mark.parametrize(("later", "counted"), [(0.0, 1), (-HOUR, 1), (WINDOW_S, 0)])
def test_a_clock_that_was_put_back_does_not_renew_the_budget(later: float, counted: int) -> None:
    assert spent((1000.0,), 1000.0 + later) == counted
    breaker = Breaker("rollback", "w", 1000.0, "1")
    assert is_open(breaker, 1000.0 + later) == bool(counted)


WHAT = (
    "ask",
    "yes",
    "regress",
    "pass",
    "pause",
    "release",
    "takeover",
    "close",
    "fence",
    "promote",
)
OFTEN = ("auto", "back", "again", "wait")
STEPS = st.lists(
    st.tuples(st.one_of(st.sampled_from(OFTEN), st.sampled_from(WHAT)), st.floats(0, 30 * HOUR)),
    min_size=4,
    max_size=30,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_s05_no_stream_of_events_yields_two_automatic_rollbacks_in_a_window_nor_a_command_after_one(
    make_world: Any, steps: list[tuple[str, float]]
) -> None:
    """Nor, with that, any automatic down migration: going back runs no command at all."""
    world = make_world()
    world.to_canary()
    intended: list[float] = []
    commits = iter(f"d{n}" for n in range(100))
    for what, seconds in steps:
        world.now += 1.0
        _do(world, what, seconds, commits)
        run = next(reversed(world.state.runs.values()))
        for _ in range(10):
            actions = nx.next_actions(world.state, run, world.now)
            assert not [a for a in actions if isinstance(a, nx.RunJob)] or run.step < 0
            records = [e for a in actions if isinstance(a, nx.Record) for e in a.events]
            backs = [e for e in records if isinstance(e, ev.EffectIntended) and e.weight == 0]
            intended += [world.now for e in backs if e.by.kind == "agent"]
            if not records:
                break
            world.record(*records)
            run = next(reversed(world.state.runs.values()))
    for one, other in pairwise(intended):
        assert other - one >= WINDOW_S, (intended, steps)


def _do(world: Any, what: str, seconds: float, commits: Any) -> None:
    run = next(reversed(world.state.runs.values()))
    epoch = world.state.authority_of("shop").epoch
    match what:
        case "auto" | "ask" | "promote":
            capability = "promote" if what == "promote" else "rollback"
            made = ev.ProposalMade(
                run=run.id, proposal=f"q{len(run.proposals)}", capability=capability,
                step=run.step, epoch=epoch, brain="b", confidence=1.0, headline="h", evidence=(),
                digest="d", answer="ask" if what == "ask" else "auto", rule="r", why="w",
            )  # fmt: skip
            world.record(made)
            if what == "ask":
                world.record(
                    ev.ItemOpened(
                        run=run.id, item=f"{made.proposal}.item", type="recommendation",
                        capability="rollback", step=run.step, expires_at=world.now + 1800,
                        binding={"epoch": str(epoch)},
                    )
                )  # fmt: skip
        case "yes":
            for item in [i for i in run.items.values() if i.status == "open"][:1]:
                world.record(ev.ItemClosed(run=run.id, item=item.id, status="accepted", by="ana"))
        case "regress" | "pass":
            word, action = ("REGRESS", "rollback") if what == "regress" else ("PASS", "none")
            world.record(
                ev.VerdictChanged(
                    run=run.id, step=run.step, word=word, action=action,  # type: ignore[arg-type]
                    headline="h", evidence=(), confidence=1.0,
                )
            )  # fmt: skip
        case "pause" | "release" | "takeover":
            world.authority(what)
        case "back":
            for effect in list(run.effects.values())[-1:]:
                world.record(ev.EffectVerified(run=run.id, key=effect.key, observed=effect.weight))
        case "fence":
            for effect in list(run.effects.values())[-1:]:
                world.record(ev.EffectFenced(run=run.id, key=effect.key, code="fenced", why="w"))
        case "close":
            world.record(ev.BreakerClosed(service="shop", by="ana", reason="r"))
        case "wait":
            world.now += seconds
        case "again":
            if run.active:
                world.record(ev.RunEnded(run=run.id, outcome="rolled_back", why="w"))
            number = str(len(world.state.runs) + 1)
            world.record(
                ev.RunStarted(
                    run=number, service="shop", environment="prod", mode="act", pace=1.0,
                    commit=next(commits), base="c0", from_version="1", to_version="2",
                    plan=world.plan, policy_digest="p",
                ),
                *(ev.StageEnded(run=number, stage=s, status="passed") for s in ("checks", "release")),
                ev.StageStarted(run=number, stage="canary"),
                ev.JobStarted(run=number, stage="canary", job="start", attempt=1),
                ev.JobEnded(run=number, stage="canary", job="start", attempt=1, status="passed",
                            seconds=1.0, why=""),
                ev.StepEntered(run=number, step=0, weight=5),
            )  # fmt: skip
