"""Where numbers about a service come from: everything that is watched, as read at one moment."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]
"""A series: its name and its labels in order of their names."""


NO_SERIES = "no series"
"""How the trouble of a page begins that could be read and had nothing of what is asked for."""


class Page(Struct, frozen=True):
    """What one endpoint said in one scrape.

    `arm` is stable, canary, or empty when the page tells the arms apart by a label. `values` are
    the series that some metric asks for. `stamps` has the sample times of series that carry one,
    and `dropped` counts values that were no numbers or negative counters. With `trouble`, in
    words, there are no values. `url` names the instance, the same in every scrape. With `query`,
    the name of a metric, the page is the answer to that metric's query: one value, or none.
    """

    endpoint: str
    arm: str
    url: str
    values: dict[SeriesKey, float] = {}
    stamps: dict[SeriesKey, float] = {}
    dropped: int = 0
    trouble: str = ""
    query: str = ""


class Scrape(Struct, frozen=True):
    """All endpoints of a service at `at` (seconds since the epoch, as the caller counts them)."""

    at: float
    pages: tuple[Page, ...]


class Metrics(Protocol):
    """A source of scrapes for one service."""

    async def about(self) -> tuple[str, ...]:
        """What to know before trusting this source (how old its numbers are), in sentences."""
        ...

    async def look(self, now: float) -> Scrape:
        """Read everything once, within about a second. Never raises: trouble is in the pages."""
        ...

    async def close(self) -> None:
        """Give back what the source holds."""
        ...
