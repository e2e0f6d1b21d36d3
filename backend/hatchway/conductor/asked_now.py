"""What policy would answer at this moment, on the facts as they are, if the agent asked. Changes nothing.

The same facts, the same evaluation and the same guards as when the agent does ask: `proposals.py`
and `undoing.py` have them.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from hatchway.brains.port import Wish
from hatchway.conductor.live import Live
from hatchway.conductor.proposals import facts_of, weight_after
from hatchway.conductor.undoing import automatic_rollbacks, going_back, guarded
from hatchway.core import events as ev
from hatchway.core.drills import answer_as_drilled
from hatchway.core.facts import Facts, Known, Missing
from hatchway.core.permission import recent
from hatchway.core.policy import Policy, PolicyAnswer, answer
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance, Undo
from hatchway.core.windows import Calendar

ATTESTED_S = 30.0
"""What instances said of their version longer ago than this is not known any more, in seconds."""

NO_RUN = Missing("", "nothing is being released")


def fleet_of(live: Live, run: Run, now: float) -> tuple[Instance, ...]:
    """What the old version's instances say; where they should and nobody heard, nobody knows."""
    if not run.attests:
        return ()
    known = live.fleet.get(run.service)
    if known is None or not known.stable or not recent(known.at, now, ATTESTED_S):
        return (Instance(f"{run.service}, stable"),)
    return known.stable


def asked_now(
    state: State,
    live: Live,
    policy: Policy,
    calendars: Mapping[str, Calendar],
    environment: str,
    service: str,
    capability: ev.Capability,
    now: float,
    drill: str = "",
) -> PolicyAnswer:
    """What the agent would be told if it asked for `capability` now. `drill`: why one is overdue.

    Without a run it is what a run that acts would be told, with what is not known then.
    """
    run = state.active_run(service)
    read = live.standing.get(service)
    control = (read[0].mode, read[1]) if read else None
    if run is None:
        facts, undo = _without_run(state, service, control, calendars, now), Undo("unknown")
    else:
        undo = _undo(state, live, policy, run, now)
        facts = _facts(state, live, run, capability, control, undo, calendars, now)

    def ask(mode: ev.Mode) -> PolicyAnswer:
        return answer(policy, environment, capability, facts, mode, now)

    said = answer_as_drilled(ask, run.mode if run is not None else "act", drill)
    if capability == "rollback" and run is not None:
        wish = Wish(capability=capability, confidence=1.0, headline="", evidence=())
        said = guarded(wish, said, undo)[1]
    return said


def _facts(
    state: State,
    live: Live,
    run: Run,
    capability: str,
    control: tuple[str, float] | None,
    undo: Undo,
    calendars: Mapping[str, Calendar],
    now: float,
) -> Facts:
    seen = live.watched.get(run.id)
    facts = facts_of(
        state,
        run,
        now,
        control=control,
        data_at=seen.data_at if seen else None,
        stable_healthy=seen.stable_healthy if seen else None,
        confidence=(seen.confidence or 0.0) if seen else 0.0,
        undo=undo,
        regressed=seen.regressed if seen else None,
        leads_to=weight_after(run, capability),
        calendars=calendars,
    )
    if seen is None or seen.confidence is None:
        return replace(facts, confidence=Missing("brain", "nothing is proposed"))
    return facts


def _without_run(
    state: State,
    service: str,
    control: tuple[str, float] | None,
    calendars: Mapping[str, Calendar],
    now: float,
) -> Facts:
    known = Known(control[0], control[1], "governor") if control is not None else None
    recently = automatic_rollbacks(state, service, now)
    return Facts(
        verdict=NO_RUN,
        confidence=NO_RUN,
        data=NO_RUN,
        stable_healthy=NO_RUN,
        control=known or Missing("governor", "it does not answer"),
        automatic_rollbacks=Known(recently, now, "journal"),
        risk=NO_RUN,
        undo_safe=NO_RUN,
        regressed=NO_RUN,
        weight=NO_RUN,
        calendars=calendars,
    )


def _undo(state: State, live: Live, policy: Policy, run: Run, now: float) -> Undo:
    seen = live.watched.get(run.id)
    return going_back(
        state,
        run,
        policy,
        now,
        stable_healthy=seen.stable_healthy if seen else None,
        stable_better=seen is not None and (seen.word, seen.action) == ("REGRESS", "rollback"),
        fleet=fleet_of(live, run, now),
    )
