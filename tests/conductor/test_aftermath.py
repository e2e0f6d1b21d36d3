"""E13, S07, S09: a rollback is DONE when everything was seen to be as before, else RESIDUE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.conductor import aftermath
from hatchway.conductor.watch import CanaryWatch
from hatchway.core import events as ev
from hatchway.core import residue
from hatchway.core.plan import (
    Attests,
    EndpointSpec,
    MetricSpec,
    SeriesRef,
    ServiceSpec,
    TargetSpec,
)
from hatchway.edge.standing import residue_items, standing_doc
from hatchway.edge.views import run_doc
from hatchway.metrics.port import Page, Scrape

SERVICE = ServiceSpec(
    name="shop",
    repo="r",
    pipeline="p",
    target=TargetSpec("haproxy", "s"),
    endpoints=(EndpointSpec("app", stable=("s1", "s2"), canary=("c",)),),
    metrics=(
        MetricSpec(
            name="errors",
            label="errors",
            kind="gauge",
            source="app",
            total=SeriesRef("errors"),
            limit=20.0,
        ),
    ),
    scrape_s=0.01,
    attests=Attests("app"),
)
SYMPTOM = (ev.Symptom("errors", 1.0, 9.0),)


class World:
    """A house with a watch over it, and what its instances say."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.errors: float | None = 1.0  # of the old version, with all the traffic
        self.versions = {"s1": "1.4.0", "s2": "1.4.0", "c": "1.5.0"}
        self.silent: set[str] = set()  # instances that cannot be read
        self.watch: Any = None

    async def look(self, now: float) -> Scrape:
        await asyncio.sleep(0)
        pages = []
        for url, version in self.versions.items():
            arm = "canary" if url.startswith("c") else "stable"
            values: dict[Any, float] = {("build_info", (("version", version),)): 1.0}
            if self.errors is not None:
                values["errors", ()] = self.errors
            trouble = "scrape failed: refused" if url in self.silent else ""
            pages.append(Page("app", arm, url, {} if trouble else values, trouble=trouble))
        return Scrape(now, tuple(pages))

    async def close(self) -> None:
        pass

    async def rolled_back(self, by: str = "agent") -> Any:
        await self.house.to_canary()
        if by == "agent":
            await self.house.look("REGRESS", "rollback", symptoms=SYMPTOM)
        else:
            await self.house.ask("rollback", by)
        assert await self.house.ended() == "rolled_back"

    async def left(self) -> str:
        run = await self.house.until(lambda: self.house.run.residue, "residue")
        return "; ".join(run)

    async def done(self) -> None:
        await self.house.until(lambda: self.house.run.confirmed_at, "it is confirmed")


@pytest.fixture
async def world(
    house: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(residue, "SETTLING_S", 0.2)
    monkeypatch.setattr(aftermath, "SAY_AGAIN_S", 0.02)
    monkeypatch.setattr(aftermath, "FRESH_S", 1.0)
    made = World(house)
    # Whether instances attest is the installation's to say.
    house.desk._installation = msgspec.structs.replace(house.installation, services=(SERVICE,))
    watch = CanaryWatch(
        service=SERVICE, metrics=made, ledger=house.ledger, live=house.live, agent=house.agent,
        memory=tmp_path / "judge", clock=house.clock,
    )  # fmt: skip
    made.watch = watch
    task = asyncio.create_task(watch.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("by", ["agent", "ana"])
async def test_e13_done_is_said_when_weight_versions_inventory_and_symptom_were_seen(
    world: World, by: str
) -> None:
    await world.rolled_back(by)
    await world.done()
    (confirmed,) = world.house.of(ev.RollbackConfirmed)
    said = "; ".join(confirmed.seen)
    assert "weight 0 read back" in said
    assert "2 instances run 1.4.0" in said
    assert ("errors as before for 5 samples" in said) == (by == "agent")
    doc = standing_doc(world.house.ledger.state, "shop", world.house.clock())
    assert doc.rollback.startswith("DONE")
    assert not world.house.of(ev.ResidueFound)


def _route(world: World) -> None:
    world.house.governor.residue = ("the route /beta is new",)


def _weight(world: World) -> None:
    world.house.governor.weight["shop"] = 7


def _version(world: World) -> None:
    world.versions["s2"] = "1.3.9"


def _silent(world: World) -> None:
    world.silent.add("s2")


def _symptom(world: World) -> None:
    world.errors = 8.0


def _unknown(world: World) -> None:
    world.errors = None


WRONG = {
    _route: "the route /beta is new",
    _weight: "the canary has 7 % of the traffic",
    _version: "s2 runs 1.3.9, not 1.4.0",
    _silent: "s2 does not say which version it runs",
    _symptom: "errors is not as before",
    _unknown: "whether errors is as before is not known",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__)
async def test_e13_whatever_is_not_as_before_is_residue_until_it_is_clean(
    world: World, wrong: Any
) -> None:
    async def break_it() -> None:
        await world.house.until(lambda: world.house.run.outcome, "the run's end")
        wrong(world)

    breaking = asyncio.create_task(break_it())
    await world.rolled_back()
    await breaking
    assert WRONG[wrong] in await world.left()
    assert not world.house.run.confirmed_at
    state = world.house.ledger.state
    (item,) = residue_items(state)
    assert WRONG[wrong] in "; ".join(item.lines)
    authority = state.authority_of("shop")
    doc = run_doc(world.house.run, authority, world.house.live, world.house.clock())
    assert "RESIDUE" in doc.held
    assert "RESIDUE" in world.house.live.trouble["rollback of shop"].words, "it alarms"
    # Cleaned up, it is DONE by itself.
    world.house.governor.residue = ()
    world.house.governor.weight["shop"] = 0
    world.versions["s2"], world.errors = "1.4.0", 1.0
    world.silent.clear()
    await world.done()
    assert not residue_items(world.house.ledger.state)


async def test_s09_a_person_accepts_what_is_left_with_a_reason_and_nobody_without(
    world: World,
) -> None:
    world.house.governor.residue = ("two replicas are left",)
    await world.rolled_back()
    await world.left()
    bare = await world.house.ask("accept", item="run-1.residue", reason="")
    assert bare.code == "reason_missing"
    assert "--reason" in bare.todo
    no = await world.house.ask("reject", item="run-1.residue")
    assert no.code == "not_a_question"
    words = {"id": "yes", "reason": "they drain by midnight"}
    said = await world.house.ask("accept", item="run-1.residue", **words)
    assert said.seq > 0
    assert (await world.house.ask("accept", item="run-1.residue", **words)).seq == said.seq
    other = await world.house.ask("accept", item="run-1.proposal-9", **words)
    assert other.code == "id_reused", "a yes to one thing is no answer about another"
    (accepted,) = world.house.of(ev.ResidueAccepted)
    assert "two replicas are left" in accepted.left
    assert accepted.reason == "they drain by midnight"
    await world.house.until(lambda: "rollback of shop" not in world.house.live.trouble)
    again = await world.house.ask("accept", item="run-1.residue")
    assert again.code == "closed"


async def test_residue_never_holds_the_rollback_itself_up(world: World) -> None:
    world.house.governor.residue = ("anything",)
    await world.rolled_back()
    assert world.house.governor.weight["shop"] == 0
    assert world.house.run.outcome == "rolled_back"


async def test_a_restart_forgets_neither_residue_nor_that_nobody_looked_yet(world: World) -> None:
    world.house.governor.residue = ("a flag is on",)
    await world.rolled_back()
    await world.left()
    await world.house.again()
    assert "a flag is on" in world.house.run.residue
    assert world.house.run.unsettled


async def test_while_residue_stands_the_agent_only_recommends(world: World) -> None:
    world.house.governor.residue = ("a flag is on",)
    await world.rolled_back("ana")
    await world.left()
    world.house.forge.head = "c2"
    await world.house.ask("release")
    await world.house.release()
    assert world.house.run.mode == "recommend"


async def test_s07_a_rollback_that_makes_its_symptom_worse_opens_the_breaker_after_one_attempt(
    world: World,
) -> None:
    world.errors = 19.0  # more than the canary's 9
    await world.rolled_back()
    (opened,) = await world.house.until(lambda: world.house.of(ev.BreakerOpened))
    assert "errors is worse after the agent's rollback" in opened.why
    await world.house.still(0.2)
    assert len(world.house.of(ev.BreakerOpened)) == 1
    backs = [e for e in world.house.of(ev.EffectIntended) if e.weight == 0]
    assert len(backs) == 1
    doc = standing_doc(world.house.ledger.state, "shop", world.house.clock())
    assert "worse" in doc.breaker


async def test_a_persons_rollback_opens_no_breaker(world: World) -> None:
    world.errors = 19.0
    await world.house.to_canary(mode="recommend")
    await world.house.look("REGRESS", "rollback", symptoms=SYMPTOM)
    await world.house.accept("rollback")
    assert await world.house.ended() == "rolled_back"
    assert "errors" in await world.left()
    assert not world.house.of(ev.BreakerOpened)


async def test_s01_the_first_share_waits_until_every_instance_says_that_it_runs_the_version(
    world: World,
) -> None:
    world.versions["c2"] = "1.4.0"  # one of two was not deployed
    house = world.house
    await house.release()
    await house.accept()
    words = await house.until(lambda: house.live.trouble.get("versions of shop"), "it is said")
    assert "1 of 2 instances say that they run 1.5.0: c2 runs 1.4.0" in words.words
    await house.still(0.1)
    assert house.governor.raises == []
    world.versions["c2"] = "1.5.0"
    await house.until(lambda: house.run.step == 0, "the first share")
    (done,) = house.of(ev.FleetAttested)
    assert done.instances == 2


async def test_s01_with_one_instance_of_another_version_the_agent_does_not_go_back_by_itself(
    world: World,
) -> None:
    house = world.house
    await house.to_canary()
    world.versions |= {f"s{n}": "1.4.0" for n in range(3, 9)}
    world.versions["s7"] = "1.3.0"
    await house.until(lambda: len(house.live.fleet["shop"].stable) == 8)
    await house.look("REGRESS", "rollback", symptoms=SYMPTOM)
    await house.still()
    assert house.run.active
    assert house.run.weight == 5
    item = house.open_item("rollback")
    assert item.lines[0] == "going back: 1 of 8 instances do not run 1.4.0: s7 runs 1.3.0"
    world.versions["s7"] = "1.4.0"
    await house.until(lambda: all(i.version == "1.4.0" for i in house.live.fleet["shop"].stable))
    await house.look("REGRESS", "rollback", symptoms=SYMPTOM)
    assert await house.ended() == "rolled_back"


async def test_f24_a_third_version_mid_canary_is_held_named_and_gets_no_credit_for_the_second(
    world: World,
) -> None:
    house = world.house
    await house.to_canary()
    await house.until(lambda: world.watch._judge.step_s > 0.05, "evidence of 1.5.0")
    gathered = world.watch._judge.step_s
    world.versions["c"] = "1.6.0"
    await house.until(lambda: house.of(ev.TargetChanged), "it is seen")
    assert world.watch._judge.step_s < gathered, "what was gathered was about another version"
    (changed,) = house.of(ev.TargetChanged)
    assert (changed.what, changed.wanted, changed.found) == ("version", "1.5.0", "1.6.0")
    await house.until(lambda: house.run.hold and house.run.hold.cause == "version", "it is held")
    await house.look("PASS")
    await house.still(0.1)
    assert house.run.step == 0
    world.versions["c"] = "1.5.0"
    await house.until(lambda: not house.run.hold or house.run.hold.cause != "version", "it is back")
    assert house.of(ev.TargetRestored)


async def test_f35_while_people_are_asked_to_approve_stable_is_watched_and_holds_the_first_share(
    world: World,
) -> None:
    house = world.house
    world.errors = 30.0
    await house.release()
    await house.until(lambda: house.open_item("open_release"), "people are asked")
    await house.until(lambda: house.run.hold, "it is held")
    assert house.run.hold.cause == "stable_unhealthy"
    assert "before the first share: errors beyond its limit" in house.run.hold.why
    await house.accept()
    await house.still(0.2)
    assert house.governor.raises == []
    world.errors = 1.0
    await house.until(lambda: house.run.step == 0, "the first share")
    assert house.run.hold is None


async def test_f35_after_100_percent_the_limits_still_speak_and_people_are_called_once(
    world: World,
) -> None:
    house = world.house
    await house.to_canary()
    await house.looking(lambda: not house.run.active)
    assert house.run.outcome == "promoted"
    await house.still(0.2)
    assert "shop after its release" not in house.live.trouble
    world.errors = 30.0
    (page,) = await house.until(
        lambda: [e for e in house.of(ev.ProposalMade) if e.proposal == "run-1.after"]
    )
    assert page.capability == "page"
    assert page.headline.startswith("after 100 %: errors beyond its limit")
    await house.until(lambda: "shop after its release" in house.live.trouble, "it alarms")
    await house.still(0.2)
    assert len([e for e in house.of(ev.ProposalMade) if e.proposal == "run-1.after"]) == 1
    assert house.governor.weight["shop"] == 100, "nothing is rolled back on that by the agent"
    world.errors = 1.0
    await house.until(lambda: "shop after its release" not in house.live.trouble, "it is over")


async def test_f24_a_third_version_is_over_with_its_run_and_does_not_bar_the_next(
    world: World,
) -> None:
    house = world.house
    await house.to_canary()
    world.versions["c"] = "1.6.0"
    await house.until(lambda: house.run.hold and house.run.hold.cause == "version", "it is held")
    await house.ask("rollback")
    assert await house.ended() == "rolled_back"
    await house.ask("release")
    run = house.run
    lifted = ev.QuarantineLifted(service="shop", commit=run.commit, by="ana", reason="redeployed")
    await house.ledger.record(lambda _: (lifted,), actor="ana")
    world.versions["c"] = "1.5.0"
    await house.release()
    assert house.run.id != run.id
    await house.accept()
    await house.until(lambda: house.run.step == 0, "the first share of the next run")
