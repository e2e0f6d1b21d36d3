"""Where going back may make it worse the agent holds and calls people; people may all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.conductor.undoing import ROLLBACK_WINDOW_S, going_back
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.policy import EnvironmentPolicy, Policy, Rule, VerdictIn
from hatchway.core.state import State
from hatchway.core.undo import Reason, Undo
from hatchway.edge.views import run_doc
from hatchway.edge.waiting import needs_doc

DROPS = "ALTER TABLE orders DROP COLUMN note;"
ADDS = "ALTER TABLE orders ADD COLUMN note text;"
LAX = Policy(1, {"prod": EnvironmentPolicy("act", {
    c: Rule("auto", when)
    for c, when in {
        "open_release": (), "block_deploy": (), "promote": (VerdictIn(("PASS",)),),
        "rollback": (VerdictIn(("REGRESS",)),),
    }.items()
})})  # fmt: skip


async def canary(houses: Callable[..., Any], sql: str = "", mode: str = "act") -> Any:
    """A house at its first share, of a release that brings `sql` as a migration."""
    house = houses()
    if sql:
        house.forge.files[("c1", "migrations/0042_note.sql")] = sql
    await house.start()
    return await house.to_canary(mode=mode)


async def test_s04_the_agent_holds_and_pages_where_a_migration_breaks_the_old_version(
    houses: Callable[..., Any],
) -> None:
    house = await canary(houses, DROPS)
    assert house.run.risk == "HIGH"
    assert house.run.attention[0] == ("undo: not safe: migration 0042 drops the column orders.note")
    for _ in range(3):
        await house.regress()
    await house.still()
    assert house.run.active
    assert house.run.weight == 5, "held at its share"
    assert house.run.hold is not None
    made = [(e.capability, e.answer) for e in house.of(ev.ProposalMade) if e.step == 0]
    assert made == [("rollback", "ask"), ("hold", "auto"), ("page", "auto")], "each once"
    page = house.of(ev.ProposalMade)[-1]
    assert "going back is not safe: migration 0042 drops the column orders.note" in page.headline
    assert any("fix it forward" in e.text for e in page.evidence)


async def test_a_person_sees_the_warning_first_and_may_go_back_all_the_same(
    houses: Callable[..., Any],
) -> None:
    house = await canary(houses, DROPS)
    await house.regress()
    item = house.open_item("rollback")
    assert item.lines[0] == "going back: migration 0042 drops the column orders.note"
    (shown,) = needs_doc(house.ledger.state).items
    assert shown.undo == "NO: migration 0042 drops the column orders.note"
    doc = run_doc(house.run, house.ledger.state.authority_of("shop"), house.live, 1.0)
    assert doc.undo == shown.undo
    await house.accept("rollback")
    assert await house.ended() == "rolled_back"
    assert house.of(ev.EffectIntended)[-1].by == ev.By("person", "ana")


async def test_the_rollback_of_a_person_is_never_refused_for_it(
    houses: Callable[..., Any],
) -> None:
    house = await canary(houses, DROPS)
    await house.regress()
    await house.ask("rollback")
    assert await house.ended() == "rolled_back"


@pytest.mark.parametrize("sql", [ADDS, "SELECT purge()", DROPS])
async def test_no_policy_allows_it_where_it_is_not_known_to_be_safe(
    houses: Callable[..., Any], sql: str
) -> None:
    house = houses(policy=LAX)
    house.forge.files[("c1", "migrations/0042_note.sql")] = sql
    await house.start()
    await house.to_canary()
    await house.regress()
    await house.still()
    assert house.run.active
    assert not [e for e in house.of(ev.EffectIntended) if e.weight == 0]
    assert house.open_item("rollback") is not None


async def test_a_declared_schema_that_the_old_version_reads_is_rolled_back_by_itself(
    houses: Callable[..., Any],
) -> None:
    house = houses()
    house.forge.files[("c1", "migrations/0042_note.sql")] = ADDS
    for commit, at in (("c0", 41), ("c1", 42)):
        said = f"version: 1\nschema:\n  at: {at}\n  reads: [40, 42]\n"
        house.forge.files[(commit, ".hatchway.yaml")] = said
    await house.start()
    await house.to_canary()
    assert house.run.attention == ()
    assert house.run.undo.residue == ("migration 0042 stays applied and has no way back",)
    await house.regress()
    assert await house.ended() == "rolled_back"
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"


async def test_a_broken_declaration_is_said_with_its_line(houses: Callable[..., Any]) -> None:
    house = houses()
    house.forge.files[("c1", ".hatchway.yaml")] = "version: 1\nshema: 3\n"
    await house.start()
    await house.to_canary()
    assert any('.hatchway.yaml:2: unknown key "shema"' in line for line in house.run.attention)
    await house.regress()
    assert house.run.active


async def test_f26_there_is_no_rollback_to_something_worse(houses: Callable[..., Any]) -> None:
    house = await canary(houses)
    await house.look("REGRESS", "rollback", stable_healthy=False)
    await house.still()
    assert house.run.active
    item = house.open_item("rollback")
    assert item.lines[0] == "going back: the old version itself is not healthy"
    await house.look("REGRESS", "rollback", stable_healthy=True)
    assert await house.ended() == "rolled_back", "as soon as it is known to be healthy"


async def test_a_stable_version_of_unknown_health_is_gone_back_to_when_it_is_the_better_one(
    houses: Callable[..., Any],
) -> None:
    house = await canary(houses)
    await house.look("REGRESS", "rollback", stable_healthy=None)
    assert await house.ended() == "rolled_back"
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"


async def test_in_recommend_mode_people_are_asked_once_and_not_paged_besides(
    houses: Callable[..., Any],
) -> None:
    house = await canary(houses, DROPS, mode="recommend")
    await house.regress()
    made = [e.capability for e in house.of(ev.ProposalMade) if e.step == 0]
    assert made == ["rollback"]


async def test_s05_one_rollback_in_a_window_then_the_agent_only_recommends(
    houses: Callable[..., Any],
) -> None:
    house = houses(policy=LAX)
    await house.start()
    await house.to_canary()
    await house.regress()
    assert await house.ended() == "rolled_back"
    house.forge.head = "c2"
    await house.release()
    assert house.run.mode == "recommend", "whatever was asked for"
    assert house.run.base == "c0", "what it went back to is live"
    await house.accept("open_release")
    await house.until(lambda: house.run.id == "2" and house.run.step == 0, "the first share")
    await house.regress()
    await house.still()
    assert house.run.active
    automatic = [e for e in house.of(ev.EffectIntended) if e.weight == 0 and e.by.kind == "agent"]
    assert len(automatic) == 1
    assert "once already" in house.open_item("rollback").lines[0]
    assert [e.capability for e in house.of(ev.ProposalMade)][-1] == "page"


def test_an_old_journal_without_the_field_decodes_and_is_no_yes() -> None:
    old = (
        b'{"kind":"release.requested","run":"1","risk":"LOW","reasons":[],"attention":[],'
        b'"changes":[],"files":[]}'
    )
    event = ev.decode("release.requested", old)
    assert isinstance(event, ev.ReleaseRequested)
    assert event.undo is None
    undo = Undo("no", (Reason("-", "schema", "x"),), ("stays",))
    new = msgspec.structs.replace(event, undo=undo)
    assert ev.decode("release.requested", ev.encode(new)) == new


def started(state: State, run: str, commit: str, base: str) -> State:
    from hatchway.core.plan import PipelinePlan

    event = ev.RunStarted(
        run=run, service="shop", environment="prod", mode="act", pace=1.0, commit=commit,
        base=base, from_version=base, to_version=commit, plan=PipelinePlan("p", "shop", "prod", ()),
        policy_digest="",
    )  # fmt: skip
    return evolve(state, event, seq=1, at=0.0, idem="")


@pytest.mark.parametrize(
    ("outcome", "safe"), [("promoted", "yes"), ("rolled_back", "no"), ("rejected", "yes")]
)
def test_s23_a_version_that_was_itself_rolled_back_is_not_gone_back_to(
    outcome: Any, safe: str
) -> None:
    state = started(State(), "1", "b", "a")
    ended = ev.RunEnded(run="1", outcome=outcome, why="w")
    state = started(evolve(state, ended, seq=2, at=0.0, idem=""), "2", "c", "b")
    run = msgspec.structs.replace(
        state.runs["2"], undo=Undo("yes", (Reason("+", "migrations", "none"),))
    )
    said = going_back(state, run, LAX, 1.0, stable_healthy=True)
    assert said.safe == safe
    assert safe == "yes" or "run 1" in said.words


@given(
    st.lists(st.floats(0, 10 * ROLLBACK_WINDOW_S), max_size=5),
    st.floats(0, 10 * ROLLBACK_WINDOW_S),
)
def test_no_history_allows_two_in_a_window(times: list[float], now: float) -> None:
    state = started(State(), "1", "b", "a")
    undo = Undo("yes", (Reason("+", "migrations", "none"),))
    run = msgspec.structs.replace(state.runs["1"], undo=undo)
    past = tuple(sorted(t for t in times if t <= now))
    state = msgspec.structs.replace(state, automatic_rollbacks={"shop": past})
    said = going_back(state, run, LAX, now, stable_healthy=True)
    assert (said.safe == "yes") == all(now - t >= ROLLBACK_WINDOW_S for t in past)


REFUSALS = ("HTTP 409 conflict", "HTTP 429 slow down", "HTTP 403 forbidden", "HTTP 503")


@pytest.mark.parametrize("who", ["agent", "ana"])
async def test_f27_a_target_that_fails_each_call_is_tried_to_a_deadline_then_people_are_called(
    houses: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    from hatchway.core import bars
    from hatchway.targets.port import NotApplied

    monkeypatch.setattr(bars, "INCOMPLETE_S", 0.5)
    house = await canary(houses)
    real, calls = house.governor.apply, 0

    async def apply(service: str, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        return NotApplied("target_failed", REFUSALS[calls % len(REFUSALS)])

    monkeypatch.setattr(house.governor, "apply", apply)
    house.governor.deaf = True
    if who == "agent":
        await house.regress()
    else:
        await house.ask("rollback", who)
    held = await house.until(
        lambda: house.run.hold if house.run.hold and house.run.hold.cause == "rollback" else None,
        "it is said to be incomplete",
    )
    assert held.why.startswith("ROLLBACK INCOMPLETE")
    assert "--direct" in held.why
    assert house.run.active, "it is not called done"
    doc = run_doc(house.run, house.ledger.state.authority_of("shop"), house.live, house.clock())
    assert doc.status == "rolling_back"
    assert "ROLLBACK INCOMPLETE" in doc.held
    assert len([e for e in house.of(ev.RunHeld) if e.cause == "rollback"]) == 1
    tries = calls
    await house.still(0.3)
    assert who != "agent" or calls > tries, "and it goes on being tried"
    monkeypatch.setattr(house.governor, "apply", real)
    house.governor.deaf = False
    house.governor.weight["shop"] = 0
    assert await house.ended() == "rolled_back"


async def test_s11_a_rollback_with_nothing_in_flight_says_so_and_touches_no_target(
    houses: Callable[..., Any],
) -> None:
    house = await houses().start()
    said = await house.ask("rollback")
    assert house.governor.writes == []
    assert house.governor.weight["shop"] == 0
    assert said.seq > 0
    assert not house.ledger.state.runs
    assert not house.of(ev.EffectIntended)
    assert "nothing" in said.said.lower(), said.said


@pytest.mark.parametrize("who", ["agent", "ana"])
async def test_s06_going_back_runs_no_down_migration_whoever_goes_back(
    houses: Callable[..., Any], who: str
) -> None:
    house = houses()
    house.forge.files[("c1", "migrations/0042_note.up.sql")] = ADDS
    house.forge.files[("c1", "migrations/0042_note.down.sql")] = DROPS
    await house.start()
    await house.to_canary()
    ran = list(house.runner.started)
    if who == "agent":
        await house.regress()
        await house.still()
        page = house.of(ev.ProposalMade)[-1]
        assert any("runs no down migration" in e.text for e in page.evidence)
        assert house.run.active, "held, and people are called"
    await house.ask("rollback", "ana")
    assert await house.ended() == "rolled_back"
    assert house.runner.started == ran, "no command was run"
