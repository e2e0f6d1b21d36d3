"""A policy and its answers in words, and what differs between two policies. Pure."""

from __future__ import annotations

from hatchway.core.facts import Finding
from hatchway.core.policy import EnvironmentPolicy, Policy, PolicyAnswer, Rule, written
from hatchway.core.schedules import Schedules


def says(policy: Policy) -> dict[str, str]:
    """Everything that the policy says: {"prod.promote.when": "verdict: [PASS], control: agent"}."""
    said: dict[str, str] = {}
    if policy.agent_deploys_to is not None:
        said["agent_deploys_to"] = ", ".join(policy.agent_deploys_to) or "nowhere"
    for name, place in policy.environments.items():
        said.update(_environment(name, place))
    return said


def _environment(name: str, place: EnvironmentPolicy) -> dict[str, str]:
    said: dict[str, str] = {f"{name}.mode": place.mode}
    if place.freezes:
        said[f"{name}.freezes"] = ", ".join(place.freezes)
    if place.freeze_override:
        said[f"{name}.freeze_override"] = str(place.freeze_override)
    if place.approvals:
        words = (f"{risk}: {count}" for risk, count in place.approvals.items())
        said[f"{name}.approvals"] = ", ".join(words)
    for capability, rule in place.capabilities.items():
        said.update(_rule(f"{name}.{capability}", rule))
    return said


def _rule(name: str, rule: Rule) -> dict[str, str]:
    said: dict[str, str] = {name: rule.answer}
    if rule.when:
        said[f"{name}.when"] = ", ".join(written(c) for c in rule.when)
    wants = rule.approvals
    if wants.people > 1 or wants.roles:
        roles = f" ({', '.join(wants.roles)})" if wants.roles else ""
        said[f"{name}.approvals"] = f"{wants.people}{roles}"
    return said


def changes(old: Policy, new: Policy) -> tuple[str, ...]:
    """What differs, one thing a line: "prod.mode: act, was recommend"."""
    before, after = says(old), says(new)
    lines = []
    for name in (*before, *(n for n in after if n not in before)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if now is None:
            lines.append(f"{name} is gone, was {was}")
        else:
            lines.append(f"{name}: {now}" + (f", was {was}" if was is not None else ", is new"))
    return tuple(lines)


def calendar_changes(old: Schedules, new: Schedules) -> tuple[str, ...]:
    """Which calendars differ, one a line: "freeze weekend changed in calendars.yaml"."""
    lines = []
    for name in dict.fromkeys((*old.schedules, *new.schedules)):
        was, now = old.schedules.get(name), new.schedules.get(name)
        if was is not None and now is not None:
            if (was.kind, was.says) != (now.kind, now.says):
                lines.append(f"{now.kind} {name} changed in calendars.yaml")
        elif now is not None:
            lines.append(f"{now.kind} {name} is new in calendars.yaml")
        elif was is not None:
            lines.append(f"{was.kind} {name} is gone from calendars.yaml")
    before, after = old.on_call, new.on_call
    if (before and (before.people, before.says)) != (after and (after.people, after.says)):
        lines.append("who is on call changed in calendars.yaml")
    return tuple(lines)


def people_words(said: PolicyAnswer) -> str:
    """Who has to say yes where it asks: "2 people have to say yes, one each of approver"."""
    roles = f", one each of {', '.join(said.roles)}" if said.roles else ""
    people = "1 person has" if said.people == 1 else f"{said.people} people have"
    return f"{people} to say yes{roles}"


def fact_words(finding: Finding) -> str:
    """The fact that a condition stands on, how old it is and who says so."""
    if finding.value == "":
        return finding.words
    age = f", {finding.age_s:g} s old" if finding.age_s >= 0 else ""
    source = f", says {finding.source}" if finding.source else ""
    return f"{finding.fact} is {finding.value}{age}{source} ({finding.words})"
