"""May the agent do this by itself? The policy's structs and their evaluation, pure.

Three answers: `auto` (does it), `ask` (recommends it and waits for people), `deny` (may not even
ask). Deny beats ask, ask beats auto. A condition whose fact is missing or stale never opens
anything, and a calendar in doubt counts as closed. Removing a fact, or adding a window or a freeze,
never makes an answer more permissive. An evaluation that fails denies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from msgspec import Struct

from hatchway.core.conditions import (
    RISKS,
    VERDICTS,
    VOCABULARY,
    AutomaticRollbacksBelow,
    Condition,
    ConfidenceAtLeast,
    Control,
    ControlIs,
    DataAgeBelow,
    InWindow,
    RegressedIn,
    Risk,
    RiskAtMost,
    StableHealthy,
    UndoSafe,
    Verdict,
    VerdictIn,
    WeightAtMost,
    find,
    written,
)
from hatchway.core.facts import Facts, Finding, Known, standing
from hatchway.core.windows import Calendar, CalendarReading, any_closed, read_named

__all__ = [
    "ALWAYS_ALLOWED",
    "CAPABILITIES",
    "NEVER_FROZEN",
    "ONLY_REFUSES",
    "RISKS",
    "VERDICTS",
    "VOCABULARY",
    "Approvals",
    "AutomaticRollbacksBelow",
    "Capability",
    "Condition",
    "ConfidenceAtLeast",
    "Control",
    "ControlIs",
    "DataAgeBelow",
    "EnvironmentPolicy",
    "Finding",
    "InWindow",
    "Mode",
    "Policy",
    "PolicyAnswer",
    "RegressedIn",
    "Risk",
    "RiskAtMost",
    "Rule",
    "StableHealthy",
    "UndoSafe",
    "Verdict",
    "VerdictIn",
    "WeightAtMost",
    "Word",
    "answer",
    "find",
    "freeze_of",
    "mode_in_force",
    "written",
]

Mode = Literal["recommend", "act"]
Word = Literal["auto", "ask", "deny"]
Capability = Literal[
    "promote",
    "hold",
    "rollback",
    "block_deploy",
    "open_release",
    "deploy_staging",
    "page",
    "quarantine_test",
    "open_patch_pr",
]

CAPABILITIES: tuple[str, ...] = get_args(Capability)
ALWAYS_ALLOWED = frozenset({"hold", "page"})
"""They change nothing, so no policy can take them away."""

ONLY_REFUSES = frozenset({"hold", "page", "block_deploy", "open_release"})
"""They write to no target (they stop, call or ask people): `auto` stays `auto` in recommend."""

NEVER_FROZEN = frozenset({*ONLY_REFUSES, "rollback"})
"""What removes risk, or only asks. A freeze is about going forward, and nothing else."""

DEPLOYS = frozenset({"promote", "deploy_staging"})


class Approvals(Struct, frozen=True):
    """How many different people have to say yes, and roles of which each needs its own person."""

    people: int = 1
    roles: tuple[str, ...] = ()


class Rule(Struct, frozen=True):
    """The answer for one capability. `when` makes `auto` fall to `ask` unless all are met."""

    answer: Word
    when: tuple[Condition, ...] = ()
    approvals: Approvals = Approvals()


class EnvironmentPolicy(Struct, frozen=True):
    """What the agent may do in one environment; capabilities that are not named are denied.

    While any of `freezes` is in force, or not known, nothing goes forward unless `freeze_override`
    people say yes with the freeze before their eyes; 0: nobody can. `approvals` are people by risk.
    """

    mode: Mode
    capabilities: dict[str, Rule]
    freezes: tuple[str, ...] = ()
    freeze_override: int = 0
    approvals: dict[str, int] = {}


class Policy(Struct, frozen=True):
    """A policy file. `digest` is the SHA-256 of its bytes.

    `lines` says where each thing stands in it, by its dotted name: see `line_of`.
    `agent_deploys_to` lists the environments into which the agent may bring anything; None: all
    that are named, each within its own rules.
    """

    version: int
    environments: dict[str, EnvironmentPolicy]
    digest: str = ""
    agent_deploys_to: tuple[str, ...] | None = None
    lines: dict[str, int] = {}

    def line_of(self, name: str) -> int:
        """The line of what `fired`, or of what it is in; counted from 1, 0 when not known."""
        name = name.partition(" (")[0]
        while name and name not in self.lines:
            name = name.rpartition(".")[0]
        return self.lines.get(name, 0)


class PolicyAnswer(Struct, frozen=True):
    """The answer, what gave it, and every condition in words by how it stood.

    `rule` is the rule that was asked, `fired` the line of it that decided. `until` is when a
    calendar may change the answer, in seconds since 1970. For an `ask`: how many `people` and which
    `roles` it takes, and the `freeze` that they have to be shown.
    """

    answer: Word
    rule: str  # "prod.promote"
    why: str
    met: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    fired: str = ""  # "prod.promote.when.verdict", "prod.freezes.weekend", "prod.mode"
    findings: tuple[Finding, ...] = ()
    people: int = 1
    roles: tuple[str, ...] = ()
    freeze: str = ""
    until: float = math.inf


def mode_in_force(policy: Policy, environment: str, requested: Mode) -> Mode:
    """The stricter of what the run asks for and what the policy's environment allows."""
    allowed = policy.environments.get(environment)
    if allowed is None or allowed.mode == "recommend":
        return "recommend"
    return requested


def freeze_of(
    place: EnvironmentPolicy, calendars: Mapping[str, Calendar], now: float
) -> CalendarReading:
    """How the freezes of an environment stand together: closed, not known, or open."""
    return any_closed([read_named(name, "freeze", calendars, now) for name in place.freezes])


def answer(
    policy: Policy,
    environment: str,
    capability: str,
    facts: Facts,
    mode: Mode,
    now: float,
) -> PolicyAnswer:
    """What the policy says to the agent's wish to use `capability` at `now`. Never raises.

    `mode` is what the run was started with; the policy's own mode is applied on top.
    """
    name = f"{environment}.{capability}"
    if capability in ALWAYS_ALLOWED:
        why = f"{capability} is always allowed: it changes nothing"
        return PolicyAnswer("auto", name, why, fired="always allowed")
    try:
        return _answer(policy, environment, capability, facts, mode, now)
    except Exception as error:  # a gate that fails is shut
        why = f"the policy could not be evaluated ({type(error).__name__}: {error}): denied"
        return PolicyAnswer("deny", name, why, fired="error")


def _answer(
    policy: Policy, environment: str, capability: str, facts: Facts, mode: Mode, now: float
) -> PolicyAnswer:
    name = f"{environment}.{capability}"
    place = policy.environments.get(environment)
    if place is None:
        why = f"the policy does not name the environment {environment}"
        return PolicyAnswer("deny", name, why, fired=f"{environment} (not named)")
    rule = place.capabilities.get(capability)
    if rule is None:
        why = f"the policy does not name {capability}: denied"
        return PolicyAnswer("deny", name, why, fired=f"{name} (not named)")
    findings = tuple(find(condition, facts, now) for condition in rule.when)
    frozen = CalendarReading("open", "", "", math.inf)
    if capability not in NEVER_FROZEN:
        frozen = freeze_of(place, facts.calendars, now)
    shut = frozen.stands != "open"
    in_force = mode_in_force(policy, environment, mode)
    word, fired, why = _decided(
        policy, place, rule, frozen, findings, (environment, capability, in_force)
    )
    met = tuple(f.words for f in findings if f.stands == "met")
    if word == "auto" and met:
        why += f": {', '.join(met)}"
    return PolicyAnswer(
        word,
        name,
        why,
        met,
        (*_words(findings, "unmet"), *((frozen.words,) if frozen.stands == "closed" else ())),
        (*_words(findings, "unknown"), *((frozen.words,) if frozen.stands == "unknown" else ())),
        fired,
        findings,
        _people(place, rule, facts, now, frozen=shut),
        rule.approvals.roles,
        frozen.name if shut else "",
        min((frozen.until, *_until(rule, facts, now))),
    )


def _decided(
    policy: Policy,
    place: EnvironmentPolicy,
    rule: Rule,
    frozen: CalendarReading,
    findings: Sequence[Finding],
    of: tuple[str, str, Mode],
) -> tuple[Word, str, str]:
    """The answer, what decided it, and why in words: the strictest first."""
    environment, capability, mode = of
    name = f"{environment}.{capability}"
    lists = policy.agent_deploys_to
    if rule.answer == "deny":
        return "deny", name, f"the policy denies {capability}"
    if lists is not None and capability in DEPLOYS and environment not in lists:
        return "deny", "agent_deploys_to", f"the agent may not deploy to {environment}"
    freeze = f"{environment}.freezes.{frozen.name}"
    if frozen.stands != "open" and place.freeze_override == 0:
        return "deny", freeze, f"{frozen.words}: nothing goes forward; stops and rollback work"
    reasons: list[tuple[str, str]] = []
    if frozen.stands != "open":
        override = f"{_persons(place.freeze_override)} may go on all the same"
        reasons.append((freeze, f"{frozen.words}: {override}"))
    if rule.answer == "ask":
        reasons.append((name, f"the policy wants a person's yes for {capability}"))
    for stands, said in (("unmet", "not met"), ("unknown", "not known")):
        found = [f for f in findings if f.stands == stands]
        if found:
            key = found[0].condition.partition(":")[0]
            words = ", ".join(f.words for f in found)
            reasons.append((f"{name}.when.{key}", f"{said}: {words}"))
    if reasons:
        return "ask", reasons[0][0], "; ".join(why for _, why in reasons)
    if mode == "recommend" and capability not in ONLY_REFUSES:
        why = "recommendation mode: the agent asks before anything is written"
        return "ask", f"{environment}.mode", why
    return "auto", name, f"the policy allows {capability}"


def _people(place: EnvironmentPolicy, rule: Rule, facts: Facts, now: float, *, frozen: bool) -> int:
    """How many different people it takes. A risk that is not known counts as the worst."""
    by_risk = max(place.approvals.values(), default=1)
    risk = facts.risk
    if isinstance(risk, Known) and risk.value in RISKS and standing("risk", risk, now) == "known":
        by_risk = place.approvals.get(str(risk.value), 1)
    override = place.freeze_override if frozen else 1
    return max(1, rule.approvals.people, len(rule.approvals.roles), by_risk, override)


def _until(rule: Rule, facts: Facts, now: float) -> list[float]:
    """When the windows that the rule asks for may change."""
    return [
        read_named(name, "window", facts.calendars, now).until
        for condition in rule.when
        if isinstance(condition, InWindow)
        for name in condition.names
    ]


def _words(findings: Sequence[Finding], stands: str) -> tuple[str, ...]:
    return tuple(f.words for f in findings if f.stands == stands)


def _persons(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
