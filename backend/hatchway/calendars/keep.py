"""All calendars of an installation, worked out and kept up to date. Blocking: run it in a thread."""

from __future__ import annotations

import time
from pathlib import Path

from hatchway.calendars.feed import FeedSource
from hatchway.calendars.port import AHEAD_S, BACK_S, Resolved, Source
from hatchway.calendars.written import Written
from hatchway.core.oncall import Roster
from hatchway.core.schedules import Feed, Schedules
from hatchway.core.windows import Calendar, joined

ANEW_S = 3600.0  # how often the stretch of time that is worked out moves on
ON_CALL = "on-call"  # the name under which the feed of a rotation is kept


class Keeper:
    """The sources behind `schedules`. `home` holds calendars.yaml, `memory` copies and memories.

    Without `memory` nothing is remembered or written. `fetches` is whether URLs are asked.
    """

    def __init__(
        self,
        schedules: Schedules,
        home: Path,
        memory: Path | None = None,
        *,
        fetches: bool = False,
    ) -> None:
        self._schedules = schedules
        self._home = home
        self._memory = memory
        self._fetches = fetches and memory is not None
        self.not_fetched: dict[str, str] = {}  # by name, in words: the last good copy is used
        self._written: dict[str, tuple[float, Resolved]] = {}
        self._tried: dict[str, float] = {}
        self._sources: dict[str, Source] = {}
        for name, schedule in schedules.schedules.items():
            says = schedule.says
            if isinstance(says, Feed):
                self._sources[name] = self._feed(name, says, schedule.kind)
            else:
                self._sources[name] = Written(says, schedule.kind)
        if schedules.on_call is not None:
            said = schedules.on_call.says
            if isinstance(said, Feed):
                self._sources[ON_CALL] = self._feed(ON_CALL, said, "on-call")
            else:
                self._sources[ON_CALL] = Written(said, "window")

    def calendars(self, now: float) -> dict[str, Calendar]:
        """Every calendar as it is at `now`. What cannot be read is there, with its trouble."""
        found = {}
        for name, schedule in self._schedules.schedules.items():
            known = self._resolve(name, schedule.says, now)
            says = schedule.says
            found[name] = Calendar(
                name=name,
                kind=schedule.kind,
                source=says.place if isinstance(says, Feed) else schedule.source,
                spans=joined(known.spans),
                since=known.since,
                until=known.until,
                as_of=known.as_of,
                stale_at=known.stale_at,
                trouble=known.trouble,
            )
        return found

    def roster(self, now: float) -> Roster | None:
        """Who is on call when; None when calendars.yaml does not say."""
        on_call = self._schedules.on_call
        if on_call is None:
            return None
        known = self._resolve(ON_CALL, on_call.says, now)
        return Roster(
            people=on_call.people,
            source=on_call.says.place if isinstance(on_call.says, Feed) else on_call.source,
            shifts=known.spans,
            since=known.since,
            until=known.until,
            as_of=known.as_of,
            stale_at=known.stale_at,
            trouble=known.trouble,
        )

    def _resolve(self, name: str, says: object, now: float) -> Resolved:
        hour = now // ANEW_S * ANEW_S  # so that what is unchanged is worked out once an hour
        if isinstance(says, Feed):
            return self._sources[name].resolve(hour - BACK_S, hour + AHEAD_S, now)
        known = self._written.get(name)
        if known is None or known[0] != hour:
            known = hour, self._sources[name].resolve(hour - BACK_S, hour + AHEAD_S, now)
            self._written[name] = known
        return known[1]

    def _feed(self, name: str, feed: Feed, kind: str) -> FeedSource:
        path = self._home / feed.place
        if feed.remote:
            path = self._copy(name) or self._home / f"{name}.ics"
        memory = memory_of(self._memory, name) if self._memory is not None else None
        return FeedSource(feed, kind, path, memory, keep=self._fetches)

    def _copy(self, name: str) -> Path | None:
        return self._memory / f"{name}.ics" if self._memory is not None else None

    def fetch(self) -> None:
        """Fetch what is due; `not_fetched` says what did not come. It takes as long as it takes."""
        if not self._fetches:
            return
        said = {name: s.says for name, s in self._schedules.schedules.items()}
        if self._schedules.on_call is not None:
            said[ON_CALL] = self._schedules.on_call.says  # type: ignore[assignment]
        for name, says in said.items():
            if isinstance(says, Feed) and says.remote:
                self._fetch(name, says)

    def _fetch(self, name: str, feed: Feed) -> None:
        """Often enough that one that fails a few times does not make it stale."""
        every = min(3600.0, max(60.0, (feed.max_age_s or 86400.0) / 4))
        last, copy = self._tried.get(name), self._copy(name)
        if copy is None or (last is not None and time.monotonic() - last < every):
            return
        from hatchway.calendars.fetch import NotFetched, fetch  # noqa: PLC0415 - urllib: 50 ms

        self._tried[name] = time.monotonic()
        try:
            fetch(feed.place, copy)
        except NotFetched as error:
            self.not_fetched[name] = str(error)
        else:
            self.not_fetched.pop(name, None)


def memory_of(directory: Path, name: str) -> Path:
    """The file that remembers what the feed called `name` announced."""
    return directory / f"{name}.seen.json"
