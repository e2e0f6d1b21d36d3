"""After 100 %: what was promoted is looked at for a while longer, and people are called.

Nothing of the old version takes traffic any more, so there is nothing to compare with: the limits
of the metrics speak alone. Nothing is rolled back on that by the agent; a person may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hatchway.brains.port import Sight
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.proposals import digest
from hatchway.core import events as ev
from hatchway.core.permission import recent
from hatchway.core.plan import ServiceSpec
from hatchway.core.state import Run, State
from hatchway.judge import JudgeConfig, JudgeState, Verdict, judge, new, raised
from hatchway.metrics.port import Scrape
from hatchway.metrics.window import Window, look

WATCHED_S = 900.0
"""How long a promoted version is looked at, in seconds: most of what a release breaks shows by then."""

EXCLUDES = 2.0  # asked for by the judge, and of no account where nothing is compared


def due(state: State, service: str, now: float) -> Run | None:
    """The run whose version was promoted lately and stands, and is still to be looked at."""
    for run in reversed(state.runs.values()):
        if run.service == service and run.effects:
            stands = run.outcome == "promoted" and not run.undone_by
            return run if stands and recent(run.ended_at, now, WATCHED_S) else None
    return None


class Afterwards:
    """One per service."""

    def __init__(
        self, service: ServiceSpec, ledger: Ledger, live: Live, clock: Callable[[], float]
    ) -> None:
        self._service = service
        self._config = JudgeConfig(metrics=service.metrics)
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._run = ""
        self._judge: JudgeState = new(self._config)
        self._window = Window()

    async def look(self, run: Run, scrape: Scrape, sight: Callable[[Verdict], Sight]) -> Verdict:
        """One look at what was promoted. JournalError."""
        now = self._clock()
        if self._run != run.id:
            self._run, self._window = run.id, Window()
            self._judge = raised(new(self._config), now, 100)
        self._window, sample = look(self._service, self._window, scrape, 100)
        self._judge, verdict = judge(self._config, self._judge, sample, EXCLUDES)
        breached = verdict.word == "UNSURE" and verdict.action == "hold"
        words = f"after 100 %: {verdict.headline}" if breached else ""
        self._live.tell(self._part, words, run.id)
        if breached:
            events = _page(run, sight(verdict))
            await self._ledger.record(lambda s: () if _paged(s, run) else events, actor="judge")
        return verdict

    def forget(self) -> None:
        """Nothing is looked at any more."""
        self._live.tell(self._part, "")

    @property
    def _part(self) -> str:
        return f"{self._service.name} after its release"


def _paged(state: State, run: Run) -> bool:
    return any(p.id == _name(run) for p in state.runs[run.id].proposals.values())


def _name(run: Run) -> str:
    return f"run-{run.id}.after"


def _page(run: Run, sight: Sight) -> Sequence[ev.Event]:
    """People are called, once a run."""
    return (
        ev.ProposalMade(
            run=run.id,
            proposal=_name(run),
            capability="page",
            step=run.step,
            epoch=0,
            brain="judge",
            confidence=sight.confidence,
            headline=f"after 100 %: {sight.headline}; to go back: hatchway rollback",
            evidence=sight.evidence,
            digest=digest(sight.evidence),
            answer="auto",
            rule="always",
            why="page is always allowed: it changes nothing",
        ),
    )
