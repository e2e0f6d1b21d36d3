"""The policy opens nothing on what is not known, and stops are always open."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import policy as p
from hatchway.core.facts import MAX_AGE_S, Fact, FactName, Facts, Known, Missing, standing
from hatchway.core.windows import Calendar, Span

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


# --- properties -------------------------------------------------------------------------------

PERMISSIVE = {"deny": 0, "ask": 1, "auto": 2}
NAMES: tuple[FactName, ...] = get_args(FactName)

values = st.one_of(
    st.sampled_from(["PASS", "REGRESS", "UNSURE", "NO_DATA", "agent", "person", "LOW", "HIGH", ""]),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
)
fact_strategy: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Missing, st.just("x"), st.just("gone")),
    st.builds(Known, values, st.floats(NOW - 100, NOW + 10), st.just("x")),
)
facts_strategy = st.builds(Facts, **dict.fromkeys(NAMES, fact_strategy))
conditions: st.SearchStrategy[p.Condition] = st.one_of(
    st.builds(p.VerdictIn, st.tuples(st.sampled_from(get_args(p.Verdict)))),
    st.builds(p.DataAgeBelow, st.floats(0.1, 200)),
    st.builds(p.StableHealthy, st.booleans()),
    st.builds(p.ControlIs, st.sampled_from(get_args(p.Control))),
    st.builds(p.AutomaticRollbacksBelow, st.integers(1, 3)),
    st.builds(p.ConfidenceAtLeast, st.floats(0, 1)),
    st.builds(p.RiskAtMost, st.sampled_from(get_args(p.Risk))),
    st.builds(p.UndoSafe, st.booleans()),
)
rules = st.builds(
    p.Rule,
    st.sampled_from(["auto", "ask", "deny"]),
    st.lists(conditions, max_size=4).map(tuple),
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
        ),
    ),
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
