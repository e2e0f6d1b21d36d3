"""The port of a brain: it sees a situation and proposes; it never acts."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from hatchway.core.events import Capability, Evidence, Symptom
from hatchway.core.monitoring import Due, a_person_may_go_on, due, patience_s
from hatchway.core.plan import CanaryStep
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
    regressed: tuple[str, ...] | None = None  # names of the metrics that are worse; None: not known
    symptoms: tuple[Symptom, ...] = ()  # the metrics that show a regression
    requests: int = 0  # of the canary in this step, at the metric that has the fewest and is unsure


class Situation(Struct, frozen=True, kw_only=True):
    """What a brain is asked about.

    topic canary: `sight` and `step` are set, and `monitored_s` is how long the step has run.
    topic failed: a stage failed; `why`, and `tail`, the last lines that its command printed.
    topic release: a release may be requested.
    """

    topic: Literal["canary", "failed", "release"]
    run: Run
    now: float
    stage: str = ""
    why: str = ""
    tail: tuple[str, ...] = ()
    sight: Sight | None = None
    step: CanaryStep | None = None
    monitored_s: float = 0.0

    @property
    def due(self) -> Due:
        """What the canary step calls for now. No wish of a brain can go beyond it."""
        if self.sight is None or self.step is None:
            return "wait"
        if self.sight.stable_healthy is False:
            return "hold"
        sight = self.sight
        return due(self.step, self.run.pace, self.monitored_s, sight.word, sight.action)

    @property
    def patience_over(self) -> bool:
        """Whether a step without a clear answer has been waited for long enough."""
        return self.step is not None and self.monitored_s >= patience_s(self.step, self.run.pace)

    @property
    def a_person_may_go_on(self) -> bool:
        """Whether a person's yes is enough where the agent may not promote by itself."""
        sight = self.sight
        if sight is None or sight.stable_healthy is False:
            return False
        return a_person_may_go_on(sight.word, sight.action)


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
