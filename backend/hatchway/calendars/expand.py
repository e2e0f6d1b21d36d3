"""An .ics file as plain intervals. A program of its own: `python -m hatchway.calendars.expand`.

The file comes from somebody else, and its recurrence rules are small programs. So it is read in a
child process with little time and memory, which prints one JSON object: `events` and `spans`, or
`trouble`. What cannot be understood in full is not understood at all.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hatchway.calendars.zones import UnknownZone, ends, utc, zone_info

MOST_BYTES = 1_000_000
MOST_EVENTS = 2_000
MOST_REPEATING = 200
MOST_SPANS = 20_000
CPU_S = 5
MEMORY = 512 << 20
SLOW = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
TIMES = ("DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE")


class NotUnderstood(Exception):
    """Why nothing of the file may be believed."""


def main() -> int:
    """Arguments: zone, kind, since, until. The file comes on standard input."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    zone, kind, since, until = sys.argv[1:5]
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    json.dump(said_of(data, zone, kind, float(since), float(until)), sys.stdout)
    return 0


def said_of(data: bytes, zone: str, kind: str, since: float, until: float) -> dict[str, Any]:
    """What `expand` gives, or `trouble`. It raises nothing."""
    try:
        return expand(data, zone, kind, since, until)
    except NotUnderstood as error:
        said = str(error)
    except Exception as error:
        said = f"it cannot be read: {type(error).__name__}: {error}"
    return {"trouble": "".join(c if c.isprintable() else "?" for c in said[:300])}


def expand(data: bytes, zone: str, kind: str, since: float, until: float) -> dict[str, Any]:
    """The events' count and spans (start, end, says) between `since` and `until`. NotUnderstood.

    For a kind other than window and freeze, `says` is the event's summary.
    """
    import recurring_ical_events  # noqa: PLC0415 - after the limits are set

    try:
        home = zone_info(zone)
    except UnknownZone as error:
        raise NotUnderstood(str(error)) from None
    calendar = _calendar(data)
    events = [e for e in calendar.walk("VEVENT") if str(e.get("STATUS", "")) != "CANCELLED"]
    if sum("RRULE" in e or "RDATE" in e for e in events) > MOST_REPEATING:
        raise NotUnderstood(f"it has more than {MOST_REPEATING} events that repeat")
    for event in events:
        _check(event)
    spans: list[tuple[float, float, str]] = []
    between = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    for found in recurring_ical_events.of(calendar, skip_bad_series=False).between(*between):
        if str(found.get("STATUS", "")) == "CANCELLED":
            continue
        spans.append(_span(found, home, zone, kind))
        if len(spans) > MOST_SPANS:
            raise NotUnderstood(
                f"it comes to more than {MOST_SPANS:,} times in {_days(since, until)}"
            )
    return {"events": len(events), "spans": sorted(spans)}


def _days(since: float, until: float) -> str:
    return f"{(until - since) / 86400:.0f} days"


def _calendar(data: bytes) -> Any:
    import icalendar  # noqa: PLC0415 - after the limits are set

    if len(data) > MOST_BYTES:
        raise NotUnderstood(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"byte {error.start} is not UTF-8") from None
    if not text.upper().startswith("BEGIN:VCALENDAR"):
        raise NotUnderstood("it is no calendar: it does not begin with BEGIN:VCALENDAR")
    if not text.upper().endswith("END:VCALENDAR"):
        raise NotUnderstood("it is cut off: it does not end with END:VCALENDAR")
    if text.upper().count("BEGIN:VEVENT") > MOST_EVENTS:
        raise NotUnderstood(f"it has more than {MOST_EVENTS:,} events")
    found = icalendar.Calendar.from_ical(text, multiple=True)
    if len(found) != 1:
        raise NotUnderstood(f"it holds {len(found)} calendars, not one")
    return found[0]


def _check(event: Any) -> None:
    """What the libraries would pass over in silence, or work on for ever."""
    name = _name(event)
    if event.errors:
        where, why = event.errors[0]
        raise NotUnderstood(f"{name}: {where} is not understood: {why}"[:300])
    if "DTSTART" not in event:
        raise NotUnderstood(f"{name} has no begin")
    for prop in _properties(event, *TIMES):
        tzid = prop.params.get("TZID") if hasattr(prop, "params") else None
        for value in _moments(prop):
            if tzid and isinstance(value, datetime) and value.tzinfo is None:
                raise NotUnderstood(f"{name}: the zone {tzid} is not known")
            if not 1970 <= value.year <= 2200:
                raise NotUnderstood(f"{name}: the year {value.year} is not believed")
    if "DTEND" in event:
        start, end = event["DTSTART"].dt, event["DTEND"].dt
        if isinstance(start, datetime) is not isinstance(end, datetime):
            raise NotUnderstood(f"{name} begins with a day and ends with a time, or the reverse")
        if _aware(end, UTC) < _aware(start, UTC):
            raise NotUnderstood(f"{name} ends before it begins")
    for rule in _properties(event, "RRULE", "EXRULE"):
        _check_rule(name, rule)


def _check_rule(name: str, rule: Any) -> None:
    freq = str((rule.get("FREQ") or ["?"])[0]).upper()
    if freq not in SLOW:
        raise NotUnderstood(f"{name} repeats {freq}: only daily and slower is read")
    often = sum(len(rule.get(key) or ()) for key in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if often > 3:
        raise NotUnderstood(f"{name} repeats {often} times a day or more")


def _properties(event: Any, *names: str) -> Iterator[Any]:
    for name in names:
        found = event.get(name)
        if found is not None:
            yield from found if isinstance(found, list) else (found,)


def _moments(prop: Any) -> list[date]:
    """The dates and times in a property; of a period its begin."""
    values = [d.dt for d in prop.dts] if hasattr(prop, "dts") else [prop.dt]
    return [v[0] if isinstance(v, tuple) else v for v in values]


def _span(event: Any, home: ZoneInfo, zone: str, kind: str) -> tuple[float, float, str]:
    name = _name(event)
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    if end is None:
        raise NotUnderstood(f"{name} has no end")
    late = kind == "window"
    begin, at = utc(_aware(start, home), late=late), utc(_aware(end, home), late=not late)
    if at <= begin and kind != "window":  # as a window it opens nothing
        raise NotUnderstood(f"{name} ends before it begins, or when it does")
    says = ends(at, home, zone) if kind in ("window", "freeze") else str(event.get("SUMMARY", ""))
    return begin, at, says


def _aware(value: date, home: tzinfo) -> datetime:
    """A whole day begins at midnight; a time without a zone is one of `home`."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value if value.tzinfo is not None else value.replace(tzinfo=home)


def _name(event: Any) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(event.get("SUMMARY", "")))
    return f'the event "{text[:60]}"' if text else "an event without a name"


if __name__ == "__main__":
    sys.exit(main())
