"""What has to be said, by any brain or without one, when a canary step has no clear answer. Pure."""

from __future__ import annotations

from hatchway.brains.port import Sight, Situation, Wish
from hatchway.core.events import Capability, Evidence
from hatchway.core.monitoring import at_most_s, compares
from hatchway.core.plan import CanaryStep
from hatchway.judge.words import duration


def owed(situation: Situation) -> tuple[Wish, ...]:
    """The wishes that a brain cannot hold back: the hold, the page, and the question to a person.

    The question is a wish to promote; it is put to a person whatever policy says (see `propose`).
    """
    sight, step = situation.sight, situation.step
    if sight is None or step is None:
        return ()
    question = _wish("promote", _question(situation, step), sight)
    if situation.due == "ask":
        return (question,)
    if situation.due != "hold" or not situation.patience_over:
        return ()
    why = held_because(situation)
    stop = (_wish("hold", why, sight), _wish("page", why, sight))
    return (*stop, question) if situation.a_person_may_go_on else stop


def unsaid(said: tuple[Wish, ...], situation: Situation) -> tuple[Wish, ...]:
    """What is owed and is not among the wishes that were said."""
    spoken = {wish.capability for wish in said}
    return tuple(wish for wish in owed(situation) if wish.capability not in spoken)


def held_because(situation: Situation) -> str:
    """Why the run does not go on although nothing is wrong; else the judge's headline."""
    sight, step = situation.sight, situation.step
    if sight is None or step is None:
        return situation.why
    if not situation.a_person_may_go_on:
        return sight.headline
    if not compares(step):
        return f"without hold_back only a person can finish: {sight.headline}"
    if sight.word == "PASS":
        return f"PASS, but the longest time for this step, {duration(at_most_s(step))}, is over"
    return f"not sure after {duration(situation.monitored_s)}: {sight.headline}"


def doubts(situation: Situation) -> Evidence | None:
    """The first line of the evidence under a question that is asked without being sure."""
    sight, step = situation.sight, situation.step
    if sight is None or step is None:
        return None
    text = held_because(situation)
    if sight.word == "UNSURE" and compares(step):
        text = f"NOT SURE: {_progress(sight, situation.monitored_s)}"
    return Evidence("E0", "?", text, "judge", situation.now)


def _progress(sight: Sight, monitored_s: float) -> str:
    """n of N, and how long it would still take."""
    if sight.forecast_s is None:
        seen = f"{sight.requests:,} requests on canary in {duration(monitored_s)}"
        return f"{seen}; how many it takes cannot be told at this traffic"
    to_go = f"enough data in about {duration(sight.forecast_s)}"
    if not sight.requests or monitored_s <= 0:
        return to_go
    needed = sight.requests * (1 + sight.forecast_s / monitored_s)
    return f"{sight.requests:,} of about {_round(needed):,} requests on canary, {to_go}"


def _round(number: float) -> int:
    """Two figures: a forecast knows no more."""
    digits = len(str(int(number)))
    return int(round(number, 2 - digits)) if digits > 2 else round(number)


def _question(situation: Situation, step: CanaryStep) -> str:
    plan = situation.run.canary
    after = situation.run.step + 1
    if plan is None or after >= len(plan.steps):
        how = "all the same" if compares(step) else "without a comparison"
        return f"finish {how}?"
    return f"go on to {plan.steps[after].weight}% all the same?"


def _wish(capability: Capability, headline: str, sight: Sight) -> Wish:
    return Wish(
        capability=capability,
        confidence=sight.confidence,
        headline=headline,
        evidence=sight.evidence,
    )
