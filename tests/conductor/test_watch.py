"""The judge sees what belongs to this step, and blindness is a verdict too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.conductor import watch as watch_module
from hatchway.conductor.watch import CanaryWatch
from hatchway.core import events as ev
from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.judge.proof import replayed
from hatchway.metrics.port import Page, Scrape

SERVICE = ServiceSpec(
    name="shop",
    repo="r",
    pipeline="p",
    target=TargetSpec("haproxy", "s"),
    endpoints=(EndpointSpec("app", stable=("s",), canary=("c",)),),
    metrics=(
        MetricSpec(
            name="errors",
            label="errors",
            kind="counts",
            source="app",
            total=SeriesRef("requests"),
            events=SeriesRef("errors"),
        ),
    ),
    scrape_s=0.01,
)


class Metrics:
    """Both arms serve without an error; `fails` is raised, `at` counts the looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.looks = 0
        self.fails: Exception | None = None

    async def look(self, now: float) -> Scrape:
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        self.looks += 1
        pages = tuple(
            Page("app", arm, arm, {("requests", ()): 100.0 * self.looks, ("errors", ()): 0.0})
            for arm in ("stable", "canary")
        )
        return Scrape(now, pages)

    async def close(self) -> None:
        pass


@pytest.fixture
async def watched(
    house: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Any, Metrics, Callable[[], Any]]]:
    monkeypatch.setattr(watch_module, "BLIND_S", 0.1)
    metrics = Metrics(house.clock)
    tasks: list[asyncio.Task[None]] = []

    def begin() -> CanaryWatch:
        watch = CanaryWatch(
            service=SERVICE,
            metrics=metrics,
            ledger=house.ledger,
            live=house.live,
            agent=house.agent,
            memory=tmp_path / "judge",
            clock=house.clock,
        )
        tasks.append(asyncio.create_task(watch.run()))
        return watch

    yield house, metrics, begin
    for task in tasks:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_read_is_shown_and_judged(watched: Any) -> None:
    house, metrics, begin = watched
    await house.to_canary()
    begin()
    await house.until(lambda: house.run.verdict is not None, "a verdict")
    reading = house.live.watched["1"].readings[0]
    assert reading.name == "errors"
    assert house.live.watched["1"].points["errors"]
    assert metrics.looks


async def test_a_share_that_somebody_else_changed_is_named_and_the_run_is_held(
    watched: Any,
) -> None:
    house, _, begin = watched
    await house.to_canary()
    begin()
    await house.until(lambda: house.run.verdict is not None, "a verdict")
    house.governor.weight["shop"] = 50
    await house.until(lambda: house.run.hold and house.run.hold.cause == "no_data", "it is held")
    assert "50 %" in house.run.hold.why
    assert "5 %" in house.run.hold.why
    house.governor.weight["shop"] = 5
    await house.until(lambda: house.run.verdict.headline != house.run.hold, "it is judged again")
    await house.until(
        lambda: house.run.hold is None or "50 %" not in house.run.verdict.headline, "no longer"
    )


async def test_a_look_that_fails_is_said_and_becomes_no_data(watched: Any) -> None:
    house, metrics, begin = watched
    await house.to_canary()
    begin()
    await house.until(lambda: house.run.verdict is not None, "a verdict")
    metrics.fails = RuntimeError("no judge for this")
    await house.until(lambda: "no judge" in house.live.trouble_of("1"), "it is said")
    await house.until(lambda: house.run.verdict.word == "NO_DATA", "blind")
    assert house.run.hold is not None
    metrics.fails = None
    await house.until(lambda: not house.live.trouble_of("1"), "it sees again")


async def test_a_memory_that_does_not_fit_any_more_starts_evidence_anew(
    watched: Any, tmp_path: Path
) -> None:
    house, _, begin = watched
    await house.to_canary()
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "shop.msgpack").write_bytes(b"\xc1 nonsense")
    begin()
    await house.until(lambda: house.run.verdict is not None, "a verdict")


async def test_a_rollback_under_way_is_not_blindness(watched: Any) -> None:
    house, _, begin = watched
    await house.to_canary()
    begin()
    house.governor.inflight = 1
    await house.regress()
    await house.until(lambda: house.governor.weight["shop"] == 0, "it goes back")
    await house.still(0.3)
    assert not [e for e in house.of(ev.RunHeld) if e.cause == "no_data"]
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"


async def test_what_is_learned_of_stable_before_the_rollout_goes_with_it(watched: Any) -> None:
    house, _, begin = watched
    await house.release()
    watch = begin()
    await house.until(lambda: house.run.step < 0, "a run before its canary")
    await house.until(lambda: watch._judge.metrics[0].calibration is not None, "learning")
    await house.accept()
    await house.until(lambda: house.run.verdict is not None, "a verdict")
    metric = watch._judge.metrics[0]
    assert metric.calibration is None, "settled at the first raise"


async def test_what_the_watch_saw_replays_from_the_journal(watched: Any) -> None:
    house, _, begin = watched
    await house.to_canary()
    begin()
    await house.until(lambda: house.of(ev.VerdictChanged), "a verdict")
    verdict = house.of(ev.VerdictChanged)[0]
    replay = replayed(verdict.proof)
    assert replay.same
    assert (replay.verdict.word, replay.verdict.headline) == (verdict.word, verdict.headline)
    assert replay.look.weight == 5
