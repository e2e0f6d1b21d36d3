"""A yes is worth what was said yes to, once, by somebody who had no part in it; and for no longer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import approvals
from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core import next as nx
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.people import Who
from hatchway.core.plan import ReleaseStage

EMPTY: dict[str, str] = {}
POLICY_1 = {"promote.answer": "auto", "promote.when.data_age_below": "10s"}
POLICY_2 = {"promote.answer": "auto", "promote.when.data_age_below": "60s"}


def started(world: Any, **stage: Any) -> Any:
    """A run at its release stage, with what ships known."""
    plan = msgspec.structs.replace(
        world.plan,
        stages=(world.plan.stages[0], ReleaseStage("release", **stage), world.plan.stages[2]),
    )
    world.record(
        ev.RunStarted(
            run="1",
            service="shop",
            environment="prod",
            mode="act",
            pace=10.0,
            commit="c1",
            base="c0",
            from_version="1.4.0",
            to_version="1.5.0",
            plan=plan,
            policy_digest="policy",
            requester="rita",
            requester_person="rita",
            ref="v1.5.0",
            policy_says=POLICY_1,
        )
    )
    world.settle()
    return world


def shipped(world: Any, **more: Any) -> None:
    world.record(
        ev.ReleaseRequested(
            run="1",
            risk=more.pop("risk", "LOW"),
            reasons=("LOW: only tests change",),
            attention=(),
            changes=(),
            files=(),
            **more,
        )
    )


def terms(world: Any, **now: Any) -> None:
    run = world.run
    given = {
        "policy": run.policy_digest,
        "policy_says": run.said.get(run.policy_digest, EMPTY),
        "pipeline": run.pipeline_digest,
        "pipeline_says": run.said.get(run.pipeline_digest, EMPTY),
        "artifact": run.artifact,
        "ref_commit": run.ref_commit,
        **now,
    }
    world.record(ev.TermsChanged(run="1", **given))


def newest(world: Any) -> Any:
    return list(world.run.items.values())[-1]


def yes(world: Any, who: Who | str = "ana", **more: Any) -> Accepted | Refused:
    """Somebody's yes to the newest question; journaled when it is one."""
    who = Who(who) if isinstance(who, str) else who
    accept = cmd.Accept(id="i", by=who.name, item=newest(world).id, who=who, **more)
    outcome = decide(world.state, accept, world.now)
    if isinstance(outcome, Accepted):
        world.record(*outcome.events)
    return outcome


def code(outcome: Accepted | Refused) -> str:
    return outcome.code if isinstance(outcome, Refused) else ""


# --- what a yes is bound to -----------------------------------------------------------------------

CHANGES = {
    "policy": ({"policy": "policy-2", "policy_says": POLICY_2}, "policy changed"),
    "pipeline": ({"pipeline": "plan-2", "pipeline_says": {"x": "1"}}, "pipeline changed"),
    "artifact": ({"artifact": "sha256:bbbb"}, "artifact changed"),
    "tag": ({"ref_commit": "c2"}, "v1.5.0 was moved"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_s31_a_question_about_what_has_changed_is_refused_and_asked_again_with_the_difference(
    world: Any, what: str
) -> None:
    started(world)
    first = newest(world)
    change, words = CHANGES[what]
    terms(world, **change)
    refused = yes(world)
    assert code(refused) == "changed"
    assert isinstance(refused, Refused)
    assert words in refused.why
    world.settle()
    assert world.run.items[first.id].status == "superseded"
    again = newest(world)
    assert (again.status, again.id != first.id) == ("open", True)
    assert words in again.lines[0]
    assert code(yes(world)) == ""
    world.settle()
    assert world.weights == [5]


@pytest.mark.parametrize("what", CHANGES)
def test_s31_a_yes_is_void_once_what_it_was_for_has_changed(world: Any, what: str) -> None:
    started(world)
    change, words = CHANGES[what]
    assert code(yes(world)) == ""
    terms(world, **change)
    world.settle()
    assert world.weights == [], "nothing goes out on a yes to something else"
    (void,) = [e for e in world.log if isinstance(e, ev.ApprovalVoided)]
    assert words in void.why
    assert "since ana said yes at 00:16Z" in void.why
    assert newest(world).lines[0] == void.why
    assert code(yes(world)) == ""
    world.settle()
    assert world.weights == [5]


def test_the_difference_names_the_rule_and_both_values(world: Any) -> None:
    started(world)
    yes(world)
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.settle()
    assert newest(world).lines[0] == (
        "policy changed since ana said yes at 00:16Z: promote.when.data_age_below 10s -> 60s"
    )


def test_a_policy_that_only_reads_differently_is_said_to_and_asked_again_all_the_same(
    world: Any,
) -> None:
    started(world)
    yes(world)
    terms(world, policy="policy-2", policy_says=POLICY_1)
    world.settle()
    assert "its wording only" in newest(world).lines[0]
    assert world.weights == []


def test_what_is_live_is_part_of_what_was_said_yes_to(world: Any) -> None:
    started(world)
    item = newest(world)
    binding = {**item.binding, "baseline": "c-before"}
    world.record(
        ev.ItemOpened(
            run="1",
            item="older",
            type="approval",
            capability="open_release",
            step=-1,
            expires_at=world.now + 9,
            binding=binding,
        )
    )
    refused = yes(world)
    assert isinstance(refused, Refused)
    assert "what is live changed" in refused.why


def test_a_change_in_the_middle_of_the_canary_holds_every_further_raise_until_somebody_says_yes(
    world: Any,
) -> None:
    started(world)
    yes(world)
    world.settle()
    assert world.run.step == 0
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.verdict("PASS")
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5]
    assert newest(world).type == "approval"
    assert code(yes(world, "luis")) == ""
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25]


def test_a_rollback_needs_no_yes_that_still_stands(world: Any) -> None:
    started(world)
    yes(world)
    world.settle()
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.verdict("REGRESS", "rollback")
    world.propose("rollback", "auto")
    world.settle()
    assert world.weights == [5, 0]
    assert world.run.outcome == "rolled_back"


def test_a_yes_to_going_back_counts_whatever_the_policy_has_become(world: Any) -> None:
    started(world)
    yes(world)
    world.settle()
    world.propose("rollback", "ask")
    asked = newest(world)
    bound = {**asked.binding, "policy": "policy", "plan": "plan"}
    world.record(
        ev.ItemOpened(
            run="1",
            item="back",
            type="recommendation",
            capability="rollback",
            step=asked.step,
            expires_at=world.now + 9,
            binding=bound,
        )
    )
    terms(world, policy="policy-2", policy_says=POLICY_2)
    assert code(yes(world)) == ""


def test_a_no_in_the_middle_of_the_canary_stays_a_no(world: Any) -> None:
    started(world)
    yes(world)
    world.settle()
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.settle()
    world.close_item("rejected", "luis")
    world.propose("promote", "auto")
    world.settle()
    assert world.run.active
    assert world.weights == [5]
    assert not [i for i in world.run.items.values() if i.status == "open"]


# --- how far, from when, for how long -------------------------------------------------------------


def test_a_yes_goes_no_further_than_it_says_and_the_rest_is_asked(world: Any) -> None:
    started(world)
    assert code(yes(world, max_weight=25)) == ""
    for _ in range(3):
        world.settle()
        world.verdict("PASS")
        world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25], "100 % is more than 25 %"
    assert "the yes covers 25 %, not 100 %" in newest(world).lines[0]
    assert code(yes(world, "luis")) == ""
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25, 95]


@pytest.mark.parametrize("weight", [0, -5, 101])
def test_a_yes_to_no_share_at_all_is_refused(world: Any, weight: int) -> None:
    started(world)
    assert code(yes(world, max_weight=weight)) == "bad_request"


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e12])
def test_a_yes_that_never_begins_to_count_is_refused(world: Any, at: float) -> None:
    started(world)
    assert code(yes(world, not_before=at)) == "bad_request"


def test_a_yes_for_later_waits_until_then(world: Any) -> None:
    started(world)
    assert code(yes(world, not_before=world.now + 600)) == ""
    world.settle()
    assert world.weights == []
    assert not [i for i in world.run.items.values() if i.status == "open"], "nobody is asked twice"
    world.now += 601
    world.settle()
    assert world.weights == [5]


def test_a_yes_that_is_not_used_in_time_runs_out_and_is_asked_again(world: Any) -> None:
    started(world, expires_s=3600.0)
    assert code(yes(world)) == ""
    world.authority("pause")
    world.settle()
    world.now += 3601
    world.authority("release")
    world.settle()
    assert world.weights == []
    assert "was not used in time" in newest(world).lines[0]
    assert newest(world).status == "open"


def test_a_yes_that_was_used_does_not_run_out_while_its_run_goes_on(world: Any) -> None:
    started(world, expires_s=3600.0)
    yes(world)
    world.settle()
    world.now += 7200
    world.verdict("PASS")
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25]


def test_a_yes_is_for_one_run(world: Any) -> None:
    started(world)
    item = newest(world)
    yes(world)
    world.record(ev.RunEnded(run="1", outcome="failed", why="x"))
    accept = cmd.Accept(id="again", by="luis", item=item.id, who=Who("luis"))
    assert code(decide(world.state, accept, world.now)) == "closed"


def test_nobody_answering_is_never_a_yes(world: Any) -> None:
    started(world, expires_s=60.0)
    for _ in range(5):
        world.now += 61
        world.settle()
    assert world.weights == []
    assert [i.status for i in world.run.items.values()] == ["expired"] * 5 + ["open"]


# --- whose yes ------------------------------------------------------------------------------------

ANA = Who("ana", "ana", ("a.lovelace", "ana@example.org", "Ana Lovelace"), how="uid 1001")


@pytest.mark.parametrize(
    "author",
    [
        "Ana Lovelace <x@y>",
        "ANA LOVELACE <x@y>",
        "Whoever <Ana@Example.ORG>",
        "ａｎａ <x@y>",
        "a.\u200blovelace <x@y>",
    ],
)
def test_s33_who_wrote_any_commit_of_it_says_no_yes_under_any_name(world: Any, author: str) -> None:
    started(world)
    shipped(world, authors=("wren <wren@example.org>", author))
    refused = yes(world, ANA)
    assert code(refused) == "own_work"
    assert isinstance(refused, Refused)
    assert author in refused.why
    assert code(yes(world, "luis")) == ""


def test_s33_the_last_pusher_and_the_requester_say_no_yes(world: Any) -> None:
    started(world)
    shipped(world, authors=("wren <w@example.org>",), pushers=("Ana <ana@example.org>",))
    assert code(yes(world, ANA)) == "own_work"
    assert code(yes(world, Who("RITA"))) == "own_request"
    assert code(yes(world, Who("other-account", "rita", ("rita",)))) == "own_request"
    assert code(yes(world, "luis")) == ""


def test_a_pipeline_may_say_who_is_kept_apart(world: Any) -> None:
    started(world, separation=("author",))
    shipped(world, authors=("wren <w@x>",), pushers=("rita <r@x>",))
    assert code(yes(world, "wren")) == "own_work"
    assert code(yes(world, "rita")) == ""


def test_a_journal_without_authors_has_those_of_its_commits(world: Any) -> None:
    started(world)
    run = msgspec.structs.replace(
        world.run, authors=(), changes=(ev.Change("c1", "Ana Lovelace", "t"),)
    )
    assert approvals.refusal(world.state, run, newest(world), ANA) is not None


def test_high_risk_takes_two_people_and_two_accounts_of_one_are_one(world: Any) -> None:
    started(world, approvals_by_risk={"HIGH": 2})
    shipped(world, risk="HIGH")
    yes(world, ANA)
    world.settle()
    assert world.weights == []
    assert "2 people have to say yes; so far: ana" in newest(world).lines
    for same in (
        Who("ana"),
        Who("deploy-7", "ana", ("ana",)),
        Who("Ana@Example.org", "ana", how="token"),
        Who("ÁNA".replace("Á", "A")),
    ):
        assert code(yes(world, same)) == "second_person"
    assert code(yes(world, "luis")) == ""
    world.settle()
    assert world.weights == [5]


def test_one_yes_is_enough_at_low_risk_where_high_takes_two(world: Any) -> None:
    started(world, approvals_by_risk={"HIGH": 2})
    yes(world)
    world.settle()
    assert world.weights == [5]


def test_both_of_two_are_asked_again_when_the_policy_changes(world: Any) -> None:
    started(world, approvals=2)
    yes(world, "ana")
    world.settle()
    yes(world, "luis")
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.settle()
    assert {i.by for i in world.run.items.values() if i.void} == {"ana", "luis"}
    yes(world, "ana")
    world.settle()
    assert world.weights == []
    yes(world, "luis")
    world.settle()
    assert world.weights == [5]


def test_who_may_change_the_rules_says_no_yes_under_changed_ones(world: Any) -> None:
    started(world)
    admin = Who("adam", "adam", roles=("approver", "admin"))
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.settle()
    assert code(yes(world, admin)) == "own_rules"
    assert code(yes(world, Who("luis", roles=("approver",)))) == ""


def test_under_the_rules_that_the_run_began_with_an_admin_who_is_an_approver_may(
    world: Any,
) -> None:
    started(world)
    terms(world, ref_commit="c1", artifact="sha256:a")
    world.settle()
    assert code(yes(world, Who("adam", "adam", roles=("approver", "admin")))) == ""


@pytest.mark.parametrize(
    ("stage", "who", "said"),
    [
        ({"signed": True}, Who("luis", "luis"), "unsigned"),
        ({"signed": True}, Who("luis", "luis", signed=True), ""),
        ({}, Who("luis", "luis", must_sign=True), "unsigned"),
        ({}, Who("luis", "luis", must_sign=True, signed=True), ""),
        ({}, Who("deploy", "deploy", shared=True), "unsigned"),
        ({"listed": True}, Who("uid-7"), "not_listed"),
        ({"listed": True}, Who("luis", "luis"), ""),
    ],
)
def test_where_it_is_asked_for_a_yes_is_proven(
    world: Any, stage: dict[str, bool], who: Who, said: str
) -> None:
    started(world, **stage)
    assert code(yes(world, who)) == said


def test_what_a_yes_was_worth_is_in_the_journal(world: Any) -> None:
    started(world)
    proof = ev.Signature("text", "sig", "ana", "SHA256:x")
    yes(world, ANA, max_weight=25, not_before=5.0, signature=proof)
    closed = next(e for e in world.log if isinstance(e, ev.ItemClosed))
    assert (closed.by, closed.person, closed.how) == ("ana", "ana", "uid 1001")
    assert (closed.max_weight, closed.not_before, closed.signature) == (25, 5.0, proof)
    assert {*approvals.BOUND, "run", "max_weight", "not_before", "expires"} <= set(
        newest(world).binding
    )


def test_an_older_journals_question_is_answered_as_it_was_asked(world: Any) -> None:
    started(world)
    world.record(
        ev.ItemOpened(
            run="1",
            item="old",
            type="approval",
            capability="open_release",
            step=-1,
            expires_at=world.now + 99,
            binding={"stage": "release", "commit": "c1", "plan": "plan", "policy": "policy"},
        )
    )
    assert code(yes(world)) == ""
    assert nx.next_actions(world.state, world.run, world.now)


def test_s34_a_yes_that_became_void_overrides_no_freeze(world: Any) -> None:
    def weekend(stands: str) -> None:
        world.record(
            ev.FreezeChanged(
                environment="prod",
                stands=stands,  # type: ignore[arg-type]
                freeze="weekend",
                why="freeze weekend is in force",
                people=2,
            )
        )

    started(world)
    weekend("closed")
    shipped(world)
    world.settle()
    assert newest(world).binding["freeze"] == "weekend"
    yes(world, "ana")
    world.settle()
    yes(world, "ben")
    weekend("open")
    terms(world, policy="policy-2", policy_says=POLICY_2)
    world.settle()
    assert "freeze" not in newest(world).binding
    assert all(i.void for i in world.run.items.values() if i.status == "accepted")
    yes(world, "cleo")
    weekend("closed")
    world.settle()
    assert world.weight == 0
