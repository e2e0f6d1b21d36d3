"""Every query that this backend answers, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core.plan import Installation, PipelinePlan
from hatchway.edge.handing import Handing
from hatchway.edge.queries.answer import Queries


@dataclass(frozen=True)
class Sources:
    """Where answers come from."""

    ledger: Ledger
    live: Live
    installation: Installation
    pipelines: Mapping[str, PipelinePlan]
    policy: InForce
    clock: Callable[[], float]
    handing: Handing


def queries(sources: Sources) -> Queries:
    """The queries over `sources`."""
    return {"handover": sources.handing.doc}
