"""The last line of a headless run tells what the journal tells."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.plan import CanaryStage, CanaryStep, CommandStage, PipelinePlan, ReleaseStage
from hatchway.demo.headless import _held_for_good
from hatchway.demo.summary import Reader, intended, summarise
from hatchway.journal.memory import MemoryJournal, MemoryStore

BY = ev.By("agent", "agent")


async def journal(*events: ev.Event) -> list[Any]:
    """Records of these events, one second apart."""
    store, at = MemoryStore(), 100.0

    def clock() -> float:
        nonlocal at
        at += 1.0
        return at

    ledger = Ledger(MemoryJournal(store, clock=clock), lambda: None)
    for event in (STARTED, *events):
        await ledger.record(lambda s, e=event: (e,), actor="x")  # type: ignore[misc]
    return store.records


STARTED = ev.RunStarted(
    run="1",
    service="shop",
    environment="prod",
    mode="act",
    pace=1.0,
    commit="c",
    base="b",
    from_version="1.4.0",
    to_version="1.5.0",
    plan=PipelinePlan(
        "shop",
        "shop",
        "prod",
        (
            CommandStage("unit tests", "tests", ()),
            ReleaseStage("release"),
            CanaryStage("canary", (), (CanaryStep(5, 1.0),)),
        ),
    ),
    policy_digest="",
)


def made(capability: str, answer: str = "auto") -> ev.ProposalMade:
    return ev.ProposalMade(
        run="1",
        proposal="p",
        capability=capability,  # type: ignore[arg-type]
        step=0,
        epoch=1,
        brain="rules-1",
        confidence=1.0,
        headline="5xx rise",
        evidence=(ev.Evidence("E1", "-", "4 %", "edge", 1.0),),
        digest="d",
        answer=answer,  # type: ignore[arg-type]
        rule="r",
        why="the policy allows it",
    )


def effect(key: str, weight: int) -> tuple[ev.Event, ev.Event]:
    return (
        ev.EffectIntended(run="1", key=key, step=0, weight=weight, epoch=1, by=BY, reason="r"),
        ev.EffectVerified(run="1", key=key, observed=weight),
    )


def summary(records: Any, **more: Any) -> dict[str, Any]:
    given = {
        "fault_on_at": None,
        "bad_requests": 0,
        "target_writes": {"agent": 2, "person": 1},
        "verified": True,
        **more,
    }
    return summarise(records, **given)


async def test_a_rollback_is_timed_from_when_the_fault_could_be_seen() -> None:
    records = await journal(
        *effect("a", 5),  # 102, 103
        ev.StepEntered(run="1", step=0, weight=5),  # 104
        made("rollback"),  # 105
        *effect("b", 0),  # 106, 107
        ev.RunEnded(run="1", outcome="rolled_back", why="w"),
    )
    found = summary(records, fault_on_at=50.0, bad_requests=3)
    assert found["outcome"] == "rolled_back"
    assert (found["from"], found["to"], found["service"]) == ("1.4.0", "1.5.0", "shop")
    assert (found["detected_after_s"], found["rolled_back_after_s"]) == (1.0, 3.0)
    assert (found["max_weight"], found["bad_requests_served"]) == (5, 3)
    assert found["target_writes"] == {"agent": 2, "person": 1}
    assert found["journal"] == {"events": len(records), "verified": True}
    assert [s["kind"] for s in found["stages"]] == ["tests", "release", "canary"]
    (decision,) = found["decisions"]
    assert decision["capability"] == "rollback"
    assert decision["by"] == "rules-1"
    assert decision["evidence"] == ["E1 - 4 %"]


async def test_peoples_decisions_are_listed_beside_the_agents() -> None:
    records = await journal(
        ev.ItemOpened(
            run="1", item="i", type="approval", capability="open_release", step=-1,
            expires_at=9e9, lines=("MEDIUM: api",),
        ),
        ev.ItemClosed(run="1", item="i", status="accepted", by="ana"),
        ev.AuthorityChanged(
            service="shop", spool=1, op="pause", command="c", by="luis", reason="looking", epoch=2,
            mode="paused", holder="luis", desired=0, direct=True, at=1.0,
        ),
        ev.AuthorityChanged(
            service="shop", spool=1, op="adopted", command="", by="hatchway", reason="", epoch=3,
            mode="paused", holder="luis", desired=0, direct=True, at=1.0,
        ),
    )  # fmt: skip
    found = summary(records)
    assert [(d["capability"], d["verdict"], d["by"]) for d in found["decisions"]] == [
        ("open_release", "accepted", "ana"),
        ("pause", "done", "luis"),
    ]
    assert found["outcome"] == "held", "a run that has not ended was left as it is"
    assert found["detected_after_s"] is None
    assert found["rolled_back_after_s"] is None


@pytest.mark.parametrize(
    ("faults", "mode", "outcome"),
    [
        ([], "act", "promoted"),
        (["errors"], "act", "rolled_back"),
        (["errors@canary"], "recommend", "held"),
        (["metrics-silent"], "act", "held"),
        (["test-fails", "errors"], "act", "failed"),
    ],
)
def test_what_policy_intends(faults: list[str], mode: str, outcome: str) -> None:
    assert intended(faults, mode) == outcome


async def test_a_run_is_held_for_good_only_after_a_while() -> None:
    held = ev.RunHeld(run="1", cause="no_data", why="w")
    reader = Reader()
    reader.read(await journal(held))
    run = reader.state.runs["1"]
    assert run.hold is not None
    assert not _held_for_good(run, run.hold.since + 1.0)
    assert _held_for_good(run, run.hold.since + 60.0)
