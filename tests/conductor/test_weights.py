"""A share is what was observed, not what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.core import events as ev


async def test_a_lost_reply_of_the_governor_repeats_nothing(house: Any) -> None:
    house.governor.loses_replies = 1
    await house.to_canary()
    assert house.governor.raises == [("run-1.step0.1", 5)]
    assert [k for k, _ in house.governor.writes] == ["run-1.step0.1"] * 2
    assert house.governor.state["shop"].person_writes == 1


async def test_a_raise_that_was_undone_while_the_backend_was_dead_is_not_taken_for_done(
    house: Any,
) -> None:
    await house.release()
    house.governor.loses_replies = 1
    real = house.governor.apply

    async def apply(*words: Any, **more: Any) -> Any:
        try:
            return await real(*words, **more)
        finally:
            await house.governor.stop("shop", "rollback", id="direct", by="ana", reason="")
            house.governor.apply = real

    house.governor.apply = apply
    await house.accept()
    await house.until(lambda: not house.run.active or house.run.rollback_from, "the rollback")
    assert await house.ended() == "rolled_back"
    assert not [e for e in house.of(ev.EffectVerified) if e.observed != 0]
    assert not house.of(ev.StepEntered)


async def test_a_raise_on_evidence_of_long_ago_is_not_sent(house: Any) -> None:
    await house.to_canary()
    house.governor.silent = "the machine restarts"
    await house.intend_step_1()
    await house.kill()
    house.skew += 3 * 3600.0
    house.governor.silent = ""
    await house.start()
    await house.until(lambda: house.run.effects["run-1.step1.1"].status == "fenced", "it is void")
    assert house.run.effects["run-1.step1.1"].code == "stale"
    assert house.governor.weight["shop"] == 5
    await house.looking(lambda: house.run.step == 1)  # with fresh evidence it goes on


@pytest.mark.parametrize("over", ["the yes", "the freezes"])
async def test_a_raise_that_waited_for_the_governor_is_not_sent_when_what_allowed_it_is_over(
    house: Any, over: str
) -> None:
    await house.to_canary()
    house.governor.silent = "the machine restarts"
    await house.intend_step_1()
    run = house.run
    frozen = ev.FreezeChanged(
        environment=run.environment, stands="closed", freeze="w", why="w", until=0.0, people=0
    )
    yes = next(i.id for i in run.items.values() if i.type == "approval")
    void = ev.ApprovalVoided(run=run.id, item=yes, why="the policy changed")
    await house.ledger.record(
        lambda state: (void if over == "the yes" else frozen,), actor="hatchway"
    )
    house.governor.silent = ""
    await house.until(lambda: house.run.effects["run-1.step1.1"].status == "fenced", "it is void")
    assert house.run.effects["run-1.step1.1"].code == "stale"
    assert house.governor.raises == [("run-1.step0.1", 5)]
    assert house.governor.weight["shop"] == 5


async def test_a_raise_that_was_done_before_everything_died_is_seen_to_be_done(house: Any) -> None:
    await house.to_canary()
    house.governor.loses_replies = 1_000
    await house.intend_step_1()
    await house.until(lambda: house.governor.weight["shop"] == 95, "it is done")
    await house.kill()
    house.skew += 3 * 3600.0
    house.governor.loses_replies = 0
    await house.start()
    await house.until(lambda: house.run.step == 1, "it counts")


async def test_a_target_that_takes_no_raise_is_held_with_the_reason_and_a_rollback_still_goes(
    house: Any, monkeypatch: Any
) -> None:
    from hatchway.core import canary

    monkeypatch.setattr(canary, "TRY_AGAIN_S", 0.01)
    await house.to_canary()
    house.governor.deaf = True
    await house.looking(lambda: house.run.hold and house.run.hold.cause == "target")
    assert "in 3 tries" in house.run.hold.why
    before = len(house.events())
    for _ in range(5):
        await house.look("PASS")
    assert len(house.events()) == before, "nothing is said again and again"
    house.governor.deaf = False
    await house.regress()
    assert await house.ended() == "rolled_back"


async def test_what_the_target_refused_is_tried_again_when_control_changed_hands(
    house: Any, monkeypatch: Any
) -> None:
    from hatchway.core import canary

    monkeypatch.setattr(canary, "TRY_AGAIN_S", 0.01)
    await house.to_canary()
    house.governor.deaf = True
    await house.looking(lambda: house.run.hold and house.run.hold.cause == "target")
    await house.ask("takeover")
    house.governor.deaf = False
    await house.looking(lambda: house.open_item("promote"))
    await house.accept("promote")
    await house.looking(lambda: house.run.step == 1)
    assert house.run.hold is None


async def test_a_governor_that_lost_the_capsule_gets_it_again(house: Any) -> None:
    await house.to_canary()
    house.governor.forget("shop")
    await house.until(lambda: house.ledger.state.authority_of("shop").epoch == 1, "it is adopted")
    await house.looking(lambda: house.run.step == 1)
    assert len(house.of(ev.CapsuleArmed)) == 2
    assert house.governor.state["shop"].capsule is not None


async def test_a_rollback_is_done_only_when_the_canary_is_empty(house: Any) -> None:
    await house.to_canary()
    house.governor.inflight = 3
    await house.regress()
    await house.until(lambda: house.of(ev.EffectDiverged), "it is not done")
    assert "3 requests" in house.of(ev.EffectDiverged)[0].why
    assert house.run.active
    house.governor.inflight = -1
    await house.until(lambda: len(house.of(ev.EffectDiverged)) > 1, "it cannot be seen")
    assert "does not say" in house.of(ev.EffectDiverged)[1].why
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"


async def test_a_rollback_that_is_not_complete_survives_a_pause(house: Any) -> None:
    """It is in another epoch now, and still has to come to an end."""
    await house.to_canary()
    house.governor.inflight = 3
    await house.regress()
    await house.until(lambda: house.of(ev.EffectDiverged), "it is not done")
    await house.ask("pause")
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"


async def test_what_a_persons_rollback_still_lacks_is_in_the_journal_once(house: Any) -> None:
    await house.to_canary()
    house.governor.inflight = 2
    await house.ask("rollback")
    await house.until(lambda: house.of(ev.EffectDiverged), "it is said")
    await house.still(0.4)
    assert [e.why for e in house.of(ev.EffectDiverged)] == [
        "weight is 0, but 2 requests are still in the canary"
    ]
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"


async def test_a_persons_rollback_just_after_the_last_stage_still_ends_the_run(house: Any) -> None:
    """Every stage has passed, and the run's end is not in the journal yet."""
    await house.to_canary()
    real = house.ledger.record

    async def record(decide: Any, **more: Any) -> Any:
        if house.run.step == 2 and not house.run.rollback_from:
            await house.governor.stop("shop", "rollback", id="late", by="ana", reason="")
            event = (await house.governor.spool("shop", 0))[-1]
            await real(lambda s: (event,), actor="ana")
            return []
        return await real(decide, **more)

    house.ledger.record = record
    await house.looking(lambda: not house.run.active)
    assert house.run.outcome == "rolled_back"
    assert house.governor.weight["shop"] == 0


async def test_a_restart_does_not_forget_a_persons_rollback_that_was_not_confirmed(
    house: Any,
) -> None:
    await house.to_canary()
    house.governor.inflight = 2
    await house.ask("rollback")
    await house.until(lambda: house.run.rollback_from, "it is known")
    await house.again()
    assert house.run.rollback_from
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"
    assert house.run.why == "rolled back by ana"


async def test_giving_back_before_the_rollback_was_confirmed_does_not_revive_the_run(
    house: Any,
) -> None:
    await house.to_canary()
    house.governor.inflight = 2
    await house.ask("rollback")
    await house.ask("release")
    house.governor.inflight = 0
    assert await house.ended() == "rolled_back"
    assert house.governor.weight["shop"] == 0


async def test_a_rollback_after_the_promotion_names_what_is_live_again(house: Any) -> None:
    await house.to_canary()
    await house.looking(lambda: not house.run.active)
    assert house.ledger.state.live_commit("shop") == "c1"
    await house.ask("rollback", by="luis")
    assert house.governor.weight["shop"] == 0
    assert house.run.outcome == "promoted"
    assert house.run.undone_by == "luis"
    assert house.ledger.state.live_commit("shop") == "c0"


async def test_an_old_answer_to_a_repeated_key_is_not_taken_for_what_is_true_now(
    house: Any, monkeypatch: Any
) -> None:
    from hatchway.core import canary
    from hatchway.targets.port import Observed

    async def apply(service: str, *, canary: int, **more: Any) -> Observed:
        return Observed(canary=canary, stable=100 - canary, inflight=0, total=1, at=0.0)

    monkeypatch.setattr(canary, "TRY_AGAIN_S", 0.01)
    monkeypatch.setattr(house.governor, "apply", apply)
    await house.release()
    await house.accept()
    await house.until(lambda: house.run.hold, "it is given up")
    assert "the target has 0 %" in house.run.hold.why
    assert not house.of(ev.EffectVerified)
    assert house.run.step == -1


async def test_an_old_answer_from_before_a_change_of_control_is_fenced(
    house: Any, monkeypatch: Any
) -> None:
    from hatchway.targets.port import Observed

    async def apply(service: str, *, canary: int, **more: Any) -> Observed:
        await house.governor.stop("shop", "pause", id="p", by="ana", reason="")
        return Observed(canary=canary, stable=100 - canary, inflight=0, total=1, at=0.0)

    monkeypatch.setattr(house.governor, "apply", apply)
    await house.release()
    await house.accept()
    (fenced,) = await house.until(lambda: house.of(ev.EffectFenced), "it is fenced")
    assert fenced.code == "fenced"
    assert "control changed hands" in fenced.why
