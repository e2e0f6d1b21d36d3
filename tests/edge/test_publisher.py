"""No fault in one document blinds a dashboard, and health tells what is wrong."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.plan import (
    CanaryStage,
    Installation,
    PipelinePlan,
    ReleaseStage,
    ServiceSpec,
    TargetSpec,
)
from hatchway.edge import documents, views
from hatchway.edge import publisher as publisher_module
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.publisher import Publisher
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Unwritable
from hatchway.targets.port import Standing


class Shown:
    """A publisher over a journal in memory."""

    def __init__(self, *services: str) -> None:
        self.store = MemoryStore()
        self.hub, self.live, self.health = Hub("boot"), Live(), Health()
        self.ledger = Ledger(MemoryJournal(self.store), lambda: None)
        self.ledger.appended = self.health.appended
        target = TargetSpec("haproxy", "s")
        specs = tuple(ServiceSpec(name, "r", "p", target, (), ()) for name in services)
        installation = Installation("prod", "test", specs)
        self.publisher = Publisher(
            self.hub, self.ledger, self.live, installation, time.time, self.health
        )

    async def tell(self, *events: ev.Event) -> None:
        for event in events:
            await self.ledger.record(lambda s, e=event: (e,), actor="ana")  # type: ignore[misc]
        self.publisher.refresh()

    async def run(self, id: str = "1", service: str = "shop") -> None:
        given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
        plan = PipelinePlan("p", service, "prod", (ReleaseStage("r"), CanaryStage("c", (), ())))
        await self.tell(
            ev.RunStarted(
                run=id,
                service=service,
                environment="prod",
                mode="act",
                pace=1.0,
                plan=plan,
                policy_digest="",
                **given,
            )
        )

    def docs(self) -> dict[str, Any]:
        return {key: msgspec.json.decode(raw) for key, raw in self.hub.documents().items()}


@pytest.fixture
async def shown() -> Shown:
    return Shown("shop")


async def test_what_happens_is_published(shown: Shown) -> None:
    await shown.run()
    docs = shown.docs()
    names = {"authority/shop", "standing/shop", "needs-you", "system", "run/1", "audit/tail"}
    assert set(docs) == names
    assert docs["system"]["journal_seq"] == 1
    assert docs["audit/tail"]["lines"][0]["seq"] == 1


async def test_a_document_that_cannot_be_made_takes_no_other_along(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("no such stage")

    for name in ("run_doc", "authority_doc"):
        monkeypatch.setattr(views, name, broken)
    monkeypatch.setattr(documents, "needs_now", broken)
    await shown.run()
    docs = shown.docs()
    assert "system" in docs
    assert "cannot be shown" in docs["run/1"]["held"]
    assert docs["run/1"]["status"] == "held"
    well, words = shown.health.report()
    assert not well
    assert "run/1: cannot be shown" in words
    monkeypatch.undo()
    shown.publisher.refresh()
    assert shown.docs()["run/1"]["held"] == ""
    assert shown.health.report() == (True, "ok\n")


async def test_an_event_that_cannot_be_worded_is_still_in_the_audit_tail(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("no words")

    monkeypatch.setattr(publisher_module, "line_of", broken)
    await shown.run()
    assert "no words" in shown.docs()["audit/tail"]["lines"][0]["text"]


async def test_a_run_of_a_service_that_is_gone_from_the_configuration_is_shown(
    shown: Shown,
) -> None:
    await shown.run(service="retired")
    shown.live.watch("1")
    shown.publisher.refresh()
    assert shown.docs()["run/1"]["service"] == "retired"


async def test_the_ticker_goes_on_after_a_fault(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "TICK_S", 0.005)
    await shown.run()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(views, "run_doc", broken)
    task = asyncio.create_task(shown.publisher.tick())
    async with asyncio.timeout(10):
        while "cannot be shown" not in str(shown.docs().get("run/1")):
            await asyncio.sleep(0.005)
        monkeypatch.undo()
        while "cannot be shown" in str(shown.docs()["run/1"]):
            await asyncio.sleep(0.005)
    assert not task.done()
    task.cancel()


async def test_only_the_newest_run_of_a_service_is_shown(shown: Shown) -> None:
    await shown.run("1")
    shown.live.say("1", "lint", "hello")
    shown.publisher.refresh()
    assert "log/1" in shown.docs()
    await shown.tell(ev.RunEnded(run="1", outcome="failed", why=""))
    await shown.run("2")
    assert [key for key in shown.docs() if "/1" in key or "/2" in key] == ["run/2"]


async def test_health_says_what_is_wrong_with_the_journal_and_the_governor(shown: Shown) -> None:
    await shown.run()
    standing = Standing("shop", 1, "agent", "", 0, 0, None, "", "", 0, 0)
    shown.live.standing["shop"] = standing, 1234.5
    shown.publisher.refresh()
    assert shown.health.report() == (True, "ok\n")
    assert (shown.health.journal_seq, shown.health.governor_at) == (1, 1234.5)
    text = shown.health.render().decode()
    assert "hatchway_journal_seq 1.0" in text
    assert "hatchway_journal_append_seconds_count 1.0" in text

    shown.store.refuses = "disk full"
    with pytest.raises(Unwritable):
        await shown.run("2")
    shown.live.governor_trouble = "it is away"
    shown.live.tell("brain", "rules-1: no answer")
    shown.publisher.refresh()
    _, words = shown.health.report()
    assert words == "journal: disk full\ngovernor: it is away\nbrain: rules-1: no answer\n"
    assert shown.docs()["system"]["journal_trouble"] == "disk full"
    assert shown.docs()["system"]["governor_trouble"] == "it is away"


async def test_an_event_about_one_service_has_only_its_documents_made_again() -> None:
    shown = Shown(*(f"s{index}" for index in range(20)))
    for index in range(20):
        await shown.run(str(index), f"s{index}")
        await shown.tell(ev.RunEnded(run=str(index), outcome="failed", why="x"))
    publisher = shown.publisher
    before = documents.sources(publisher._moment())
    assert documents.moved(before, documents.sources(publisher._moment())) == frozenset()
    await shown.run("new", "s7")
    moment = publisher._moment()
    only = documents.moved(before, documents.sources(moment))
    assert only == {"s7"}
    keys = [key for key, _ in documents.documents(moment, only)]
    assert [key for key in keys if "/s" in key] == ["authority/s7", "standing/s7"]
    assert [key for key in keys if key.startswith("run/")] == ["run/new"]


async def test_a_stop_of_every_service_is_shown_of_each_without_waiting_for_the_tick() -> None:
    names = [f"s{index}" for index in range(50)]
    shown = Shown(*names)
    shown.publisher.refresh()
    for name in names:
        standing = Standing(name, 3, "paused", "ana", 1, 0, None, "", "", 0, 0)
        shown.live.standing[name] = (standing, 5.0)
        shown.live.changed()
    await asyncio.sleep(0.1)  # the moment in which changes are put together is 20 ms
    docs = shown.docs()
    assert {docs[f"authority/{name}"]["mode"] for name in names} == {"paused"}


async def test_what_a_run_is_said_to_be_is_the_same_made_at_once_or_at_the_tick(
    shown: Shown,
) -> None:
    await shown.run()
    shown.publisher._refresh_moved()
    at_once = shown.docs()
    shown.publisher.refresh()
    assert {key: doc for key, doc in shown.docs().items() if key != "system"} == {
        key: doc for key, doc in at_once.items() if key != "system"
    }


async def test_row_two_has_who_is_on_call_the_freeze_and_an_open_hand_over(shown: Shown) -> None:
    await shown.tell()
    system = shown.docs()["system"]
    assert (system["duty"], system["freeze"], system["handover"]) == ("", "", "")
    shown.publisher.on_duty = lambda: "ana till 06:00Z"
    await shown.tell(
        ev.FreezeChanged(environment="prod", stands="closed", freeze="weekend", why="w"),
        ev.HandedOver(handover="handover-2", by="ana", fields=(), digest="d", to=("luis",)),
        ev.OncallAsked(ask="ask-3", op="pause", service="shop", by="mia", reason="it burns"),
    )
    docs = shown.docs()
    assert docs["system"]["duty"] == "ana till 06:00Z"
    assert docs["system"]["freeze"] == "IN FORCE: weekend"
    assert docs["system"]["handover"] == "hand-over to luis not acknowledged: still ana's duty"
    assert [item["kind"] for item in docs["needs-you"]["items"]] == ["ask", "handover"]
    assert docs["asks"]["asks"][0]["became"] == "waits for an answer"


async def test_the_governors_word_read_again_is_no_new_document_each_second() -> None:
    shown = Shown("shop")
    sent = 0
    for second in range(20):
        standing = Standing("shop", 3, "agent", "", 1, 0, None, "", "", 0, 0)
        shown.live.standing["shop"] = (standing, 1000.0 + second)
        shown.publisher.refresh()
        rev = shown.hub.rev
        shown.publisher.refresh()
        assert shown.hub.rev == rev
        sent += int(shown.docs()["authority/shop"]["read_at"] == 1000.0 + second)
    assert sent <= 4
