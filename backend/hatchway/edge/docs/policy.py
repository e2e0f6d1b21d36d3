"""The answer to the query `policy` about a service: what the agent may do now, and why not."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ConditionDoc(Struct, frozen=True):
    """One condition of a rule, with the fact that it stands on. `line` is of policy.yaml, 0: none."""

    stands: Literal["met", "unmet", "unknown"]
    condition: str  # as it is written: "data_age_below: 10s"
    fact: str  # in words, with its age and source
    line: int = 0


class RuleDoc(Struct, frozen=True):
    """What the policy says to one capability now. Times in seconds since 1970, 0: not foreseen."""

    capability: str
    answer: Literal["auto", "ask", "deny"]
    why: str
    fired: str  # the name of what decided: "prod.promote.when.verdict"
    line: int = 0  # of policy.yaml
    who: str = ""  # who has to say yes, where it asks
    conditions: tuple[ConditionDoc, ...] = ()
    to_change: tuple[str, ...] = ()  # what would have to be otherwise for `auto`
    changes_at: float = 0.0  # by a calendar, if everything else is well
    changes_to: str = ""
    better_at: float = 0.0
    better: str = ""


class BarDoc(Struct, frozen=True):
    """Something that stands in the way, whatever the policy says."""

    what: str  # quarantine, breaker, drill, STOP ALL, freeze ...
    why: str


class PolicyDoc(Struct, frozen=True):
    """Everything about a service at `at`."""

    service: str
    environment: str
    at: float
    mode: str = ""  # of the environment: recommend or act
    mode_line: int = 0
    digest: str = ""
    run: str = ""
    control: str = ""
    level: str = ""  # what the agent does by itself, and why no more
    next: str = ""  # what happens if nobody does anything
    bars: tuple[BarDoc, ...] = ()
    rules: tuple[RuleDoc, ...] = ()
    not_named: tuple[str, ...] = ()  # capabilities that the policy does not name, so denies
