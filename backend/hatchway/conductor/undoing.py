"""Is it safe to go back at this moment, and what the agent does instead when it is not. Pure."""

from __future__ import annotations

import msgspec

from hatchway.brains.port import Wish
from hatchway.core import breaker
from hatchway.core.events import Evidence
from hatchway.core.facts import Fact, Known, Missing
from hatchway.core.fleet import named
from hatchway.core.policy import AutomaticRollbacksBelow, Policy, PolicyAnswer
from hatchway.core.quarantine import in_quarantine
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance, Moment, Undo, at_this_moment

ROLLBACK_WINDOW_S = breaker.WINDOW_S
MOST_TOLD = 4
RULE = "undo"
NO_DOWN = (
    "Hatchway runs no down migration, on nobody's word: whoever runs one by hand does it with a "
    "second person, and types the name of the database"
)


def automatic_rollbacks(state: State, service: str, now: float) -> int:
    """How often the agent has rolled `service` back in the window that ends now."""
    return breaker.spent(state.automatic_rollbacks.get(service, ()), now)


def going_back(
    state: State,
    run: Run,
    policy: Policy,
    now: float,
    *,
    stable_healthy: bool | None,
    stable_better: bool = False,
    fleet: tuple[Instance, ...] = (),
) -> Undo:
    """What the release leaves behind, and how things stand at `now`.

    `stable_better`: the judge is certain that the new version is the worse of the two. `fleet`:
    what the instances of the old version say they run, where they say it at all.
    """
    moment = Moment(
        target_healthy=stable_healthy,
        automatic_rollbacks=automatic_rollbacks(state, run.service, now),
        budget=_budget(policy, run.environment),
        target_quarantined=_quarantined(state, run),
        target=run.from_version,
        target_better=stable_better,
        fleet=named(fleet, run.from_version, run.base),
    )
    return at_this_moment(run.undo, moment)


def _budget(policy: Policy, environment: str) -> int:
    """How many automatic rollbacks the policy grants in a window: at most one."""
    place = policy.environments.get(environment)
    rule = place.capabilities.get("rollback") if place is not None else None
    granted = [
        c.count for c in (rule.when if rule else ()) if isinstance(c, AutomaticRollbacksBelow)
    ]
    return min((breaker.BUDGET, *granted))


def _quarantined(state: State, run: Run) -> str:
    """Why the commit to go back to is not to be gone back to; empty when nothing is known."""
    known = in_quarantine(state.quarantine, run.service, run.base)
    return "" if known is None else f"it was itself rolled back: {known.words}"


def as_fact(undo: Undo, now: float) -> Fact:
    """What a policy may ask: a yes or a no that is known, and what speaks against it."""
    if undo.safe == "unknown":
        return Missing("", undo.against[0].text if undo.against else "nobody looked")
    return Known(undo.safe == "yes", now, undo.against[0].text if undo.against else "repository")


def guarded(wish: Wish, said: PolicyAnswer, undo: Undo) -> tuple[Wish, PolicyAnswer]:
    """The wish to go back with what speaks against it first, and never done by itself then.

    This holds whatever the policy allows. A person may say yes, and sees why the agent did not.
    """
    if undo.safe == "yes":
        return wish, said
    wish = msgspec.structs.replace(wish, evidence=(*_evidence(undo, wish), *wish.evidence))
    if said.answer == "auto":
        why = f"held instead of rolled back: going back is {undo.words}"
        said = msgspec.structs.replace(said, answer="ask", rule=RULE, why=why)
    return wish, said


def instead(wish: Wish, undo: Undo, now: float) -> tuple[Wish, ...]:
    """What the agent does rather than go back: it holds, and calls people with the reason."""
    if undo.safe == "yes" or wish.capability != "rollback":
        return ()
    headline = f"not rolled back by itself: going back is {undo.words}"
    options = Evidence(
        "UNDO0",
        "?",
        "instead: stay held at this share, switch the feature off, or fix it forward; a person may "
        "still roll back",
        "undo",
        now,
    )
    down: tuple[Evidence, ...] = ()
    if any(text.startswith("migration ") for text in undo.residue):
        down = (Evidence("UNDO00", "?", NO_DOWN, "undo", now),)
    evidence = (*_evidence(undo, wish), options, *down, *wish.evidence)
    return tuple(
        Wish(capability=c, confidence=wish.confidence, headline=headline, evidence=evidence)
        for c in ("hold", "page")
    )


def _evidence(undo: Undo, wish: Wish) -> tuple[Evidence, ...]:
    at = max((e.at for e in wish.evidence), default=0.0)
    told = [
        Evidence(
            f"UNDO{n}", "-" if r.sign == "-" else "?", f"going back: {r.text}", f"undo:{r.rule}", at
        )
        for n, r in enumerate(undo.against[:MOST_TOLD], 1)
    ]
    stays = [
        Evidence(f"STAYS{n}", "?", f"after going back: {text}", "undo", at)
        for n, text in enumerate(undo.residue[:MOST_TOLD], 1)
    ]
    return (*told, *stays)
