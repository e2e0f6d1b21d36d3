"""What a rule's `when` may ask: a closed vocabulary of typed predicates, and how each stands. Pure.

Kleene logic: a condition whose fact is missing, stale, from a wrong clock or of the wrong type is
neither met nor unmet. `VOCABULARY` is what docs/policy.md lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from hatchway.core.facts import Fact, FactName, Facts, Finding, Known, Missing, age, doubt
from hatchway.core.windows import any_open, read_named

Verdict = Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
Control = Literal["agent", "paused", "person"]
Risk = Literal["LOW", "MEDIUM", "HIGH"]

VERDICTS: tuple[str, ...] = get_args(Verdict)
RISKS: tuple[str, ...] = get_args(Risk)  # lowest first


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


class RegressedIn(Struct, frozen=True, tag="regressed_in"):
    """At least one of these metrics is worse, in the judge's word for it."""

    metrics: tuple[str, ...]


class WeightAtMost(Struct, frozen=True, tag="weight_at_most"):
    """The share of the traffic that it would lead to is `percent` or less."""

    percent: int


class InWindow(Struct, frozen=True, tag="window"):
    """At least one of these windows of calendars.yaml is open."""

    names: tuple[str, ...]


Condition = (
    VerdictIn
    | DataAgeBelow
    | StableHealthy
    | ControlIs
    | AutomaticRollbacksBelow
    | ConfidenceAtLeast
    | RiskAtMost
    | UndoSafe
    | RegressedIn
    | WeightAtMost
    | InWindow
)


class Predicate(Struct, frozen=True):
    """One word of the vocabulary. `fact` is empty where it asks a calendar."""

    key: str
    fact: FactName | Literal[""]
    subject: str
    example: str
    means: str


VOCABULARY: Mapping[type[Condition], Predicate] = {
    VerdictIn: Predicate(
        "verdict", "verdict", "the verdict", "[PASS]", "the judge's word is one of these"
    ),
    DataAgeBelow: Predicate(
        "data_age_below",
        "data",
        "the age of the data",
        "10s",
        "the newest sample behind the verdict is younger",
    ),
    StableHealthy: Predicate(
        "stable_healthy",
        "stable_healthy",
        "whether stable is healthy",
        "true",
        "the version to return to is within its limits",
    ),
    ControlIs: Predicate(
        "control", "control", "who is in control", "agent", "the governor says who has the wheel"
    ),
    AutomaticRollbacksBelow: Predicate(
        "automatic_rollbacks_below",
        "automatic_rollbacks",
        "the number of automatic rollbacks",
        "1",
        "fewer rollbacks by the agent in the last 24 hours",
    ),
    ConfidenceAtLeast: Predicate(
        "confidence_at_least",
        "confidence",
        "the confidence",
        "0.9",
        "the proposal's confidence, 0 to 1",
    ),
    RiskAtMost: Predicate("risk_at_most", "risk", "the risk", "MEDIUM", "the risk of the release"),
    UndoSafe: Predicate(
        "undo_safe",
        "undo_safe",
        "whether going back is safe",
        "true",
        "the old version can take the traffic back",
    ),
    RegressedIn: Predicate(
        "regressed_in",
        "regressed",
        "which metrics are worse",
        "[errors, latency]",
        "one of these metrics is worse: what may trigger a rollback",
    ),
    WeightAtMost: Predicate(
        "weight_at_most", "weight", "the share", "25", "the share it leads to, in percent"
    ),
    InWindow: Predicate(
        "window", "", "the window", "office-hours", "a window of calendars.yaml is open; or a list"
    ),
}


def written(condition: Condition) -> str:
    """The condition as it is written in the file."""
    key = VOCABULARY[type(condition)].key
    match condition:
        case VerdictIn(words) | RegressedIn(words) | InWindow(words):
            return f"{key}: [{', '.join(words)}]"
        case DataAgeBelow(seconds):
            return f"{key}: {seconds:g}s"
        case StableHealthy(flag) | UndoSafe(flag):
            return f"{key}: {str(flag).lower()}"
        case ControlIs(value) | RiskAtMost(value):
            return f"{key}: {value}"
        case AutomaticRollbacksBelow(number) | ConfidenceAtLeast(number) | WeightAtMost(number):
            return f"{key}: {number:g}"


def find(condition: Condition, facts: Facts, now: float) -> Finding:
    """How `condition` stands at `now`. A fact of the wrong type or out of range is not known."""
    if isinstance(condition, InWindow):
        return _in_window(condition, facts, now)
    predicate = VOCABULARY[type(condition)]
    name: FactName = predicate.fact  # type: ignore[assignment]  # only a window has none
    fact: Fact = getattr(facts, name)
    trouble = doubt(name, fact, now)
    stands: Literal["met", "unmet", "unknown"]
    if trouble or isinstance(fact, Missing):
        stands, words = "unknown", f"{predicate.subject}: {trouble}"
    else:
        met, words = _holds(condition, fact, now)
        stands = "unknown" if met is None else "met" if met else "unmet"
        if met is None:
            words = f"{predicate.subject}: {fact.source or 'somebody'} said {fact.value!r}"
    return Finding(
        stands,
        words,
        written(condition),
        name,
        _value(fact) if isinstance(fact, Known) else "",
        _seconds(now - fact.at) if isinstance(fact, Known) else -1.0,
        fact.source,
    )


def _in_window(condition: InWindow, facts: Facts, now: float) -> Finding:
    reading = any_open([read_named(n, "window", facts.calendars, now) for n in condition.names])
    stands: Literal["met", "unmet", "unknown"] = "unknown"
    if reading.stands != "unknown":
        stands = "met" if reading.stands == "open" else "unmet"
    calendar = facts.calendars.get(reading.name)
    old = now - calendar.as_of if calendar is not None else -1.0
    source = calendar.source if calendar is not None else ""
    name = f"window {reading.name}"
    return Finding(
        stands,
        reading.words,
        written(condition),
        name,
        reading.stands,
        _seconds(old),
        source,
    )


def _seconds(old: float) -> float:
    """An age for people to read; -1 for one that is none."""
    return round(old, 1) if 0 <= old < 1e10 else -1.0


def _value(fact: Known) -> str:
    return ", ".join(fact.value) if isinstance(fact.value, tuple) else str(fact.value)


def _holds(condition: Condition, fact: Known, now: float) -> tuple[bool | None, str]:
    """Whether it holds, None when the value makes no sense; and what was found, in words."""
    match condition, fact.value:
        case VerdictIn(words), str(value) if value in VERDICTS:
            return _said(value in words, f"verdict is {value}", f"not {' or '.join(words)}")
        case DataAgeBelow(seconds), _:
            old = age(fact, now)
            return _said(old < seconds, f"data is {old:.1f} s old", f"not below {seconds:g} s")
        case StableHealthy(healthy), bool(value):
            return _said(value is healthy, f"stable is {'' if value else 'not '}healthy")
        case ControlIs(mode), str(value):
            return _said(value == mode, f"control is with {value}", f"not {mode}")
        case AutomaticRollbacksBelow(count), int(value) if _is_count(value):
            said = f"automatic rollbacks so far: {value}"
            return _said(value < count, said, f"not below {count}")
        case ConfidenceAtLeast(least), (int() | float()) as value if _is_share(value):
            return _said(value >= least, f"confidence is {value:.0%}", f"not {least:.0%}")
        case RiskAtMost(most), str(value) if value in RISKS:
            low = RISKS.index(value) <= RISKS.index(most)
            return _said(low, f"risk is {value}", f"more than {most}")
        case UndoSafe(safe), bool(value):
            said = "safe" if value else f"not safe ({fact.source})"
            return _said(value is safe, f"going back is {said}")
        case RegressedIn(metrics), tuple(value):
            worse = ", ".join(value) or "no metric"
            return _said(
                any(m in metrics for m in value), f"worse: {worse}", f"not {' or '.join(metrics)}"
            )
        case WeightAtMost(percent), int(value) if _is_count(value) and value <= 100:
            return _said(value <= percent, f"leads to {value} %", f"more than {percent} %")
    return None, ""


def _is_count(value: int) -> bool:
    return not isinstance(value, bool) and value >= 0


def _is_share(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1


def _said(met: bool, said: str, but: str = "") -> tuple[bool, str]:
    return met, said if met or not but else f"{said}, {but}"
