"""Keeps the hub's documents true: looks at state and live data after each change, soon."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.drills import overdue
from hatchway.core.plan import Installation
from hatchway.core.state import Run, State
from hatchway.edge import protocol as p
from hatchway.edge import views
from hatchway.edge.drills import drills_doc
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.standing import standing_doc
from hatchway.edge.waiting import needs_doc
from hatchway.edge.words import line_of
from hatchway.journal.port import Record

log = logging.getLogger("hatchway.publisher")

SOON_S = 0.02  # what comes within this is published together
TICK_S = 1.0
LOG_EVERY_S = 0.5
HISTORY_EVERY_S = 10.0
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
        self._audit: deque[p.AuditLine] = deque(maxlen=AUDIT_LINES)
        self._soon: asyncio.TimerHandle | None = None
        self._shown: set[str] = set()
        self._next: dict[str, float] = {}
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
            self._soon = asyncio.get_running_loop().call_later(soon, self.refresh)

    async def tick(self) -> None:
        """Refresh once a second, for what changes by itself. For ever."""
        while True:
            self.refresh()
            await asyncio.sleep(TICK_S)

    def refresh(self) -> None:
        """Publish every document whose text changed."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        state = self._ledger.state
        # Control first: it is what a person must never see late.
        every_s = self._installation.drill_every_s
        drill = overdue(state.drills, every_s, self._clock())
        for service in self._installation.services:
            name = service.name
            doc = partial(views.authority_doc, state, self._live, name, drill)
            self._show(f"authority/{name}", doc)
            standing = partial(standing_doc, state, name, self._clock())
            self._show(f"standing/{name}", standing)
        self._show("needs-you", lambda: needs_doc(state))
        runs = self._runs(state)
        for run in runs:
            self._publish_run(state, run)
        for gone in self._shown - {run.id for run in runs}:
            for kind in ("run", "metrics", "history", "log"):
                self._hub.remove(f"{kind}/{gone}")
                self._unshown.pop(f"{kind}/{gone}", None)
        self._shown = {run.id for run in runs}
        self._show("audit/tail", lambda: p.AuditDoc(tuple(self._audit), self._ledger.verified_to))
        if state.drills or drill:
            self._show("drills", lambda: drills_doc(state, every_s, self._clock()))
        self._show("system", lambda: self._system(state, drill))
        self._feed_health(state)

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

    def _runs(self, state: State) -> tuple[Run, ...]:
        """Of each service the newest run."""
        newest: dict[str, Run] = {}
        for run in state.runs.values():
            newest[run.service] = run
        return tuple(newest.values())

    def _publish_run(self, state: State, run: Run) -> None:
        now, live = self._clock(), self._live
        authority = state.authority_of(run.service)
        key = f"run/{run.id}"
        if not self._show(key, lambda: views.run_doc(run, authority, live, now)):
            self._hub.publish(key, views.unshown(run, self._unshown[key]))
        watched = live.watched.get(run.id)
        service = next((s for s in self._installation.services if s.name == run.service), None)
        if watched is not None and service is not None:
            self._show(f"metrics/{run.id}", lambda: views.metrics_doc(run, service, watched))
            if self._due(f"history/{run.id}", HISTORY_EVERY_S):
                self._show(f"history/{run.id}", lambda: views.history_doc(run.id, watched))
        if run.id in live.log and self._due(f"log/{run.id}", LOG_EVERY_S):
            self._show(f"log/{run.id}", lambda: views.log_doc(run.id, live))

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
        )
