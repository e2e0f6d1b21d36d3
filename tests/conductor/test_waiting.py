"""S12, S13, F8, F9, F35: what waits for a person, or for a verdict, promotes nothing by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatchway.conductor import proposals
from hatchway.core import events as ev


async def test_f35_a_threshold_breached_while_a_person_is_asked_voids_the_question(
    house: Any,
) -> None:
    await house.to_canary(mode="recommend")
    await house.looking(lambda: house.open_item("promote"))
    item = house.open_item("promote")
    await house.regress()
    await house.until(lambda: house.run.items[item.id].status == "superseded", "it is void")
    refused = await house.ask("accept", item=item.id)
    assert refused.code == "closed"
    assert house.open_item("rollback") is not None
    await house.still(0.1)
    assert [w for _, w in house.governor.raises] == [5]


async def test_f35_a_yes_that_came_just_before_the_breach_raises_nothing(house: Any) -> None:
    await house.to_canary(mode="recommend")
    await house.looking(lambda: house.open_item("promote"))
    house.governor.silent = "it restarts"  # so that the yes is not carried out at once
    await house.accept("promote")
    await house.regress()
    house.governor.silent = ""
    await house.still(0.3)
    raised = [w for _, w in house.governor.raises]
    assert raised in ([5], [5, 95]), "at most what was under way by then"
    intended = [e for e in house.of(ev.EffectIntended) if e.step == 1]
    regress = [e for e in house.of(ev.VerdictChanged) if e.word == "REGRESS"]
    order = house.events()
    assert all(order.index(e) < order.index(regress[0]) for e in intended)


async def test_f9_a_promotion_from_before_a_pause_is_void_and_analysis_begins_with_new_evidence(
    house: Any,
) -> None:
    await house.to_canary()
    house.governor.hangs = asyncio.Event()
    await house.intend_step_1()
    await house.ask("pause")
    house.governor.hangs.set()
    await house.ask("release")
    await house.still(0.2)
    assert house.run.step == 0, "what was permitted before the pause is not done after it"
    assert house.run.mode == "recommend"
    await house.looking(lambda: house.open_item("promote"))
    made = [e for e in house.of(ev.ProposalMade) if e.capability == "promote"]
    assert made[-1].epoch == house.ledger.state.authority_of("shop").epoch
    assert [w for _, w in house.governor.raises if w > 5] in ([], [95])
    assert house.governor.weight["shop"] == 5


async def test_f8_after_a_clock_jump_one_permission_is_one_step_at_most(house: Any) -> None:
    await house.to_canary()
    await house.look("PASS")
    house.skew += 7 * 24 * 3600.0
    await house.still(0.2)
    before = house.run.step
    await house.still(0.2)
    assert house.run.step == before
    assert house.run.step <= 1
    house.skew -= 14 * 24 * 3600.0
    await house.still(0.2)
    assert house.run.step == before, "nor does a clock that is put back permit anything"


@pytest.mark.parametrize("what", ["raises", "no verdict", "another run", "an old step"])
async def test_s12_s13_a_verdict_or_a_gate_that_fails_never_promotes(
    house: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    await house.to_canary()
    if what == "raises":

        def broken(*words: Any, **more: Any) -> Any:
            raise ZeroDivisionError("the gate is broken")

        monkeypatch.setattr(proposals, "answer", broken)
        await asyncio.sleep(0.05)  # the monitoring has ended: a promotion is due
        with pytest.raises(ZeroDivisionError):
            await house.look("PASS")
    elif what == "another run":
        verdict = ev.VerdictChanged(
            run="2", step=0, word="PASS", action="none", headline="h", evidence=(), confidence=1.0
        )
        await house.ledger.record(lambda s: (verdict,), actor="judge")
    elif what == "an old step":
        verdict = ev.VerdictChanged(
            run="1", step=-1, word="PASS", action="none", headline="h", evidence=(), confidence=1.0
        )
        await house.ledger.record(lambda s: (verdict,), actor="judge")
    await house.still(0.2)
    assert house.run.step == 0
    assert [w for _, w in house.governor.raises] == [5]
    assert not [e for e in house.of(ev.ProposalMade) if e.capability == "promote"]
