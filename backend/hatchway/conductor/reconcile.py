"""What the target has and nobody here gave it: journaled as an unattributed change. Pure."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.fleet import means
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance
from hatchway.targets.port import Standing

LONGEST = 300


def of_target(state: State, standing: Standing, now: float) -> tuple[ev.Event, ...]:
    """What to journal of the governor's word on the target: changes, and what is as wanted again.

    A target that cannot be read is not known to be as it should.
    """
    service, seen = standing.service, standing.observed
    if seen is None or standing.trouble:
        return ()
    off = seen.canary != standing.desired
    events: list[ev.Event] = []
    if standing.drift and not (off and _unfinished(state, standing)):
        what = "weight" if off else "state"
        wanted, found = (f"{standing.desired} %", f"{seen.canary} %") if off else ("as before", "")
        found = found or standing.drift[:LONGEST]
        since = standing.drift_since or now
        events += _changed(state, service, what, wanted, found, since, standing.drift)
    if not off:
        events += _restored(state, service, "weight", now)
    if not standing.drift:
        events += _restored(state, service, "state", now)
    return tuple(events)


def _unfinished(state: State, standing: Standing) -> bool:
    """Whether it is a change of our own that the target took in part, or not yet: it is tried again."""
    if standing.drift_own:
        return True
    run = state.active_run(standing.service)
    newest = next(reversed(run.effects.values()), None) if run is not None else None
    if newest is None or newest.weight != standing.desired:
        return False
    return newest.status in ("intended", "diverged")


def of_version(
    state: State, run: Run, canary: tuple[Instance, ...], now: float
) -> tuple[ev.Event, ...]:
    """What to journal of the versions that the canary's instances say they run, mid-canary.

    An instance that says nothing has said nothing else; only what it does say is a third version.
    What was read while the run was going is worth nothing once `state` has its end.
    """
    if not state.runs[run.id].active:
        return ()
    said = [i for i in canary if i.version]
    others = [i for i in said if not means(i.version, run.to_version, run.commit)]
    if others:
        found = ", ".join(sorted({i.version for i in others}))[:LONGEST]
        why = f"{others[0].name} says that it runs {others[0].version}"
        return _changed(state, run.service, "version", run.to_version, found, now, why)
    if said:
        return _restored(state, run.service, "version", now)
    return ()


def _changed(
    state: State, service: str, what: str, wanted: str, found: str, since: float, why: str
) -> tuple[ev.Event, ...]:
    known = state.drift.get(service, {}).get(what)
    if known is not None and (known.wanted, known.found) == (wanted, found):
        return ()
    run = state.active_run(service)
    changed = ev.TargetChanged(
        service=service,
        what=what,
        wanted=wanted,
        found=found,
        since=since if known is None else known.since,
        why=why[:LONGEST],
        run=run.id if run is not None else "",
    )
    return (changed,)


def _restored(state: State, service: str, what: str, now: float) -> tuple[ev.Event, ...]:
    known = state.drift.get(service, {}).get(what)
    if known is None:
        return ()
    seconds = max(0.0, now - known.since)
    return (ev.TargetRestored(service=service, what=what, seconds=seconds),)
