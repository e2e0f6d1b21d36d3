"""Act first, log after, when risk is removed; log first when it is added."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.journal.port import JournalError


async def blind_look(house: Any, word: str, action: str) -> None:
    with pytest.raises(JournalError):
        await house.look(word, action)


async def test_the_agents_rollback_reaches_the_target_with_the_journal_locked(house: Any) -> None:
    await house.to_canary()
    house.store.refuses = "database is locked"
    await blind_look(house, "REGRESS", "rollback")
    assert house.governor.weight["shop"] == 0
    assert house.governor.writes[-1] == ("run-1.rollback.1", 0)
    assert not [e for e in house.of(ev.EffectIntended) if e.weight == 0], "nothing was written"

    house.store.refuses = ""
    assert await house.ended() == "rolled_back"
    back = [e for e in house.of(ev.EffectIntended) if e.weight == 0]
    assert [(e.key, e.by.kind) for e in back] == [("run-1.rollback.1", "agent")]
    made = [e for e in house.of(ev.ProposalMade) if e.capability == "rollback"]
    assert [e.answer for e in made] == ["auto"]
    assert [e.word for e in house.of(ev.VerdictChanged)][-1] == "REGRESS"
    kinds = [ev.kind_of(e) for e in house.events()]
    assert kinds.index("proposal.made") < kinds.index("effect.intended")


async def test_it_is_done_once_however_long_the_journal_stays_locked(house: Any) -> None:
    await house.to_canary()
    house.store.refuses = "disk full"
    for _ in range(3):
        await blind_look(house, "REGRESS", "rollback")
        await house.still(0.05)
    assert [k for k, w in house.governor.writes if w == 0] == ["run-1.rollback.1"]
    house.store.refuses = ""
    assert await house.ended() == "rolled_back"
    assert house.governor.state["shop"].agent_writes == 1


async def test_a_rollback_that_was_permitted_before_the_journal_locked_is_done(house: Any) -> None:
    await house.to_canary()
    record = house.ledger.record

    async def locks_after_the_proposal(decide: Any, **more: Any) -> Any:
        written = await record(decide, **more)
        if any(r.kind == "proposal.made" for r in written):
            house.store.refuses = "database is locked"
        return written

    house.ledger.record = locks_after_the_proposal
    await blind_look(house, "REGRESS", "rollback")
    await house.until(lambda: house.governor.weight["shop"] == 0, "rolled back")
    house.store.refuses = ""
    assert await house.ended() == "rolled_back"


async def test_a_persons_accepted_rollback_reaches_the_target_with_the_journal_locked(
    house: Any,
) -> None:
    await house.to_canary(mode="recommend")
    await house.regress()
    item = await house.until(lambda: house.open_item("rollback"), "a recommendation")
    house.store.refuses = "disk full"
    said = await house.ask("accept", by="luis", item=item.id, id="yes")
    assert said.seq == 0
    assert "journal" in said.said
    assert house.governor.weight["shop"] == 0

    house.store.refuses = ""
    assert await house.ended() == "rolled_back"
    assert house.run.why == "rolled back by luis"
    again = await house.ask("accept", by="luis", item=item.id, id="yes")
    assert "ROLLING BACK" in again.said
    assert [e.op for e in house.of(ev.AuthorityChanged) if e.op != "adopted"] == ["rollback"]


async def test_it_is_journaled_also_if_the_backend_dies_before_the_journal_writes(
    house: Any,
) -> None:
    await house.to_canary(mode="recommend")
    await house.regress()
    item = await house.until(lambda: house.open_item("rollback"), "a recommendation")
    house.store.refuses = "disk full"
    await house.ask("accept", by="luis", item=item.id)
    await house.kill()
    house.store.refuses = ""
    await house.start()
    assert await house.ended() == "rolled_back"
    assert house.run.rollback_by == "luis"


async def test_nothing_is_raised_while_the_journal_cannot_write(house: Any) -> None:
    await house.to_canary()
    house.store.refuses = "disk full"
    for _ in range(3):
        await blind_look(house, "PASS", "none")
    await house.still()
    assert house.governor.raises == [("run-1.step0.1", 5)]
    assert "disk full" in house.live.trouble_of("1") or house.ledger.trouble == "disk full"
    refused = await house.ask("accept", item="x")
    assert refused.code in ("no_such_item", "journal")


async def test_an_approval_is_refused_while_it_cannot_be_recorded(house: Any) -> None:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    house.store.refuses = "disk full"
    refused = await house.ask("accept", item=item.id, id="yes")
    assert refused.code == "journal"
    house.store.refuses = ""
    assert (await house.ask("accept", item=item.id, id="yes")).seq > 0


async def test_in_recommendation_mode_a_locked_journal_gives_the_agent_no_write_path(
    house: Any,
) -> None:
    await house.to_canary(mode="recommend")
    house.store.refuses = "disk full"
    await blind_look(house, "REGRESS", "rollback")
    await house.still()
    assert house.governor.weight["shop"] == 5
    assert house.governor.state["shop"].agent_writes == 0


async def test_ahead_of_the_journal_the_budget_of_automatic_rollbacks_still_counts(
    house: Any,
) -> None:
    await house.to_canary()
    await house.regress()
    await house.ended()
    house.forge.head = "c2"
    await house.to_canary()
    house.store.refuses = "disk full"
    await blind_look(house, "REGRESS", "rollback")
    await house.still()
    assert house.governor.weight["shop"] == 5, "the second one is a person's to decide"


async def test_a_paused_service_is_not_rolled_back_by_the_agent_ahead_of_the_journal(
    house: Any,
) -> None:
    await house.to_canary()
    await house.governor.stop("shop", "pause", id="p", by="ana", reason="")
    await house.follower.read("shop")
    house.store.refuses = "disk full"
    await blind_look(house, "REGRESS", "rollback")
    assert house.governor.weight["shop"] == 5


async def test_a_rollback_overtakes_a_raise_that_hangs(house: Any) -> None:
    await house.to_canary()
    house.governor.hangs = asyncio.Event()
    await house.intend_step_1()
    await house.regress()
    assert await house.ended() == "rolled_back"
    house.governor.hangs.set()
    await house.still(0.05)
    assert house.governor.weight["shop"] == 0, "the raise does not come after all"
    assert [k for k, _ in house.governor.raises] == ["run-1.step0.1"]


async def test_a_raise_that_could_not_be_settled_is_not_sent_again_after_the_rollback(
    house: Any,
) -> None:
    await house.to_canary()
    house.governor.hangs = asyncio.Event()
    await house.intend_step_1()
    house.store.refuses = "database is locked"
    await blind_look(house, "REGRESS", "rollback")
    house.governor.hangs.set()
    await house.still(0.2)
    assert house.governor.weight["shop"] == 0
    house.store.refuses = ""
    assert await house.ended() == "rolled_back"
    assert house.governor.weight["shop"] == 0
