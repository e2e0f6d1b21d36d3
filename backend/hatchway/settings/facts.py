"""Facts as people write them down to try a policy: "verdict=PASS@40s", `data_age: 3s`, `risk: HIGH`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from hatchway.core.conditions import RISKS, VERDICTS, Control
from hatchway.core.facts import Fact, Facts, FactValue, Known, Missing
from hatchway.core.windows import Calendar, Span
from hatchway.settings.errors import quoted, unknown
from hatchway.settings.fields import one_of
from hatchway.settings.words import NotUnderstood, seconds

NAMES = (
    "verdict",
    "confidence",
    "data_age",
    "stable_healthy",
    "control",
    "automatic_rollbacks",
    "risk",
    "undo_safe",
    "regressed",
    "weight",
)
"""What can be said; `data_age` is how old the data is. What is left out is unknown."""

STANDS = ("open", "closed", "unknown")
SOURCE = "given"


def facts_of(
    said: Mapping[str, str], now: float, calendars: Mapping[str, Calendar] | None = None
) -> Facts:
    """The facts that were written down. Raises NotUnderstood."""
    found: dict[str, Fact] = {}
    for name, text in said.items():
        found["data" if name == "data_age" else name] = fact(name, text, now)
    return Facts(calendars=calendars or {}, **found)


def fact(name: str, text: str, now: float) -> Fact:
    """One fact: a value, a value with its age ("PASS@40s"), or "unknown". Raises NotUnderstood."""
    if name not in NAMES:
        raise NotUnderstood(*unknown("there is no fact", name, NAMES))
    value, _, old = (part.strip() for part in text.partition("@"))
    if value == "unknown":
        return Missing(SOURCE, "unknown")
    try:
        if name == "data_age":
            return Known(True, now - seconds(value), SOURCE)
        return Known(_value(name, value), now - (seconds(old) if old else 0.0), SOURCE)
    except NotUnderstood as error:
        raise NotUnderstood(f"{name}: {error.what}", error.write) from None


def _value(name: str, text: str) -> FactValue:
    match name:
        case "verdict":
            return one_of(text, VERDICTS)
        case "control":
            return one_of(text, get_args(Control))
        case "risk":
            return one_of(text, RISKS)
        case "stable_healthy" | "undo_safe":
            return one_of(text, ("true", "false")) == "true"
        case "regressed":
            return tuple(word for word in re.split(r"[\s,+]+", text) if word)
        case "confidence":
            if not re.fullmatch(r"[01](\.\d{1,6})?", text) or float(text) > 1:
                raise NotUnderstood(f"{quoted(text)} is not between 0 and 1", "0.9")
            return float(text)
        case _:
            if not re.fullmatch(r"\d{1,3}", text):
                raise NotUnderstood(f"{quoted(text)} is not a whole number", "1")
            return int(text)


def standing(calendar: Calendar, stands: str, now: float) -> Calendar:
    """The calendar as if it stood so at `now`: open, closed or unknown."""
    open_within = calendar.kind == "window"
    spans = (Span(now - 1, now + 3600, "as given"),)
    return Calendar(
        name=calendar.name,
        kind=calendar.kind,
        source=SOURCE,
        spans=spans if (stands == "open") is open_within else (),
        trouble="given as unknown" if stands == "unknown" else "",
    )
