"""What a decision stands on: values with an age and a source, in three-valued logic.

A fact is known, stale or missing. Only a known one can meet a condition; nobody may read "not
known" as "no" or as zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hatchway.core.windows import Calendar

FactValue = str | int | float | bool | tuple[str, ...]
FactName = Literal[
    "verdict",
    "confidence",
    "data",
    "stable_healthy",
    "control",
    "automatic_rollbacks",
    "risk",
    "undo_safe",
    "regressed",
    "weight",
]
Standing = Literal["known", "stale", "missing"]

MAX_AGE_S: Mapping[str, float] = MappingProxyType(
    {
        "verdict": 30.0,
        "confidence": 30.0,
        "data": 30.0,
        "stable_healthy": 30.0,
        "control": 10.0,
        "automatic_rollbacks": 60.0,
        "risk": math.inf,  # of a commit, which does not change
        "undo_safe": 30.0,
        "regressed": 30.0,
        "weight": 60.0,
    }
)
"""Seconds after which a fact is stale."""

CLOCK_SLACK_S = 2.0
"""A fact from further in the future than this has a wrong clock and counts as stale."""


class Known(Struct, frozen=True, tag="known"):
    """`value` was true at `at` (seconds since the epoch), says `source`."""

    value: FactValue
    at: float
    source: str = ""


class Missing(Struct, frozen=True, tag="missing"):
    """Nobody can say, and why: "no look yet", "the governor does not answer"..."""

    source: str
    why: str


Fact = Known | Missing

_UNSAID = Missing("", "nobody has said")


class Finding(Struct, frozen=True):
    """How one condition stood, in words, and the fact that it stood on.

    `age_s` is of the fact, in seconds; -1 where there is none.
    """

    stands: Literal["met", "unmet", "unknown"]
    words: str
    condition: str = ""  # as it is written: "data_age_below: 10s"
    fact: str = ""
    value: str = ""
    age_s: float = -1.0
    source: str = ""


class Facts(Struct, frozen=True, kw_only=True):
    """Everything a policy can ask about. What is left out is missing."""

    verdict: Fact = _UNSAID  # str: PASS, REGRESS, UNSURE or NO_DATA
    confidence: Fact = _UNSAID  # float: of the proposal, 0 to 1
    data: Fact = _UNSAID  # `at` is the time of the newest sample that the judge used; any value
    stable_healthy: Fact = _UNSAID  # bool: the version to return to is within its limits
    control: Fact = _UNSAID  # str: agent, paused or person, as read back from the governor
    automatic_rollbacks: Fact = _UNSAID  # int: in the service's window, without this one
    risk: Fact = _UNSAID  # str: LOW, MEDIUM or HIGH
    undo_safe: Fact = _UNSAID  # bool: the old version can take the traffic back; `source` says why
    regressed: Fact = _UNSAID  # names of the metrics that the judge calls worse
    weight: Fact = _UNSAID  # int: the share in percent that it would lead to
    calendars: Mapping[str, Calendar] = {}  # by name; one that is not here is not known


def age(fact: Known, now: float) -> float:
    """Seconds since the fact was true; never negative."""
    return max(0.0, now - fact.at)


def standing(name: FactName, fact: Fact, now: float) -> Standing:
    """Whether the fact called `name` may be used at `now`."""
    if isinstance(fact, Missing):
        return "missing"
    if not math.isfinite(fact.at) or fact.at > now + CLOCK_SLACK_S:
        return "stale"
    return "known" if age(fact, now) <= MAX_AGE_S[name] else "stale"


def doubt(name: FactName, fact: Fact, now: float) -> str:
    """Why the fact cannot be used, in words; empty when it can."""
    if isinstance(fact, Missing):
        return f"{fact.why} ({fact.source})" if fact.source else fact.why
    if standing(name, fact, now) == "known":
        return ""
    if not math.isfinite(fact.at) or fact.at > now + CLOCK_SLACK_S:
        return "its time is in the future"
    return f"{age(fact, now):.0f} s old, more than {MAX_AGE_S[name]:g} s"
