"""The policy opens nothing on what is not known, and stops are always open."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core import policy as p
from hatchway.core.facts import MAX_AGE_S, Fact, FactName, Facts, Known, Missing, standing
from hatchway.core.windows import Calendar, Span, joined

NOW = 1_700_000_000.0


def known(value: str | float | bool | tuple[str, ...], age: float = 0.5) -> Known:
    return Known(value, NOW - age, "test")


OPEN = Span(NOW - 60, NOW + 60)
GOOD = Facts(
    verdict=known("PASS"),
    confidence=known(0.97),
    data=known(True, 0.8),
    stable_healthy=known(True),
    control=known("agent"),
    automatic_rollbacks=known(0),
    risk=known("MEDIUM"),
    undo_safe=known(True),
    regressed=known(("errors",)),
    weight=known(25),
    calendars={"office": Calendar(name="office", kind="window", source="t", spans=(OPEN,))},
)

PROMOTE = p.Rule(
    "auto",
    (p.VerdictIn(("PASS",)), p.DataAgeBelow(10), p.StableHealthy(True), p.ControlIs("agent")),
)
ROLLBACK = p.Rule(
    "auto", (p.VerdictIn(("REGRESS",)), p.DataAgeBelow(10), p.AutomaticRollbacksBelow(1))
)


def policy(mode: p.Mode = "act", **rules: p.Rule) -> p.Policy:
    named = {"promote": PROMOTE, "rollback": ROLLBACK, **rules}
    return p.Policy(1, {"prod": p.EnvironmentPolicy(mode, named)})


def ask(capability: str, facts: Facts = GOOD, mode: p.Mode = "act", **more: Any) -> p.PolicyAnswer:
    return p.answer(more.get("policy", policy()), "prod", capability, facts, mode, NOW)


def test_auto_needs_every_condition_and_says_which_were_met() -> None:
    said = ask("promote")
    assert said.answer == "auto"
    assert said.rule == "prod.promote"
    assert said.met == (
        "verdict is PASS",
        "data is 0.8 s old",
        "stable is healthy",
        "control is with agent",
    )
    assert all(words in said.why for words in said.met)
    assert said.unmet == said.unknown == ()


def test_a_condition_that_is_not_met_makes_the_agent_ask() -> None:
    said = ask("promote", msgspec.structs.replace(GOOD, verdict=known("UNSURE")))
    assert said.answer == "ask"
    assert said.unmet == ("verdict is UNSURE, not PASS",)
    assert said.unmet[0] in said.why


def test_a_missing_fact_makes_the_agent_ask_and_names_who_could_not_say() -> None:
    gone = Missing("governor", "the governor does not answer")
    said = ask("promote", msgspec.structs.replace(GOOD, control=gone))
    assert said.answer == "ask"
    assert said.unknown == ("who is in control: the governor does not answer (governor)",)


@pytest.mark.parametrize("name", ["verdict", "stable_healthy", "control", "data"])
def test_a_stale_fact_never_opens_anything(name: FactName) -> None:
    old = msgspec.structs.replace(getattr(GOOD, name), at=NOW - MAX_AGE_S[name] - 0.1)
    said = ask("promote", msgspec.structs.replace(GOOD, **{name: old}))
    assert said.answer == "ask"
    assert len(said.unknown) == 1
    assert "s old" in said.unknown[0]


def test_data_older_than_the_policy_wants_is_not_met_even_when_it_is_not_stale_yet() -> None:
    said = ask("promote", msgspec.structs.replace(GOOD, data=known(True, 12)))
    assert (said.answer, said.unmet) == ("ask", ("data is 12.0 s old, not below 10 s",))


@pytest.mark.parametrize("at", [NOW + 60, float("nan"), float("inf")])
def test_a_fact_from_a_wrong_clock_is_not_known(at: float) -> None:
    said = ask("promote", msgspec.structs.replace(GOOD, data=Known(True, at, "clock")))
    assert said.answer == "ask"
    assert len(said.unknown) == 1


@pytest.mark.parametrize(
    ("condition", "fact", "value"),
    [
        (p.VerdictIn(("PASS",)), "verdict", "pass"),
        (p.VerdictIn(("PASS",)), "verdict", True),
        (p.StableHealthy(True), "stable_healthy", "true"),
        (p.StableHealthy(True), "stable_healthy", 1),
        (p.ControlIs("agent"), "control", 0),
        (p.AutomaticRollbacksBelow(1), "automatic_rollbacks", "0"),
        (p.AutomaticRollbacksBelow(1), "automatic_rollbacks", False),
        (p.AutomaticRollbacksBelow(1), "automatic_rollbacks", -1),
        (p.ConfidenceAtLeast(0.5), "confidence", float("nan")),
        (p.ConfidenceAtLeast(0.5), "confidence", 97.0),
        (p.ConfidenceAtLeast(0.5), "confidence", True),
        (p.RiskAtMost("HIGH"), "risk", "low"),
        (p.UndoSafe(True), "undo_safe", "yes"),
        (p.UndoSafe(True), "undo_safe", 1),
    ],
)
def test_a_fact_of_the_wrong_type_or_out_of_range_is_not_known(
    condition: p.Condition, fact: str, value: Any
) -> None:
    found = p.find(condition, msgspec.structs.replace(GOOD, **{fact: known(value)}), NOW)
    assert found.stands == "unknown"
    assert repr(value) in found.words


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        (p.VerdictIn(("PASS", "UNSURE")), {"verdict": "UNSURE"}, {"verdict": "REGRESS"}),
        (p.StableHealthy(True), {"stable_healthy": True}, {"stable_healthy": False}),
        (p.ControlIs("agent"), {"control": "agent"}, {"control": "paused"}),
        (p.AutomaticRollbacksBelow(1), {"automatic_rollbacks": 0}, {"automatic_rollbacks": 1}),
        (p.ConfidenceAtLeast(0.9), {"confidence": 0.9}, {"confidence": 0.89}),
        (p.RiskAtMost("MEDIUM"), {"risk": "MEDIUM"}, {"risk": "HIGH"}),
        (p.UndoSafe(True), {"undo_safe": True}, {"undo_safe": False}),
    ],
)
def test_each_condition_tells_yes_from_no(
    condition: p.Condition, met: dict[str, Any], unmet: dict[str, Any]
) -> None:
    for values, stands in ((met, "met"), (unmet, "unmet")):
        facts = msgspec.structs.replace(GOOD, **{k: known(v) for k, v in values.items()})
        assert p.find(condition, facts, NOW).stands == stands


def test_every_condition_of_the_vocabulary_can_be_evaluated() -> None:
    made: dict[type[p.Condition], p.Condition] = {
        p.VerdictIn: p.VerdictIn(("PASS",)),
        p.DataAgeBelow: p.DataAgeBelow(10),
        p.StableHealthy: p.StableHealthy(True),
        p.ControlIs: p.ControlIs("agent"),
        p.AutomaticRollbacksBelow: p.AutomaticRollbacksBelow(1),
        p.ConfidenceAtLeast: p.ConfidenceAtLeast(0.5),
        p.RiskAtMost: p.RiskAtMost("HIGH"),
        p.UndoSafe: p.UndoSafe(True),
        p.RegressedIn: p.RegressedIn(("errors",)),
        p.WeightAtMost: p.WeightAtMost(25),
        p.InWindow: p.InWindow(("office",)),
    }
    assert set(made) == set(get_args(p.Condition))
    for condition in made.values():
        assert p.find(condition, GOOD, NOW).stands == "met"
        assert p.find(condition, Facts(), NOW).stands == "unknown"


def test_what_is_not_named_is_denied() -> None:
    assert ask("open_patch_pr").answer == "deny"
    assert ask("launch_rockets").answer == "deny"
    elsewhere = p.answer(policy(), "moon", "promote", GOOD, "act", NOW)
    assert elsewhere.answer == "deny"
    assert "moon" in elsewhere.why


def test_deny_stands_whatever_the_facts_are() -> None:
    said = ask("promote", policy=policy(promote=p.Rule("deny", PROMOTE.when)))
    assert said.answer == "deny"


@pytest.mark.parametrize("capability", ["hold", "page"])
@pytest.mark.parametrize("place", ["prod", "moon"])
@pytest.mark.parametrize("mode", ["recommend", "act"])
def test_holding_and_paging_are_always_allowed(capability: str, place: str, mode: p.Mode) -> None:
    denies = policy(mode, **{capability: p.Rule("deny")})
    assert p.answer(denies, place, capability, Facts(), mode, NOW).answer == "auto"


@pytest.mark.parametrize(
    ("written", "requested", "in_force"),
    [
        ("recommend", "recommend", "recommend"),
        ("recommend", "act", "recommend"),
        ("act", "recommend", "recommend"),
        ("act", "act", "act"),
    ],
)
def test_the_stricter_mode_wins(written: p.Mode, requested: p.Mode, in_force: p.Mode) -> None:
    rules = policy(written)
    assert p.mode_in_force(rules, "prod", requested) == in_force
    expected = "auto" if in_force == "act" else "ask"
    assert p.answer(rules, "prod", "promote", GOOD, requested, NOW).answer == expected


def test_an_unknown_environment_only_recommends() -> None:
    assert p.mode_in_force(policy(), "moon", "act") == "recommend"


@pytest.mark.parametrize("capability", p.CAPABILITIES)
def test_in_recommend_mode_only_what_writes_to_no_target_stays_automatic(capability: str) -> None:
    said = ask(capability, mode="recommend", policy=policy("act", **{capability: p.Rule("auto")}))
    assert said.answer == ("auto" if capability in p.ONLY_REFUSES else "ask")


def test_a_policy_survives_being_written_and_read() -> None:
    text = msgspec.json.encode(policy())
    assert msgspec.json.decode(text, type=p.Policy) == policy()
    assert msgspec.json.decode(msgspec.json.encode(GOOD), type=Facts) == GOOD


# --- freezes, windows, people -----------------------------------------------------------------


def calendar(kind: Any, name: str, *spans: Span, **more: Any) -> Calendar:
    return Calendar(name=name, kind=kind, source="t", spans=spans, **more)


SHUT = {"weekend": calendar("freeze", "weekend", OPEN)}
OVER = {"weekend": calendar("freeze", "weekend")}
DOUBT = {"weekend": calendar("freeze", "weekend", trouble="it was emptied")}


def frozen(override: int = 0, **rules: p.Rule) -> p.Policy:
    place = policy("act", **rules).environments["prod"]
    place = msgspec.structs.replace(place, freezes=("weekend",), freeze_override=override)
    return p.Policy(1, {"prod": place})


def with_calendars(calendars: dict[str, Calendar], facts: Facts = GOOD) -> Facts:
    return msgspec.structs.replace(facts, calendars={**facts.calendars, **calendars})


@pytest.mark.parametrize("calendars", [SHUT, DOUBT, {}], ids=["in force", "in doubt", "absent"])
def test_s34_in_a_freeze_or_in_doubt_about_it_nothing_goes_forward(
    calendars: dict[str, Calendar],
) -> None:
    said = ask("promote", with_calendars(calendars), policy=frozen())
    assert said.answer == "deny"
    assert (said.fired, said.freeze) == ("prod.freezes.weekend", "weekend")
    assert "freeze weekend" in said.why


@pytest.mark.parametrize("capability", sorted(p.NEVER_FROZEN))
def test_s34_a_freeze_never_stops_what_removes_risk(capability: str) -> None:
    rules = frozen(**{capability: p.Rule("auto")})
    for calendars in (SHUT, DOUBT, {}):
        assert ask(capability, with_calendars(calendars), policy=rules).answer == "auto"


def test_a_freeze_that_is_over_changes_nothing() -> None:
    assert ask("promote", with_calendars(OVER), policy=frozen()).answer == "auto"


def test_where_people_may_go_on_in_a_freeze_they_are_asked_with_its_name() -> None:
    said = ask("promote", with_calendars(SHUT), policy=frozen(override=2))
    assert (said.answer, said.people, said.freeze) == ("ask", 2, "weekend")
    assert "2 people may go on all the same" in said.why
    assert ask("promote", with_calendars(OVER), policy=frozen(override=2)).people == 1


def test_deny_beats_a_freeze_that_people_could_override() -> None:
    rules = frozen(override=1, promote=p.Rule("deny"))
    assert ask("promote", with_calendars(SHUT), policy=rules).answer == "deny"


def test_outside_its_window_the_agent_asks_and_says_until_when() -> None:
    rules = policy(promote=p.Rule("auto", (*PROMOTE.when, p.InWindow(("office",)))))
    assert ask("promote", policy=rules).answer == "auto"
    assert ask("promote", policy=rules).until == NOW + 60
    later = Span(NOW + 100, NOW + 200)
    closed = with_calendars({"office": calendar("window", "office", later)})
    said = ask("promote", closed, policy=rules)
    assert (said.answer, said.fired, said.until) == ("ask", "prod.promote.when.window", NOW + 100)
    assert said.unmet == ("window office is closed",)


def test_one_of_several_windows_is_enough_and_an_unknown_one_does_not_close_it() -> None:
    rules = policy(promote=p.Rule("auto", (p.InWindow(("office", "night")),)))
    doubt = {"night": calendar("window", "night", trouble="unreadable")}
    assert ask("promote", with_calendars(doubt), policy=rules).answer == "auto"
    shut = {**doubt, "office": calendar("window", "office")}
    said = ask("promote", with_calendars(shut), policy=rules)
    assert said.answer == "ask"
    assert said.unknown


def test_the_agent_deploys_only_where_it_may_and_rolls_back_everywhere() -> None:
    rules = msgspec.structs.replace(policy(), agent_deploys_to=("staging",))
    said = ask("promote", policy=rules)
    assert (said.answer, said.fired) == ("deny", "agent_deploys_to")
    facts = msgspec.structs.replace(GOOD, verdict=known("REGRESS"))
    assert ask("rollback", facts, policy=rules).answer == "auto"


@pytest.mark.parametrize(
    ("risk", "people"),
    [("LOW", 1), ("MEDIUM", 1), ("HIGH", 3), ("low", 3), (True, 3)],
)
def test_people_by_risk_and_a_risk_that_is_not_known_counts_as_the_worst(
    risk: Any, people: int
) -> None:
    place = policy("act", promote=p.Rule("ask")).environments["prod"]
    place = msgspec.structs.replace(place, approvals={"HIGH": 3})
    facts = msgspec.structs.replace(GOOD, risk=known(risk))
    assert ask("promote", facts, policy=p.Policy(1, {"prod": place})).people == people
    gone = msgspec.structs.replace(GOOD, risk=Missing("repository", "no commit"))
    assert ask("promote", gone, policy=p.Policy(1, {"prod": place})).people == 3


def test_roles_need_a_person_each() -> None:
    rule = p.Rule("ask", approvals=p.Approvals(2, ("operator", "approver")))
    said = ask("promote", policy=policy(promote=rule))
    assert (said.people, said.roles) == (2, ("operator", "approver"))


def test_s13_a_gate_that_throws_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def get(self, _: str) -> Any:
            raise RuntimeError("no such thing")

    said = p.answer(p.Policy(1, Broken()), "prod", "promote", GOOD, "act", NOW)  # type: ignore[arg-type]
    assert said.answer == "deny"
    assert "RuntimeError: no such thing" in said.why
    held = p.answer(p.Policy(1, Broken()), "prod", "hold", GOOD, "act", NOW)  # type: ignore[arg-type]
    assert held.answer == "auto", "holding needs no policy"


def test_what_decided_is_named_as_it_is_written() -> None:
    stale = msgspec.structs.replace(GOOD, control=known("agent", 60))
    assert ask("promote").fired == "prod.promote"
    assert ask("promote", stale).fired == "prod.promote.when.control"
    assert ask("promote", mode="recommend").fired == "prod.mode"
    assert ask("promote", policy=policy(promote=p.Rule("ask"))).fired == "prod.promote"
    assert ask("launch_rockets").fired == "prod.launch_rockets (not named)"


def test_each_condition_says_which_fact_of_which_age_it_stood_on() -> None:
    verdict, data, *_ = ask("promote").findings
    assert (verdict.condition, verdict.fact) == ("verdict: [PASS]", "verdict")
    assert (verdict.value, verdict.source, verdict.age_s) == ("PASS", "test", 0.5)
    assert (data.condition, data.age_s, data.stands) == ("data_age_below: 10s", 0.8, "met")


def test_s32_forty_low_items_take_one_person_each_and_the_high_one_takes_two() -> None:
    """What differs is the number of people; how loud it is asked is the screen's part."""
    place = policy("act", promote=p.Rule("ask")).environments["prod"]
    rules = p.Policy(1, {"prod": msgspec.structs.replace(place, approvals={"HIGH": 2})})
    risks = ["LOW"] * 40 + ["HIGH"]
    asked = [
        ask("promote", msgspec.structs.replace(GOOD, risk=known(risk)), policy=rules)
        for risk in risks
    ]
    assert [a.people for a in asked] == [1] * 40 + [2]
    assert {a.answer for a in asked} == {"ask"}


# --- properties -------------------------------------------------------------------------------

PERMISSIVE = {"deny": 0, "ask": 1, "auto": 2}
NAMES: tuple[FactName, ...] = get_args(FactName)

values = st.one_of(
    st.sampled_from(["PASS", "REGRESS", "UNSURE", "NO_DATA", "agent", "person", "LOW", "HIGH", ""]),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.lists(st.sampled_from(["errors", "latency", "orders"]), max_size=2).map(tuple),
)
fact_strategy: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Missing, st.just("x"), st.just("gone")),
    st.builds(Known, values, st.floats(NOW - 100, NOW + 10), st.just("x")),
)
spans = st.lists(
    st.builds(lambda a, b: Span(NOW + a, NOW + a + b), st.integers(-90, 90), st.integers(1, 60)),
    max_size=3,
).map(joined)
some_calendars = st.dictionaries(
    st.sampled_from(["office", "night", "weekend", "year-end"]),
    st.tuples(spans, st.sampled_from(["", "", "", "broken"]), st.integers(-50, 50)),
).map(
    lambda found: {
        name: calendar(
            "window" if name in ("office", "night") else "freeze",
            name,
            *s,
            trouble=trouble,
            stale_at=NOW + stale,
        )
        for name, (s, trouble, stale) in found.items()
    }
)
facts_strategy = st.builds(Facts, calendars=some_calendars, **dict.fromkeys(NAMES, fact_strategy))
conditions: st.SearchStrategy[p.Condition] = st.one_of(
    st.builds(p.VerdictIn, st.tuples(st.sampled_from(get_args(p.Verdict)))),
    st.builds(p.DataAgeBelow, st.floats(0.1, 200)),
    st.builds(p.StableHealthy, st.booleans()),
    st.builds(p.ControlIs, st.sampled_from(get_args(p.Control))),
    st.builds(p.AutomaticRollbacksBelow, st.integers(1, 3)),
    st.builds(p.ConfidenceAtLeast, st.floats(0, 1)),
    st.builds(p.RiskAtMost, st.sampled_from(get_args(p.Risk))),
    st.builds(p.UndoSafe, st.booleans()),
    st.builds(p.RegressedIn, st.just(("errors",))),
    st.builds(p.WeightAtMost, st.integers(1, 100)),
    st.builds(p.InWindow, st.lists(st.sampled_from(["office", "night"]), min_size=1).map(tuple)),
)
rules = st.builds(
    p.Rule,
    st.sampled_from(["auto", "ask", "deny"]),
    st.lists(conditions, max_size=4).map(tuple),
    st.builds(p.Approvals, st.integers(1, 3), st.just(())),
)
policies = st.builds(
    p.Policy,
    st.just(1),
    st.dictionaries(
        st.sampled_from(["prod", "staging"]),
        st.builds(
            p.EnvironmentPolicy,
            st.sampled_from(["recommend", "act"]),
            st.dictionaries(st.sampled_from(p.CAPABILITIES), rules),
            st.lists(st.sampled_from(["weekend", "year-end"]), unique=True).map(tuple),
            st.integers(0, 2),
            st.dictionaries(st.sampled_from(p.RISKS), st.integers(1, 3)),
        ),
    ),
    st.just(""),
    st.one_of(st.none(), st.lists(st.sampled_from(["prod", "staging"])).map(tuple)),
)
modes = st.sampled_from(["recommend", "act"])


@given(policies, st.sampled_from(p.CAPABILITIES), facts_strategy, modes, st.sampled_from(NAMES))
def test_removing_a_fact_never_makes_an_answer_more_permissive(
    written: p.Policy, capability: str, facts: Facts, mode: p.Mode, gone: str
) -> None:
    less = msgspec.structs.replace(facts, **{gone: Missing("x", "gone")})
    before = p.answer(written, "prod", capability, facts, mode, NOW).answer
    after = p.answer(written, "prod", capability, less, mode, NOW).answer
    assert PERMISSIVE[after] <= PERMISSIVE[before]
    assert (after == "deny") == (before == "deny"), "a missing fact makes ask, never deny"


@given(policies, st.sampled_from(p.CAPABILITIES), facts_strategy, st.floats(0, 1000))
def test_waiting_never_turns_an_unknown_into_a_yes(
    written: p.Policy, capability: str, facts: Facts, seconds: float
) -> None:
    def all_in_the_past(name: FactName) -> bool:
        fact = getattr(facts, name)
        return isinstance(fact, Missing) or fact.at <= NOW

    facts = msgspec.structs.replace(
        facts, **{n: Missing("x", "gone") for n in NAMES if not all_in_the_past(n)}
    )
    before = p.answer(written, "prod", capability, facts, "act", NOW).answer
    after = p.answer(written, "prod", capability, facts, "act", NOW + seconds).answer
    assert PERMISSIVE[after] <= PERMISSIVE[before]


@given(policies, st.sampled_from(p.CAPABILITIES), facts_strategy)
def test_recommend_is_never_more_permissive_than_act(
    written: p.Policy, capability: str, facts: Facts
) -> None:
    careful = p.answer(written, "prod", capability, facts, "recommend", NOW).answer
    bold = p.answer(written, "prod", capability, facts, "act", NOW).answer
    assert PERMISSIVE[careful] <= PERMISSIVE[bold]
    if capability not in p.ONLY_REFUSES:
        assert careful != "auto"


@given(policies, st.sampled_from(p.CAPABILITIES), facts_strategy)
def test_auto_means_that_every_condition_was_met(
    written: p.Policy, capability: str, facts: Facts
) -> None:
    said = p.answer(written, "prod", capability, facts, "act", NOW)
    if said.answer == "auto":
        assert said.unmet == said.unknown == ()
        if capability not in p.ALWAYS_ALLOWED:
            assert len(said.met) == len(written.environments["prod"].capabilities[capability].when)


@given(st.sampled_from(NAMES), fact_strategy)
def test_a_fact_is_never_both_usable_and_in_doubt(name: FactName, fact: Fact) -> None:
    if isinstance(fact, Missing):
        assert standing(name, fact, NOW) == "missing"
    elif standing(name, fact, NOW) == "known":
        assert -2 <= NOW - fact.at <= MAX_AGE_S[name]


def not_more_permissive(after: p.PolicyAnswer, before: p.PolicyAnswer) -> None:
    """Not more permissive, and not with fewer people."""
    assert PERMISSIVE[after.answer] <= PERMISSIVE[before.answer], (before, after)
    if after.answer == before.answer == "ask":
        assert after.people >= before.people, (before, after)


def test_less_known_or_more_forbidden_is_never_more_permissive(bar: Any) -> None:
    """Removing or staling a fact, a calendar in doubt, one more freeze, window, deny or condition."""
    seen, compared = [0], [0]

    def no_more(after: p.PolicyAnswer, before: p.PolicyAnswer) -> None:
        compared[0] += 1
        not_more_permissive(after, before)

    @settings(max_examples=300, deadline=None)
    @given(
        policies,
        st.sampled_from(p.CAPABILITIES),
        facts_strategy,
        modes,
        st.sampled_from(NAMES),
        conditions,
    )
    def holds(
        written: p.Policy,
        capability: str,
        facts: Facts,
        mode: p.Mode,
        name: FactName,
        condition: p.Condition,
    ) -> None:
        seen[0] += 1

        def asked(rules: p.Policy = written, known: Facts = facts) -> p.PolicyAnswer:
            return p.answer(rules, "prod", capability, known, mode, NOW)

        before = asked()
        fact = getattr(facts, name)
        stale = Known(fact.value, NOW - 1e9, "x") if isinstance(fact, Known) else fact
        for worse in (Missing("x", "gone"), stale if name != "risk" else Missing("x", "gone")):
            no_more(asked(known=msgspec.structs.replace(facts, **{name: worse})), before)
        for gone in facts.calendars:
            fewer = {n: c for n, c in facts.calendars.items() if n != gone}
            no_more(asked(known=msgspec.structs.replace(facts, calendars=fewer)), before)
            old = msgspec.structs.replace(facts.calendars[gone], stale_at=NOW)
            doubt = {**facts.calendars, gone: old}
            no_more(asked(known=msgspec.structs.replace(facts, calendars=doubt)), before)
        place = written.environments.get("prod")
        if place is None:
            return
        for freeze in ("weekend", "year-end"):
            more = msgspec.structs.replace(place, freezes=(*place.freezes, freeze))
            no_more(asked(p.Policy(1, {"prod": more}, "", written.agent_deploys_to)), before)
        rule = place.capabilities.get(capability)
        if rule is None:
            return
        for stricter in (
            msgspec.structs.replace(rule, when=(*rule.when, condition)),
            msgspec.structs.replace(rule, when=(*rule.when, p.InWindow(("office",)))),
            msgspec.structs.replace(rule, answer="deny"),
        ):
            changed = {**place.capabilities, capability: stricter}
            stricter_place = msgspec.structs.replace(place, capabilities=changed)
            environments = {"prod": stricter_place}
            no_more(asked(p.Policy(1, environments, "", written.agent_deploys_to)), before)

    holds()
    measured = f"{seen[0]:,} policies and facts, {compared[0]:,} comparisons"
    bar("property tests' examples: policy", measured, ">= 300 and 1,500")
    assert seen[0] >= 300
    assert compared[0] >= 1_500
