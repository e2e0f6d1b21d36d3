"""Events about whose turn it is: hand-overs, and what read-only people ask of those on call.

See `events.py`, which has them all.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hatchway.core.event import EventBase

Op = Literal["pause", "takeover", "rollback"]


class Field(Struct, frozen=True):
    """One of the five fields of a hand-over; `name` is fixed, the lines are text from anywhere."""

    name: str
    lines: tuple[str, ...] = ()


class HandedOver(EventBase, frozen=True, kw_only=True, tag="handover.written"):
    """A hand-over as it was written: it stays the giver's duty until it is acknowledged.

    `to` is whom it is for, anybody who works on releases when it is empty. Control does not change.
    """

    handover: str
    by: str
    fields: tuple[Field, ...]
    digest: str  # SHA-256 of all that is above and of `to`
    to: tuple[str, ...] = ()
    person: str = ""  # the listed person that the giver is
    since: int = 0  # it tells what happened after this record
    keeps: tuple[str, ...] = ()  # services whose wheel the giver still has
    replaces: str = ""  # an earlier one that nobody had acknowledged


class HandoverAcknowledged(EventBase, frozen=True, kw_only=True, tag="handover.acknowledged"):
    """Whom it was for has read exactly the text of this digest; from here on it is their duty."""

    handover: str
    digest: str
    by: str
    person: str = ""
    how: str = ""  # how they were known
    said: str = ""  # what they read back, in their own words


class OncallAsked(EventBase, frozen=True, kw_only=True, tag="oncall.asked"):
    """Somebody who may not stop asks those who may. Several who ask for the same share one `ask`."""

    ask: str
    op: Op
    service: str
    by: str
    reason: str = ""
    role: str = ""  # "read-only", "viewer": why they do not do it themselves
    epoch: int = 0  # of the service then
    pages: bool = True  # the people on call are paged for it


class AskDeclined(EventBase, frozen=True, kw_only=True, tag="oncall.declined"):
    """Somebody who may said no to what was asked. What is done instead is AuthorityChanged."""

    ask: str
    service: str
    by: str
    reason: str = ""


DutyEvent = HandedOver | HandoverAcknowledged | OncallAsked | AskDeclined
