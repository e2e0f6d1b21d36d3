"""Moments as people say them: "fri 17:00", "tomorrow 9:00", "2026-11-27 14:00 Europe/Madrid", "+2h"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from hatchway.settings.calendars import DAYS, zone
from hatchway.settings.errors import quoted
from hatchway.settings.words import NotUnderstood, seconds

EXAMPLE = "fri 17:00, or 2026-11-27 17:00 Europe/Madrid"
_SAID = re.compile(
    r"(?:(?P<day>[a-z]+) |(?P<date>\d{4}-\d\d-\d\d)[ T])?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
    r"(?P<offset>Z|[+-]\d\d:\d\d)?(?: (?P<zone>\S+))?",
    re.IGNORECASE,
)


def moment(text: str, now: float, home: tzinfo) -> float:
    """Seconds since 1970 of what was said at `now`; `home` is the zone meant when none is named.

    A day of the week is the next one. Raises NotUnderstood.
    """
    said = " ".join(text.split())
    if said.lower() == "now":
        return now
    if said.startswith("+"):
        return now + seconds(said[1:].strip())
    match = _SAID.fullmatch(said)
    if match is None:
        raise NotUnderstood(f"{quoted(text)} is not a time", EXAMPLE)
    where = _zone(match, home)
    here = datetime.fromtimestamp(now, UTC).astimezone(where)
    clock = [int(match[part] or 0) for part in ("hour", "minute", "second")]
    try:
        at = _day(match, here).replace(
            hour=clock[0], minute=clock[1], second=clock[2], microsecond=0, fold=0
        )
        found = at.timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise NotUnderstood(f"{quoted(text)} is no time: {error}", EXAMPLE) from None
    if match["day"] is not None and match["day"].lower() in DAYS and found < now:
        found = (at + timedelta(days=7)).timestamp()
    if match["day"] is None and match["date"] is None and found < now:
        found = (at + timedelta(days=1)).timestamp()
    return found


def _zone(match: re.Match[str], home: tzinfo) -> tzinfo:
    if match["zone"] is not None:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - reads files

        return ZoneInfo(zone(match["zone"]))
    if match["offset"] is not None:
        offset = match["offset"].upper().replace("Z", "+00:00")
        return datetime.fromisoformat(f"2026-01-01T00:00:00{offset}").tzinfo or UTC
    return home


def _day(match: re.Match[str], here: datetime) -> datetime:
    """The day that is meant, at some time of it."""
    if match["date"] is not None:
        date = datetime.fromisoformat(match["date"])
        return date.replace(tzinfo=here.tzinfo)
    day = (match["day"] or "today").lower()[:3]
    if day in DAYS:
        return here + timedelta(days=(DAYS.index(day) - here.weekday()) % 7)
    if day in ("tod", "tom"):
        return here + timedelta(days=day == "tom")
    raise NotUnderstood(f"{quoted(match['day'] or '')} is no day", EXAMPLE)
