"""Every query that this backend answers, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core.plan import Installation, PipelinePlan
from hatchway.core.state import State
from hatchway.edge.chronicle import Chronicle
from hatchway.edge.handing import Handing
from hatchway.edge.queries.answer import Queries
from hatchway.edge.queries.changes import changes_of
from hatchway.edge.queries.log import log_of
from hatchway.edge.queries.plan import plan_of
from hatchway.edge.queries.policy import policy_of
from hatchway.edge.queries.record import record_of
from hatchway.edge.queries.run import run_story
from hatchway.edge.queries.why import why_of


@dataclass(frozen=True)
class Sources:
    """Where answers come from."""

    ledger: Ledger
    live: Live
    installation: Installation
    pipelines: Mapping[str, PipelinePlan]
    policy: InForce
    clock: Callable[[], float]
    chronicle: Chronicle
    jobs: Path  # where the runner keeps what jobs printed
    handing: Handing


def queries(sources: Sources) -> Queries:
    """The queries over `sources`."""
    ledger, chronicle = sources.ledger, sources.chronicle

    def state() -> State:
        return ledger.state

    return {
        "run": run_story(state, chronicle),
        "why": why_of(state, chronicle, sources.live),
        "changes": changes_of(state),
        "log": log_of(state, sources.jobs),
        "handover": sources.handing.doc,
        "policy": policy_of(
            state,
            sources.live,
            sources.installation,
            sources.pipelines,
            sources.policy,
            sources.clock,
        ),
        "record": record_of(state, sources.installation.environment, sources.clock),
        "plan": plan_of(state, sources.installation, lambda: sources.policy.roster, sources.clock),
    }
