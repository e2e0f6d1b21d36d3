"""Each command has one answer, and a stop is never refused for what is not its business."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.edge.door import StartRequest
from hatchway.edge.identity import Identity


async def test_the_same_id_gets_the_same_answer_also_after_a_restart(house: Any) -> None:
    await house.to_canary()
    first = await house.ask("pause", id="one")
    assert await house.ask("pause", id="one") == first
    epoch = house.governor.state["shop"].epoch
    await house.again()
    assert await house.ask("pause", id="one") == first
    assert house.governor.state["shop"].epoch == epoch


async def test_a_refusal_is_remembered_too(house: Any) -> None:
    first = await house.ask("accept", item="nothing", id="one")
    assert first.code == "no_such_item"
    await house.again()
    assert await house.ask("accept", item="nothing", id="one") == first
    assert len(house.of(ev.CommandRefused)) == 1


async def test_a_stop_under_an_id_that_was_used_for_something_else_is_a_stop(house: Any) -> None:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    assert (await house.ask("accept", item=item.id, id="one")).seq
    said = await house.ask("pause", id="one")
    assert said.said.startswith("PAUSED")
    assert house.governor.state["shop"].mode == "paused"


async def test_anything_else_under_a_used_id_is_refused(house: Any) -> None:
    await house.to_canary()
    await house.ask("pause", id="one")
    assert (await house.ask("release", id="one")).code == "id_reused"
    assert (await house.ask("accept", item="x", id="one")).code == "id_reused"
    start = await house.desk.start(StartRequest(id="one", service="shop"), Identity("ana"))
    assert start.code == "id_reused"
    assert house.governor.state["shop"].mode == "paused"


async def test_two_accepts_at_once_are_one_yes(house: Any) -> None:
    import asyncio

    await house.release()
    item = await house.until(house.open_item, "an approval")
    answers = await asyncio.gather(
        *(house.ask("accept", item=item.id, id="same") for _ in range(3)),
        house.ask("accept", by="luis", item=item.id, id="other"),
    )
    assert answers[0] == answers[1] == answers[2]
    assert answers[3].code == "closed"
    assert len([e for e in house.of(ev.ItemClosed) if e.status == "accepted"]) == 1


async def test_a_silent_governor_is_not_said_to_have_changed_nothing(house: Any) -> None:
    house.governor.silent = "the governor does not answer: time-out"
    said = await house.ask("pause")
    assert said.code == "governor"
    assert "not known" in said.why
    assert "--direct" in said.todo


async def test_giving_back_needs_a_reason_and_the_newest_epoch(house: Any) -> None:
    await house.to_canary()
    await house.ask("pause")
    assert (await house.ask("release", reason="  ")).code == "reason_missing"
    assert (await house.ask("release", expect_epoch=1)).code == "stale"
    assert (await house.ask("release", expect_epoch=2)).seq
    assert house.run.mode == "recommend"
    assert (await house.ask("release")).code == "nothing_to_release"


async def test_a_second_release_of_a_service_is_refused_while_one_runs(house: Any) -> None:
    await house.release()
    assert (await house.release()).code == "busy"


async def test_a_service_or_commit_that_does_not_exist_is_refused(
    house: Any, monkeypatch: Any
) -> None:
    from hatchway.forge.port import ForgeError

    assert (await house.release("shoop")).code == "no_such_service"
    assert "shop" in (await house.ask("pause", service="shoop")).todo

    async def resolve(ref: str) -> str:
        raise ForgeError(f"no {ref}")

    monkeypatch.setattr(house.forge, "resolve", resolve)
    assert (await house.release()).code == "no_such_commit"


async def test_a_rejected_release_ends_the_run(house: Any) -> None:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    await house.ask("reject", by="luis", item=item.id)
    assert await house.ended() == "rejected"
    assert "luis" in house.run.why


async def test_an_approval_that_nobody_answered_is_asked_again(house: Any) -> None:
    await house.release()
    first = await house.until(house.open_item, "an approval")
    house.skew += 5 * 3600
    second = await house.until(
        lambda: (i := house.open_item()) and i.id != first.id and i, "another"
    )
    assert (await house.ask("accept", item=first.id)).code == "closed"
    assert (await house.ask("accept", item=second.id)).seq


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
async def test_stops_work_with_nothing_in_flight(house: Any, op: str) -> None:
    said = await house.ask(op)
    assert said.seq > 0
    assert house.governor.state["shop"].epoch == 2


async def test_a_person_who_took_over_promotes_with_the_agents_recommendation(house: Any) -> None:
    await house.to_canary()
    await house.ask("takeover", by="luis")
    await house.looking(lambda: house.open_item("promote"))
    item = house.open_item("promote")
    assert (await house.ask("accept", by="ana", item=item.id)).code == "not_holder"
    assert (await house.ask("accept", by="luis", item=item.id)).seq
    await house.until(lambda: house.run.step == 1, "the next step")
    assert house.of(ev.EffectIntended)[-1].by == ev.By("person", "luis")


async def test_under_a_pause_a_recommendation_is_not_accepted(house: Any) -> None:
    await house.to_canary()
    await house.ask("pause")
    await house.looking(lambda: house.open_item("promote"))
    refused = await house.ask("accept", item=house.open_item("promote").id)
    assert refused.code == "paused"
    assert "give back" in refused.todo


async def test_a_run_is_reviewed_after_its_end_with_a_reason_and_once_for_an_id(house: Any) -> None:
    await house.release()
    run = house.run.id
    assert (await house.ask("review", item=run, reason="looked")).code == "running"
    item = await house.until(house.open_item, "an approval")
    await house.ask("reject", by="luis", item=item.id)
    await house.ended()
    assert (await house.ask("review", item="9", reason="looked")).code == "no_such_run"
    assert (await house.ask("review", item=run, reason=" ")).code == "reason_missing"
    strange = await house.ask("review", item=run, reason="looked", verdict="splendid")
    assert strange.code == "bad_request"
    said = await house.ask("review", by="eva", item=run, reason="looked", verdict="wrong")
    assert said.said == f"run {run} reviewed by eva"
    first = await house.ask("review", by="luis", item=run, reason="right so", id="one")
    assert first.said == f"run {run} reviewed by luis"
    assert await house.ask("review", by="luis", item=run, reason="right so", id="one") == first
    reviews = [(e.reason, e.verdict) for e in house.of(ev.RunReviewed)]
    assert reviews == [("looked", "wrong"), ("right so", "")]
    assert house.run.reviewed_by == ("eva", "luis")
