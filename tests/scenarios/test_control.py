"""S21 to S29 and F1 to F35: who is in control, and what a crash, a delay or a hand leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.canary import MOST_TRIES
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.rehearse import scenario as sc
from hatchway.rehearse.governor import RehearsedGovernor
from hatchway.targets.port import Declined

BAD = sc.Metrics("canary", errors=12.0)
PAUSE, TAKEOVER = sc.Person("pause", "oncall"), sc.Person("takeover", "oncall")


def test_s21_reddit_2016_a_pause_survives_restarts_agents_and_a_restored_backup(
    rehearsed: Any,
) -> None:
    reddit = rehearsed("reddit-2016")
    assert reddit.result.word == "STOPPED"
    assert reddit.result.first.guard == "governor:held"
    assert {"governor:held", "governor:fence"} <= reddit.guards
    assert reddit.played.mode == "paused"
    assert reddit.played.weight == 5
    assert reddit.raised(0.5) == []
    assert reddit.played.state.authority["shop"].mode == "paused", "the backup has adopted it"


def test_s22_a_delayed_step_of_an_epoch_that_is_over_is_refused_at_the_governor(scene: Any) -> None:
    played = scene(40, (20, TAKEOVER), (21, sc.Late(25)))
    assert [code for _, code, _ in played.played.refusals] == ["fenced"]
    assert played.raised() == []
    assert played.played.mode == "person"


def test_s23_what_a_person_rolled_back_is_not_released_again_before_it_is_lifted(
    scene: Any,
) -> None:
    again = sc.Release("1.5.0")
    lift = sc.Order("lift", "oncall", "1.5.0")
    played = scene(
        200, (20, sc.Person("rollback", "oncall")), (30, sc.Person("release", "oncall")),
        (40, again), (50, lift), (60, again),
    )  # fmt: skip
    refused = played.when(ev.CommandRefused, code="quarantined")
    assert len(refused) == 1
    assert 40 <= refused[0] < 50
    assert "quarantine" in played.guards
    assert played.when(ev.QuarantineLifted)
    assert len(played.when(ev.RunStarted)) == 2, "the second only after somebody had lifted it"
    assert played.when(ev.RunStarted)[1] >= 60


async def test_s24_a_service_that_does_not_confirm_a_stop_is_never_shown_as_paused() -> None:
    """One of three ignores STOP ALL: two are confirmed, and the third stays what it says it is."""
    names = ("shop", "web", "pay")
    governor = Ignoring(names, lambda: 0.0)
    ledger, live = Ledger(MemoryJournal(MemoryStore(), clock=lambda: 0.0), lambda: None), Live()
    follower = AuthorityFollower(ledger, governor, live, names, lambda: 0.0)
    for name in names:
        await follower.read(name)
    with pytest.raises(Declined):
        await governor.stop("", "stop_all", id="1", by="oncall", reason="agents went mad")
    for name in names:
        await follower.read(name)
    modes = {name: ledger.state.authority_of(name).mode for name in names}
    assert modes == {"shop": "paused", "web": "paused", "pay": "agent"}
    shown = {name: standing.mode for name, (standing, _) in live.standing.items()}
    assert shown == modes, "what is shown is read back from each"


class Ignoring(RehearsedGovernor):
    """The governor of three services, of which the last does not hear a stop."""

    async def stop(self, service: str, op: str, *, id: str, by: str, reason: str) -> str:
        said = ""
        for name in (service,) if service else tuple(self.state):
            if name == "pay":
                raise Declined("target_failed", f"{name} did not confirm", "Stop it by hand.")
            said = await super().stop(name, op, id=id, by=by, reason=reason)
        return said


def test_s25_an_agent_that_ignores_everything_has_no_effect_after_the_latch(
    scene: Any, weakest: Any
) -> None:
    loop = [(20 + 0.25 * n, sc.Late(25 + n, "now")) for n in range(40)]
    insists = (19, sc.Brain("insists", "promote"))
    played = scene(60, (19.5, PAUSE), insists, *loop, over=weakest)
    assert len(played.played.refusals) >= 40
    assert {code for _, code, _ in played.played.refusals} == {"held"}
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0


def test_s26_without_a_governor_that_answers_nothing_is_gone_on_with(
    scene: Any, weakest: Any
) -> None:
    played = scene(300, (30, sc.Target("silent")), over=weakest, every=2.0)
    assert played.when(ev.VerdictChanged, word="PASS"), "it would have been promoted"
    assert played.raised() == []


@pytest.mark.parametrize("how", ["hangs", "fails", "nonsense"])
def test_s25_a_brain_that_is_broken_changes_nothing_of_what_the_facts_call_for(
    scene: Any, how: Any
) -> None:
    played = scene(90, (10, sc.Brain(how)), (20, BAD))
    assert played.run.outcome == "rolled_back"
    assert "validator" in played.guards or played.played.unheard


def test_s29_facts_win_over_what_an_agent_says_and_the_contradiction_is_told(
    scene: Any, weakest: Any
) -> None:
    played = scene(90, (10, sc.Brain("insists", "promote")), (20, BAD), over=weakest)
    assert played.raised() == []
    assert played.run.outcome == "rolled_back"
    assert "without the verdict PASS" in played.played.unheard[0][1]
    assert all("silent" in p.brain for p in played.proposals("rollback"))


def test_s29_evidence_that_nobody_saw_is_not_heard(scene: Any, weakest: Any) -> None:
    played = scene(90, (10, sc.Brain("forges", "rollback")), (20, BAD), over=weakest)
    assert "evidence 'E1', which is not what was seen" in played.played.unheard[0][1]
    assert played.run.outcome == "rolled_back", "on what was seen, without the brain"
    assert all("silent" in p.brain for p in played.proposals("rollback"))


def test_s29_an_agent_that_wants_back_without_a_regression_is_not_followed(
    scene: Any, policy: Any
) -> None:
    played = scene(60, (10, sc.Brain("insists", "rollback")))
    assert played.rolled_back_by("agent") == 0
    assert "policy:prod.rollback" in played.guards


@pytest.mark.parametrize("at", [237.0, 238.5, 239.0, 239.02, 239.5, 240.0])
def test_f1_f2_a_backend_killed_around_a_promotion_repeats_and_skips_no_step(
    scene: Any, at: float
) -> None:
    played = scene(270, (at, sc.Restart("backend")))
    assert played.raised() == [25]
    assert [s.weight for s in played.of(ev.StepEntered)] == [5, 25]
    intended = played.of(ev.EffectIntended)
    assert len({e.key for e in intended}) == len(intended)


def test_f8_a_clock_that_jumps_hours_ahead_promotes_nothing_at_once(
    scene: Any, weakest: Any
) -> None:
    played = scene(345, (310, sc.Clock(3 * 3600.0)), over=weakest)
    assert played.when(ev.VerdictChanged, word="PASS")[-1] < 310, "PASS is known by then"
    assert played.raised() == [25], "the step at 25 % has its two minutes all the same"


def test_f9_a_yes_to_a_question_of_before_the_pause_is_not_taken_afterwards(
    scene: Any, asking: Any
) -> None:
    played = scene(
        300,
        (250, PAUSE),
        (251, sc.Person("accept", "oncall", "promote")),
        (252, sc.Person("release", "oncall")),
        over=asking,
    )
    asked = played.when(ev.ItemOpened, capability="promote")
    assert asked[0] < 250 < asked[1], "it is asked again, with the evidence of then"
    closed = [e.status for e in played.of(ev.ItemClosed) if e.item.startswith("run-1.proposal")]
    assert closed[0] == "superseded"
    assert played.raised() == []


def test_f13_two_people_at_the_same_moment_have_an_order_and_both_are_told(scene: Any) -> None:
    played = scene(60, (20, TAKEOVER), (20.05, sc.Person("rollback", "second")), (20.1, PAUSE))
    changes = [e for e in played.of(ev.AuthorityChanged) if e.op != "adopted"]
    assert [(e.op, e.by) for e in changes] == [
        ("takeover", "oncall"), ("rollback", "second"), ("pause", "oncall"),
    ]  # fmt: skip
    assert [e.epoch for e in changes] == sorted({e.epoch for e in changes})
    assert played.played.weight == 0
    assert played.run.outcome == "rolled_back"


def test_f23_traffic_that_somebody_moved_by_hand_is_found_held_and_named(
    scene: Any, weakest: Any
) -> None:
    played = scene(330, (30, sc.ByHand(40)), over=weakest, every=2.0)
    changed = played.of(ev.TargetChanged)
    assert [(e.what, e.wanted, e.found) for e in changed] == [("weight", "5 %", "40 %")]
    assert 30 <= played.when(ev.TargetChanged)[0] <= 32
    assert played.run.hold.cause == "drift"
    assert "unattributed change" in played.run.hold.why
    assert played.raised() == []


def test_f24_a_third_version_in_the_middle_gets_no_credit_for_the_second(
    scene: Any, weakest: Any
) -> None:
    third = sc.Instances({"canary-1": "1.6.0"}, "canary")
    own = sc.Instances({"canary-1": "1.5.0"}, "canary")
    stable = {"web-1": "1.4.0"}
    never = scene(250, (60, third), over=weakest, instances=stable, every=2.0)
    assert never.run.hold.cause == "version"
    assert never.of(ev.TargetChanged)[0].found == "1.6.0"
    assert never.raised() == []
    undisturbed = scene(250, over=weakest, instances=stable)
    assert undisturbed.raised() == [25]
    back = scene(300, (150, third), (160, own), over=weakest, instances=stable)
    assert back.when(ev.TargetRestored), "the run is not held any more"
    assert back.raised() == [], "what was gathered before counts no more"


def test_f26_a_stable_version_that_is_unwell_is_not_gone_back_to(scene: Any, weakest: Any) -> None:
    played = scene(
        250, (20, sc.Metrics("stable", errors=20.0)), (20, sc.Metrics("canary", errors=8.0)),
        over=weakest,
    )  # fmt: skip
    assert played.rolled_back_by("agent") == 0
    assert played.raised() == []
    assert played.run.hold is not None


def test_f27_a_target_that_refuses_is_tried_until_it_takes_the_rollback(scene: Any) -> None:
    played = scene(150, (20, BAD), (21, sc.Target("refuses")), (90, sc.Target("ok")))
    diverged = played.when(ev.EffectDiverged)
    assert diverged
    assert "503" in played.of(ev.EffectDiverged)[0].why
    done = played.when(ev.RunEnded, outcome="rolled_back")
    assert 90 <= done[0] <= 95, "not said to be done before it is"
    assert played.played.weight == 0


def test_f27_a_target_that_refuses_a_raise_is_given_up_on_and_people_are_told(
    scene: Any, weakest: Any
) -> None:
    played = scene(330, (230, sc.Target("refuses")), over=weakest, every=2.0)
    assert played.run.hold.cause == "target"
    assert f"in {MOST_TRIES} tries" in played.run.hold.why
    assert played.raised() == []


def test_f35_a_threshold_crossed_while_a_question_waits_takes_the_question_back(
    scene: Any, asking: Any
) -> None:
    played = scene(320, (250, BAD), over=asking)
    asked = played.when(ev.ItemOpened, capability="promote")
    assert asked[0] < 250
    closed = [e for e in played.of(ev.ItemClosed) if "the verdict" in e.reason]
    assert closed, "nobody can say yes to the old question any more"
    assert played.run.outcome == "rolled_back"
