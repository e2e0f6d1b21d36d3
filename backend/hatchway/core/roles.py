"""Who may do what: this table decides it, and nothing else. Pure.

A viewer looks. An operator stops, gives back and starts. An approver says yes and no. An admin
changes the configuration, and so does not also say yes under it. An auditor reads the record and
reviews what was done. An agent proposes, and acts within the autonomy that the policy gives it; it
never approves, never gives control back and never changes what it is measured by.
"""

from __future__ import annotations

from collections.abc import Iterable

ROLES = ("viewer", "operator", "approver", "admin", "agent", "auditor")

_PEOPLE_AT_WORK = frozenset({"operator", "approver", "admin"})

RIGHTS: dict[str, frozenset[str]] = {
    # Stopping only ever removes risk, so everybody who works on releases may do it.
    "pause": _PEOPLE_AT_WORK,
    "takeover": _PEOPLE_AT_WORK,
    "rollback": _PEOPLE_AT_WORK,
    "stop_all": _PEOPLE_AT_WORK,
    "release": frozenset({"operator", "admin"}),
    "readmit": frozenset({"operator", "admin"}),  # the agents, after STOP ALL
    "approve": frozenset({"approver"}),
    "start": frozenset({"operator"}),
    "drill": frozenset({"operator", "admin"}),
    # What an agent is measured and limited by is changed by people only.
    "lift": frozenset({"approver"}),  # a quarantine
    "close": frozenset({"approver"}),  # the breaker
    "expect": frozenset({"operator", "approver"}),  # declare what a release will look like
    "withdraw": frozenset({"operator", "approver"}),
    # Afterwards: whoever has to answer for what was done, and who looks on.
    "review": _PEOPLE_AT_WORK | {"auditor"},
    "configure": frozenset({"admin"}),
    # A shift is handed over by whoever works it, and acknowledged by whoever may stop in it.
    "handover": _PEOPLE_AT_WORK,
    "acknowledge": _PEOPLE_AT_WORK,
    # Whoever sees it go wrong may call for a stop; only people, as it wakes people.
    "ask": _PEOPLE_AT_WORK | {"viewer", "auditor"},
    "propose": frozenset({"agent"}),
}
"""The roles of which one is enough, for each right."""

STOPS = frozenset({"pause", "takeover", "rollback", "stop_all"})

AGENTS = frozenset({right for right, roles in RIGHTS.items() if "agent" in roles})
"""All that an agent may do, whatever other roles it was given."""

READ_ONLY = "this connection is read-only; connect without --read-only to act"


def why_not(right: str, roles: Iterable[str], *, read_only: bool = False) -> str:
    """Why somebody with these roles does not have a right, in words; empty when they do."""
    held = tuple(roles)
    if read_only and right != "ask":  # to ask changes nothing
        return READ_ONLY
    if "agent" in held and right not in AGENTS:
        return f"agents propose; only people can {right}"
    if RIGHTS[right].isdisjoint(held):
        if right == "ask":
            return f"{plural(held)} cannot page anybody from here; call oncall yourself"
        return f"{plural(held)} cannot {right}; ask oncall"
    return ""


def plural(roles: tuple[str, ...]) -> str:
    """Roles as the subject of a sentence."""
    return listed([f"{role}s" for role in roles]) if roles else "people without a role"


def listed(words: list[str]) -> str:
    """Words as people list them: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
