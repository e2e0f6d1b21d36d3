"""Makes the answer to `policy`: what the agent may do with a service now, why not, and until when.

The answers are those of the policy itself on the facts of this moment (conductor/asked_now.py), and
the times are those of `hatchway would` (core/prospect.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from hatchway.conductor.asked_now import asked_now
from hatchway.conductor.in_force import InForce
from hatchway.conductor.live import Live
from hatchway.conductor.proposals import weight_after
from hatchway.core import events as ev
from hatchway.core.approvals import lacking
from hatchway.core.bars import bar_of
from hatchway.core.decide_services import why_only_recommends
from hatchway.core.drills import overdue
from hatchway.core.freeze import shut
from hatchway.core.plan import Installation, PipelinePlan
from hatchway.core.policy import (
    CAPABILITIES,
    ONLY_REFUSES,
    EnvironmentPolicy,
    Policy,
    PolicyAnswer,
)
from hatchway.core.policy_words import fact_words, people_words
from hatchway.core.prospect import lasting, prospect
from hatchway.core.roles import listed
from hatchway.core.state import Run, State
from hatchway.edge.docs.policy import BarDoc, ConditionDoc, PolicyDoc, RuleDoc
from hatchway.edge.queries.answer import Make, NotKnown
from hatchway.edge.standing import level_words
from hatchway.edge.views import next_words

FIRST = ("promote", "rollback", "open_release")
"""What moves traffic is told first, also where the policy does not name it."""


def policy_of(
    state: Callable[[], State],
    live: Live,
    installation: Installation,
    pipelines: Mapping[str, PipelinePlan],
    in_force: InForce,
    clock: Callable[[], float],
) -> Make:
    """The query over what is known."""

    def make(service: str) -> PolicyDoc:
        if service not in {each.name for each in installation.services}:
            raise NotKnown(f"there is no service {service[:40]!a}")
        plan = pipelines.get(service)
        environment = plan.environment if plan is not None else installation.environment
        now = clock()
        drill = overdue(state().drills, installation.drill_every_s, now)
        return policy_doc(state(), live, in_force, environment, service, now, drill)

    return make


def policy_doc(
    state: State,
    live: Live,
    in_force: InForce,
    environment: str,
    service: str,
    now: float,
    drill: str = "",
) -> PolicyDoc:
    """What the policy in force says about `service` at `now`. `drill`: why one is overdue."""
    policy, run = in_force.policy, state.active_run(service)
    place = policy.environments.get(environment)
    named = place.capabilities if place is not None else {}
    told = [c for c in (*FIRST, *(n for n in named if n not in FIRST)) if c in CAPABILITIES]
    standing = live.standing.get(service)
    authority = state.authority_of(service)
    holder = f" ({authority.holder})" if authority.holder and authority.mode != "agent" else ""
    return PolicyDoc(
        service=service,
        environment=environment,
        at=float(int(now)),
        mode=place.mode if place is not None else "",
        mode_line=policy.line_of(f"{environment}.mode"),
        digest=policy.digest,
        run=run.id if run is not None else "",
        control=(standing[0].mode + holder) if standing else "the governor does not answer",
        level=level_words(state, service, drill),
        next=next_words(run, authority, live.watched.get(run.id), now) if run else "",
        bars=_bars(state, live, environment, service, now, drill),
        rules=tuple(
            _rule(state, live, in_force, place, environment, service, name, now, drill)
            for name in told
        ),
        not_named=tuple(c for c in CAPABILITIES if c not in told),
    )


def _rule(
    state: State,
    live: Live,
    in_force: InForce,
    place: EnvironmentPolicy | None,
    environment: str,
    service: str,
    capability: str,
    now: float,
    drill: str,
) -> RuleDoc:
    policy, run = in_force.policy, state.active_run(service)
    said = asked_now(
        state, live, policy, in_force.calendars, environment, service,
        cast(ev.Capability, capability), now, drill,
    )  # fmt: skip
    weight = weight_after(run, capability) if run is not None else None
    calendars = lasting(in_force.calendars, now)
    ahead = prospect(policy, environment, capability, calendars, now, weight)
    return RuleDoc(
        capability=capability,
        answer=said.answer,
        why=said.why,
        fired=said.fired,
        line=policy.line_of(said.fired),
        who=people_words(said) if said.answer == "ask" else "",
        conditions=tuple(
            ConditionDoc(f.stands, f.condition, fact_words(f), _line(policy, said, f.condition))
            for f in said.findings
        ),
        to_change=_to_change(policy, place, said, environment, run),
        changes_at=ahead.changes_at or 0.0,
        changes_to=ahead.changes_to,
        better_at=ahead.better_at or 0.0,
        better=ahead.better,
    )


def _line(policy: Policy, said: PolicyAnswer, condition: str) -> int:
    return policy.line_of(f"{said.rule}.when.{condition.partition(':')[0]}")


def _to_change(
    policy: Policy,
    place: EnvironmentPolicy | None,
    said: PolicyAnswer,
    environment: str,
    run: Run | None,
) -> tuple[str, ...]:
    """What would have to be otherwise for the agent to do it by itself; nothing where it may."""
    if said.answer == "auto":
        return ()
    capability = said.rule.rpartition(".")[2]
    rule = place.capabilities.get(capability) if place is not None else None
    if place is None or rule is None:
        what = environment if place is None else said.rule
        return (f"policy.yaml would have to name {what}",)
    lines: list[str] = []
    if rule.answer != "auto":
        lines.append(f"{said.rule} would have to be auto, it is {rule.answer}")
    if said.fired == "agent_deploys_to":
        lines.append(f"agent_deploys_to would have to list {environment}")
    if said.freeze:
        lines.append(f"freeze {said.freeze} would have to be over")
    for stands, would in (("unknown", "known, and met"), ("unmet", "met")):
        keys = [f.condition.partition(":")[0] for f in said.findings if f.stands == stands]
        if keys:
            lines.append(f"{listed(keys)} would have to be {would}")
    if capability not in ONLY_REFUSES and place.mode == "recommend":
        line = policy.line_of(f"{environment}.mode")
        at = f" (policy.yaml:{line})" if line else ""
        lines.append(f"{environment}.mode would have to be act{at}: recommend always asks")
    elif capability not in ONLY_REFUSES and run is not None and run.mode == "recommend":
        lines.append("this run only recommends, to its end")
    return tuple(lines) or (said.why,)


def _bars(
    state: State, live: Live, environment: str, service: str, now: float, drill: str
) -> tuple[BarDoc, ...]:
    """Whatever stands in the way of raising a share, or of acting alone, beyond the policy."""
    found: list[BarDoc] = []
    run, standing = state.active_run(service), live.standing.get(service)
    if standing is None:
        found.append(BarDoc("control", "nobody confirms who is in control: the governor is silent"))
    elif standing[0].stop_all:
        found.append(BarDoc("STOP ALL", standing[0].stop_all))
    authority = state.authority_of(service)
    if authority.mode != "agent":
        word = "paused by" if authority.mode == "paused" else "driven by"
        found.append(
            BarDoc("control", f"{word} {authority.holder}: {authority.reason or 'no reason'}")
        )
    only = why_only_recommends(state, service, now)
    if only:
        found.append(BarDoc("breaker" if "breaker" in only else "residue", only))
    if drill:
        found.append(BarDoc("drill", f"overdue, the agent only recommends: {drill}"))
    frozen = shut(state.frozen.get(environment), now)
    if frozen:
        found.append(BarDoc("freeze", frozen))
    bar = bar_of(state, run) if run is not None else None
    if bar is not None:
        found.append(BarDoc(bar[0], bar[1]))
    if run is not None and run.release_requested:
        short = lacking(run, run.step + 1, now)
        if short:
            found.append(BarDoc("approval", short))
    if run is not None and run.hold is not None and (bar is None or run.hold.cause != bar[0]):
        found.append(BarDoc("hold", run.hold.why))
    if run is None:
        found += [BarDoc("quarantine", q.words) for q in state.quarantine.get(service, {}).values()]
    return tuple(found)
