"""People's yes over the real desk: what it depends on is looked at, and two people are in order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from hatchway.core import events as ev
from hatchway.core import residue
from hatchway.core.plan import CommandStage, JobPlan
from hatchway.core.policy import DataAgeBelow, Rule
from hatchway.edge.door import DrillReport, Guard, StartRequest
from hatchway.edge.health import Health
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Ack, Command
from hatchway.forge.port import ForgeError


def stricter(policy: Any) -> Any:
    """The same policy with another age of the data."""
    prod = policy.environments["prod"]
    promote = Rule("auto", (DataAgeBelow(60.0),))
    prod = msgspec.structs.replace(prod, capabilities={**prod.capabilities, "promote": promote})
    return msgspec.structs.replace(policy, environments={"prod": prod}, digest="policy-2")


async def tagged(house: Any) -> None:
    """A run that was asked for by the tag v1.5.0, which is c1."""
    house.tags = {"v1.5.0": "c1"}
    plain = house.forge.resolve

    async def resolve(ref: str) -> str:
        name = ref.removeprefix("refs/tags/")
        if ref.startswith("refs/tags/") and name not in house.tags:
            raise ForgeError(f"no {ref}")
        return house.tags.get(name) or await plain(ref)

    house.forge.resolve = resolve
    request = StartRequest(id="start", service="shop", commit="v1.5.0", mode="act")
    assert isinstance(await house.desk.start(request, Identity("rita", uid=1)), Ack)


async def test_s31_a_tag_that_was_moved_is_noticed_before_a_yes_is_taken(house: Any) -> None:
    await tagged(house)
    item = await house.until(house.open_item, "an approval")
    house.tags["v1.5.0"] = "c2"
    refused = await house.ask("accept", item=item.id)
    assert refused.code == "changed"
    assert "v1.5.0 was moved since this was asked" in refused.why
    again = await house.until(lambda: (i := house.open_item()) and i.id != item.id and i, "again")
    assert "c1 -> c2; this run ships c1" in again.lines[0]
    assert (await house.ask("accept", item=again.id)).seq
    await house.until(lambda: house.run.step == 0, "the first share, of the commit it was for")


async def test_a_repository_that_does_not_answer_takes_no_yes(house: Any) -> None:
    await tagged(house)
    item = await house.until(house.open_item, "an approval")
    house.tags.clear()
    refused = await house.ask("accept", item=item.id)
    assert refused.code == "unknown"
    assert house.run.items[item.id].status == "open"


async def test_s31_another_policy_in_force_voids_a_yes_and_shows_the_rule(house: Any) -> None:
    house.runner.waits["start"] = asyncio.Event()  # the canary is not up yet
    await house.release()
    await house.accept()
    await house.until(lambda: "run-1.canary.start.1" in house.runner.started, "the deployment")
    house.in_force.policy = stricter(house.policy)
    await house.until(lambda: house.of(ev.ApprovalVoided), "the end of the yes")
    house.runner.waits["start"].set()
    item = await house.until(house.open_item, "the question again")
    assert "promote.when.data_age_below nothing -> 60s" in item.lines[0] or (
        "10s -> 60s" in item.lines[0]
    )
    assert house.governor.raises == []
    await house.ask("accept", by="luis", item=item.id)
    await house.until(lambda: house.run.step == 0, "the first share")


async def test_a_built_file_is_what_a_yes_is_for(house: Any, tmp_path: Path) -> None:
    plan = house.plans["shop"]
    build = CommandStage("build", "build", ((JobPlan("make", "x"),),), 60.0, "shop.tar")
    stages = (plan.stages[0], build, *plan.stages[1:])
    house.plans["shop"] = msgspec.structs.replace(plan, stages=stages)
    (tmp_path / "shop.tar").write_text("one")

    async def checkout(commit: str) -> Path:
        return tmp_path

    house.forge.checkout = checkout
    await house.release()
    item = await house.until(house.open_item, "an approval")
    assert item.binding["artifact"].startswith("sha256:7692c3ad")
    (tmp_path / "shop.tar").write_text("sha256:" + "b" * 64 + "\n")
    refused = await house.ask("accept", item=item.id)
    assert refused.code == "changed"
    assert "artifact changed" in refused.why
    assert "sha256:bbbbbbbbb" in refused.why


async def test_a_build_that_makes_nothing_ends_before_anybody_is_asked(
    house: Any, tmp_path: Path
) -> None:
    plan = house.plans["shop"]
    build = CommandStage("build", "build", ((JobPlan("make", "x"),),), 60.0, "../shop.tar")
    stages = (plan.stages[0], build, *plan.stages[1:])
    house.plans["shop"] = msgspec.structs.replace(plan, stages=stages)

    async def checkout(commit: str) -> Path:
        return tmp_path

    house.forge.checkout = checkout
    await house.release()
    assert await house.ended() == "failed"
    assert "not in the checkout" in house.run.why


async def test_s33_the_author_and_the_requester_are_refused_and_it_is_journaled_why(
    house: Any,
) -> None:
    await house.release(by="rita")
    item = await house.until(house.open_item, "an approval")
    assert (await house.ask("accept", by="Wren", item=item.id)).code == "own_work"
    assert (await house.ask("accept", by="rita", item=item.id)).code == "own_request"
    refusals = house.of(ev.CommandRefused)
    assert [(r.by, r.code, r.how) for r in refusals] == [
        ("Wren", "own_work", "uid 1"),
        ("rita", "own_request", "uid 1"),
    ]
    assert (await house.ask("accept", by="ana", item=item.id)).seq
    assert house.of(ev.ItemClosed)[-1].how == "uid 1"


async def test_f13_a_yes_and_a_no_at_once_have_an_order_and_both_people_are_told(
    house: Any,
) -> None:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    yes, no = await asyncio.gather(
        house.ask("accept", by="ana", item=item.id, id="yes"),
        house.ask("reject", by="luis", item=item.id, id="no"),
    )
    won, lost = (yes, no) if isinstance(yes, Ack) else (no, yes)
    assert isinstance(won, Ack)
    assert lost.code == "closed"
    assert f"{'accepted by ana' if won is yes else 'rejected by luis'}" in lost.why
    assert len(house.of(ev.ItemClosed)) == 1
    # asked again, each hears the same, also after a restart
    await house.again()
    assert await house.ask("accept", by="ana", item=item.id, id="yes") == yes
    assert await house.ask("reject", by="luis", item=item.id, id="no") == no


async def test_f13_opposite_orders_at_once_are_in_the_governors_order_for_everybody(
    house: Any,
) -> None:
    await house.to_canary()
    await house.ask("pause", by="ana")
    back, over = await asyncio.gather(
        house.ask("release", by="ana", id="back"), house.ask("takeover", by="luis", id="over")
    )
    assert isinstance(over, Ack), "a stop is never the one that loses"
    order = [e for e in house.of(ev.AuthorityChanged) if e.command in ("back", "over")]
    assert [e.epoch for e in order] == sorted({e.epoch for e in order})
    last = order[-1]
    assert house.ledger.state.authority_of("shop").holder == last.holder
    for answer, id in ((back, "back"), (over, "over")):
        mine = [e for e in order if e.command == id]
        assert isinstance(answer, Ack) == bool(mine)
        assert isinstance(answer, Ack) or answer.why


async def test_the_same_id_for_another_item_or_service_is_refused(houses: Any) -> None:
    house = await houses("shop", "till").start()
    await house.release("shop")
    item = await house.until(house.open_item, "an approval")
    assert (await house.ask("accept", item=item.id, id="one")).seq
    assert (await house.ask("accept", item=item.id, id="one")).seq
    other = await house.ask("accept", item="run-9.approval.1", id="one")
    assert other.code == "id_reused"
    nothing = await house.ask("accept", item="nothing", id="two")
    assert nothing.code == "no_such_item"
    assert (await house.ask("accept", item=item.id, id="two")).code == "id_reused"
    start = StartRequest(id="three", service="till", commit="c1")
    first = await house.desk.start(start, Identity("rita"))
    assert isinstance(first, Ack)
    assert await house.desk.start(start, Identity("rita")) == first
    another = msgspec.structs.replace(start, commit="c0")
    assert (await house.desk.start(another, Identity("rita"))).code == "id_reused"
    assert (await house.ask("pause", id="one", service="till")).said.startswith("PAUSED")
    assert (await house.ask("pause", id="one", service="shop")).said.startswith("PAUSED")
    assert {s.mode for s in house.governor.state.values()} == {"paused"}


async def test_two_commands_of_one_id_at_once_are_not_taken_for_each_other(house: Any) -> None:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    first, second = await asyncio.gather(
        house.ask("accept", item=item.id, id="same"), house.ask("accept", item="else", id="same")
    )
    assert isinstance(first, Ack)
    assert second.code in ("id_reused", "no_such_item")


async def test_a_token_for_one_service_moves_no_other(houses: Any) -> None:
    house = await houses("shop", "till").start()
    await house.release("till")
    item = await house.until(house.open_item, "an approval")
    mine = Identity("ci", roles=("operator", "approver"), services=("shop",))
    for kind, more in (
        ("pause", {"service": "till"}),
        ("release", {"service": "till"}),
        ("accept", {"item": item.id}),
        ("reject", {"item": item.id}),
        ("challenge", {"item": item.id}),
        ("review", {"item": house.run.id}),
        ("accept", {"item": residue.item_of(house.run)}),
    ):
        id = f"{kind} {more}"
        answer = await house.desk.command(Command(id=id, kind=kind, reason="x", **more), mine)
        assert getattr(answer, "code", "done") == "not_allowed", id
        assert "good for shop, not for till" in answer.why
    start = StartRequest(id="s", service="till")
    assert (await house.desk.start(start, mine)).code == "not_allowed"
    report = DrillReport(id="d", evidence="{}")
    assert (await house.desk.drill(report, mine)).code == "not_allowed", "it is of all services"
    pause = Command(id="p", kind="pause", service="shop")
    assert isinstance(await house.desk.command(pause, mine), Ack)


async def test_who_was_turned_away_at_the_door_is_journaled_once_a_while_and_stops_nobody_else(
    house: Any,
) -> None:
    await house.to_canary()
    bot = Identity("bot", -1, ("agent", "operator"), how="token bot")
    may = Identity("ana", 1, ("operator",))
    async with asyncio.TaskGroup() as tasks:
        guard = Guard(house.desk, Health(), tasks, note=house.desk.note)
        for _ in range(5):
            refused = await guard.answer(Command(id="one", kind="release", reason="x"), bot)
            assert refused.code == "not_allowed"
        await guard.answer(Command(id="two", kind="accept", item="x" * 5000), bot)
        done = await guard.answer(Command(id="one", kind="pause", service="shop"), may)
        assert isinstance(done, Ack), "an id that somebody was refused under is free"
    noted = house.of(ev.CommandRefused)
    assert [(e.by, e.what.split()[0], e.how) for e in noted] == [
        ("bot", "release", "token bot"),
        ("bot", "accept", "token bot"),
    ]
    assert all("only people can" in e.why and len(e.what) < 200 for e in noted)
