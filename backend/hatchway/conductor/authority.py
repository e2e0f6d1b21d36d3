"""Follows the governor: renews the lease, reads who is in control, journals each change.

The governor acts first and spools what it did; this merges the spool into the journal. It is the
only way by which a change of authority reaches the state, whoever made it and however.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Literal

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.reconcile import of_target
from hatchway.core import events as ev
from hatchway.core.state import Authority, State
from hatchway.journal.port import Duplicate, JournalError
from hatchway.targets.port import Standing, Target, TargetError

log = logging.getLogger("hatchway.authority")

READ_EVERY_S = 0.25
LEASE_EVERY_S = 2.0


class AuthorityFollower:
    """One per backend."""

    def __init__(
        self,
        ledger: Ledger,
        target: Target,
        live: Live,
        services: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._target = target
        self._live = live
        self._services = services
        self._clock = clock
        self._turn = asyncio.Lock()

    def agents_stopped(self) -> str:
        """Why no agent may do anything now, as the governor last said; empty when they may.

        Where it has not said anything to this process, what the journal says counts.
        """
        for service in self._services:
            standing, _ = self._live.standing.get(service, (None, 0.0))
            if standing is not None and standing.stop_all:
                return standing.stop_all
            if standing is None and self._ledger.state.authority_of(service).agents_stopped:
                return "STOP ALL stands"
        return ""

    async def follow(self) -> None:
        """Run for ever."""
        renewed = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            trouble = []
            if loop.time() - renewed >= LEASE_EVERY_S:
                try:
                    await self._target.renew_lease()
                    renewed = loop.time()
                except TargetError as error:
                    trouble.append(str(error))
            for service in self._services:
                trouble.append(await self._follow(service))
            self._trouble(next(filter(None, trouble), ""))
            await asyncio.sleep(READ_EVERY_S)

    async def _follow(self, service: str) -> str:
        """One look; what is wrong with it, in words. One service is never blind for another's sake."""
        try:
            await self.read(service)
        except TargetError as error:
            return str(error)
        except JournalError as error:
            log.warning("what the governor did cannot be journaled yet: %s", error)
        except Exception as error:
            log.exception("the governor's word on %s was not understood", service)
            return f"its word on {service} was not understood: {error}"
        return ""

    async def read(self, service: str) -> Standing:
        """Read the governor's standing and journal what is new. TargetError, JournalError."""
        async with self._turn:
            standing = await self._target.standing(service)
            before = self._live.standing.get(service)
            self._live.standing[service] = (standing, self._clock())
            known = self._ledger.state.authority_of(service)
            if before is None or _differs(before[0], standing):
                self._live.changed()
            if standing.spool > known.spool:
                known = await self._merge(service, known)
                complete = known.spool >= standing.spool
            else:
                complete = standing.spool == known.spool and standing.epoch == known.epoch
            if not complete:
                forgotten = _forgotten(known, standing)
                if forgotten:  # before it is adopted: a crash in between must not lose the stop
                    await self._hold_again(known, standing, forgotten)
                await self._adopt(standing, known)  # it, or the journal, has lost something
                if forgotten:
                    await self._merge(service, self._ledger.state.authority_of(service))
                    standing = await self._target.standing(service)
                    self._live.standing[service] = (standing, self._clock())
            if of_target(self._ledger.state, standing, self._clock()):
                await self._ledger.record(
                    lambda state: of_target(state, standing, self._clock()), actor="governor"
                )
            return standing

    async def _hold_again(self, known: Authority, standing: Standing, why: str) -> None:
        """Pause at the governor what the journal knows to be held. TargetError."""
        log.warning("%s: %s; it is held again", known.service, why)
        id = f"held-again-{known.epoch}-{standing.epoch}-{standing.spool}"
        op = "stop_all" if known.agents_stopped else "pause"
        await self._target.stop(known.service, op, id=id, by="hatchway", reason=why)

    async def _merge(self, service: str, known: Authority) -> Authority:
        """Journal the spool, as far as the governor has it; who is in control then."""
        before = None
        while known != before:
            before = known
            await self._merge_page(service, known.spool)
            known = self._ledger.state.authority_of(service)
        return known

    async def _merge_page(self, service: str, after: int) -> None:
        for event in await self._target.spool(service, after):
            # A governor that lost its state counts from 1 again: the number alone is not unique.
            await self._journal(event, f"governor/{service}/{event.spool}/{event.epoch}/{event.at}")

    async def _adopt(self, standing: Standing, known: Authority) -> None:
        """The governor's epoch rules, also when it, or the journal, has lost something.

        A line that the governor cannot write yet (its disk is full) is not counted as read: it is
        merged when it is there.
        """
        mode: Literal["agent", "paused", "person"] = "paused"
        if standing.mode in ("agent", "person"):
            mode = "agent" if standing.mode == "agent" else "person"
        event = ev.AuthorityChanged(
            service=standing.service,
            spool=min(standing.spool, known.spool),
            op="adopted",
            command="",
            by="hatchway",
            reason="",
            epoch=standing.epoch,
            mode=mode,
            holder=standing.holder,
            desired=standing.desired,
            direct=False,
            at=self._clock(),
            agents_stopped=bool(standing.stop_all),
        )
        if (known.epoch, known.mode, known.spool) != (event.epoch, event.mode, event.spool):
            await self._journal(event, "")

    async def _journal(self, event: ev.AuthorityChanged, idem: str) -> None:
        def new(state: State) -> tuple[ev.Event, ...]:
            known = state.authority_of(event.service)
            return (event,) if event.spool > known.spool or not idem else ()

        with contextlib.suppress(Duplicate):
            await self._ledger.record(
                new, actor=event.by or "hatchway", idem=idem, epoch=event.epoch
            )

    def _trouble(self, words: str) -> None:
        if words != self._live.governor_trouble:
            self._live.governor_trouble = words
            self._live.changed()


def _forgotten(known: Authority, standing: Standing) -> str:
    """The stop that a governor with an older disk knows nothing of, in words; or empty.

    An older epoch with somebody in control is believed; with the agent in control it is not, when
    the journal says that people have stopped it: nothing but a person gives control back.
    """
    if standing.epoch >= known.epoch:
        return ""
    if known.agents_stopped and not standing.stop_all:
        return (
            f"the governor came back at epoch {standing.epoch}, without STOP ALL, and nobody let "
            "the agents in again"
        )
    if standing.mode != "agent" or known.mode == "agent":
        return ""
    word = "PAUSED" if known.mode == "paused" else "TAKEN OVER"
    return (
        f"the governor came back at epoch {standing.epoch}, without the stop at epoch "
        f"{known.epoch}: it was {word} by {known.holder or 'somebody'}, and nobody gave it back"
    )


def _differs(before: Standing, now: Standing) -> bool:
    def shown(s: Standing) -> tuple[object, ...]:
        weight = s.observed.canary if s.observed else None
        return (s.epoch, s.mode, s.holder, s.desired, weight, s.trouble, s.drift, s.stop_all)

    return shown(before) != shown(now)
