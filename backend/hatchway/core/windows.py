"""When: calendars as plain intervals of UTC seconds, and how they stand at a moment. Pure.

Zones, cron lines and .ics files are resolved elsewhere (the room `calendars`). Whatever is in doubt
is `unknown`, and nobody may read that as open: a calendar that cannot be read, is too old, has lost
what it said before, or is asked about a time beyond what was resolved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

FOREVER = 253_402_300_799.0
"""The last second of the year 9999: what has no end can still be written as JSON."""

CalendarKind = Literal["window", "freeze"]
Stands = Literal["open", "closed", "unknown"]


class Span(Struct, frozen=True, order=True):
    """From `start` until before `end`, in seconds since 1970. `says` is for people."""

    start: float
    end: float
    says: str = ""  # "to Mon 30 Nov 06:00 Europe/Madrid"


class Calendar(Struct, frozen=True, kw_only=True):
    """A named calendar, resolved for the time from `since` until before `until`.

    `spans` are sorted and do not touch. `as_of` is when its source was last seen to be good,
    `stale_at` from when on that is too long ago. `trouble` is why nothing of it may be believed.
    """

    name: str
    kind: CalendarKind
    source: str  # "calendars.yaml:4", "company.ics"
    spans: tuple[Span, ...] = ()
    since: float = 0.0
    until: float = FOREVER
    as_of: float = 0.0
    stale_at: float = FOREVER
    trouble: str = ""


class CalendarReading(Struct, frozen=True):
    """How a calendar, or several together, stand; that may change at `until`, never before."""

    stands: Stands
    name: str
    words: str
    until: float


def read(calendar: Calendar, now: float) -> CalendarReading:
    """How one calendar stands at `now`: a window is open within its spans, a freeze closed."""
    name = f"{calendar.kind} {calendar.name}"
    doubt = _doubt(calendar, now)
    if doubt:
        return CalendarReading("unknown", calendar.name, f"{name} is not known: {doubt}", math.inf)
    within = next((s for s in calendar.spans if s.start <= now < s.end), None)
    known_until = min(calendar.until, calendar.stale_at)
    if within is not None:
        stands: Stands = "open" if calendar.kind == "window" else "closed"
        verb = "is open" if stands == "open" else "is in force"
        until = min(within.end, known_until)
        says = within.says or f"to {clock(within.end)}"
        return CalendarReading(stands, calendar.name, f"{name} {verb} {says}", until)
    ahead = next((s.start for s in calendar.spans if s.start > now), math.inf)
    stands, verb = ("closed", "is closed") if calendar.kind == "window" else ("open", "is over")
    if calendar.kind == "freeze" and not any(s.end <= now for s in calendar.spans):
        verb = "is not in force"
    return CalendarReading(stands, calendar.name, f"{name} {verb}", min(ahead, known_until))


def _doubt(calendar: Calendar, now: float) -> str:
    """Why nothing can be said for `now`, in words; empty when something can."""
    if calendar.trouble:
        return calendar.trouble
    if not math.isfinite(now):
        return "the time is not known"
    if now >= calendar.stale_at:
        return f"last read {clock(calendar.as_of)}, too long ago"
    if not calendar.since <= now < calendar.until:
        return f"{clock(now)} is beyond what was worked out"
    return ""


def read_named(
    name: str, kind: CalendarKind, calendars: Mapping[str, Calendar], now: float
) -> CalendarReading:
    """How the calendar called `name` stands; one that is absent or of another kind is unknown."""
    calendar = calendars.get(name)
    if calendar is None or calendar.kind != kind:
        return CalendarReading("unknown", name, f"{kind} {name} was not read yet", math.inf)
    return read(calendar, now)


def any_open(readings: Sequence[CalendarReading]) -> CalendarReading:
    """Several windows, of which one open is enough. None at all is closed."""
    opened = [r for r in readings if r.stands == "open"]
    if opened:  # open as long as the one that stays open longest
        return max(opened, key=lambda r: r.until)
    return _together(readings, "unknown", "closed")


def any_closed(readings: Sequence[CalendarReading]) -> CalendarReading:
    """Several freezes, of which one is enough. None at all is open, for good."""
    shut = [r for r in readings if r.stands == "closed"]
    if shut:
        return max(shut, key=lambda r: r.until)
    return _together(readings, "unknown", "open")


def _together(readings: Sequence[CalendarReading], *order: Stands) -> CalendarReading:
    for stands in order:
        found = [r for r in readings if r.stands == stands]
        if found:
            words = "; ".join(r.words for r in found)
            until = min(r.until for r in readings)
            return CalendarReading(stands, found[0].name, words, until)
    return CalendarReading(order[-1], "", "", math.inf)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sorted, without what is empty, and with what overlaps or touches made one."""
    out: list[Span] = []
    for span in sorted(s for s in spans if s.end > s.start):
        if out and span.start <= out[-1].end:
            if span.end > out[-1].end:
                out[-1] = Span(out[-1].start, span.end, span.says)
        else:
            out.append(span)
    return tuple(out)


def edges(calendars: Iterable[Calendar], after: float) -> tuple[float, ...]:
    """The times after `after` at which any of the calendars may change, in order."""
    times = {t for c in calendars for s in c.spans for t in (s.start, s.end)}
    times |= {t for c in calendars for t in (c.until, c.stale_at)}
    return tuple(sorted(t for t in times if after < t < FOREVER))


def clock(at: float) -> str:
    """A moment in words, in UTC: "Fri 2026-11-27 13:00Z"."""
    if not math.isfinite(at) or not -6e10 < at < 2.5e11:
        return "never"
    return f"{datetime.fromtimestamp(at, UTC):%a %Y-%m-%d %H:%M}Z"
