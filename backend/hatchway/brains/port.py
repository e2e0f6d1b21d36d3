"""The port of a brain: it sees a situation and proposes; it never acts."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from hatchway.core.events import Capability, Evidence
from hatchway.core.state import Run


class Sight(Struct, frozen=True, kw_only=True):
    """The judge's verdict as the brain may see it."""

    word: Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
    action: Literal["none", "hold", "rollback"]
    headline: str
    evidence: tuple[Evidence, ...]
    confidence: float
    stable_healthy: bool | None
    blind_for_s: float
    forecast_s: float | None


class Situation(Struct, frozen=True, kw_only=True):
    """What a brain is asked about.

    topic canary: `sight` is set; monitored_s, monitor_s and max_s tell how long the step has run,
    how long it is monitored at least, and when patience ends. topic failed: a stage failed; `why`, and `tail`, the last lines that its command printed.
    topic release: a release may be requested.
    """

    topic: Literal["canary", "failed", "release"]
    run: Run
    now: float
    stage: str = ""
    why: str = ""
    tail: tuple[str, ...] = ()
    sight: Sight | None = None
    monitored_s: float = 0.0
    monitor_s: float = 0.0
    max_s: float = 0.0


class Wish(Struct, frozen=True, kw_only=True):
    """A proposal before policy answered it. `confidence` is 0 to 1."""

    capability: Capability
    confidence: float
    headline: str
    evidence: tuple[Evidence, ...]


class Brain(Protocol):
    """The port. `name` includes the version: trust is earned by this very brain."""

    name: str

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        """What should be done; empty when nothing should."""
