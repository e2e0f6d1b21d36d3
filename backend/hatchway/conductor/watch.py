"""Watches one service: scrapes, judges the canary, shows levels, tells the conductor."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from hatchway.brains.port import Sight
from hatchway.conductor.aftermath import Aftermath
from hatchway.conductor.afterwards import Afterwards, due
from hatchway.conductor.agent import Agent
from hatchway.conductor.expecting import evidence, expected
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import KEPT_POINTS, Fleet, Live, Reading
from hatchway.conductor.proposals import no_proof
from hatchway.conductor.reconcile import of_version
from hatchway.core import events as ev
from hatchway.core.canary import weight_of
from hatchway.core.events import Evidence
from hatchway.core.expectations import Expectation
from hatchway.core.fleet import named, not_yet
from hatchway.core.plan import CanaryStage, MetricSpec, ServiceSpec
from hatchway.core.state import Run, State
from hatchway.journal.port import JournalError
from hatchway.judge import JudgeConfig, JudgeState, Verdict, before, judge, new, raised, set_aside
from hatchway.judge.proof import sealed
from hatchway.metrics.attest import attested
from hatchway.metrics.levels import Level, Levels, levels
from hatchway.metrics.port import Metrics, Scrape
from hatchway.metrics.window import Window, look
from hatchway.metrics.window import before as look_before
from hatchway.targets.port import TargetError

log = logging.getLogger("hatchway.watch")

FRESH_S = 5.0
"""Data older than this are shown as stale, in seconds."""

Aside = Mapping[str, tuple[Expectation, float]]

BLIND_S = 10.0
"""After so long without a look that counts, in seconds, the verdict is that there is none."""


class Memory(Struct, frozen=True):
    """What the judge knew at its last look, kept beside the journal.

    It may be lost: then evidence is gathered anew, which is slower and never wrong.
    """

    run: str
    step: int
    judge: JudgeState
    window: Window
    versions: frozenset[str] = frozenset()


class CanaryWatch:
    """One per service, while the backend runs."""

    def __init__(
        self,
        *,
        service: ServiceSpec,
        metrics: Metrics,
        ledger: Ledger,
        live: Live,
        agent: Agent,
        memory: Path,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._specs = {spec.name: spec for spec in service.metrics}
        self._metrics = metrics
        self._ledger = ledger
        self._live = live
        self._agent = agent
        self._path = memory / f"{service.name}.msgpack"
        self._clock = clock
        self._config = JudgeConfig(metrics=service.metrics)
        self._judge = new(self._config)
        self._window = Window()
        self._levels = Levels()
        self._aftermath = Aftermath(service, ledger, live, clock)
        self._afterwards = Afterwards(service, ledger, live, clock)
        self._versions: frozenset[str] = frozenset()  # that the canary's instances last said
        self._of: tuple[str, int] = ("", -1)  # run and step that the evidence is about
        self._judged: tuple[tuple[str, int], float] = ("", -1), 0.0  # what, and when (loop's clock)

    async def run(self) -> None:
        """Look every `scrape_s` seconds for ever, while something is being released."""
        self._remember()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            run = self._run()
            if run is not None:
                await self._try_to_look(run)
            else:
                self._aftermath.forget()
                self._afterwards.forget()
            due = max(due + self._service.scrape_s, loop.time())
            await asyncio.sleep(due - loop.time())

    def _run(self) -> Run | None:
        """What there is to look at: released now, went back and not settled, or promoted lately."""
        state, name = self._ledger.state, self._service.name
        active = state.active_run(name)
        if active is not None:
            return active
        back = state.last_back(name)
        if back is not None and back.unsettled:
            return back
        return due(state, name, self._clock())

    async def _try_to_look(self, run: Run) -> None:
        part = f"looking at {self._service.name}"
        try:
            await self._look(run)
            self._live.tell(part, "")
        except (JournalError, TargetError) as error:
            log.warning("a look at %s could not be journaled: %s", self._service.name, error)
        except Exception as error:
            # A look that failed is no look: nothing is promoted without one. What the judge
            # remembers may be the cause (the metrics in hatchway.yaml changed), so it starts anew.
            log.exception("a look at %s failed", self._service.name)
            why = f"{type(error).__name__}: {error}"
            self._live.tell(part, why)
            if not run.active:
                return
            self._judge, self._window, self._of = new(self._config), Window(), ("", -1)
            await self._say_blind(run, f"the metrics cannot be judged: {why}")

    async def _say_blind(self, run: Run, why: str) -> None:
        """Without a look that counts for a while, an old verdict does not stand for ever."""
        now = asyncio.get_running_loop().time()
        if self._judged[0] != (run.id, run.step):
            self._judged = (run.id, run.step), now
        blind = now - self._judged[1]
        if blind < BLIND_S or _step_plan(run) is None:
            return
        sight = Sight(
            word="NO_DATA",
            action="hold",
            headline=why,
            evidence=(Evidence("E1", "?", why, "hatchway", self._clock()),),
            confidence=1.0,
            stable_healthy=None,
            blind_for_s=blind,
            forecast_s=None,
        )
        try:
            await self._agent.look(run.id, sight, self._clock())
        except (JournalError, TargetError) as error:
            log.warning("that %s is not watched could not be journaled: %s", run.service, error)

    async def _look(self, run: Run) -> None:
        now = self._clock()
        scrape = await self._metrics.look(now)
        self._levels, shown = levels(self._service, self._levels, scrape)
        fleet = self._fleet(scrape, now)
        back = self._ledger.state.last_back(self._service.name)
        if back is not None and back.unsettled:
            await self._aftermath.look(back, shown, fleet.stable)
        if not run.active:
            if not run.went_back:
                seen = partial(_sight, specs=self._specs, now=now, shown=shown, aside={})
                await self._afterwards.look(run, scrape, seen)
            self._show(run, shown, None, now)
            return
        await self._attest(run, fleet, now)
        verdict: Verdict | None = None
        aside: Aside = {}
        proof: Callable[[], bytes] = no_proof
        plan = _step_plan(run)
        observed = self._observed()
        if run.step < 0 and observed == 0:
            fresh = new(self._config) if self._of[0] != run.id else self._judge
            self._window, sample = look_before(self._service, self._window, scrape)
            self._judge, self._of = before(self._config, fresh, sample), (run.id, run.step)
            self._keep()
            await self._agent.before(run.id, self._ailing())
        elif plan is None or observed != weight_of(plan, run.step):
            # Between two shares: what is counted now belongs to neither.
            self._window, _ = look(self._service, self._window, scrape, observed or 0)
        else:
            if self._of != (run.id, run.step):
                fresh = new(self._config) if self._of[0] != run.id else self._judge
                self._judge = raised(fresh, now, observed)
                self._of = (run.id, run.step)
            self._window, sample = look(self._service, self._window, scrape, observed)
            excludes = plan.steps[run.step].excludes
            state, name = self._ledger.state, self._service.name
            aside = expected(state, name, self._specs, shown, now)
            config, known = set_aside(self._config, self._judge, aside.keys())
            self._judge, verdict = judge(config, known, sample, excludes)
            proof = partial(sealed, config, known, sample, excludes, self._judge, verdict)
            self._keep()
        self._show(run, shown, verdict, now, aside)
        if verdict is not None:
            self._judged = (run.id, run.step), asyncio.get_running_loop().time()
            sight = _sight(verdict, self._specs, now, shown, aside)
            await self._agent.look(run.id, sight, now, proof)
        elif plan is not None and not _changing(run):
            is_now = "cannot be read" if observed is None else f"is {observed} %"
            wanted = weight_of(plan, run.step)
            await self._say_blind(run, f"the canary's share {is_now}, this step is {wanted} %")

    def _fleet(self, scrape: Scrape, now: float) -> Fleet:
        """What the instances say they run, where the service attests."""
        if self._service.attests is None:
            return Fleet()
        arms = [attested(self._service, scrape, arm) for arm in ("stable", "canary")]
        fleet = self._live.fleet[self._service.name] = Fleet(arms[0], arms[1], now)
        return fleet

    async def _attest(self, run: Run, fleet: Fleet, now: float) -> None:
        """Journal that a deployment is done, and a version that nobody deployed. JournalError."""
        if not run.attests:
            return
        if run.step < 0:
            self._versions = frozenset()
            why = not_yet(named(fleet.canary, run.to_version, run.commit), run.to_version)
            deployed = _deployed(run)
            part = f"versions of {self._service.name}"
            self._live.tell(part, f"not deployed yet: {why}" if why and deployed else "", run.id)
            if deployed and not why:
                done = ev.FleetAttested(
                    run=run.id, version=run.to_version, instances=len(fleet.canary)
                )
                await self._ledger.record(lambda s: _once(s, run, done), actor="hatchway")
            return
        said = frozenset(i.version for i in fleet.canary if i.version)
        if said and said != self._versions:
            if self._versions:  # what was gathered was about another version
                self._judge, self._window, self._of = new(self._config), Window(), ("", -1)
            self._versions = said
        if of_version(self._ledger.state, run, fleet.canary, now):
            await self._ledger.record(
                lambda s: of_version(s, run, fleet.canary, now), actor="hatchway"
            )

    def _ailing(self) -> str:
        """The judged metrics of which stable is beyond its limit before the rollout."""
        both = zip(self._config.metrics, self._judge.metrics, strict=True)
        return ", ".join(
            f"{spec.label} beyond its limit"
            for spec, metric in both
            if metric.ailing and spec.judged and not spec.shared
        )

    def _observed(self) -> int | None:
        standing = self._live.standing.get(self._service.name)
        if standing is None or standing[0].observed is None:
            return None
        return standing[0].observed.canary

    # --- what is shown ----------------------------------------------------------------------------

    def _show(
        self,
        run: Run,
        shown: tuple[Level, ...],
        verdict: Verdict | None,
        now: float,
        aside: Aside = MappingProxyType({}),
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
                    says="expected"
                    if level.name in aside
                    else _says(spec, level, found.word if found else "", now),
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
            watched.e = verdict.e
            watched.why = tuple(
                (why.sign, why.text, _source(why.metric, self._specs), now) for why in verdict.why
            ) + tuple(
                (e.sign, e.text, e.source, e.at) for e in evidence(aside, self._specs, 1, now)
            )
        self._live.changed()

    # --- memory -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        memory = Memory(*self._of, self._judge, self._window, self._versions)
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
        self._of, self._versions = (memory.run, memory.step), memory.versions


def _deployed(run: Run) -> bool:
    """Whether the canary's deploy commands have all passed, and nothing has been raised yet."""
    stages = zip(run.stages, run.plan.stages, strict=True)
    stage = next((s for s, plan in stages if isinstance(plan, CanaryStage)), None)
    if stage is None or stage.status != "running" or run.effects:
        return False
    return all(job.status == "passed" for job in stage.jobs.values())


def _once(state: State, run: Run, event: ev.FleetAttested) -> tuple[ev.Event, ...]:
    now = state.runs[run.id]
    return (event,) if now.active and not now.attested else ()


def _step_plan(run: Run) -> CanaryStage | None:
    plan = run.canary
    return plan if plan is not None and 0 <= run.step < len(plan.steps) else None


def _changing(run: Run) -> bool:
    """Whether the share is on its way to another value."""
    return run.rollback_from != 0 or any(
        e.status == "intended" or (e.weight == 0 and e.status == "diverged")
        for e in run.effects.values()
    )


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


def _symptoms(verdict: Verdict, shown: tuple[Level, ...]) -> tuple[ev.Symptom, ...]:
    """The metrics that show a regression, with their levels; none where there is none."""
    if verdict.word != "REGRESS":
        return ()
    worse = [m.name for m in verdict.metrics if m.word == "worse"]
    worse = worse or [why.metric for why in verdict.why if why.sign == "-" and why.metric]
    return tuple(
        ev.Symptom(level.name, level.stable, level.canary) for level in shown if level.name in worse
    )


def _sight(
    verdict: Verdict,
    specs: dict[str, MetricSpec],
    now: float,
    shown: tuple[Level, ...],
    aside: Aside,
) -> Sight:
    return Sight(
        word=verdict.word,
        action=verdict.action,
        headline=verdict.headline,
        evidence=tuple(
            Evidence(f"E{i}", why.sign, why.text, _source(why.metric, specs), now)
            for i, why in enumerate(verdict.why, 1)
        )
        + evidence(aside, specs, len(verdict.why) + 1, now),
        confidence=verdict.confidence,
        stable_healthy=verdict.stable_healthy,
        blind_for_s=verdict.blind_for_s,
        forecast_s=verdict.forecast_s,
        symptoms=_symptoms(verdict, shown),
        regressed=tuple(m.name for m in verdict.metrics if m.word == "worse"),
        requests=min((m.n for m in verdict.metrics if m.word == "UNSURE" and m.n), default=0),
    )
