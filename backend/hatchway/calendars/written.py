"""What calendars.yaml itself says, worked out: cron lines, weeks, dates and rotations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hatchway.calendars.port import MOST_SPANS, Resolved
from hatchway.calendars.zones import UnknownZone, ends, local_date, utc, zone_info
from hatchway.core.schedules import Cron, Dates, Rotation, Weekly
from hatchway.core.windows import CalendarKind, Span


class Written:
    """The source of what needs no other file. `kind` decides how doubtful wall-clock times count."""

    def __init__(self, says: Cron | Weekly | Dates | Rotation, kind: CalendarKind) -> None:
        self._says = says
        self._late = kind == "window"  # it opens at the later reading and closes at the earlier

    def resolve(self, since: float, until: float, now: float) -> Resolved:
        """See `Source`."""
        try:
            zone = zone_info(self._says.zone)
            spans = tuple(islice(self._spans(zone, since, until), MOST_SPANS + 1))
        except UnknownZone as error:
            return Resolved(trouble=str(error))
        except Exception as error:
            return Resolved(trouble=f"it cannot be worked out: {type(error).__name__}: {error}")
        if len(spans) > MOST_SPANS:  # what comes after the last is not known
            until, spans = spans[-1].start, spans[:-1]
        return Resolved(spans=spans, since=since, until=until, as_of=now)

    def _spans(self, zone: ZoneInfo, since: float, until: float) -> Iterator[Span]:
        match self._says:
            case Cron():
                found = self._cron(self._says, zone, since, until)
            case Weekly():
                found = self._weekly(self._says, zone, since, until)
            case Dates():
                found = self._dates(self._says, zone)
            case Rotation():
                found = _rotation(self._says, zone, since, until)
        return (s for s in found if s.start < s.end and s.end > since and s.start < until)

    def _span(self, start: datetime, end: datetime, zone: ZoneInfo) -> Span:
        at = utc(end.replace(tzinfo=zone), late=not self._late)
        begin = utc(start.replace(tzinfo=zone), late=self._late)
        return Span(begin, at, ends(at, zone, self._says.zone))

    def _cron(self, says: Cron, zone: ZoneInfo, since: float, until: float) -> Iterator[Span]:
        from cronsim import CronSim  # noqa: PLC0415 - only where a cron line is worked out

        begin = datetime.fromtimestamp(since - says.seconds, UTC).astimezone(zone)
        for start in CronSim(says.line, begin - timedelta(seconds=1)):
            at = start.timestamp()
            if at >= until:
                return
            yield Span(at, at + says.seconds, ends(at + says.seconds, zone, says.zone))

    def _weekly(self, says: Weekly, zone: ZoneInfo, since: float, until: float) -> Iterator[Span]:
        first = local_date(since, zone)
        monday = first - timedelta(days=first.weekday() + 7)
        days = (says.to_day - says.from_day) % 7
        if days == 0 and says.to_s <= says.from_s:
            days = 7
        while True:
            start = monday + timedelta(days=says.from_day)
            span = self._span(
                datetime.combine(start, _time(says.from_s)),
                datetime.combine(start + timedelta(days=days), _time(says.to_s)),
                zone,
            )
            if span.start >= until:
                return
            yield span
            monday += timedelta(days=7)

    def _dates(self, says: Dates, zone: ZoneInfo) -> Iterator[Span]:
        yield self._span(datetime.fromisoformat(says.start), datetime.fromisoformat(says.end), zone)


def _rotation(says: Rotation, zone: ZoneInfo, since: float, until: float) -> Iterator[Span]:
    """Each person's turn; `says` of a span is the person."""
    first = datetime.fromisoformat(says.start)
    turn = max(0, (local_date(since, zone) - first.date()).days // says.days - 1)
    while True:
        start = first + timedelta(days=turn * says.days)
        end = first + timedelta(days=(turn + 1) * says.days)
        begin = utc(start.replace(tzinfo=zone), late=False)
        if begin >= until:
            return
        person = says.people[turn % len(says.people)]
        yield Span(begin, utc(end.replace(tzinfo=zone), late=False), person)
        turn += 1


def _time(seconds: int) -> time:
    return time(seconds // 3600, seconds // 60 % 60)
