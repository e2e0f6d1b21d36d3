"""When a canary step has been monitored enough: one answer for brains, the agent and the screen.

It stands on the plan, the time and the judge's word alone. A brain may word it and may be more
careful; it cannot shorten the monitoring, and it cannot make certain what is not.
"""

from __future__ import annotations

from typing import Literal

from hatchway.core.plan import CanaryStep

Word = Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
Action = Literal["none", "hold", "rollback"]
Due = Literal["wait", "promote", "ask", "hold"]
"""wait: go on watching. promote: go on, if policy lets. ask: a person, whatever policy says, and go
on watching. hold: nothing is promoted by the agent."""

ASK_FOR_S = 1800.0
"""How long a recommendation waits for a person, in seconds."""


def monitor_s(step: CanaryStep, pace: float) -> float:
    """Seconds after which a `timed` step may go on, and an unclear one stops merely waiting."""
    return step.monitor_s / pace


def at_most_s(step: CanaryStep) -> float:
    """The longest that the agent may monitor the step, in seconds; `pace` does not shorten it."""
    if step.at_most_s is not None:
        return step.at_most_s
    if step.on_unsure == "extend":
        return step.monitor_s + step.extends * step.monitor_s
    return step.monitor_s + ASK_FOR_S


def patience_s(step: CanaryStep, pace: float) -> float:
    """Seconds after which an unclear verdict holds the run and pages somebody."""
    least, most = monitor_s(step, pace), at_most_s(step)
    if step.on_unsure == "hold" or not compares(step):
        return min(least, most)
    if step.on_unsure == "ask":
        return most
    return min(least + step.extends * step.monitor_s, most)


def compares(step: CanaryStep) -> bool:
    """Whether anything of the old version is left to compare with."""
    return step.weight - step.hold_back < 100


def due(step: CanaryStep, pace: float, monitored_s: float, word: Word, action: Action) -> Due:
    """What the step calls for after `monitored_s` seconds, when the judge says `word`, `action`."""
    if word in ("REGRESS", "NO_DATA") or action != "none" or monitored_s >= at_most_s(step):
        return "hold"
    over = monitored_s >= monitor_s(step, pace)
    if word == "PASS" and compares(step):
        return "promote" if over or step.advance == "early" else "wait"
    if monitored_s >= patience_s(step, pace):
        return "hold"
    return "ask" if over and step.on_unsure == "ask" else "wait"


def a_person_may_go_on(word: Word, action: Action) -> bool:
    """Whether a person's yes is enough where the agent may not promote by itself."""
    return word in ("PASS", "UNSURE") and action == "none"
