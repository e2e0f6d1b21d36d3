"""Events about the rules themselves: the policy in force, and how the freezes stand."""

from __future__ import annotations

from typing import Literal

from hatchway.core.event import EventBase


class PolicyChanged(EventBase, frozen=True, kw_only=True, tag="policy.changed"):
    """Another policy is in force from here on. `changes` is what differs, in words."""

    digest: str
    was: str  # the digest before; empty when none is known
    changes: tuple[str, ...] = ()
    by: str = ""  # who owns the file, as far as that is known


class PolicyRefused(EventBase, frozen=True, kw_only=True, tag="policy.refused"):
    """A changed file that cannot be used: the policy `in_force` stays. Lines count from 1."""

    in_force: str
    file: str
    line: int
    column: int
    why: str
    mistakes: int = 1


class FreezeChanged(EventBase, frozen=True, kw_only=True, tag="freeze.changed"):
    """How an environment's freezes stand. After `until` (0: for good) that is not known any more.

    `people`: how many may go on all the same; 0: nobody can.
    """

    environment: str
    stands: Literal["open", "closed", "unknown"]
    freeze: str
    why: str
    until: float = 0.0
    people: int = 0


RulesEvent = PolicyChanged | PolicyRefused | FreezeChanged
