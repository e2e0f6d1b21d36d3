"""An agent acts by itself only while the stops were tried lately; a drill's evidence counts once."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core.drills import NEEDED_FAULTS, STOPS, Cell, Evidence
from hatchway.edge.door import DrillReport
from hatchway.edge.identity import Identity

MONTH = 30 * 86400.0


def evidence(**changes: Any) -> str:
    now = time.time()
    cells = tuple(Cell(fault=f, stop=s, status="passed") for f in NEEDED_FAULTS for s in STOPS)
    known = {"drill": "d", "environment": "staging", "service": "shop", "began": now - 9}
    known |= {"ended": now, "cells": cells, **changes}
    return msgspec.json.encode(Evidence(**known)).decode()


async def known(house: Any) -> None:
    """The governor has been read lately: who is in control is a fact again."""
    read = house.live.standing.get
    await house.until(lambda: read("shop", (0, 0.0))[1] > house.clock() - 5, "the governor is read")


def rollback_wished(house: Any) -> ev.ProposalMade:
    found: list[ev.ProposalMade] = house.of(ev.ProposalMade)
    return [e for e in found if e.capability == "rollback"][-1]


async def record(house: Any, text: str, id: str = "drill") -> Any:
    return await house.desk.drill(DrillReport(id=id, evidence=text), Identity("ana"))


async def test_with_a_drill_overdue_the_agent_asks_and_says_why_until_one_passed(
    house: Any,
) -> None:
    await house.to_canary()
    house.drill_every_s = MONTH
    await house.again()
    await known(house)
    await house.regress()
    asked = await house.until(lambda: house.open_item("rollback"), "the agent asks")
    assert asked.status == "open"
    said = rollback_wished(house)
    assert said.answer == "ask"
    assert said.why.startswith("act counts as recommend: no drill of the stops has ever passed")
    assert [e for e in house.of(ev.EffectIntended) if e.weight == 0] == []

    failed = evidence(ended=0.0)
    assert (await record(house, failed, "cut off")).seq
    await house.regress()
    assert house.open_item("rollback") is not None, "a drill that did not pass changes nothing"

    assert (await record(house, evidence())).seq
    await house.regress()
    assert await house.ended() == "rolled_back"
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"


async def test_a_drill_that_grows_too_old_takes_autonomy_away_in_the_middle_of_a_run(
    house: Any,
) -> None:
    house.drill_every_s = MONTH
    await house.again()
    assert (await record(house, evidence(ended=time.time() - MONTH + 3600))).seq
    await house.to_canary()
    house.skew = 7200.0
    await known(house)
    await house.regress()
    await house.until(lambda: house.open_item("rollback"), "the agent asks")
    assert "days ago" in rollback_wished(house).why


async def test_the_same_evidence_is_recorded_once_and_answered_alike(house: Any) -> None:
    first = await record(house, evidence())
    assert await record(house, evidence()) == first
    assert len(house.of(ev.DrillRecorded)) == 1
    assert house.of(ev.DrillRecorded)[0].evidence.environment == "staging"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not the evidence"),
        ("[]", "not the evidence"),
        (evidence(environment=""), "an environment"),
        (evidence(ended=time.time() + 3600), "dated in the future"),
    ],
)
async def test_what_is_no_evidence_is_refused_and_the_refusal_is_journaled(
    house: Any, text: str, why: str
) -> None:
    answer = await record(house, text)
    assert answer.code == "bad_evidence"
    assert why in answer.why
    assert house.of(ev.DrillRecorded) == []
    assert house.of(ev.CommandRefused)[-1].what == "drill"
