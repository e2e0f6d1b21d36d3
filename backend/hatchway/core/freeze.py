"""What a freeze stops: raising a share, and nothing else. Pure, from what the journal says.

The journal holds how each environment's freezes stand and until when that is known, so that the
question has an answer at every moment, also while nobody is there to read a calendar.
"""

from __future__ import annotations

from hatchway.core.people import fold
from hatchway.core.state import Authority, Frozen, Run


def shut(frozen: Frozen | None, now: float) -> str:
    """Why no share is raised at `now`, in words; empty where no freeze speaks against it."""
    if frozen is None:
        return ""
    if passed(frozen, now):
        return "how the freezes stand is being read again"
    if frozen.stands == "open":
        return ""
    return f"{frozen.why}: nothing goes forward; stops and rollback work"


def passed(frozen: Frozen, now: float) -> bool:
    """Whether it is not known any more how the freezes stand; they are read again within moments."""
    return 0 < frozen.until <= now


def overridden(run: Run, step: int, frozen: Frozen, authority: Authority) -> bool:
    """Whether enough people said yes to `step` while this very freeze was before their eyes.

    A yes that has become void counts here no more than anywhere else.
    """
    if frozen.people == 0:
        return False
    yes = {
        item.person or fold(item.by)
        for item in run.items.values()
        if item.status == "accepted" and not item.void
        if item.binding.get("freeze") == frozen.freeze
        if (item.type == "approval" if step == 0 else _promotes(item.capability))
        if step == 0 or (item.step == run.step and item.epoch == authority.epoch)
    }
    return len(yes) >= frozen.people


def _promotes(capability: str) -> bool:
    return capability == "promote"
