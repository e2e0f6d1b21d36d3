"""Those who may not stop ask those who may: a yes is the stop itself, a no is told, none is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.edge.door import Guard
from hatchway.edge.health import Health
from hatchway.edge.identity import Identity
from hatchway.edge.oncall_items import asks_doc, needs_now
from hatchway.edge.protocol import Ack, Command, Refused

LUIS = Identity("luis", 1001, ("viewer",))
ANA = Identity("ana", 1000, ("operator",))


class People:
    """Sends commands through the guard, as every socket does."""

    def __init__(self, house: Any, guard: Guard) -> None:
        self.house, self.guard, self.count = house, guard, 0

    async def __call__(self, who: Identity, kind: str, **more: Any) -> Any:
        self.count += 1
        command = Command(more.pop("id", f"p-{self.count}"), kind, **more)  # type: ignore[arg-type]
        return await self.guard.answer(command, who)

    async def ask(self, op: str = "pause", who: Identity = LUIS, **more: Any) -> Any:
        return await self(who, "ask", service="shop", item=op, reason="it burns", **more)

    @property
    def items(self) -> tuple[Any, ...]:
        needs = needs_now(self.house.ledger.state, self.house.clock())
        return tuple(i for i in needs.items if i.kind == "ask")

    @property
    def became(self) -> str:
        return asks_doc(self.house.ledger.state, self.house.clock()).asks[-1].became


@pytest.fixture
async def people(house: Any) -> Any:
    await house.to_canary()
    async with asyncio.TaskGroup() as tasks:
        guard = Guard(house.desk, Health(), tasks, note=house.desk.note)
        yield People(house, guard)


async def test_a_yes_to_an_ask_is_the_stop_itself_and_the_asker_sees_by_whom(
    house: Any, people: People
) -> None:
    asked = await people.ask()
    assert isinstance(asked, Ack)
    assert asked.said == "asked oncall to PAUSE shop"
    (item,) = people.items
    assert item.title == "luis (viewer) asks you to PAUSE shop"
    assert item.lines[0] == "luis: it burns"
    assert item.requires == "pause"
    said = await people(ANA, "accept", item=item.id)
    assert said.said == "PAUSED by ana"
    assert house.governor.state["shop"].mode == "paused"
    assert house.of(ev.AuthorityChanged)[-1].reason == "asked by luis: it burns"
    assert people.became.startswith("ana paused ")
    assert people.items == ()


@pytest.mark.parametrize(("op", "mode"), [("takeover", "person"), ("rollback", "paused")])
async def test_taking_over_and_rolling_back_are_asked_for_in_the_same_way(
    house: Any, people: People, op: str, mode: str
) -> None:
    await people.ask(op)
    assert isinstance(await people(ANA, "accept", item=people.items[0].id), Ack)
    assert house.governor.state["shop"].mode == mode
    assert people.items == ()


async def test_who_may_not_stop_stops_nothing_by_answering_their_own_ask(
    house: Any, people: People
) -> None:
    await people.ask()
    (item,) = people.items
    epoch = house.governor.state["shop"].epoch
    for who in (LUIS, msgspec.structs.replace(ANA, read_only=True), Identity("x", 1, ("auditor",))):
        for kind in ("accept", "reject"):
            said = await people(who, kind, item=item.id)
            assert isinstance(said, Refused)
            assert said.code == "not_allowed"
    forged = item.id.replace("pause.", "rollback.")
    assert (await people(ANA, "accept", item=forged)).code == "no_such_item"
    assert house.governor.state["shop"].epoch == epoch
    assert len(people.items) == 1


async def test_the_same_ask_again_within_a_minute_is_answered_and_is_not_an_error(
    house: Any, people: People
) -> None:
    first = await people.ask()
    again = await people.ask()
    assert isinstance(again, Ack)
    assert again.said == f"already asked, #{first.seq}; waits for an answer"
    assert len(house.of(ev.OncallAsked)) == 1
    await people(ANA, "pause", service="shop")
    assert "ana paused" in (await people.ask()).said or "PAUSED by ana" in (await people.ask()).said


async def test_what_is_so_already_is_said_and_wakes_nobody(house: Any, people: People) -> None:
    await people(ANA, "pause", service="shop")
    said = await people.ask()
    assert isinstance(said, Ack)
    assert said.said.startswith("shop is PAUSED by ana since ")
    assert said.said.endswith("nothing to ask for")
    assert house.of(ev.OncallAsked) == []


async def test_an_ask_outlives_the_backend_and_its_command_is_answered_once(
    house: Any, people: People
) -> None:
    first = await people.ask(id="one")
    await house.again()
    people.guard._door = house.desk
    assert await people.ask(id="one") == first
    (item,) = people.items
    yes = await people(ANA, "accept", item=item.id, id="yes")
    assert await people(ANA, "accept", item=item.id, id="yes") == yes
    assert [e.op for e in house.of(ev.AuthorityChanged)].count("pause") == 1


async def test_a_no_reaches_the_asker_with_its_reason(house: Any, people: People) -> None:
    await people.ask()
    assert isinstance(await people(ANA, "reject", item=people.items[0].id, reason="a test"), Ack)
    assert people.became.startswith("ana said no ")
    assert people.became.endswith(": a test")
    assert house.governor.state["shop"].mode == "agent"


async def test_an_ask_that_cannot_be_done_at_the_governor_stays_open(
    house: Any, people: People
) -> None:
    await people.ask()
    house.governor.silent = "the governor does not answer: time-out"
    said = await people(ANA, "accept", item=people.items[0].id)
    assert said.code == "governor"
    assert len(people.items) == 1


async def test_nobody_can_be_asked_for_anything_but_a_stop(house: Any, people: People) -> None:
    for op in ("release", "readmit", "stop_all", "", "pause; rm"):
        said = await people.ask(op)
        assert isinstance(said, Refused), op
        assert said.code == "bad_request"
    assert people.items == ()


async def test_an_agent_calls_nobody_in_this_way(people: People) -> None:
    said = await people.ask(who=Identity("bot", 1002, ("agent", "operator")))
    assert said.code == "not_allowed"
    assert "agents propose" in said.why
