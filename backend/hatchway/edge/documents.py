"""Which documents there are at a moment, and how each is made: for the publisher, and for a replay.

Pure: a moment is what it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from msgspec import Struct

from hatchway.conductor.live import Live
from hatchway.core.drills import overdue
from hatchway.core.plan import Installation
from hatchway.core.state import Run, State
from hatchway.edge import protocol as p
from hatchway.edge import views
from hatchway.edge.drills import drills_doc
from hatchway.edge.oncall_items import asks_doc, needs_now
from hatchway.edge.standing import standing_doc

Make = Callable[[], Any]
"""Makes one document. It may raise: then that one cannot be shown, and the others can."""

OF_A_RUN = ("run", "metrics", "history", "log")
"""The kinds of documents whose key is KIND/RUN."""


class Moment(Struct, frozen=True):
    """What is known at `now`: the journal's state, and what is not journaled."""

    state: State
    live: Live
    installation: Installation
    now: float
    audit: tuple[p.AuditLine, ...] = ()
    verified_to: int = 0

    @property
    def drill(self) -> str:
        """Why a drill of the stops is overdue, in words."""
        return overdue(self.state.drills, self.installation.drill_every_s, self.now)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Of each service the newest run."""
        return tuple({run.service: run for run in self.state.runs.values()}.values())


Sources = dict[str, tuple[object, ...]]
"""By service: what its documents are made from."""


def sources(moment: Moment) -> Sources:
    """What the documents of each service are made from, but the time and what is measured."""
    state, live = moment.state, moment.live
    return {
        service.name: (
            state.authority.get(service.name), live.standing.get(service.name),
            state.breakers.get(service.name), state.quarantine.get(service.name),
            state.expectations.get(service.name), state.drift.get(service.name),
            *state.runs_of(service.name),
        )
        for service in moment.installation.services
    }  # fmt: skip


def moved(before: Sources, now: Sources) -> frozenset[str]:
    """The services of which something may look different: a source is not the same object."""
    return frozenset(
        name
        for name, of in now.items()
        if len(known := before.get(name, ())) != len(of)
        or any(a is not b for a, b in zip(known, of, strict=True))
    )


def documents(moment: Moment, only: frozenset[str] | None = None) -> Iterator[tuple[str, Make]]:
    """Every document but `system`, by its key. Control first: a person must never see it late.

    `only`: of these services, and of runs that are going on.
    """
    state, live, now, drill = moment.state, moment.live, moment.now, moment.drill
    for service in moment.installation.services:
        name = service.name
        if only is not None and name not in only:
            continue
        yield f"authority/{name}", partial(views.authority_doc, state, live, name, drill)
        yield f"standing/{name}", partial(standing_doc, state, name, now)
    yield "needs-you", partial(needs_now, state, now, moment.installation.people)
    if state.asks:
        yield "asks", partial(asks_doc, state, now)
    for run in moment.runs:
        if only is None or run.active or run.service in only:
            yield from _of_run(moment, run)
    yield "audit/tail", lambda: p.AuditDoc(moment.audit, moment.verified_to)
    if state.drills or drill:
        yield "drills", partial(drills_doc, state, moment.installation.drill_every_s, now)


def _of_run(moment: Moment, run: Run) -> Iterator[tuple[str, Make]]:
    live = moment.live
    authority = moment.state.authority_of(run.service)
    yield f"run/{run.id}", partial(views.run_doc, run, authority, live, moment.now)
    watched = live.watched.get(run.id)
    service = next((s for s in moment.installation.services if s.name == run.service), None)
    if watched is not None and service is not None:
        yield f"metrics/{run.id}", partial(views.metrics_doc, run, service, watched)
        yield f"history/{run.id}", partial(views.history_doc, run.id, watched)
    if run.id in live.log:
        yield f"log/{run.id}", partial(views.log_doc, run.id, live)
