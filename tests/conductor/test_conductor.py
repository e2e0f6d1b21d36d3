"""A run goes on through whatever happens around it, and nothing is done twice or in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatchway.brains.port import Wish
from hatchway.core import events as ev
from hatchway.forge.port import ForgeError
from hatchway.runners.port import JobResult


async def test_a_release_goes_to_100_percent_step_by_step(house: Any) -> None:
    await house.to_canary()
    await house.looking(lambda: not house.run.active)
    assert house.run.outcome == "promoted"
    assert [e.step for e in house.of(ev.StepEntered)] == [0, 1, 2]
    assert [w for _, w in house.governor.raises] == [5, 95, 100]


async def test_a_failed_job_ends_the_run_with_its_reason(house: Any) -> None:
    house.runner.results["lint"] = JobResult(
        status="failed", exit_code=1, seconds=1.0, why="exit status 1", tail=("E1", "E2")
    )
    await house.release()
    assert await house.ended() == "failed"
    assert "lint: exit status 1" in house.run.why
    assert house.governor.writes == []


async def test_a_failed_job_cancels_its_neighbour(house: Any) -> None:
    house.runner.waits["types"] = asyncio.Event()
    house.runner.results["lint"] = JobResult(status="failed", exit_code=1, seconds=1.0, why="bad")
    await house.release()
    assert await house.ended() == "failed"
    assert house.runner.cancelled == ["run-1.checks.types.1"]


async def test_a_cancelled_job_that_does_not_end_does_not_make_the_conductor_spin(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.runner.waits["types"] = asyncio.Event()
    house.runner.results["lint"] = JobResult(status="failed", exit_code=1, seconds=1.0, why="bad")
    asked = 0

    async def cancel(key: str, why: str) -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(house.runner, "cancel", cancel)
    await house.release()
    await house.until(lambda: asked, "it is cancelled")
    await house.still(0.3)
    assert asked < 40, f"asked {asked} times in 0.3 s"
    house.runner.waits["types"].set()


async def test_a_repository_that_cannot_answer_fails_the_release_with_the_reason(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changes(base: str, commit: str) -> Any:
        raise ForgeError("no such commit c0")

    monkeypatch.setattr(house.forge, "changes", changes)
    await house.release()
    assert await house.ended() == "failed"
    assert "no such commit c0" in house.run.why


async def test_work_that_fails_again_and_again_is_seen_on_the_screen_and_goes_on_later(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = house.forge.changes

    async def changes(base: str, commit: str) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(house.forge, "changes", changes)
    await house.release()
    await house.until(lambda: "out of luck" in house.live.trouble_of("1"), "the trouble is said")
    monkeypatch.setattr(house.forge, "changes", real)
    await house.until(house.open_item, "the approval is asked for")
    await house.until(lambda: not house.live.trouble_of("1"), "the trouble is over")


class Silent:
    name = "silent-1"
    asked = 0

    async def propose(self, situation: Any) -> tuple[Wish, ...]:
        self.asked += 1
        return ()


class Hung(Silent):
    name = "hung-1"

    async def propose(self, situation: Any) -> tuple[Wish, ...]:
        self.asked += 1
        await asyncio.sleep(3600)
        return ()


class Broken(Silent):
    name = "broken-1"

    async def propose(self, situation: Any) -> tuple[Wish, ...]:
        raise RuntimeError("status 503")


class Babbling(Silent):
    name = "babbling-1"

    async def propose(self, situation: Any) -> Any:
        self.asked += 1
        wish = Wish(
            capability="rm -rf",  # type: ignore[arg-type]
            confidence=float("nan"),
            headline="h",
            evidence=(),
        )
        return [wish, 7, None]


@pytest.mark.parametrize("brain", [Silent, Hung, Broken, Babbling])
async def test_a_brain_that_is_no_help_neither_stops_a_run_nor_floods_the_journal(
    houses: Any, brain: Any
) -> None:
    house = houses()
    house.brain = brain()
    await house.start()
    await house.to_canary()
    asked = [e for e in house.of(ev.ProposalMade) if e.capability == "open_release"]
    assert [e.brain for e in asked] == [f"{brain.name} (silent)"]
    for _ in range(3):
        await house.regress()
    if brain is Silent:
        assert house.run.weight == 5, "a brain that holds its tongue is not overruled"
    else:
        assert await house.ended() == "rolled_back", "the judge's verdict stands"
    assert len(house.events()) < 60
    assert not any(isinstance(e, ev.Unknown) for e in house.events())
    assert house.brain.asked < 10


class Eager(Silent):
    """Wants to go on whatever the judge says."""

    name = "eager-1"

    async def propose(self, situation: Any) -> tuple[Wish, ...]:
        what = {"canary": "promote", "release": "open_release", "failed": "block_deploy"}
        return (
            Wish(
                capability=what[situation.topic],  # type: ignore[arg-type]
                confidence=1.0,
                headline="trust me",
                evidence=(),
            ),
        )


async def test_no_brain_turns_a_regression_into_a_promotion(houses: Any) -> None:
    from hatchway.core.policy import EnvironmentPolicy, Policy, Rule

    lax = Policy(
        1,
        {
            "prod": EnvironmentPolicy(
                "act",
                {"promote": Rule("auto"), "rollback": Rule("auto"), "open_release": Rule("auto")},
            )
        },
    )
    house = houses(policy=lax)
    house.brain = Eager()
    await house.start()
    await house.to_canary()
    await house.regress()
    assert await house.ended() == "rolled_back"
    assert [w for _, w in house.governor.raises] == [5]


async def test_evidence_of_one_step_is_never_put_to_the_policy_as_that_of_the_next(
    house: Any,
) -> None:
    await house.to_canary()
    await asyncio.sleep(0.05)
    real = house.ledger.record

    async def record(decide: Any, **more: Any) -> Any:
        written = await real(decide, **more)
        if any(r.kind == "verdict.changed" for r in written) and house.run.step == 0:
            # The next step is entered while this look is under way.
            await real(lambda s: (ev.StepEntered(run="1", step=1, weight=95),), actor="hatchway")
        return written

    house.ledger.record = record
    await house.look("PASS")
    made = [e for e in house.of(ev.ProposalMade) if e.capability == "promote"]
    assert made == []


async def test_a_clock_that_jumps_forward_does_not_shorten_the_monitoring(houses: Any) -> None:
    import msgspec

    from hatchway.core.plan import CanaryStage, CanaryStep

    house = houses()
    plan = house.plans["shop"]
    slow = msgspec.structs.replace(plan.stages[2], steps=(CanaryStep(5, 3000.0),) * 2)
    assert isinstance(slow, CanaryStage)
    house.plans["shop"] = msgspec.structs.replace(plan, stages=(*plan.stages[:2], slow))
    await house.start()
    await house.to_canary()
    await house.look("PASS")
    house.skew += 4000.0
    await house.look("PASS")
    await house.still()
    assert house.run.step == 0
    assert not [e for e in house.of(ev.ProposalMade) if e.capability == "promote"]


async def test_a_clock_that_jumps_back_does_not_keep_a_failed_action_waiting(house: Any) -> None:
    await house.to_canary()
    house.governor.silent = "gone"
    await house.regress()
    await house.until(lambda: house.live.trouble_of("1"), "the rollback is tried")
    house.skew -= 7200.0
    house.governor.silent = ""
    assert await house.ended() == "rolled_back"


async def test_two_services_do_not_stand_in_each_others_way(houses: Any) -> None:
    house = await houses("shop", "cart").start()
    house.governor.poison.add("cart")
    await house.release("cart")
    await house.until(house.open_item, "cart's approval")
    await house.release("shop")
    await house.until(lambda: house.run.service == "shop" and house.open_item(), "shop's approval")
    assert (await house.ask("pause", service="shop")).said.startswith("PAUSED")
    assert house.ledger.state.authority_of("shop").mode == "paused"
    assert house.ledger.state.authority_of("cart").mode == "agent"


async def test_a_service_that_left_the_configuration_stops_nobody(houses: Any) -> None:
    house = await houses("shop", "cart").start()
    await house.release("cart")
    await house.until(house.open_item, "cart's approval")
    house.configured = ("shop",)
    await house.again()
    await house.until(lambda: "hatchway.yaml" in house.live.trouble_of("1"), "it is said")
    await house.release("shop")
    await house.until(lambda: house.run.service == "shop" and house.open_item(), "shop's approval")


async def test_a_run_that_cannot_be_driven_says_so_and_the_others_go_on(
    houses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatchway.conductor import conductor

    real = conductor.next_actions

    def next_actions(state: Any, run: Any, now: float) -> Any:
        if run.id == "1":
            raise ZeroDivisionError("a fault")
        return real(state, run, now)

    house = houses("shop", "cart")
    await house.start()
    monkeypatch.setattr(conductor, "next_actions", next_actions)
    await house.release("shop")
    await house.release("cart")
    await house.until(house.open_item, "cart's approval")
    assert "a fault" in house.live.trouble_of("1")


async def test_an_approval_survives_a_kill(house: Any) -> None:
    await house.release()
    before = await house.until(house.open_item, "an approval")
    await house.again()
    assert house.open_item() == before
    await house.accept()
    await house.until(lambda: house.run.step == 0, "the first share")


async def drive(house: Any, script: str) -> str:
    """A whole release with people, as far as it has not happened yet."""
    while True:
        if not house.ledger.state.runs:
            await house.release()
        run = house.run
        if not run.active:
            return str(run.outcome)
        item = house.open_item()
        authority = house.ledger.state.authority_of("shop")
        if item is not None and item.type == "approval":
            await house.ask("accept", item=item.id, id=f"yes-{item.id}")
        elif run.step == 0 and script == "person" and not run.rollback_from:
            await house.ask("rollback", id="stop-1")
        elif run.step == 0 and script == "held" and authority.epoch < 2:
            await house.ask("pause", id="pause-1")
        elif script == "held" and authority.mode == "paused":
            await house.ask("release", id="give-1")
        elif item is not None:
            await house.ask("accept", item=item.id, id=f"yes-{item.id}")
        elif 0 <= run.step < 2:
            await (house.regress() if script == "regress" and run.step == 1 else house.look())
        await asyncio.sleep(0.003)


WHOLE = {"pass": "promoted", "regress": "rolled_back", "person": "rolled_back", "held": "promoted"}


@pytest.mark.parametrize("script", WHOLE)
@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_event_it_ends_as_it_would_have(
    houses: Any, script: str, after: bool
) -> None:
    """Killed before, or right after, each event reached the journal: every boundary there is."""
    house = houses()
    boundary, killed = 0, 0
    dead = asyncio.Event()

    def arm() -> None:
        nonlocal boundary
        boundary += 1
        due = len(house.store.records) + boundary
        journal = house.ledger._journal
        real = journal.append

        async def append(drafts: Any, expect_head: int | None = None) -> Any:
            if dead.is_set():
                await asyncio.sleep(3600)
            if len(house.store.records) + len(drafts) >= due:
                if after:
                    await real(drafts, expect_head)
                dead.set()
                await asyncio.sleep(3600)
            return await real(drafts, expect_head)

        journal.append = append

    await house.start()
    for _ in range(14):
        arm()
        driving = asyncio.create_task(drive(house, script))
        died = asyncio.create_task(dead.wait())
        await asyncio.wait({driving, died}, return_when="FIRST_COMPLETED", timeout=15)
        done = driving.done()
        driving.cancel()
        died.cancel()
        await asyncio.gather(driving, died, return_exceptions=True)
        if done:
            break
        assert dead.is_set()
        killed += 1
        dead.clear()
        await house.again()
    outcome = await asyncio.wait_for(drive(house, script), 15)
    assert outcome == WHOLE[script]
    assert killed >= 4
    steps = [e.step for e in house.of(ev.StepEntered)]
    assert steps == list(range(len(steps))), "steps repeated or skipped"
    for kind in (ev.StageStarted, ev.StageEnded):
        stages = [e.stage for e in house.of(kind)]
        assert len(stages) == len(set(stages)), stages
    keys = [e.key for e in house.of(ev.EffectIntended)]
    assert len(keys) == len(set(keys))
    assert len(house.runner.started) == len(set(house.runner.started)) == 3
    assert house.governor.weight["shop"] == (100 if outcome == "promoted" else 0)
