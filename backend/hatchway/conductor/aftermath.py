"""After a rollback: looks until everything is as it was, and says what is not.

The traffic is back when this begins. A rollback is DONE when that was observed in full; what is
still different is RESIDUE, which is journaled, alarms, and is looked at again with every scrape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core import residue
from hatchway.core.fleet import named
from hatchway.core.plan import MetricSpec, ServiceSpec
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance
from hatchway.metrics.levels import Level

FRESH_S = 5.0
"""A level or a word of the governor that is older is not known, in seconds."""
BEFORE_S = 60.0
"""What was read this long before the end is older than it; what is further off has another clock."""

SAY_AGAIN_S = 30.0
"""A list that changes is journaled at once when it was empty, else not more often than this."""


SLACK = 0.25
"""So much above what stable had is still as before: a level of ten seconds is no exact number."""


class Watching(Struct):
    """What is remembered of one run's aftermath; of this process only."""

    run: str
    began: float  # on the loop's clock
    good: int = 0
    bad: int = 0
    heard: float = 0.0  # the newest sample that was counted
    said_at: float = float("-inf")


class Aftermath:
    """One per service."""

    def __init__(
        self, service: ServiceSpec, ledger: Ledger, live: Live, clock: Callable[[], float]
    ) -> None:
        self._service = service
        self._specs = {spec.name: spec for spec in service.metrics}
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._watching = Watching("", 0.0)

    async def look(self, run: Run, shown: Sequence[Level], stable: tuple[Instance, ...]) -> None:
        """One look at what a rollback of `run` left behind. JournalError."""
        now, loop = self._clock(), asyncio.get_running_loop().time()
        if self._watching.run != run.id:
            self._watching = Watching(run.id, loop)
        mine = self._watching
        symptom = self._symptom(run, shown, now)
        after = self._after(run, stable, symptom, now)
        left = residue.still_left(run, after, loop - mine.began)
        part = f"rollback of {self._service.name}"
        words = f"RESIDUE after run {run.id}: {'; '.join(left)}" if left else ""
        self._live.tell(part, words, run.id)
        await self._feedback(run)
        if left is None or (left and left == run.residue):
            return
        if left and run.residue and loop - mine.said_at < SAY_AGAIN_S:
            return
        mine.said_at = loop
        event: ev.Event = (
            ev.ResidueFound(run=run.id, left=left)
            if left
            else ev.RollbackConfirmed(run=run.id, seen=residue.seen(run, after))
        )
        await self._ledger.record(lambda s: _still(s, run, event), actor="hatchway")

    def forget(self) -> None:
        """Nothing is looked at any more."""
        self._live.tell(f"rollback of {self._service.name}", "")

    def _after(
        self, run: Run, stable: tuple[Instance, ...], symptom: str, now: float
    ) -> residue.After:
        standing, read_at = self._live.standing.get(self._service.name, (None, 0.0))
        before = 0 <= run.ended_at - read_at < BEFORE_S  # read while the traffic was going back
        if standing is not None and (before or now - read_at > FRESH_S):
            standing = None
        seen = standing.observed if standing is not None and not standing.trouble else None
        return residue.After(
            weight=seen.canary if seen is not None else None,
            inflight=seen.inflight if seen is not None else None,
            left=standing.residue if standing is not None else None,
            fleet=named(stable, run.from_version, run.base),
            attests=self._service.attests is not None,
            good=self._watching.good,
            symptom=symptom,
        )

    def _symptom(self, run: Run, shown: Sequence[Level], now: float) -> str:
        """Count this sample; what still speaks of the symptom, in words, or empty."""
        levels = {level.name: level for level in shown}
        found = [
            _stands(self._specs.get(s.metric), s, levels.get(s.metric), now) for s in run.symptoms
        ]
        mine = self._watching
        heard = min((levels[s.metric].at for s in run.symptoms if s.metric in levels), default=0.0)
        words = {word for word, _ in found}
        if words - {"gone"}:
            mine.good = 0
        if "worse" not in words:
            mine.bad = 0
        if heard > mine.heard:  # a sample is counted once
            mine.heard = heard
            mine.good += words == {"gone"}
            mine.bad += "worse" in words
        return "; ".join(text for word, text in found if word != "gone")

    async def _feedback(self, run: Run) -> None:
        """What the agent did made worse what it was to cure: it does nothing more by itself."""
        if self._watching.bad < residue.SAMPLES:
            return
        back = [e for e in run.effects.values() if e.weight == 0 and e.status == "verified"]
        if not back or back[-1].by.kind != "agent":
            return
        names = ", ".join(s.metric for s in run.symptoms)
        why = f"{names} is worse after the agent's rollback of run {run.id} than it was before it"
        opened = ev.BreakerOpened(service=run.service, run=run.id, why=why)

        def once(state: State) -> tuple[ev.Event, ...]:
            known = state.breakers.get(run.service)
            there = known is not None and known.cause == "feedback"
            closed = known is None  # by a person, who has seen it
            return () if there or closed else (opened,)

        await self._ledger.record(once, actor="hatchway")


def _still(state: State, run: Run, event: ev.Event) -> tuple[ev.Event, ...]:
    return (event,) if state.runs[run.id].unsettled else ()


def _stands(
    spec: MetricSpec | None, symptom: ev.Symptom, level: Level | None, now: float
) -> tuple[str, str]:
    """gone, there, worse or unknown, and in words, of all traffic on the old version.

    Gone: nearer to what stable had than to what the canary had when it was rolled back (or as good
    as what stable had), and within the limit. Worse: beyond what the canary had. Nothing is concluded from what is not known.
    """
    label = spec.label if spec is not None else symptom.metric
    is_now = level.stable if level is not None and now - level.at <= FRESH_S else None
    if spec is None or is_now is None or symptom.canary is None:
        return "unknown", f"whether {label} is as before is not known"
    sign = -1.0 if spec.worse == "down" else 1.0
    worst, before = sign * symptom.canary, sign * (symptom.stable or 0.0)
    bound = max((worst + before) / 2, before + SLACK * abs(before))
    if sign * is_now > max(worst, bound):
        return "worse", f"{label} is worse than the canary's was"
    over = spec.limit is not None and sign * is_now > sign * spec.limit
    if sign * is_now > bound or over:
        return "there", f"{label} is not as before"
    return "gone", ""
