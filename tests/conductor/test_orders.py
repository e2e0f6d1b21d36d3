"""Quarantine, expectations, breaker and residue, as people meet them at the desk."""

from __future__ import annotations

from typing import Any

from hatchway.core import events as ev
from hatchway.edge.door import OrderRequest
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Ack, Refused
from hatchway.edge.standing import standing_doc


async def order(house: Any, kind: str, id: str = "o1", by: str = "luis", **more: Any) -> Any:
    request = OrderRequest(id=id, kind=kind, **{"reason": "because", **more})  # type: ignore[arg-type]
    return await house.desk.order(request, Identity(by, uid=2))


async def test_s23_a_redeploy_of_what_ana_rolled_back_is_refused_until_luis_lifts_it(
    house: Any,
) -> None:
    await house.to_canary()
    await house.ask("rollback", "ana", reason="checkout is broken")
    assert await house.ended() == "rolled_back"
    refused = await house.release()
    assert isinstance(refused, Refused)
    assert refused.code == "quarantined"
    assert "rolled back by ana" in refused.why
    assert "quarantine lift" in refused.todo
    said = await order(house, "lift", item="c1")
    assert isinstance(said, Ack), said
    assert await order(house, "lift", item="c1") == said, "the same id has the same answer"
    (lifted,) = house.of(ev.QuarantineLifted)
    assert (lifted.by, lifted.reason) == ("luis", "because")
    assert isinstance(await house.release(), Ack)
    await house.again()
    assert not house.ledger.state.quarantine["shop"], "also after a restart"


async def test_the_quarantine_survives_a_restart_and_is_on_the_screen(house: Any) -> None:
    await house.to_canary()
    await house.regress()
    assert await house.ended() == "rolled_back"
    await house.again()
    assert (await house.release()).code == "quarantined"
    doc = standing_doc(house.ledger.state, "shop", house.clock())
    assert [q.commit for q in doc.quarantine] == ["c1"]
    assert "the agent has rolled back once" in doc.breaker
    assert doc.recommends


async def test_an_id_that_was_used_for_something_else_orders_nothing(house: Any) -> None:
    await house.ask("pause", id="mine")
    refused = await order(house, "close", id="mine")
    assert refused.code == "id_reused"


async def test_an_order_is_refused_while_it_cannot_be_recorded(house: Any) -> None:
    await house.to_canary()
    await house.regress()
    assert await house.ended() == "rolled_back"
    house.store.refuses = "disk full"
    refused = await order(house, "close")
    assert refused.code == "journal"
    house.store.refuses = ""
    assert isinstance(await order(house, "close"), Ack)
