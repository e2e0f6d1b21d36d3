"""S19: a declared rise within its bound calls for nothing; beyond it, the normal rule applies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.conductor.expecting import expected
from hatchway.conductor.watch import CanaryWatch
from hatchway.core import events as ev
from hatchway.core.expectations import Expectation
from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.core.state import State
from hatchway.edge.door import OrderRequest
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Ack
from hatchway.metrics.levels import Level
from hatchway.metrics.port import Page, Scrape

LOGS = MetricSpec(
    name="logs", label="log lines", kind="gauge", source="app", total=SeriesRef("logs"), limit=100.0
)
ERRORS = MetricSpec(
    name="errors", label="errors", kind="gauge", source="app", total=SeriesRef("errors"),
    limit=10.0, protected=True,
)  # fmt: skip
SERVICE = ServiceSpec(
    name="shop", repo="r", pipeline="p", target=TargetSpec("haproxy", "s"),
    endpoints=(EndpointSpec("app", stable=("s",), canary=("c",)),), metrics=(LOGS, ERRORS),
    scrape_s=0.01,
)  # fmt: skip


class World:
    """What both arms show; the canary is the one that differs."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.logs = 50.0
        self.errors = 1.0

    async def look(self, now: float) -> Scrape:
        await asyncio.sleep(0)
        canary: dict[Any, float] = {("logs", ()): self.logs, ("errors", ()): self.errors}
        stable: dict[Any, float] = {("logs", ()): 50.0, ("errors", ()): 1.0}
        return Scrape(now, (Page("app", "stable", "s", stable), Page("app", "canary", "c", canary)))

    async def close(self) -> None:
        pass

    async def expect(self, **more: Any) -> Any:
        said = {"item": "logs", "at_most": 400.0, "for_s": 1200.0, "ticket": "T-7", **more}
        request = OrderRequest(id=f"e-{said}", kind="expect", reason="a new line", **said)
        return await self.house.desk.order(request, Identity("ana", uid=1))

    def held(self, words: str) -> Any:
        hold = self.house.run.hold
        return hold is not None and words in hold.why

    def shown(self) -> str:
        return "; ".join(text for _, text, _, _ in self.house.live.watch("1").why)


@pytest.fixture
async def world(house: Any, tmp_path: Path) -> AsyncIterator[World]:
    made = World(house)
    house.desk._installation = msgspec.structs.replace(house.installation, services=(SERVICE,))
    watch = CanaryWatch(
        service=SERVICE, metrics=made, ledger=house.ledger, live=house.live, agent=house.agent,
        memory=tmp_path / "judge", clock=house.clock,
    )  # fmt: skip
    task = asyncio.create_task(watch.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_s19_within_its_bound_it_is_expected_and_says_by_whom_and_until_when(
    world: World,
) -> None:
    await world.house.to_canary()
    assert isinstance(await world.expect(), Ack)
    world.logs = 310.0
    await world.house.until(lambda: "expected by ana until" in world.shown(), "it is shown")
    assert "up to 400, ticket T-7" in world.shown()
    await world.house.still(0.3)
    assert not world.held("log lines")
    reading = next(r for r in world.house.live.watch("1").readings if r.name == "logs")
    assert reading.says == "expected"


async def test_s19_beyond_the_bound_the_normal_rule_applies(world: World) -> None:
    await world.house.to_canary()
    await world.expect()
    world.logs = 401.0
    await world.house.until(lambda: world.held("log lines beyond its limit"), "it is held")


async def test_s19_without_a_word_the_same_rise_is_held(world: World) -> None:
    await world.house.to_canary()
    world.logs = 310.0
    await world.house.until(lambda: world.held("log lines beyond its limit"), "it is held")


async def test_s19_past_its_end_the_normal_rule_applies(world: World) -> None:
    await world.house.to_canary()
    await world.expect(for_s=60.0)
    world.logs = 310.0
    await world.house.until(lambda: "expected by ana" in world.shown(), "it is shown")
    world.house.skew += 61.0
    await world.house.until(lambda: world.held("log lines beyond its limit"), "it is held")


async def test_s19_it_hides_no_other_metric_and_no_protected_one(world: World) -> None:
    await world.house.to_canary()
    await world.expect()
    refused = await world.expect(item="errors")
    assert refused.code == "protected"
    world.logs, world.errors = 310.0, 50.0
    await world.house.until(lambda: world.held("errors beyond its limit"), "it is held")


@pytest.mark.parametrize(
    ("spec", "level", "there"),
    [
        (LOGS, Level("logs", 1.0, 400.0, 1, 100.0), True),
        (LOGS, Level("logs", 1.0, 400.1, 1, 100.0), False),
        (LOGS, Level("logs", 1.0, None, 1, 100.0), False),
        (LOGS, Level("logs", 1.0, 300.0, 1, 90.0), False),  # an old level is not known
        (msgspec.structs.replace(LOGS, protected=True), Level("logs", 1.0, 3.0, 1, 100.0), False),
        (msgspec.structs.replace(LOGS, worse="down"), Level("logs", 1.0, 3.0, 1, 100.0), False),
    ],
)
def test_s19_only_a_known_level_of_an_unprotected_metric_is_covered(
    spec: MetricSpec, level: Level, there: bool
) -> None:
    said = Expectation("e", "shop", "logs", 400.0, 50.0, 200.0, "T", "ana", "r")
    state = State(expectations={"shop": {"e": said}})
    found = expected(state, "shop", {"logs": spec}, [level], 100.0)
    assert bool(found) == there


async def test_s19_what_was_declared_is_in_the_journal(world: World) -> None:
    await world.house.to_canary()
    await world.expect()
    (declared,) = world.house.of(ev.ExpectationDeclared)
    assert (declared.by, declared.ticket, declared.at_most) == ("ana", "T-7", 400.0)
