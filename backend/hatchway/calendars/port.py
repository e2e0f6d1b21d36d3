"""The port of a calendar's source: it is asked for a stretch of time and answers in plain intervals."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hatchway.core.windows import FOREVER, Span

BACK_S = 2 * 86400.0
AHEAD_S = 62 * 86400.0
"""How far around now calendars are worked out, in seconds; beyond it nothing is known."""

MOST_SPANS = 5_000
"""Of one calendar. One that has more is known up to the last of them."""


class Resolved(Struct, frozen=True, kw_only=True):
    """What a source says about the time from `since` until before `until`.

    `spans` are sorted. `as_of` is when it was last seen to be good, `stale_at` when that is too
    long ago. With `trouble` nothing of it may be believed, and says why.
    """

    spans: tuple[Span, ...] = ()
    since: float = 0.0
    until: float = FOREVER
    as_of: float = 0.0
    stale_at: float = FOREVER
    trouble: str = ""


class Source(Protocol):
    """The port. It may take a moment (files, a child process): not for the event loop."""

    def resolve(self, since: float, until: float, now: float) -> Resolved:
        """The intervals between `since` and `until`. Never raises: what went wrong is `trouble`."""
