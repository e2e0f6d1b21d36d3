"""S01 to S13: going back that would make it worse, and verdicts and gates that fail."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core import events as ev
from hatchway.core import policy as po
from hatchway.core.commands import Command
from hatchway.rehearse import scenario as sc

BAD = sc.Metrics("canary", errors=12.0)
MIGRATION = "ALTER TABLE accounts ADD COLUMN note text;\n"
DROPS = "ALTER TABLE accounts DROP COLUMN old_id;\n"


def schema(at: int, low: int) -> str:
    return f"version: 1\nschema: {{at: {at}, reads: [{low}, {at}]}}\n"


def released(old: str, new: str, **files: str) -> tuple[sc.Version, ...]:
    named = {f"migrations/{name}.sql": text for name, text in files.items()}
    before = {".hatchway.yaml": old} if old else {}
    after = {".hatchway.yaml": new, **named} if new else named
    return sc.Version("1.4.0", before), sc.Version("1.5.0", after)


EIGHT = {f"web-{n}": "1.4.0" for n in range(1, 9)}


def test_s01_knight_2012_seven_of_eight_are_not_gone_back_from(rehearsed: Any) -> None:
    knight = rehearsed("knight-2012")
    assert knight.result.word == "STOPPED"
    assert knight.result.first.guard == "undo:fleet"
    assert "7 of 8 instances do not run 1.4.0" in knight.result.first.why
    assert "undo:config" in knight.guards, "the switch is read by both versions"
    assert knight.rolled_back_by("agent") == 0
    offered = [e.text for p in knight.proposals("page") for e in p.evidence if e.id == "UNDO0"]
    assert "stay held at this share, switch the feature off" in offered[0]


def test_s01_the_same_with_eight_of_eight_is_gone_back_from(scene: Any) -> None:
    played = scene(90, (20, BAD), instances=EIGHT)
    assert played.rolled_back_by("agent") == 1


def test_s01_a_deployment_that_missed_an_instance_is_never_done(scene: Any, weakest: Any) -> None:
    missed = (-30, sc.Instances({"canary-8": "1.4.0"}, "canary"))
    played = scene(10, missed, instances=EIGHT, over=weakest, stuck=True)
    assert "1.5.0" in played.played.stuck
    assert played.run.outcome == "failed"
    assert "not all instances said within 300 s that they run 1.5.0" in played.run.why
    assert played.of(ev.FleetAttested) == []
    assert played.played.writes == ()


def test_s02_97_looks_at_the_same_worry_are_one_hold_and_one_call_and_no_promotion(
    scene: Any, weakest: Any
) -> None:
    # 97 lines a minute where 60 is the limit, at 97 looks: a warning each, and no regression.
    noisy = sc.Levels(warnings=97.0)
    played = scene(97 + 170, canary=noisy, over=weakest)  # it would be promoted at 237 s
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0
    assert "warnings in the log beyond its limit on canary" in played.said
    assert len(played.proposals("hold")) == 1
    assert len(played.proposals("page")) <= 1
    assert len([i for i in played.run.items.values() if i.type == "recommendation"]) <= 1


def test_s03_stripe_2019_a_pair_that_never_ran_together_is_not_gone_back_to(
    rehearsed: Any,
) -> None:
    stripe = rehearsed("stripe-2019")
    assert stripe.result.word == "STOPPED"
    assert stripe.result.first.guard == "undo:config"
    assert stripe.rolled_back_by("agent") == 0
    assert stripe.proposals("page")
    assert any(i.capability == "rollback" for i in stripe.run.items.values()), "people may"


@pytest.mark.parametrize(
    "versions",
    [
        pytest.param(
            released(schema(118, 110), schema(119, 110), m0119=MIGRATION), id="declared_too_old"
        ),
        pytest.param(released("", schema(119, 110), m0119=MIGRATION), id="old_says_nothing"),
        pytest.param(released(schema(118, 110), "", m0119=MIGRATION), id="new_says_nothing"),
    ],
)
def test_s04_a_schema_that_the_old_version_does_not_read_is_not_gone_back_over(
    scene: Any, weakest: Any, versions: Any
) -> None:
    played = scene(90, (20, BAD), versions=versions, over=weakest)
    assert played.rolled_back_by("agent") == 0
    assert "undo:schema" in played.guards
    assert played.played.weight == 5, "nothing has moved"
    offered = [e.text for p in played.proposals("page") for e in p.evidence if e.id == "UNDO0"]
    assert "switch the feature off, or fix it forward" in offered[0]


def test_s05_what_did_not_help_once_is_not_done_twice_whatever_the_policy(
    scene: Any, weakest: Any
) -> None:
    again = (60, sc.Release("1.6.0")), (150, sc.Metrics("canary", errors=30.0))
    played = scene(220, (20, BAD), *again, over=weakest, versions=(*VERSIONS, sc.Version("1.6.0")))
    assert played.rolled_back_by("agent") == 1
    assert len(played.played.state.runs) == 2
    assert {"budget", "breaker"} & played.guards
    assert played.proposals("page")


VERSIONS = (sc.Version("1.4.0"), sc.Version("1.5.0"))
DOES = st.one_of(
    st.builds(
        sc.Metrics,
        st.sampled_from(["canary", "stable", "both"]),
        errors=st.sampled_from([0.5, 5.0, 30.0]),
    ),
    st.builds(sc.Feed, st.just("both"), st.sampled_from(["ok", "zero", "refused"])),
    st.builds(
        sc.Brain, st.sampled_from(["rules", "insists"]), st.sampled_from(["rollback", "promote"])
    ),
    st.builds(
        sc.Person, st.sampled_from(["pause", "takeover", "release", "rollback"]), st.just("oncall")
    ),
    st.builds(sc.Restart, st.sampled_from(["backend", "backup"])),
    st.builds(sc.Late, st.sampled_from([0, 25]), st.just("first")),
    st.just(sc.Release("1.6.0")),
)


def test_s05_no_stream_of_events_has_the_agent_go_back_twice(scene: Any, weakest: Any) -> None:
    examples = 0

    @settings(max_examples=8, deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 160), DOES), min_size=2, max_size=7))
    def check(when: list[tuple[int, sc.Do]]) -> None:
        nonlocal examples
        examples += 1
        versions = (*VERSIONS, sc.Version("1.6.0"))
        ordered = sorted(when, key=lambda entry: entry[0])
        played = scene(170, *ordered, over=weakest, versions=versions, every=2.0, before=5.0)
        assert played.rolled_back_by("agent") <= 1

    check()
    assert examples >= 8


def test_s06_no_part_of_hatchway_can_run_a_migration_back(scene: Any, weakest: Any) -> None:
    words = {*po.CAPABILITIES, *(c.__name__.lower() for c in get_args(Command))}
    assert not [word for word in words if "migrat" in word or "schema" in word]
    played = scene(90, (20, BAD), versions=released("", "", m0120=DROPS), over=weakest)
    assert played.rolled_back_by("agent") == 0
    assert "undo:migrations" in played.guards
    assert any("has no way back" in text for text in played.run.undo.residue)


def test_s07_feedback_2010_one_attempt_and_then_people(rehearsed: Any) -> None:
    feedback = rehearsed("feedback-2010")
    assert feedback.result.word == "STOPPED"
    assert feedback.result.first.guard in ("breaker", "budget")
    assert feedback.rolled_back_by("agent") == 1
    assert feedback.run.from_version == "1.4.0", "what is live is what was gone back to"


def test_s08_herd_2025_what_everybody_suffers_from_is_not_answered_by_moving_everybody(
    rehearsed: Any,
) -> None:
    # Hatchway moves traffic and restarts nothing: waves and jitter of restarts are out of its hands.
    herd = rehearsed("herd-2025")
    assert herd.result.word == "STOPPED"
    assert herd.result.first.guard == "judge:not_ours"
    assert herd.rolled_back_by("agent") == 0
    assert herd.raised(30) == []
    assert herd.proposals("page")


def test_s09_residue_2020_is_listed_and_not_called_done(rehearsed: Any) -> None:
    residue = rehearsed("residue-2020")
    assert residue.result.word == "STOPPED"
    assert residue.result.first.guard == "residue"
    found = residue.of(ev.ResidueFound)[0]
    assert "switch fast_pay was off and is on" in found.left
    assert "server web-3 is new: up" in found.left
    assert residue.of(ev.RollbackConfirmed) == []


def test_s09_residue_lasts_until_it_is_clean_and_then_the_rollback_is_done(scene: Any) -> None:
    flip, back = sc.Facts({"switch": "on"}), sc.Facts({"switch": "off"})
    played = scene(160, (10, flip), (20, BAD), (120, back), facts={"switch": "off"})
    found, done = played.when(ev.ResidueFound), played.when(ev.RollbackConfirmed)
    assert found[0] < 120 <= done[0] < 130


def test_s09_residue_is_accepted_by_a_person_with_a_reason(scene: Any) -> None:
    flip = sc.Facts({"switch": "on"})
    accept = sc.Person("accept", "oncall", "residue")
    played = scene(160, (10, flip), (20, BAD), (120, accept), facts={"switch": "off"})
    accepted = played.of(ev.ResidueAccepted)
    assert [(e.by, e.reason) for e in accepted] == [("oncall", "rehearsed")]
    assert played.of(ev.RollbackConfirmed) == []


async def test_s11_a_rollback_with_nothing_in_flight_says_so_and_touches_nothing() -> None:
    from hatchway.rehearse.governor import RehearsedGovernor

    governor = RehearsedGovernor(("shop",), lambda: 0.0)
    said = await governor.stop("shop", "rollback", id="1", by="oncall", reason="")
    assert "It had no traffic before." in said
    assert governor.writes == []
    assert governor.weight["shop"] == 0


def test_s12_an_exception_in_the_analysis_promotes_nothing(
    scene: Any, weakest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("the judge is broken")

    monkeypatch.setattr("hatchway.conductor.watch.judge", fails)
    played = scene(420, over=weakest, every=2.0)
    assert "the metrics cannot be judged: ZeroDivisionError" in played.said
    assert {v.word for v in played.of(ev.VerdictChanged)} == {"NO_DATA"}
    assert played.raised() == []
    assert played.rolled_back_by("agent") == 0


def test_s12_a_verdict_that_comes_late_or_not_at_all_promotes_nothing(
    scene: Any, weakest: Any
) -> None:
    # PASS is known at 302 s, the step is over at 359 s; the feed is gone in between.
    played = scene(420, (310, sc.Feed("both", "refused")), over=weakest)
    assert "PASS" in {v.word for v in played.of(ev.VerdictChanged)}
    assert played.raised() == [25]


def test_s13_a_policy_that_is_broken_is_refused_and_the_old_one_stays(scene: Any) -> None:
    played = scene(250, (20, sc.Rules("broken")))
    refused = played.of(ev.PolicyRefused)
    assert [(e.line, e.why) for e in refused] == [(9, 'unknown key "anser"')]
    assert refused[0].in_force == played.of(ev.PolicyChanged)[0].digest
    assert len(played.of(ev.PolicyChanged)) == 1
    assert played.raised() == [25], "what was allowed is allowed, by the policy of before"


@pytest.mark.parametrize("error", [RuntimeError("gate"), TimeoutError(), KeyError("fact")])
def test_s13_a_gate_that_fails_denies(
    scene: Any, weakest: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = po.answer

    def gate(policy: Any, environment: str, capability: str, *more: Any, **named: Any) -> Any:
        if capability in ("promote", "rollback"):
            raise error
        return real(policy, environment, capability, *more, **named)

    monkeypatch.setattr("hatchway.conductor.proposals.answer", gate)
    assert scene(270, over=weakest, every=2.0).raised() == []
    assert scene(90, (20, BAD), over=weakest).rolled_back_by("agent") == 0
