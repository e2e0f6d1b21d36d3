"""Read-only is a rule of the server's: a client that lies about it only ever gets to ask."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.edge import protocol

EVERYTHING = tuple(kind for kind in protocol.CommandKind.__args__ if kind not in ("ask", "review"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("everyone", "subscribe"),
    [(("viewer",), {"read_only": False}), (("operator", "approver"), {"read_only": True})],
    ids=["a viewer whose client says that it may act", "an operator who looks on"],
)
async def test_a_client_that_lies_may_ask_and_nothing_else(
    open_edge: Any, everyone: tuple[str, ...], subscribe: dict[str, bool]
) -> None:
    async with open_edge(everyone=everyone) as edge, edge.dashboard(**subscribe) as dashboard:
        assert dashboard.hello is not None
        you = dashboard.hello.you
        assert you.can == ()
        assert "ask" in you.also
        for kind in EVERYTHING:
            item = "pause.ask-1" if kind in ("accept", "reject") else ""
            answer = await dashboard.ask(kind, kind, service="shop", item=item)
            assert isinstance(answer, protocol.Refused), kind
            assert answer.code == "not_allowed", kind
            assert answer.why, kind
        answer = await dashboard.ask("a", "ask", service="shop", item="pause", reason="it burns")
        assert isinstance(answer, protocol.Ack)
        ((asked, who),) = edge.door.asked
        assert (asked.kind, asked.item, asked.reason) == ("ask", "pause", "it burns")
        assert who.read_only == subscribe["read_only"]


async def test_whoever_has_no_role_may_not_even_ask_and_is_told_why(open_edge: Any) -> None:
    async with open_edge(everyone=()) as edge, edge.dashboard() as dashboard:
        answer = await dashboard.ask("a", "ask", service="shop", item="pause")
        assert answer.code == "not_allowed"
        assert (
            answer.why
            == "people without a role cannot page anybody from here; call oncall yourself"
        )
        assert edge.door.asked == []


async def test_who_may_stop_may_answer_an_ask_without_being_an_approver(open_edge: Any) -> None:
    async with open_edge(everyone=("operator",)) as edge, edge.dashboard() as dashboard:
        yes = await dashboard.ask("1", "accept", item="pause.ask-7")
        assert isinstance(yes, protocol.Ack)
        for item in ("run-1.approval.0", "pause.ask-7x", "approve.ask-7"):
            assert (await dashboard.ask(item, "accept", item=item)).code == "not_allowed"
