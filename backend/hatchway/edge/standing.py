"""What stands about a service beyond its run, as a document and as items. Pure."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core import residue
from hatchway.core.breaker import is_open
from hatchway.core.decide_services import why_only_recommends
from hatchway.core.state import Run, State
from hatchway.edge import protocol as p


class QuarantineDoc(Struct, frozen=True):
    """A commit that was rolled back and is not released again before a person lifts it."""

    commit: str
    version: str
    run: str
    by: str
    at: float
    why: str


class ExpectationDoc(Struct, frozen=True):
    """What a person said is to be expected of a metric, up to `at_most` as it is shown."""

    id: str
    metric: str
    at_most: float
    declared_at: float
    expires_at: float
    ticket: str
    by: str
    reason: str


class StandingDoc(Struct, frozen=True):
    """Key `standing/SERVICE`: what stands about a service beyond its run, in words."""

    service: str
    quarantine: tuple[QuarantineDoc, ...] = ()
    expectations: tuple[ExpectationDoc, ...] = ()
    breaker: str = ""  # why it is open
    recommends: str = ""  # why the agent only recommends, whatever policy allows
    changed: tuple[str, ...] = ()  # of the target, and not by Hatchway
    rollback: str = ""  # how the newest one stands: CHECKING, DONE, RESIDUE ...
    residue: tuple[str, ...] = ()


def standing_doc(state: State, service: str, now: float) -> StandingDoc:
    """Quarantine, expectations, the breaker, unattributed changes and residue of `service`."""
    breaker = state.breakers.get(service)
    back = state.last_back(service)
    return StandingDoc(
        service=service,
        quarantine=tuple(
            QuarantineDoc(q.commit, q.version, q.run, q.by, q.at, q.why)
            for q in state.quarantine.get(service, {}).values()
        ),
        expectations=tuple(
            ExpectationDoc(
                e.id, e.metric, e.at_most, e.declared_at, e.expires_at, e.ticket, e.by, e.reason
            )
            for e in state.expectations.get(service, {}).values()
            if e.expires_at > now
        ),
        breaker=breaker.why if breaker is not None and is_open(breaker, now) else "",
        recommends=why_only_recommends(state, service, now),
        changed=tuple(f"{d.words} ({d.why})" for d in state.drift.get(service, {}).values()),
        rollback=rollback_words(back) if back is not None else "",
        residue=back.residue if back is not None else (),
    )


def level_words(state: State, service: str, drill: str = "") -> str:
    """What the agent does by itself in `service` now, and why no more. `drill`: why one is overdue."""
    run = state.active_run(service)
    if run is None:
        return "releases nothing now"
    if run.mode == "act" and not drill:
        return "acts within policy"
    return f"recommends only: {_why_only(state, run)}"


def _why_only(state: State, run: Run) -> str:
    """Why it recommends only, in few words for the first row; what people would have to undo first."""
    breaker = state.breakers.get(run.service)
    if run.mode == "act":
        return "drill overdue"
    if breaker is not None and breaker.since >= run.started_at:
        return "breaker open"
    if run.said.get(run.policy_digest, {}).get("mode") == "recommend":
        return "policy"
    authority = state.authority_of(run.service)
    given_back = authority.epoch > 0 and authority.since >= run.started_at
    return "given back" if given_back and authority.mode == "agent" else "as started"


def rollback_words(run: Run) -> str:
    """How a rollback stands: CHECKING, DONE, RESIDUE, or accepted. Empty: there was none."""
    if not run.went_back:
        return ""
    if run.confirmed_at:
        return "DONE: observed to be as before"
    left = "; ".join(run.residue)
    if run.residue_by:
        return f"RESIDUE accepted by {run.residue_by}: {left}"
    if run.residue:
        return f"RESIDUE, the rollback is not done: {left}"
    return "CHECKING: the traffic is back, whether all is as before is looked at"


def residue_items(state: State) -> tuple[p.ItemDoc, ...]:
    """What rollbacks left behind waits for a person, until it is gone or accepted."""
    runs = [state.last_back(name) for name in {r.service for r in state.runs.values()}]
    return tuple(_item(run) for run in runs if run is not None and run.unsettled and run.residue)


def _item(run: Run) -> p.ItemDoc:
    return p.ItemDoc(
        id=residue.item_of(run),
        kind="residue",
        capability="residue",
        title=f"RESIDUE after the rollback of {run.service} {run.to_version}",
        service=run.service,
        run=run.id,
        asked_at=run.residue_since,
        expires_at=0.0,
        risk=run.risk,
        lines=(*run.residue, f"to accept: hatchway accept {residue.item_of(run)} --reason WHY"),
        default="no answer: it is looked at again until nothing is left",
    )
