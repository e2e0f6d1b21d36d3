"""From the wall clock of a zone to UTC, also for times that exist twice or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


class UnknownZone(Exception):
    """This machine has no such zone."""


def zone_info(name: str) -> ZoneInfo:
    """The zone called `name`. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except Exception as error:  # absent, a directory, not a zone file: all the same here
        raise UnknownZone(f"this machine does not know the zone {name}") from error


def utc(wall: datetime, *, late: bool) -> float:
    """Seconds since 1970 of a time on the wall clock, with its zone.

    A time that exists twice, or that the clock jumps over, has two readings: the later with `late`,
    else the earlier. Who opens takes the later begin and the earlier end, who closes the reverse.
    """
    both = (wall.replace(fold=0).timestamp(), wall.replace(fold=1).timestamp())
    return max(both) if late else min(both)


def local_date(at: float, zone: ZoneInfo) -> date:
    """The date on the wall clock at `at`."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).date()


def ends(at: float, zone: ZoneInfo, name: str) -> str:
    """An end in words: "to Mon 30 Nov 06:00 Europe/Madrid"."""
    return f"to {datetime.fromtimestamp(at, UTC).astimezone(zone):%a %d %b %H:%M} {name}"
