"""When one yes is not enough: how many different people it takes, and of which roles. Pure.

How many is bound into each question when it is asked (`people`, `roles`), from the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatchway.core.people import fold
from hatchway.core.state import Item, Run


def wanted(binding: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """How many people, and roles of which each needs its own person."""
    people = binding.get("people", "1")
    roles = tuple(filter(None, binding.get("roles", "").split(",")))
    return max(1, len(roles), int(people) if people.isdigit() else 1), roles


def bound(people: int, roles: Sequence[str]) -> dict[str, str]:
    """What a question is bound to; nothing where one person is enough."""
    return {
        **({"people": str(people)} if people > 1 else {}),
        **({"roles": ",".join(roles)} if roles else {}),
    }


def lacking(yes: Sequence[Item], people: int, roles: Sequence[str]) -> str:
    """What is missing to enough people, in words; empty when nothing is."""
    persons = {item.person or fold(item.by): item for item in yes}
    if len(persons) < people:
        return f"{len(persons)} of {people} have said yes"
    if not _matched(tuple(roles), tuple(i.roles for i in persons.values())):
        return f"it takes one person each who is {' and '.join(roles)}"
    return ""


def _matched(roles: tuple[str, ...], held: tuple[tuple[str, ...], ...]) -> bool:
    """Whether each role can be given to a person of its own. There are few of both."""
    if not roles:
        return True
    return any(
        roles[0] in has and _matched(roles[1:], (*held[:n], *held[n + 1 :]))
        for n, has in enumerate(held)
    )


def yes_to(run: Run, capability: str, epoch: int) -> list[Item]:
    """Every yes to the agent's recommendation of this step and epoch."""
    return [
        item
        for item in run.items.values()
        if item.type == "recommendation"
        and (item.capability, item.status) == (capability, "accepted")
        and (item.step, item.epoch) == (run.step, epoch)
    ]
