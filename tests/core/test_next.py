"""What a run needs next: promises about order, permission and control."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.core import events as ev
from hatchway.core import next as nx


def intents(world: Any) -> list[ev.EffectIntended]:
    return [e for e in world.log if isinstance(e, ev.EffectIntended)]


def test_a_release_goes_through_its_stages_to_100_percent(world: Any) -> None:
    world.to_canary()
    for _ in range(3):
        world.propose("promote", "auto")
        world.settle()
    assert world.run.outcome == "promoted"
    assert world.weights == [5, 25, 95, 100]
    assert [e.step for e in world.log if isinstance(e, ev.StepEntered)] == [0, 1, 2, 3]


def test_nothing_is_raised_before_a_person_approved_the_release(world: Any) -> None:
    world.start()
    world.settle()
    assert world.weights == []
    assert [i.type for i in world.run.items.values() if i.status == "open"] == ["approval"]
    assert world.actions() == ()


def test_a_rejected_release_ends_the_run(world: Any) -> None:
    world.start()
    world.settle()
    world.close_item("rejected")
    world.settle()
    assert world.run.outcome == "rejected"
    assert world.weights == []


def test_a_failed_job_cancels_its_neighbours_and_ends_the_run_with_the_reason(world: Any) -> None:
    world.start()
    world.step()  # stage starts
    world.step()  # jobs start
    world.record(
        ev.JobEnded(
            run="1",
            stage="checks",
            job="lint",
            attempt=1,
            status="failed",
            seconds=1.0,
            why="exit 1",
        )
    )
    assert any(isinstance(a, nx.CancelJob) for a in world.actions())
    world.step(job="cancelled")
    world.settle()
    assert world.run.outcome == "failed"
    assert "lint: exit 1" in world.run.why


def test_a_job_whose_outcome_was_lost_is_tried_once_more_and_then_fails(world: Any) -> None:
    world.start()
    world.step()
    world.step()
    world.step(job="lost")
    world.step()
    assert world.run.stages[0].jobs["lint"].attempt == 2
    world.step(job="lost")
    world.settle()
    assert world.run.outcome == "failed"


def test_promotion_waits_for_a_permission_in_this_step_and_epoch(world: Any) -> None:
    world.to_canary()
    assert world.actions() == ()
    world.propose("promote", "auto", step=-1)
    assert world.actions() == (), "a permission of another step is none"
    world.propose("promote", "deny")
    assert world.actions() == ()


def test_an_automatic_promotion_is_only_worth_the_evidence_of_its_moment(world: Any) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    world.now += nx.FRESH_S + 1
    assert world.actions() == ()


def test_a_regression_after_the_permission_stops_the_promotion(world: Any) -> None:
    world.to_canary()
    world.propose("promote", "auto")
    world.verdict("UNSURE", "hold")
    world.settle()
    assert world.weights == [5]


def test_an_automatic_rollback_brings_all_traffic_back_and_ends_the_run(world: Any) -> None:
    world.to_canary()
    world.verdict("REGRESS", "rollback")
    world.propose("rollback", "auto")
    world.settle()
    assert world.weights == [5, 0]
    assert world.run.outcome == "rolled_back"
    assert len(world.state.automatic_rollbacks["shop"]) == 1


def test_in_recommendation_mode_the_agent_never_writes(make_world: Any) -> None:
    world = make_world(mode="recommend")
    world.to_canary()
    world.verdict("REGRESS", "rollback")
    world.propose("rollback", "auto")  # even if policy said so
    world.propose("promote", "auto")
    world.settle()
    assert all(i.by.kind == "person" for i in intents(world))
    assert world.weights == [5]


def test_an_accepted_recommendation_is_carried_out_in_the_persons_name(make_world: Any) -> None:
    world = make_world(mode="recommend")
    world.to_canary()
    world.propose("rollback", "ask")
    world.close_item(by="luis")
    world.settle()
    assert world.weights == [5, 0]
    assert intents(world)[-1].by == ev.By("person", "luis")


def test_a_recommendation_that_outlived_its_step_is_closed(make_world: Any) -> None:
    world = make_world(mode="recommend")
    world.to_canary()
    world.propose("promote", "ask")
    world.verdict("UNSURE")
    world.settle()
    assert [i.status for i in world.run.items.values()] == ["accepted", "superseded"]


def test_a_paused_service_starts_no_stage_and_raises_nothing(world: Any) -> None:
    world.start()
    world.authority("pause")
    assert world.actions() == ()
    world.authority("release")
    world.settle()
    world.close_item()
    world.authority("pause")
    world.settle()
    assert world.weights == []


def test_an_effect_of_an_older_epoch_is_intended_anew_in_the_new_one(world: Any) -> None:
    world.start()
    world.settle()
    world.close_item()
    while not intents(world):
        world.step()
    world.authority("takeover")
    world.settle()
    keys = [i.key for i in intents(world)]
    assert keys == ["run-1.step0.1", "run-1.step0.2"]
    assert [i.epoch for i in intents(world)] == [0, 1]
    assert intents(world)[-1].by == ev.By("person", "ana")
    assert world.weights == [5]


def test_a_persons_rollback_ends_the_run_when_it_is_observed(world: Any) -> None:
    world.to_canary()
    world.authority("rollback")
    assert world.actions() == (nx.ConfirmRollback("1"),)
    world.settle()
    assert world.run.outcome == "rolled_back"


def test_a_rollback_before_any_traffic_only_pauses(world: Any) -> None:
    world.start()
    world.settle()
    world.authority("rollback")
    assert world.run.active
    assert world.actions() == ()


def test_after_giving_back_the_agent_only_recommends(world: Any) -> None:
    world.to_canary()
    world.authority("pause")
    world.authority("release")
    assert world.run.mode == "recommend"
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5]


def test_a_target_that_does_not_take_the_weight_is_given_up_and_held(world: Any) -> None:
    world.start()
    world.settle()
    world.close_item()
    for _ in range(40):
        actions = world.actions()
        applies = [a for a in actions if isinstance(a, nx.Apply)]
        if applies:
            key = applies[0].effect.key
            world.record(ev.EffectDiverged(run="1", key=key, observed=0, why="no such server"))
        elif not world.step():
            world.now += nx.TRY_AGAIN_S + 1
    assert world.run.hold is not None
    assert world.run.hold.cause == "target"
    assert len(intents(world)) == nx.MOST_TRIES


def test_an_unknown_event_is_kept_and_changes_nothing(world: Any) -> None:
    world.to_canary()
    before = world.state
    event = ev.decode("future.kind", b'{"kind":"future.kind","x":1}')
    assert isinstance(event, ev.Unknown)
    from hatchway.core.evolve import evolve

    after = evolve(before, event, seq=before.seq + 1, at=0.0, idem="")
    assert after.runs == before.runs
    assert after.seq == before.seq + 1


def verdict_before(world: Any, intent: ev.EffectIntended) -> str:
    """The verdict's word in the step when `intent` was journaled; empty when there was none."""
    word = ""
    for event in world.log[: world.log.index(intent)]:
        if isinstance(event, ev.StepEntered):
            word = ""
        elif isinstance(event, ev.VerdictChanged):
            word = event.word
    return word


OPS = st.sampled_from(
    [
        "settle",
        "step",
        "accept",
        "reject",
        "auto promote",
        "ask promote",
        "auto rollback",
        "ask rollback",
        "pause",
        "takeover",
        "release",
        "rollback",
        "unsure promote",
        "REGRESS",
        "UNSURE",
        "PASS",
        "later",
    ]
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ops=st.lists(OPS, max_size=40), mode=st.sampled_from(["act", "recommend"]))
def test_whatever_happens_no_share_is_raised_without_permission_or_under_a_pause(
    make_world: Any, ops: list[str], mode: str
) -> None:
    world = make_world(mode=mode)
    world.start()
    for op in ops:
        if not world.run.active:
            break
        before, paused = len(world.weights), world.state.authority_of("shop").mode == "paused"
        stable_at = world.weight
        match op.split():
            case ["settle"]:
                world.settle()
            case ["step"]:
                world.step()
            case ["accept"] | ["reject"]:
                if any(i.status == "open" for i in world.run.items.values()):
                    world.close_item("accepted" if op == "accept" else "rejected")
            case ["auto" | "ask" as answer, capability]:
                world.propose(capability, answer)
            case ["unsure", capability]:
                world.propose(capability, "ask", on="UNSURE")
            case ["pause" | "takeover" | "release" | "rollback"]:
                world.authority(op)
            case ["later"]:
                world.now += 7
            case [word]:
                world.verdict(word, "rollback" if word == "REGRESS" else "none")
        if paused and op in ("settle", "step"):
            assert world.weight <= stable_at
            assert len(world.weights) == before
    entered = [e.step for e in world.log if isinstance(e, ev.StepEntered)]
    assert entered == list(range(len(entered))), "a step was repeated or skipped"
    for intent in intents(world):
        if mode == "recommend":
            assert intent.by.kind == "person"
        word = verdict_before(world, intent)
        if intent.step > 0 and intent.weight > 0 and word not in ("", "PASS"):
            assert (word, intent.by.kind) == ("UNSURE", "person")
    keys = [i.key for i in intents(world)]
    assert len(keys) == len(set(keys))
    if world.weights:
        assert any(isinstance(e, ev.ItemClosed) and e.status == "accepted" for e in world.log), (
            "traffic without an approval"
        )
