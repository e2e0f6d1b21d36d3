"""Plays a scenario to the real backend, from the release request to the end of its time."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

import msgspec
from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.residue import item_of
from hatchway.core.state import State
from hatchway.edge.protocol import Refused
from hatchway.journal.port import Record
from hatchway.rehearse import scenario as sc
from hatchway.rehearse.governor import Write
from hatchway.rehearse.house import ARMS_OF, House, Over, acting
from hatchway.rehearse.virtual import run

PATIENCE_S = 900.0
"""So long, in virtual seconds, a release may take to its first share."""

APPROVERS = ("oncall", "second", "third", "fourth", "fifth")


class Told(Struct, frozen=True):
    """Something that the scenario did, at seconds after the first share."""

    at: float
    text: str


class Played(Struct, frozen=True, kw_only=True):
    """What came of it. Times are as the journal has them; `began` is when the first share was in.

    `stuck` says, in words, why the canary never got a share; then nothing was rehearsed.
    """

    began: float
    stuck: str
    records: tuple[Record, ...]
    events: tuple[ev.Event | ev.Unknown, ...]
    told: tuple[Told, ...]
    writes: tuple[Write, ...]
    refusals: tuple[tuple[float, str, str], ...]
    unheard: tuple[tuple[float, str], ...]  # what a brain said that was not heard, and why
    set_aside: tuple[tuple[float, str], ...]  # when a metric first was what somebody had declared
    state: State
    weight: int
    mode: str
    ended: float


def play(scenario: sc.Scenario, over: Over) -> Played:
    """Play it, in virtual time and without a network. The same arguments give the same records."""
    with tempfile.TemporaryDirectory(prefix="hatchway-rehearsal-", dir=_room()) as place, _quiet():

        async def main() -> Played:
            return await _Play(scenario, House(scenario, acting(over), Path(place))).play()

        return run(main())


def _room() -> str | None:
    """The judge keeps its memory at every look, which costs a disk more than all the rest."""
    memory = "/dev/shm"  # noqa: S108  a folder of its own is made in it
    return memory if os.access(memory, os.W_OK) else None


class _Play:
    def __init__(self, scenario: sc.Scenario, house: House) -> None:
        self._scenario = scenario
        self._house = house
        self._told: list[Told] = []
        self._unheard: list[tuple[float, str]] = []
        self._set_aside: dict[str, float] = {}
        self._epoch = self._backup = 0
        self._early = [entry for entry in scenario.when if entry.at < 0]
        house.changed = self._listen

    async def play(self) -> Played:
        house, scenario = self._house, self._scenario
        await house.start()
        stuck = await self._to_first_share(scenario.versions[min(1, len(scenario.versions) - 1)])
        loop = asyncio.get_running_loop()
        began, zero = house.clock(), loop.time()
        if not stuck:
            self._epoch = house.governor.state[house.plan.service].epoch
            self._backup = len(house.store.records)
            for entry in scenario.when:
                if entry.at < 0:
                    continue
                await asyncio.sleep(max(0.0, zero + entry.at - loop.time()))
                house.check()
                if entry.say:
                    self._told.append(Told(loop.time() - zero, entry.say))
                await self._do(entry.do)
            await asyncio.sleep(max(0.0, zero + scenario.lasts - loop.time()))
            house.check()
        state, ended = house.ledger.state, house.clock()
        await house.kill()
        governor, name = house.governor, house.plan.service
        records = tuple(sorted((*house.store.records, *house.lost), key=lambda r: r.at))
        return Played(
            began=began,
            stuck=stuck,
            records=records,
            events=tuple(ev.decode(r.kind, r.payload) for r in records),
            told=tuple(self._told),
            writes=tuple(governor.writes),
            refusals=tuple(governor.refusals),
            unheard=tuple(self._unheard),
            set_aside=tuple((at, text) for text, at in self._set_aside.items()),
            state=state,
            weight=governor.weight[name],
            mode=governor.state[name].mode,
            ended=ended,
        )

    def _listen(self) -> None:
        house = self._house
        trouble = house.live.trouble.get("brain")
        if trouble is not None:
            self._unheard.append((house.clock(), trouble.words))
        limits = {spec.name: spec.limit for spec in house.service.metrics}
        for watched in house.live.watched.values():
            for reading in watched.readings:
                limit, level = limits[reading.name], reading.canary
                if reading.says == "expected" and limit and level is not None and level > limit:
                    text = f"{reading.name} beyond its limit on canary, as was declared"
                    self._set_aside.setdefault(text, house.clock())

    # --- the release ------------------------------------------------------------------------------

    async def _to_first_share(self, version: sc.Version) -> str:
        """Release it, have people approve it, wait for the first share; why it never came."""
        house = self._house
        known = len(house.ledger.state.runs)
        if house.service.attests is not None:
            house.metrics.instances["canary"] = {"canary-1": version.name}
        said = await house.release(version.name)
        if isinstance(said, Refused):
            return said.why
        loop = asyncio.get_running_loop()
        end, approve_at = loop.time() + PATIENCE_S + self._scenario.before, 0.0
        while loop.time() < end:
            house.check()
            await asyncio.sleep(1.0)
            run = house.run
            if run is None or len(house.ledger.state.runs) == known:
                continue
            if not run.active:
                return f"the run ended before: {run.outcome}: {run.why}"
            if run.step >= 0:
                return ""
            items = [i for i in run.items.values() if i.type == "approval" and i.status == "open"]
            if items and approve_at == 0.0:
                approve_at = loop.time() + self._scenario.before
            while approve_at and self._early and loop.time() >= approve_at + self._early[0].at:
                await self._do(self._early.pop(0).do)
            if items and loop.time() >= approve_at:
                await self._approve(items[0].id)
        frozen = house.ledger.state.frozen.get(house.plan.environment)
        shut = f": {frozen.why}" if frozen is not None and frozen.stands != "open" else ""
        return f"it had not come to a first share after 15 minutes{shut}"

    async def _approve(self, item: str) -> None:
        for by in APPROVERS:
            if not isinstance(await self._house.ask("accept", by, item=item), Refused):
                return

    # --- what happens -----------------------------------------------------------------------------

    async def _do(self, do: sc.Do) -> None:
        house = self._house
        match do:
            case sc.Metrics():
                self._levels(do)
            case sc.Feed(arm=arm, how=feed):
                for each in ARMS_OF[arm]:
                    house.metrics.how[each] = feed
            case sc.Brain():
                house.brain.how = do
            case sc.Person():
                await self._person(do)
            case sc.Restart(what=what):
                await house.kill()
                if what == "backup":
                    house.from_backup(self._backup)
                await house.start()
            case sc.ByHand(weight=weight):
                house.governor.by_hand(house.plan.service, weight)
            case sc.Late(weight=weight, epoch=epoch):
                now = house.governor.state[house.plan.service].epoch
                await house.governor.apply(
                    house.plan.service,
                    epoch=self._epoch if epoch == "first" else now,
                    key="late",
                    canary=weight,
                    by=ev.By("agent", "agent"),
                )
            case sc.Target(how=target):
                house.governor.how = target
            case sc.Instances(versions=versions, arm=arm):
                house.metrics.instances[arm] |= versions
            case sc.Facts(changes=changes):
                house.governor.facts |= changes
            case sc.Order():
                await house.order(do)
            case sc.Release(version=version):
                await self._to_first_share(sc.Version(version))
            case sc.Rules(how=how):
                house.rewrite(how)
            case sc.Clock(by_s=by_s):
                house.skew += by_s
            case _:
                assert_never(do)

    def _levels(self, do: sc.Metrics) -> None:
        new = {
            name: value
            for name in ("errors", "p95_ms", "orders", "warnings", "payments")
            if (value := getattr(do, name)) is not None
        }
        for arm in ARMS_OF[do.arm]:
            levels = self._house.metrics.levels
            levels[arm] = msgspec.structs.replace(levels[arm], **new)

    async def _person(self, do: sc.Person) -> None:
        item = ""
        if do.does in ("accept", "reject"):
            run = self._house.run
            items = run.items.values() if run is not None else ()
            item = next((i.id for i in items if i.capability == do.item and i.status == "open"), "")
            if do.item == "residue" and run is not None:
                item = item_of(run)
        await self._house.ask(do.does, do.by, item=item)


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is the point here: it is told from the journal, not from the log."""
    log = logging.getLogger("hatchway")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
