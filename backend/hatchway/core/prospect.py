"""What the agent could do at another time, if everything but the calendars were well. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.core.conditions import (
    AutomaticRollbacksBelow,
    Condition,
    ConfidenceAtLeast,
    ControlIs,
    DataAgeBelow,
    InWindow,
    RegressedIn,
    RiskAtMost,
    StableHealthy,
    UndoSafe,
    VerdictIn,
    WeightAtMost,
)
from hatchway.core.facts import Fact, Facts, FactValue, Known
from hatchway.core.policy import Policy, PolicyAnswer, Word, answer
from hatchway.core.windows import FOREVER, Calendar, edges

ORDER: tuple[Word, ...] = ("deny", "ask", "auto")


class Prospect(Struct, frozen=True):
    """The answer at a time, and when it changes. Times are seconds since 1970; None: not foreseen.

    `changes_at` is the next time that it is another answer, `better_at` the next that it is more
    permissive.
    """

    said: PolicyAnswer
    changes_at: float | None = None
    changes_to: Word | Literal[""] = ""
    better_at: float | None = None
    better: Word | Literal[""] = ""


def prospect(
    policy: Policy,
    environment: str,
    capability: str,
    calendars: Mapping[str, Calendar],
    at: float,
    weight: int | None = None,
) -> Prospect:
    """What the policy would say at `at` to an agent that acts, every other condition being met."""

    def ask(now: float) -> PolicyAnswer:
        facts = best_case(policy, environment, capability, calendars, now, weight)
        return answer(policy, environment, capability, facts, "act", now)

    said = ask(at)
    found = Prospect(said)
    for edge in edges(calendars.values(), at):
        word = ask(edge).answer
        if found.changes_at is None and word != said.answer:
            found = replace(found, changes_at=edge, changes_to=word)
        if ORDER.index(word) > ORDER.index(said.answer):
            return replace(found, better_at=edge, better=word)
    return found


def lasting(calendars: Mapping[str, Calendar], now: float) -> dict[str, Calendar]:
    """The calendars as they will be if those that can be believed now go on being read."""
    return {
        name: replace(c, stale_at=FOREVER) if not c.trouble and now < c.stale_at else c
        for name, c in calendars.items()
    }


def best_case(
    policy: Policy,
    environment: str,
    capability: str,
    calendars: Mapping[str, Calendar],
    now: float,
    weight: int | None = None,
) -> Facts:
    """Facts that meet every condition of a rule that can be met, but for the calendars."""
    found: dict[str, Fact] = {"risk": Known("LOW", now, "assumed")}
    place = policy.environments.get(environment)
    rule = place.capabilities.get(capability) if place is not None else None
    for condition in rule.when if rule is not None else ():
        wanted = _wanted(condition)
        if wanted is not None:
            found[wanted[0]] = Known(wanted[1], now, "assumed")
    if weight is not None:
        found["weight"] = Known(weight, now, "pipeline")
    return Facts(calendars=calendars, **found)


def _wanted(condition: Condition) -> tuple[str, FactValue] | None:
    match condition:
        case VerdictIn(words):
            return ("verdict", words[0]) if words else None
        case DataAgeBelow():
            return "data", True
        case StableHealthy(healthy):
            return "stable_healthy", healthy
        case ControlIs(mode):
            return "control", mode
        case AutomaticRollbacksBelow():
            return "automatic_rollbacks", 0
        case ConfidenceAtLeast():
            return "confidence", 1.0
        case RiskAtMost():
            return "risk", "LOW"
        case UndoSafe(safe):
            return "undo_safe", safe
        case RegressedIn(metrics):
            return "regressed", metrics
        case WeightAtMost(percent):
            return "weight", percent
        case InWindow():
            return None
