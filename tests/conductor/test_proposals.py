"""Wishes become events only by policy, once, and only when they make sense."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.brains.port import Sight, Situation, Wish
from hatchway.conductor.proposals import digest, facts_of, nonsense, without_brain
from hatchway.core import events as ev
from hatchway.core.facts import Known, Missing
from hatchway.core.plan import CanaryStep
from hatchway.core.state import State

EVIDENCE = (ev.Evidence("E1", "-", "5xx 4 %", "edge", 1.0),)


def sight(word: str = "PASS", action: str = "none") -> Sight:
    return Sight(
        word=word,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        headline=f"it is {word}",
        evidence=EVIDENCE,
        confidence=0.9,
        stable_healthy=True,
        blind_for_s=0.0,
        forecast_s=None,
    )


def wish(capability: str = "promote", **more: Any) -> Wish:
    given = {"confidence": 0.9, "headline": "h", "evidence": EVIDENCE, **more}
    return Wish(capability=capability, **given)  # type: ignore[arg-type]


def situation(house: Any, topic: str = "canary", **more: Any) -> Situation:
    given = {"run": house.run, "now": 1.0, "stage": "s", "why": "w", "monitored_s": 9.0}
    given |= {"step": CanaryStep(5, 5.0), **more}
    return Situation(topic=topic, **given)  # type: ignore[arg-type]


async def test_only_what_makes_sense_is_put_to_the_policy(house: Any) -> None:
    await house.to_canary()
    good = situation(house, sight=sight())
    assert nonsense(wish(), good) == ""
    assert nonsense(wish("rollback"), situation(house, sight=sight("REGRESS", "rollback"))) == ""
    assert nonsense(wish("hold"), situation(house, "failed")) == ""
    bad: list[tuple[Any, Situation, str]] = [
        (7, good, "is no wish"),
        (wish("rm -rf"), good, "malformed"),
        (wish(headline=7), good, "malformed"),
        (wish("open_release"), good, "no answer to the topic"),
        (wish("promote"), situation(house, "release"), "no answer to the topic"),
        (wish(confidence=1.5), good, "not between 0 and 1"),
        (wish(confidence=float("nan")), good, ""),
        (wish(), situation(house, sight=sight("UNSURE")), "without the verdict PASS"),
        (wish(), situation(house, sight=sight("PASS", "hold")), "without the verdict PASS"),
        (wish(), situation(house), "without the verdict PASS"),
        (wish(), situation(house, sight=sight(), monitored_s=4.9), "before the monitoring"),
        (wish(), situation(house, sight=sight(), step=CanaryStep(5, 10.0)), "before the monit"),
    ]
    for what, where, why in bad:
        said = nonsense(what, where)
        assert said, what
        assert why in said, (what, said)


async def test_without_a_brain_the_deterministic_verdict_stands(house: Any) -> None:
    await house.to_canary()
    regress = situation(house, sight=sight("REGRESS", "rollback"))
    assert [w.capability for w in without_brain(regress)] == ["rollback"]
    assert without_brain(situation(house, sight=sight())) == ()
    assert [w.capability for w in without_brain(situation(house, "failed"))] == ["block_deploy"]
    assert [w.capability for w in without_brain(situation(house, "release"))] == ["open_release"]
    for topic in ("failed", "release"):
        where = situation(house, topic)
        assert all(nonsense(w, where) == "" for w in without_brain(where))


async def test_the_agent_says_the_same_thing_once(house: Any) -> None:
    await house.to_canary(mode="recommend")
    for _ in range(3):
        await house.regress()
    made = [e for e in house.of(ev.ProposalMade) if e.capability == "rollback"]
    assert len(made) == 1
    assert made[0].digest == digest(made[0].evidence)


async def test_what_was_asked_because_a_fact_was_missing_is_done_when_policy_allows_it(
    house: Any,
) -> None:
    """A governor that was silent for a moment does not turn an automatic rollback into a question."""
    await house.to_canary()
    standing, _ = house.live.standing["shop"]
    house.governor.silent = "away"
    await house.until(lambda: house.live.governor_trouble, "it is silent")
    house.live.standing["shop"] = standing, house.clock() - 60
    await house.regress()
    assert house.open_item("rollback") is not None
    house.governor.silent = ""
    await house.until(lambda: house.live.standing["shop"][1] > house.clock() - 5, "it is back")
    await house.regress()
    assert await house.ended() == "rolled_back"
    closed = [e for e in house.of(ev.ItemClosed) if e.status == "superseded"]
    assert [e.reason for e in closed] == ["policy allows it by now"]
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"


async def test_a_no_stands_for_this_step(house: Any) -> None:
    await house.to_canary(mode="recommend")
    await house.looking(house.open_item)
    await house.ask("reject", item=house.open_item().id)
    for _ in range(3):
        await house.look("PASS")
    assert house.open_item() is None


async def test_facts_are_missing_before_anybody_said_them(house: Any) -> None:
    await house.to_canary()
    facts = facts_of(
        State(), house.run, 9.0, control=None, data_at=None, stable_healthy=None, confidence=0.5
    )
    assert isinstance(facts.verdict, Missing)
    assert isinstance(facts.control, Missing)
    assert isinstance(facts.data, Missing)
    assert isinstance(facts.stable_healthy, Missing)
    assert facts.automatic_rollbacks == Known(0, 9.0, "journal")
    told = facts_of(
        msgspec.structs.replace(State(), automatic_rollbacks={"shop": (1.0, 8.0)}),
        house.run,
        9.0 + 24 * 3600,
        control=("person", 8.0),
        data_at=8.5,
        stable_healthy=False,
        confidence=0.5,
    )
    assert told.control == Known("person", 8.0, "governor")
    assert told.stable_healthy == Known(False, 8.5, "judge")
    assert told.automatic_rollbacks == Known(0, 9.0 + 24 * 3600, "journal"), "out of the window"


@pytest.mark.parametrize("mode", ["act", "recommend"])
async def test_hold_and_page_are_recorded_and_ask_nobody(house: Any, mode: str) -> None:
    await house.to_canary(mode=mode)
    await house.look("NO_DATA", "hold")
    assert [e.answer for e in house.of(ev.ProposalMade)][-1] == "auto"
    assert house.open_item() is None
    assert house.run.hold is not None
    assert house.run.hold.cause == "no_data"
    await house.look("PASS")
    assert house.run.hold is None
