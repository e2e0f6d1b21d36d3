"""Who is told what and when: conditions once, authority at once, failures said and journaled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.core.state import State
from hatchway.notify import lanes
from hatchway.notify.dispatcher import Dispatcher, Route
from hatchway.notify.port import NotDelivered, Notice
from hatchway.notify.words import plain


class Ear:
    """A notifier that remembers; it can hang, fail, or fail at first."""

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.heard: list[Notice] = []
        self.fails = 0
        self.tries = 0
        self.hangs = False
        self.breaks = False

    async def deliver(self, notice: Notice) -> None:
        self.tries += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.breaks:
            raise ValueError("a mistake in the adapter")
        if self.fails > 0:
            self.fails -= 1
            raise NotDelivered("HTTP 500")
        self.heard.append(notice)

    def titles(self) -> list[str]:
        return [n.title for n in self.heard]


class House:
    """A dispatcher and what is around it."""

    def __init__(self, *routes: Route) -> None:
        self.seq = 0
        self.now = 1000.0
        self.journaled: list[Any] = []
        self.journal_trouble = False
        self.told: dict[str, str] = {}
        self.control: dict[str, tuple[int, str, str]] = {}
        self.dispatcher = Dispatcher(
            routes,
            record=self._record,
            tell=self.told.__setitem__,
            control=lambda: self.control,
            clock=lambda: self.now,
            environment="prod",
        )
        self.task: asyncio.Task[None] | None = None

    async def _record(self, event: Any) -> None:
        if self.journal_trouble:
            raise OSError("database is locked")
        self.journaled.append(event)
        self.happens(event)

    def happens(self, event: Any) -> None:
        self.seq += 1
        record = SimpleNamespace(seq=self.seq, at=self.now)
        self.dispatcher.take(record, event, State())

    async def start(self) -> None:
        self.task = asyncio.create_task(self.dispatcher.run())
        await asyncio.sleep(0)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    monkeypatch.setattr(lanes, "FIRST_PAUSE_S", 0.02)
    houses: list[House] = []

    async def make(*ears: Ear, start: bool = True, retry_for_s: float = 30.0) -> House:
        houses.append(House(*(Route(ear, retry_for_s=retry_for_s) for ear in ears)))
        if start:
            await houses[-1].start()
        return houses[-1]

    yield make
    for each in houses:
        await each.stop()


def authority(op: str = "pause", by: str = "ana", epoch: int = 2, **fields: Any) -> Any:
    mode = {"release": "agent", "takeover": "person"}.get(op, "paused")
    return ev.AuthorityChanged(
        service="shop", spool=epoch, op=op, command="c", by=by, reason="errors", epoch=epoch,
        mode=mode, holder=by, desired=5, direct=False, at=1.0, **fields,
    )  # fmt: skip


def held(cause: Any = "no_data") -> Any:
    return ev.RunHeld(run="4", cause=cause, why="no data")


def page(**fields: Any) -> Any:
    fields = {"answer": "auto", "headline": "look at this", **fields}
    return ev.ProposalMade(
        run="4", proposal="p", capability="page", step=0, epoch=1, brain="rules", confidence=1.0,
        evidence=(ev.Evidence("E1", "-", "5xx 9 %", "app", 1.0),), digest="d", rule="r", why="w",
        **fields,
    )  # fmt: skip


CHANGED = ev.TargetChanged(
    service="shop", what="weight", wanted="5 %", found="50 %", since=1.0, why="by hand"
)
RESTORED = ev.TargetRestored(service="shop", what="weight", seconds=4.0)
RESIDUE = ev.ResidueFound(run="4", left=("server c2 is new",))
ENDED = ev.RunEnded(run="4", outcome="rolled_back", why="5xx")


@pytest.mark.parametrize(
    ("event", "kind", "severity", "words"),
    [
        (authority(), "authority", "warning", "shop: PAUSED by ana"),
        (authority("takeover"), "authority", "warning", "TAKEN OVER by ana"),
        (authority("rollback"), "authority", "page", "ROLLING BACK"),
        (authority("stop_all"), "authority", "page", "STOP ALL by ana"),
        (authority("release"), "authority", "warning", "GIVEN BACK by ana"),
        (authority("readmit"), "authority", "warning", "AGENTS let in again"),
        (authority(by="dead-man"), "dead_man", "page", "PAUSED by dead-man"),
        (page(), "page", "page", "the agent calls people: look at this"),
        (held(), "held", "warning", "is held: no data"),
        (CHANGED, "unattributed_change", "page", "not by Hatchway"),
        (RESIDUE, "residue", "page", "not all is as it was"),
        (ENDED, "ended_badly", "page", "ended: rolled back"),
        (ev.BreakerOpened(service="shop", run="4", why="loop"), "breaker", "page", "only recommends"),
    ],
)  # fmt: skip
async def test_e11_what_people_must_know_is_told_within_a_second(
    house: Any, until: Any, event: Any, kind: str, severity: str, words: str
) -> None:
    ear = Ear()
    its = await house(ear)
    async with asyncio.timeout(1.0):
        its.happens(event)
        (notice,) = await until(lambda: ear.heard)
    assert (notice.kind, notice.severity, notice.environment) == (kind, severity, "prod")
    assert words in notice.title


async def test_a_page_says_whom_it_is_for(house: Any, until: Any) -> None:
    ear = Ear()
    its = await house(ear)
    its.dispatcher._on_call = lambda: ("ana",)
    its.happens(page())
    its.happens(CHANGED)
    its.happens(held())
    heard = await until(lambda: len(ear.heard) == 3 and ear.heard)
    assert {n.severity: n.on_call for n in heard} == {"page": ("ana",), "warning": ()}


async def test_a_refused_policy_is_told_and_that_it_is_right_again(house: Any, until: Any) -> None:
    ear = Ear()
    its = await house(ear)
    its.happens(
        ev.PolicyRefused(in_force="a", file="policy.yaml", line=3, column=1, why="unknown key")
    )
    its.happens(ev.PolicyChanged(digest="b", was="a", changes=("prod.mode: act",), by="ana"))
    bad, good = await until(lambda: len(ear.heard) == 2 and ear.heard)
    assert "policy.yaml:3: unknown key" in bad.title
    assert (bad.key, bad.state, good.key, good.state) == ("policy", "firing", "policy", "resolved")


async def test_what_is_no_news_outside_is_not_told(house: Any) -> None:
    ear = Ear()
    its = await house(ear)
    for event in (
        ev.RunEnded(run="4", outcome="promoted", why="all is well"),
        ev.RunResumed(run="4", why="data again"),
        page(answer="deny"),
        authority("adopted"),
        RESTORED,
        ev.Unknown("x"),
    ):
        its.happens(event)
    await asyncio.sleep(0.1)
    assert ear.heard == []


async def test_a_condition_is_one_notice_and_its_end_is_one(house: Any, until: Any) -> None:
    ear = Ear()
    its = await house(ear)
    for event in (CHANGED, CHANGED, CHANGED, RESTORED, RESTORED, CHANGED, RESTORED):
        its.happens(event)
    await until(lambda: len(ear.heard) == 4)
    assert [n.state for n in ear.heard] == ["firing", "resolved", "firing", "resolved"]
    assert len({n.key for n in ear.heard}) == 1
    assert len({n.id for n in ear.heard}) == 4


async def test_a_hold_for_another_reason_ends_the_first_and_the_runs_end_all(
    house: Any, until: Any
) -> None:
    ear = Ear()
    its = await house(ear)
    for event in (
        held(),
        held(),
        held("drift"),
        ev.RunEnded(run="4", outcome="rejected", why="no"),
    ):
        its.happens(event)
    await until(lambda: len(ear.heard) == 4)
    by_key: dict[str, list[str]] = {}
    for notice in ear.heard:
        by_key.setdefault(notice.key, []).append(notice.state)
    assert by_key == {
        "held/4/no_data": ["firing", "resolved"],
        "held/4/drift": ["firing", "resolved"],
    }


@pytest.mark.parametrize("illness", ["hangs", "breaks", "fails"])
async def test_a_sick_notifier_delays_nobody_else(house: Any, until: Any, illness: str) -> None:
    sick, well = Ear("sick"), Ear("well")
    setattr(sick, illness, 10**6 if illness == "fails" else True)
    its = await house(sick, well)
    async with asyncio.timeout(20.0):
        for epoch in range(2, 52):
            its.happens(authority(epoch=epoch))
        await until(lambda: len(well.heard) == 50)
    assert sick.heard == []


async def test_it_is_tried_again_and_told_once(house: Any, until: Any) -> None:
    ear = Ear()
    ear.fails = 3
    its = await house(ear)
    its.happens(page())
    await until(lambda: "HTTP 500; trying again" in its.told.get("notifier ear", ""))
    await until(lambda: ear.heard)
    assert (len(ear.heard), ear.tries) == (1, 4)
    await until(lambda: its.journaled)
    (sent,) = its.journaled
    assert isinstance(sent, ev.NoticeSent)
    assert (sent.via, sent.attempts, sent.notice) == ("ear", 4, ear.heard[0].id)
    assert its.told["notifier ear"] == "", "it works again"


async def test_after_its_time_the_failure_is_said_and_journaled(house: Any, until: Any) -> None:
    ear = Ear()
    ear.fails = 10**6
    its = await house(ear, retry_for_s=0.1)
    its.happens(held())
    await until(lambda: its.journaled)
    (failed,) = its.journaled
    assert isinstance(failed, ev.NoticeFailed)
    assert (failed.via, failed.why, failed.run) == ("ear", "HTTP 500", "4")
    assert "ear was not told" in its.told["notifier ear"]
    tries = ear.tries
    await asyncio.sleep(0.1)
    assert ear.tries == tries > 1


async def test_an_end_is_never_overtaken_by_its_beginning(house: Any, until: Any) -> None:
    ear = Ear()
    ear.fails = 1
    its = await house(ear)
    its.happens(CHANGED)
    await until(lambda: ear.tries == 1)
    its.happens(RESTORED)
    await until(lambda: len(its.journaled) == 2)
    assert [n.state for n in ear.heard] == ["resolved"]
    whys = [e.why for e in its.journaled if isinstance(e, ev.NoticeFailed)]
    assert whys == ["it was over before it could be told"]


async def test_a_full_queue_is_said_and_nothing_waits(house: Any, until: Any) -> None:
    ear = Ear()
    ear.hangs = True
    its = await house(ear)
    for epoch in range(2, 1500):
        its.happens(authority(epoch=epoch))
    await until(lambda: its.journaled)
    assert {e.why for e in its.journaled} == {"its queue is full"}


async def test_a_journal_that_cannot_write_keeps_no_notice_back(house: Any, until: Any) -> None:
    ear = Ear()
    its = await house(ear)
    its.journal_trouble = True
    its.happens(page())
    await until(lambda: ear.heard)
    its.journal_trouble = False
    await until(lambda: its.journaled)


async def test_e11_who_is_in_control_is_told_also_while_nothing_is_journaled(
    house: Any, until: Any
) -> None:
    ear = Ear()
    its = await house(ear)
    its.happens(authority(epoch=2))
    its.control["shop"] = (2, "paused", "ana")
    await until(lambda: ear.heard)
    its.control["shop"] = (3, "person", "luis")
    async with asyncio.timeout(1.0):
        await until(lambda: len(ear.heard) == 2)
    assert ear.heard[1].title == "shop: PERSON by luis; the journal has not taken it yet"
    its.happens(authority("takeover", by="luis", epoch=3))  # at last
    await asyncio.sleep(0.2)
    assert len(ear.heard) == 2, "it was told"
    its.happens(authority("release", epoch=4))
    await until(lambda: len(ear.heard) == 3)


async def test_a_governor_that_lost_its_disk_is_heard_again(house: Any, until: Any) -> None:
    ear = Ear()
    its = await house(ear)
    its.happens(authority(epoch=9))
    its.happens(authority("adopted", epoch=1))
    its.happens(authority(epoch=2))
    await until(lambda: len(ear.heard) == 2)


async def test_a_page_that_a_killed_backend_owed_is_sent_and_no_other_again(
    house: Any, until: Any
) -> None:
    ear = Ear()
    its = await house(ear, start=False, retry_for_s=600.0)
    its.now = 100.0
    its.happens(page(headline="long ago"))
    its.now = 1000.0
    its.happens(page(headline="was sent"))
    its.happens(ev.NoticeSent(notice="2.0", via="ear", about="a", attempts=1))
    its.happens(page(headline="was owed"))
    its.happens(held())
    await its.start()
    await until(lambda: ear.heard)
    await asyncio.sleep(0.1)
    assert [t.rpartition(": ")[2] for t in ear.titles()] == ["was owed"]
    its.happens(ev.RunResumed(run="4", why="data"))
    await until(lambda: len(ear.heard) == 2)
    assert ear.heard[1].state == "resolved", "what began before is known to end"


async def test_only_what_it_is_for_is_told(house: Any, until: Any) -> None:
    pager, log = Ear("pager"), Ear("log")
    its = House(Route(pager, ("page",)), Route(log, ("warning",)))
    await its.start()
    its.happens(authority())
    its.happens(page())
    await until(lambda: pager.heard and log.heard)
    await its.stop()
    assert ([n.kind for n in pager.heard], [n.kind for n in log.heard]) == (["page"], ["authority"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("a\u202eb\u200bc", "a\\u202eb\\u200bc"),
        ("\ud800", "\\ud800"),
        ("[red]é 中", "[red]é 中"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_text_from_outside_has_no_control_over_whoever_reads_it(text: str, shown: str) -> None:
    assert plain(text, 100) == shown
    assert len(plain(text * 100, 50)) <= 50
