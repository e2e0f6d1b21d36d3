"""What stands in the way of raising a share, whoever wants it: not a question of evidence. Pure.

Going back is never barred, and a bar is over when its cause is.
"""

from __future__ import annotations

from hatchway.core.events import HoldCause
from hatchway.core.quarantine import in_quarantine
from hatchway.core.state import Run, State

Bar = tuple[HoldCause, str]

BARS: frozenset[HoldCause] = frozenset({"quarantine", "drift", "version"})
"""Causes of a hold that is over when the bar is, and not before."""

STANDING: frozenset[HoldCause] = BARS | {"target"}
"""Causes of a hold that no look of the judge ends."""


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
