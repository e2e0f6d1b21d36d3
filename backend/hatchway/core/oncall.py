"""Who is on call at a moment. Pure: shifts were worked out elsewhere, and doubt means everybody."""

from __future__ import annotations

import math

from msgspec import Struct

from hatchway.core.windows import FOREVER, Span, clock


class Roster(Struct, frozen=True, kw_only=True):
    """Shifts as spans whose `says` is the person. `people` are all who could be on call.

    As in a calendar: known from `since` until before `until`, believed until `stale_at`, and not at
    all with `trouble`.
    """

    people: tuple[str, ...]
    source: str = ""
    shifts: tuple[Span, ...] = ()
    since: float = 0.0
    until: float = FOREVER
    as_of: float = 0.0
    stale_at: float = FOREVER
    trouble: str = ""


class Duty(Struct, frozen=True):
    """Who is to be called. `known` is false when that is everybody, and `why` says why.

    `until` is when somebody else is on call, in seconds since 1970.
    """

    people: tuple[str, ...]
    known: bool
    why: str
    until: float = math.inf


def on_call(roster: Roster | None, now: float) -> Duty:
    """Who is on call at `now`; everybody who could be when that is not known. Never raises."""
    if roster is None:
        return Duty((), False, "calendars.yaml does not say who is on call")
    doubt = _doubt(roster, now)
    if doubt:
        return Duty(roster.people, False, f"not known: {doubt}; everybody is called")
    shifts = [s for s in roster.shifts if s.start <= now < s.end]
    people = tuple(dict.fromkeys(s.says for s in shifts))
    strangers = [p for p in people if p not in roster.people]
    if strangers:
        why = f"not known: {roster.source} names {strangers[0]!a}, who is not listed"
        return Duty(roster.people, False, f"{why}; everybody is called")
    if not people:
        why = f"not known: {roster.source} names nobody for {clock(now)}"
        return Duty(roster.people, False, f"{why}; everybody is called")
    until = min(*(s.end for s in shifts), roster.until, roster.stale_at)
    return Duty(people, True, f"on call to {clock(until)}, says {roster.source}", until)


def _doubt(roster: Roster, now: float) -> str:
    if roster.trouble:
        return roster.trouble
    if not math.isfinite(now):
        return "the time is not known"
    if now >= roster.stale_at:
        return f"{roster.source} was last read {clock(roster.as_of)}, too long ago"
    if not roster.since <= now < roster.until:
        return f"{clock(now)} is beyond what was worked out"
    return ""
