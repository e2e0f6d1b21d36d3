"""Keeps the hub's documents true: looks at state and live data after each change, soon."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.plan import Installation
from hatchway.core.state import State
from hatchway.edge import protocol as p
from hatchway.edge import views
from hatchway.edge.documents import OF_A_RUN, Moment, Sources, documents, moved, sources
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.on_duty import freeze_words
from hatchway.edge.oncall_items import handover_words
from hatchway.edge.words import line_of
from hatchway.journal.port import Record

log = logging.getLogger("hatchway.publisher")

SOON_S = 0.02  # what comes within this is published together
TICK_S = 1.0
EVERY_S = {"history": 10.0, "log": 0.5}  # by kind: those that are large
AUDIT_LINES = 50


class Publisher:
    """One per backend; belongs to the event loop.

    A document that cannot be made is left as it was and said so; it never takes the others along.
    """

    def __init__(
        self,
        hub: Hub,
        ledger: Ledger,
        live: Live,
        installation: Installation,
        clock: Callable[[], float],
        health: Health,
    ) -> None:
        self._hub = hub
        self._ledger = ledger
        self._live = live
        self._installation = installation
        self._clock = clock
        self._health = health
        self._unshown: dict[str, str] = {}  # by document: why it cannot be shown
        self._started_at = clock()
        self.checkpoint_overdue: Callable[[], str] = lambda: ""
        self.on_duty: Callable[[], str] = lambda: ""  # who is on call, in words
        self.shift: Callable[[], str] = lambda: ""  # what happened since the last hand-over
        self._audit: deque[p.AuditLine] = deque(maxlen=AUDIT_LINES)
        self._soon: asyncio.TimerHandle | None = None
        self._shown: set[str] = set()
        self._next: dict[str, float] = {}
        self._from: Sources = {}
        ledger.listen(self._happened)
        live.changed = self.changed

    def _happened(self, record: Record, event: ev.Event | ev.Unknown, state: State) -> None:
        try:
            line = line_of(record, event)
        except Exception as error:
            log.exception("event %d cannot be worded", record.seq)
            text = f"{record.kind}: it cannot be worded ({error})"
            line = p.AuditLine(record.seq, record.at, record.actor, text, "warn")
        if line is not None:
            self._audit.append(line)
        self.changed(at_once=isinstance(event, ev.AuthorityChanged))

    def changed(self, *, at_once: bool = False) -> None:
        """Something may look different now; who is in control is never shown late."""
        if at_once and self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._soon is None:
            soon = 0.0 if at_once else SOON_S
            self._soon = asyncio.get_running_loop().call_later(soon, self._refresh_moved)

    async def tick(self) -> None:
        """Refresh once a second, for what changes by itself. For ever."""
        while True:
            self.refresh()
            await asyncio.sleep(TICK_S)

    def refresh(self) -> None:
        """Publish every document whose text changed."""
        self._from = {}
        self._refresh_moved()

    def _refresh_moved(self) -> None:
        """The same, without looking at services at rest of which nothing is new.

        With 200 services a look at all takes tens of milliseconds, and it is asked for at every
        event: a stop of all of them would come late. What only time changes waits for the tick.
        """
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        moment = self._moment()
        before, self._from = self._from, sources(moment)
        only = moved(before, self._from) if before else None
        for key, make in documents(moment, only):
            every = EVERY_S.get(key.partition("/")[0])
            if every is None or self._due(key, every):
                self._show(key, make)
        for run in moment.runs:
            if why := self._unshown.get(f"run/{run.id}"):
                self._hub.publish(f"run/{run.id}", views.unshown(run, why))
        for gone in self._shown - {run.id for run in moment.runs}:
            for kind in OF_A_RUN:
                self._hub.remove(f"{kind}/{gone}")
                self._unshown.pop(f"{kind}/{gone}", None)
        self._shown = {run.id for run in moment.runs}
        self._show("system", lambda: self._system(moment.state, moment.drill))
        self._feed_health(moment.state)

    def _moment(self) -> Moment:
        ledger, audit = self._ledger, tuple(self._audit)
        return Moment(
            ledger.state, self._live, self._installation, self._clock(), audit, ledger.verified_to
        )

    def _show(self, key: str, make: Callable[[], Any]) -> bool:
        try:
            self._hub.publish(key, make())
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if self._unshown.get(key) != why:  # once: this is called many times a second
                log.exception("%s cannot be shown", key)
            self._unshown[key] = why
            return False
        self._unshown.pop(key, None)
        return True

    def _feed_health(self, state: State) -> None:
        read = [at for _, at in self._live.standing.values()]
        health = self._health
        health.journal_seq = state.seq
        health.governor_at = min(read, default=0.0)
        health.trouble = {
            "journal": self._ledger.broken or self._ledger.trouble,
            "governor": self._live.governor_trouble,
            **{part: trouble.words for part, trouble in self._live.trouble.items()},
            **{key: f"cannot be shown: {why}" for key, why in self._unshown.items()},
        }

    def _due(self, key: str, every: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._next.get(key, 0.0):
            return False
        self._next[key] = now + every
        return True

    def _system(self, state: State, drill: str) -> p.SystemDoc:
        read = [at for _, at in self._live.standing.values()]
        runs = [r for r in state.runs.values() if r.active]
        return p.SystemDoc(
            environment=self._installation.environment,
            name=self._installation.name,
            pace=runs[-1].pace if runs else 1.0,
            started_at=self._started_at,
            journal_seq=state.seq,
            journal_trouble=self._ledger.broken or self._ledger.trouble,
            governor_at=float(int(min(read))) if read else 0.0,
            governor_trouble=self._live.governor_trouble,
            drill=drill,
            checkpoint=self.checkpoint_overdue(),
            duty=self.on_duty(),
            freeze=freeze_words(state.frozen.get(self._installation.environment), self._clock()),
            handover=handover_words(state),
            shift=self.shift(),
        )
