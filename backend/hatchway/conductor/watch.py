"""Watches one service: scrapes, judges the canary, shows levels, tells the conductor."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.brains.port import Sight
from hatchway.conductor.conductor import Conductor
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import KEPT_POINTS, Live, Reading
from hatchway.core.events import Evidence
from hatchway.core.next import weight_of
from hatchway.core.plan import CanaryStage, MetricSpec, ServiceSpec
from hatchway.core.state import Run
from hatchway.journal.port import JournalError
from hatchway.judge import JudgeConfig, JudgeState, Verdict, judge, new, raised
from hatchway.metrics.levels import Level, Levels, levels
from hatchway.metrics.port import Metrics
from hatchway.metrics.window import Window, look

log = logging.getLogger("hatchway.watch")

FRESH_S = 5.0
"""Data older than this are shown as stale, in seconds."""


class Memory(Struct, frozen=True):
    """What the judge knew at its last look, kept beside the journal.

    It may be lost: then evidence is gathered anew, which is slower and never wrong.
    """

    run: str
    step: int
    judge: JudgeState
    window: Window


class CanaryWatch:
    """One per service, while the backend runs."""

    def __init__(
        self,
        *,
        service: ServiceSpec,
        metrics: Metrics,
        ledger: Ledger,
        live: Live,
        conductor: Conductor,
        memory: Path,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._specs = {spec.name: spec for spec in service.metrics}
        self._metrics = metrics
        self._ledger = ledger
        self._live = live
        self._conductor = conductor
        self._path = memory / f"{service.name}.msgpack"
        self._clock = clock
        self._config = JudgeConfig(metrics=service.metrics)
        self._judge = new(self._config)
        self._window = Window()
        self._levels = Levels()
        self._of: tuple[str, int] = ("", -1)  # run and step that the evidence is about

    async def run(self) -> None:
        """Look every `scrape_s` seconds for ever, while something is being released."""
        self._remember()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            run = self._ledger.state.active_run(self._service.name)
            if run is not None:
                try:
                    await self._look(run)
                except JournalError as error:
                    self._live.journal_trouble = str(error)
                except Exception:
                    # A look that failed is no look: nothing is promoted without one.
                    log.exception("a look at %s failed", self._service.name)
            due = max(due + self._service.scrape_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _look(self, run: Run) -> None:
        now = self._clock()
        scrape = await self._metrics.look(now)
        self._levels, shown = levels(self._service, self._levels, scrape)
        verdict: Verdict | None = None
        plan = _step_plan(run)
        observed = self._observed()
        if plan is None or observed != weight_of(plan, run.step):
            # Between two shares: what is counted now belongs to neither.
            self._window, _ = look(self._service, self._window, scrape, observed or 0)
        else:
            if self._of != (run.id, run.step):
                fresh = new(self._config) if self._of[0] != run.id else self._judge
                self._judge = raised(fresh, now, observed)
                self._of = (run.id, run.step)
            self._window, sample = look(self._service, self._window, scrape, observed)
            excludes = plan.steps[run.step].excludes
            self._judge, verdict = judge(self._config, self._judge, sample, excludes)
            self._keep()
        self._show(run, shown, verdict, now)
        if verdict is not None:
            await self._conductor.look(run.id, _sight(verdict, self._specs, now), now)

    def _observed(self) -> int | None:
        standing = self._live.standing.get(self._service.name)
        if standing is None or standing[0].observed is None:
            return None
        return standing[0].observed.canary

    # --- what is shown ----------------------------------------------------------------------------

    def _show(
        self, run: Run, shown: tuple[Level, ...], verdict: Verdict | None, now: float
    ) -> None:
        watched = self._live.watch(run.id)
        watched.at = now
        words = {m.name: m for m in verdict.metrics} if verdict else {}
        readings = []
        for level in shown:
            spec = self._specs[level.name]
            found = words.get(level.name)
            readings.append(
                Reading(
                    name=level.name,
                    stable=level.stable,
                    canary=level.canary,
                    n=found.n if found else level.n,
                    at=level.at,
                    trouble=level.trouble,
                    says=_says(spec, level, found.word if found else "", now),
                )
            )
            points = watched.points.setdefault(level.name, deque(maxlen=KEPT_POINTS))
            points.append((round(now, 1), _short(level.stable), _short(level.canary)))
        watched.readings = tuple(readings)
        if verdict is not None:
            watched.word = verdict.word
            watched.action = verdict.action
            watched.headline = verdict.headline
            watched.confidence = verdict.confidence
            watched.forecast_s = verdict.forecast_s
            watched.why = tuple(
                (why.sign, why.text, _source(why.metric, self._specs), now) for why in verdict.why
            )
        self._live.changed()

    # --- memory -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        memory = Memory(self._of[0], self._of[1], self._judge, self._window)
        new_file = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(exist_ok=True)
            new_file.write_bytes(msgspec.msgpack.encode(memory))
            os.replace(new_file, self._path)
        except OSError as error:
            log.warning("the judge's memory cannot be kept: %s", error)

    def _remember(self) -> None:
        try:
            memory = msgspec.msgpack.decode(self._path.read_bytes(), type=Memory)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the judge's memory cannot be read, evidence starts anew: %s", error)
            return
        self._judge, self._window = memory.judge, memory.window
        self._of = (memory.run, memory.step)


def _step_plan(run: Run) -> CanaryStage | None:
    plan = next((s for s in run.plan.stages if isinstance(s, CanaryStage)), None)
    return plan if plan is not None and 0 <= run.step < len(plan.steps) else None


def _says(spec: MetricSpec, level: Level, word: str, now: float) -> str:
    if level.at and now - level.at > FRESH_S:
        return "STALE"
    if spec.judged and word:
        return "no data" if level.stable is None and level.canary is None else word
    if spec.kind == "state":
        down = 0 in (level.stable, level.canary)
        return "DOWN" if down else "ok" if level.stable is not None else "no data"
    if level.stable is None and level.canary is None:
        return "no data"
    if spec.limit is not None and not spec.judged:
        over = [v for v in (level.stable, level.canary) if v is not None and v > spec.limit]
        return "over limit" if over else "ok"
    return "" if spec.judged else "ok"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _source(metric: str, specs: dict[str, MetricSpec]) -> str:
    return specs[metric].source if metric in specs else "judge"


def _sight(verdict: Verdict, specs: dict[str, MetricSpec], now: float) -> Sight:
    return Sight(
        word=verdict.word,
        action=verdict.action,
        headline=verdict.headline,
        evidence=tuple(
            Evidence(f"E{i}", why.sign, why.text, _source(why.metric, specs), now)
            for i, why in enumerate(verdict.why, 1)
        ),
        confidence=verdict.confidence,
        stable_healthy=verdict.stable_healthy,
        blind_for_s=verdict.blind_for_s,
        forecast_s=verdict.forecast_s,
    )
