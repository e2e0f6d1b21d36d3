"""calendars.yaml as it was written: windows, freezes and who is on call, before zones and dates.

The room `calendars` works these out into plain intervals (core/windows.py). Durations are seconds,
days of the week count from Monday (0), times of day are seconds since midnight on the wall clock of
`zone`, an IANA name.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.windows import CalendarKind


class Cron(Struct, frozen=True, tag="cron"):
    """From each time of the cron line on, for `seconds`."""

    line: str
    seconds: float
    zone: str


class Weekly(Struct, frozen=True, tag="weekly"):
    """Every week from one day and time to another."""

    from_day: int
    from_s: int
    to_day: int
    to_s: int
    zone: str


class Dates(Struct, frozen=True, tag="dates"):
    """Once, from `start` until before `end`: "2026-12-19T00:00"."""

    start: str
    end: str
    zone: str


class Feed(Struct, frozen=True, tag="feed"):
    """An .ics file: a path below the configuration, or a URL.

    `zone` is for dates and times that name none. A file may be of any age when `max_age_s` is None.
    """

    place: str
    zone: str
    max_age_s: float | None = None

    @property
    def remote(self) -> bool:
        """Whether it has to be fetched."""
        return "://" in self.place


class Rotation(Struct, frozen=True, tag="rotation"):
    """One person after the other, from `start` ("2026-01-05T09:00") on, each for `days`."""

    people: tuple[str, ...]
    start: str
    days: int
    zone: str


class Schedule(Struct, frozen=True):
    """A window or a freeze. `source` is where it is written: "calendars.yaml:4"."""

    name: str
    kind: CalendarKind
    source: str
    says: Cron | Weekly | Dates | Feed


class OnCall(Struct, frozen=True):
    """Who is on call. `people` are all who could be: they are paged when nobody knows who is."""

    source: str
    people: tuple[str, ...]
    says: Rotation | Feed


class Schedules(Struct, frozen=True):
    """The whole file. `digest` is the SHA-256 of its bytes; empty: there is no file."""

    schedules: dict[str, Schedule] = {}
    on_call: OnCall | None = None
    digest: str = ""

    def names(self, kind: CalendarKind) -> tuple[str, ...]:
        """The names of all windows, or of all freezes."""
        return tuple(n for n, s in self.schedules.items() if s.kind == kind)
