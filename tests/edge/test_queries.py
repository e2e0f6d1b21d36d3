"""Queries: answered once by their id, never with what was not asked, and never a way to harm."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.edge import protocol
from hatchway.edge.queries.answer import NotKnown


class Word(msgspec.Struct):
    about: str


def _unknown(about: str) -> msgspec.Struct:
    raise NotKnown(f"there is no {about}")


def _broken(about: str) -> msgspec.Struct:
    raise ZeroDivisionError("1/0")


QUERIES = {"word": Word, "unknown": _unknown, "broken": _broken}


async def asked(dashboard: Any, kind: str) -> Any:
    await dashboard.say(protocol.Query("q1", kind, "shop"))
    await dashboard.until(lambda: "q1" in dashboard.answers)
    return dashboard.answers["q1"]


async def test_a_query_is_answered_with_what_it_asked_about(open_edge: Any) -> None:
    async with open_edge(queries=QUERIES) as edge, edge.dashboard(read_only=True) as dashboard:
        told = await asked(dashboard, "word")
        assert isinstance(told, protocol.Told)
        assert (told.kind, told.about) == ("word", "shop")
        assert msgspec.json.decode(told.doc) == {"about": "shop"}


@pytest.mark.parametrize(
    ("kind", "code", "why"),
    [
        ("unknown", "not_known", "there is no shop"),
        ("broken", "failed", "it cannot be shown: ZeroDivisionError: 1/0"),
        ("rm -rf", "unknown_query", "this backend does not know the query 'rm -rf'"),
    ],
)
async def test_a_query_without_an_answer_says_why_and_the_dashboard_lives_on(
    open_edge: Any, kind: str, code: str, why: str
) -> None:
    async with open_edge(queries=QUERIES) as edge, edge.dashboard() as dashboard:
        refused = await asked(dashboard, kind)
        assert (refused.code, refused.why) == (code, why)
        dashboard.answers.clear()
        assert isinstance(await asked(dashboard, "word"), protocol.Told)


async def test_a_flood_of_queries_is_refused_in_words_and_holds_up_no_stop(open_edge: Any) -> None:
    async with open_edge(queries=QUERIES) as edge, edge.dashboard() as dashboard:
        for n in range(60):
            await dashboard.say(protocol.Query(f"f{n}", "word", "shop"))
        assert isinstance(await dashboard.ask("stop", "pause", service="shop"), protocol.Ack)
        await dashboard.until(lambda: "f59" in dashboard.answers)
        codes = {getattr(a, "code", "told") for i, a in dashboard.answers.items() if i != "stop"}
        assert codes == {"told", "too_fast"}
