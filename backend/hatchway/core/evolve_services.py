"""What an event means for a service, beyond the run that it is about: see `evolve.py`."""

from __future__ import annotations

from typing import assert_never

import msgspec

from hatchway.core import events as ev
from hatchway.core import quarantine
from hatchway.core.breaker import Breaker
from hatchway.core.expectations import Expectation
from hatchway.core.state import Drift, Run, State

_replace = msgspec.structs.replace
KEPT_ROLLBACKS = 20


def service_after(state: State, event: ev.ServiceEvent, at: float) -> State:
    """The state after something that outlives a run."""
    name = event.service
    match event:
        case ev.QuarantineLifted():
            wards = quarantine.lifted(state.quarantine, name, event.commit)
            return _replace(state, quarantine=wards)
        case ev.ExpectationDeclared():
            return _expect(state, event, at)
        case ev.ExpectationWithdrawn():
            known = state.expectations.get(name, {})
            left = {i: e for i, e in known.items() if i != event.expectation}
            return _replace(state, expectations={**state.expectations, name: left})
        case ev.BreakerOpened():
            return opened(state, name, Breaker("feedback", event.why, at, event.run))
        case ev.BreakerClosed():
            return closed(state, name)
        case ev.TargetChanged():
            drift = Drift(event.what, event.wanted, event.found, event.since, event.why)
            return _drift(state, name, {**state.drift.get(name, {}), event.what: drift})
        case ev.TargetRestored():
            known_drift = state.drift.get(name, {})
            return _drift(state, name, {w: d for w, d in known_drift.items() if w != event.what})
        case _:
            assert_never(event)


def _expect(state: State, event: ev.ExpectationDeclared, at: float) -> State:
    declared = Expectation(
        id=event.expectation,
        service=event.service,
        metric=event.metric,
        at_most=event.at_most,
        declared_at=at,
        expires_at=event.expires_at,
        ticket=event.ticket,
        by=event.by,
        reason=event.reason,
    )
    known = state.expectations.get(event.service, {})
    kept = {i: e for i, e in known.items() if e.expires_at > at}
    expected = {**state.expectations, event.service: {**kept, declared.id: declared}}
    return _replace(state, expectations=expected)


def _drift(state: State, service: str, drift: dict[str, Drift]) -> State:
    return _replace(state, drift={**state.drift, service: drift})


def _without_third_version(state: State, run: Run) -> State:
    """What a canary ran that it should not is over with its run: the next one brings another."""
    known = state.drift.get(run.service, {})
    if "version" not in known:
        return state
    return _drift(state, run.service, {w: d for w, d in known.items() if w != "version"})


def opened(state: State, service: str, breaker: Breaker) -> State:
    """The breaker is open; what made it worse counts more than what did not help."""
    known = state.breakers.get(service)
    if known is not None and known.cause == "feedback":
        return state
    state = _replace(state, breakers={**state.breakers, service: breaker})
    run = state.active_run(service)
    if run is None:
        return state
    run = _replace(run, mode="recommend", version=run.version + 1)
    return _replace(state, runs={**state.runs, run.id: run})


def closed(state: State, service: str) -> State:
    """A person closed the breaker, with a reason."""
    left = {name: b for name, b in state.breakers.items() if name != service}
    return _replace(state, breakers=left)


def after_run_event(state: State, run: Run, event: ev.Event, at: float) -> State:
    """What an event of `run`, which is what it is after it, means for its service."""
    match event:
        case ev.EffectIntended() if event.by.kind == "agent" and event.weight == 0:
            known = state.automatic_rollbacks.get(run.service, ())
            times = (*known[-KEPT_ROLLBACKS:], at)
            state = _replace(
                state, automatic_rollbacks={**state.automatic_rollbacks, run.service: times}
            )
            why = f"the agent has rolled back once, in run {run.id}: {event.reason}"
            return opened(state, run.service, Breaker("rollback", why, at, run.id))
        case ev.RunEnded():
            state = _without_third_version(state, run)
            if event.outcome == "rolled_back":
                return into_quarantine(state, run, _who(run), event.why, at)
            return state
        case _:
            return state


def _who(run: Run) -> str:
    back = [e.by.name for e in run.effects.values() if e.weight == 0 and e.status == "verified"]
    return run.rollback_by or (back[-1] if back else "hatchway")


def into_quarantine(state: State, run: Run, by: str, why: str, at: float) -> State:
    """What `run` released is not released again before a person lifts it."""
    found = quarantine.Quarantined(run.commit, run.to_version, run.id, by, at, why)
    return _replace(state, quarantine=quarantine.put(state.quarantine, run.service, found))
