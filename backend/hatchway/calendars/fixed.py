"""A source that says what it was given: for rehearsals and tests."""

from __future__ import annotations

from hatchway.calendars.port import Resolved
from hatchway.core.windows import Span


class Fixed:
    """`spans` for any time; or nothing but `trouble`."""

    def __init__(self, *spans: Span, trouble: str = "") -> None:
        self._spans = tuple(sorted(spans))
        self._trouble = trouble

    def resolve(self, since: float, until: float, now: float) -> Resolved:
        """See `Source`."""
        if self._trouble:
            return Resolved(trouble=self._trouble)
        spans = tuple(s for s in self._spans if s.end > since and s.start < until)
        return Resolved(spans=spans, since=since, until=until, as_of=now)
