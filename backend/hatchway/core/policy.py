"""May the agent do this by itself? The policy's structs and their evaluation, pure.

Three answers: `auto` (does it), `ask` (recommends it and waits for a person), `deny` (may not
even ask). Kleene logic: a condition whose fact is missing or stale is neither met nor unmet, and
never opens anything. Removing a fact never makes an answer more permissive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from hatchway.core.facts import Fact, FactName, Facts, Missing, age, doubt

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
Verdict = Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
Control = Literal["agent", "paused", "person"]
Risk = Literal["LOW", "MEDIUM", "HIGH"]

CAPABILITIES: tuple[str, ...] = get_args(Capability)
ALWAYS_ALLOWED = frozenset({"hold", "page"})
"""They change nothing, so no policy can take them away."""

ONLY_REFUSES = frozenset({"hold", "page", "block_deploy", "open_release"})
"""They write to no target (they stop, call or ask people): `auto` stays `auto` in recommend."""

VERDICTS: tuple[str, ...] = get_args(Verdict)
RISKS: tuple[str, ...] = get_args(Risk)  # lowest first


# --- conditions: a closed vocabulary ------------------------------------------------------------


class VerdictIn(Struct, frozen=True, tag="verdict"):
    """The judge's word is one of `words`."""

    words: tuple[Verdict, ...]


class DataAgeBelow(Struct, frozen=True, tag="data_age_below"):
    """The newest sample behind the verdict is younger than `seconds`."""

    seconds: float


class StableHealthy(Struct, frozen=True, tag="stable_healthy"):
    """The version to return to is within its limits (or, with `healthy` false, is not)."""

    healthy: bool


class ControlIs(Struct, frozen=True, tag="control"):
    """The governor says that `mode` is in control."""

    mode: Control


class AutomaticRollbacksBelow(Struct, frozen=True, tag="automatic_rollbacks_below"):
    """Fewer than `count` automatic rollbacks of this service in its window so far."""

    count: int


class ConfidenceAtLeast(Struct, frozen=True, tag="confidence_at_least"):
    """The proposal's confidence is `value` or more (0 to 1)."""

    value: float


class RiskAtMost(Struct, frozen=True, tag="risk_at_most"):
    """The release's risk is `risk` or lower."""

    risk: Risk


class UndoSafe(Struct, frozen=True, tag="undo_safe"):
    """It is known to be safe (or, with `safe` false, not to be) to go back to the old version."""

    safe: bool


Condition = (
    VerdictIn
    | DataAgeBelow
    | StableHealthy
    | ControlIs
    | AutomaticRollbacksBelow
    | ConfidenceAtLeast
    | RiskAtMost
    | UndoSafe
)


# --- the policy ---------------------------------------------------------------------------------


class Rule(Struct, frozen=True):
    """The answer for one capability. `when` makes `auto` fall to `ask` unless all are met."""

    answer: Word
    when: tuple[Condition, ...] = ()


class EnvironmentPolicy(Struct, frozen=True):
    """What the agent may do in one environment; capabilities that are not named are denied."""

    mode: Mode
    capabilities: dict[str, Rule]


class Policy(Struct, frozen=True):
    """A policy file. `digest` is the SHA-256 of its bytes."""

    version: int
    environments: dict[str, EnvironmentPolicy]
    digest: str = ""


class PolicyAnswer(Struct, frozen=True):
    """The answer, the rule that gave it, and every condition in words by how it stood."""

    answer: Word
    rule: str  # "prod.promote"
    why: str
    met: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Finding(Struct, frozen=True):
    """How one condition stands, in words."""

    stands: Literal["met", "unmet", "unknown"]
    words: str


def mode_in_force(policy: Policy, environment: str, requested: Mode) -> Mode:
    """The stricter of what the run asks for and what the policy's environment allows."""
    allowed = policy.environments.get(environment)
    if allowed is None or allowed.mode == "recommend":
        return "recommend"
    return requested


def answer(
    policy: Policy,
    environment: str,
    capability: str,
    facts: Facts,
    mode: Mode,
    now: float,
) -> PolicyAnswer:
    """What the policy says to the agent's wish to use `capability` at `now`.

    `mode` is what the run was started with; the policy's own mode is applied on top.
    """
    name = f"{environment}.{capability}"
    if capability in ALWAYS_ALLOWED:
        return PolicyAnswer("auto", name, f"{capability} is always allowed: it changes nothing")
    place = policy.environments.get(environment)
    if place is None:
        return PolicyAnswer("deny", name, f"the policy does not name the environment {environment}")
    rule = place.capabilities.get(capability)
    if rule is None:
        return PolicyAnswer("deny", name, f"the policy does not name {capability}: denied")
    findings = [find(condition, facts, now) for condition in rule.when]
    met = tuple(f.words for f in findings if f.stands == "met")
    unmet = tuple(f.words for f in findings if f.stands == "unmet")
    unknown = tuple(f.words for f in findings if f.stands == "unknown")
    word, why = _word(rule, capability, mode_in_force(policy, environment, mode), unmet, unknown)
    if word == "auto" and met:
        why += f": {', '.join(met)}"
    return PolicyAnswer(word, name, why, met, unmet, unknown)


def _word(
    rule: Rule, capability: str, mode: Mode, unmet: tuple[str, ...], unknown: tuple[str, ...]
) -> tuple[Word, str]:
    if rule.answer == "deny":
        return "deny", f"the policy denies {capability}"
    if rule.answer == "ask":
        return "ask", f"the policy wants a person's yes for {capability}"
    reasons = []
    if unmet:
        reasons.append(f"not met: {', '.join(unmet)}")
    if unknown:
        reasons.append(f"not known: {', '.join(unknown)}")
    if reasons:
        return "ask", "; ".join(reasons)
    if mode == "recommend" and capability not in ONLY_REFUSES:
        return "ask", "recommendation mode: the agent asks before anything is written"
    return "auto", f"the policy allows {capability}"


def find(condition: Condition, facts: Facts, now: float) -> Finding:
    """How `condition` stands at `now`. A fact of the wrong type or out of range is not known."""
    name, subject = _ABOUT[type(condition)]
    fact: Fact = getattr(facts, name)
    trouble = doubt(name, fact, now)
    if trouble or isinstance(fact, Missing):
        return Finding("unknown", f"{subject}: {trouble}")
    match condition, fact.value:
        case VerdictIn(words), str(value) if value in VERDICTS:
            return _finding(value in words, f"verdict is {value}", f"not {' or '.join(words)}")
        case DataAgeBelow(seconds), _:
            old = age(fact, now)
            return _finding(old < seconds, f"data is {old:.1f} s old", f"not below {seconds:g} s")
        case StableHealthy(healthy), bool(value):
            return _finding(value is healthy, f"stable is {'' if value else 'not '}healthy")
        case ControlIs(mode), str(value):
            return _finding(value == mode, f"control is with {value}", f"not {mode}")
        case AutomaticRollbacksBelow(count), int(value) if (
            not isinstance(value, bool) and value >= 0
        ):
            said = f"automatic rollbacks so far: {value}"
            return _finding(value < count, said, f"not below {count}")
        case ConfidenceAtLeast(least), (int() | float()) as value if _is_share(value):
            return _finding(value >= least, f"confidence is {value:.0%}", f"not {least:.0%}")
        case RiskAtMost(most), str(value) if value in RISKS:
            low = RISKS.index(value) <= RISKS.index(most)
            return _finding(low, f"risk is {value}", f"more than {most}")
        case UndoSafe(safe), bool(value):
            said = "safe" if value else f"not safe ({fact.source})"
            return _finding(value is safe, f"going back is {said}")
    return Finding("unknown", f"{subject}: {fact.source or 'somebody'} said {fact.value!r}")


_ABOUT: Mapping[type[Condition], tuple[FactName, str]] = {
    VerdictIn: ("verdict", "the verdict"),
    DataAgeBelow: ("data", "the age of the data"),
    StableHealthy: ("stable_healthy", "whether stable is healthy"),
    ControlIs: ("control", "who is in control"),
    AutomaticRollbacksBelow: ("automatic_rollbacks", "the number of automatic rollbacks"),
    ConfidenceAtLeast: ("confidence", "the confidence"),
    RiskAtMost: ("risk", "the risk"),
    UndoSafe: ("undo_safe", "whether going back is safe"),
}


def _is_share(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1


def _finding(met: bool, said: str, but: str = "") -> Finding:
    if met:
        return Finding("met", said)
    return Finding("unmet", f"{said}, {but}" if but else said)
