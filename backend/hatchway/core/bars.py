"""What stands in the way of raising a share, whoever wants it: not a question of evidence. Pure.

Going back is never barred, and a bar is over when its cause is.
"""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.approvals import lacking
from hatchway.core.events import HoldCause
from hatchway.core.freeze import overridden, passed, shut
from hatchway.core.quarantine import in_quarantine
from hatchway.core.state import Effect, Run, State

Bar = tuple[HoldCause, str]

BARS: frozenset[HoldCause] = frozenset({"quarantine", "drift", "version"})
"""Causes of a hold that is over when the bar is, and not before."""

STANDING: frozenset[HoldCause] = BARS | {"target", "rollback"}
"""Causes of a hold that no look of the judge ends."""


INCOMPLETE_S = 30.0
"""After so long, in seconds, a rollback that is not there is a person's to look at: the target
drains in ten. It is tried on all the same."""


def incomplete(run: Run, since: float, why: str, now: float) -> ev.RunHeld | None:
    """That a rollback is not complete, for people, once; None while it is only under way."""
    if now - since <= INCOMPLETE_S or (run.hold is not None and run.hold.cause == "rollback"):
        return None
    words = f"ROLLBACK INCOMPLETE after {INCOMPLETE_S:g} s, and it is still tried: {why}. "
    todo = "On the governor's host: hatchway rollback --direct; or take the canary out by hand"
    return ev.RunHeld(run=run.id, cause="rollback", why=words + todo)


def bar_of(state: State, run: Run) -> Bar | None:
    """Why no share of `run` is raised now, in words that say what to do; None: nothing bars it."""
    known = in_quarantine(state.quarantine, run.service, run.commit)
    if known is not None:
        todo = "roll back, or have it lifted: hatchway quarantine lift"
        return "quarantine", f"{known.words}; {todo}"
    for drift in state.drift.get(run.service, {}).values():
        cause: HoldCause = "version" if drift.what == "version" else "drift"
        return (
            cause,
            f"{drift.words} ({drift.why}); put it back the way it was changed, or roll back",
        )
    return None


def no_longer(state: State, run: Run, effect: Effect, now: float) -> str:
    """Why a raise that was intended is not to be begun any more, in words; empty when it is.

    The governor may have been silent since, and people's yes, the freezes and what bars it are not
    what they were.
    """
    if effect.weight == 0:
        return ""
    bar = bar_of(state, run)
    if bar is not None:
        return bar[1]
    frozen = state.frozen.get(run.environment)
    if frozen is not None and shut(frozen, now):
        authority = state.authority_of(run.service)
        if passed(frozen, now) or not overridden(run, effect.step, frozen, authority):
            return shut(frozen, now)
    return lacking(run, effect.step, now)
