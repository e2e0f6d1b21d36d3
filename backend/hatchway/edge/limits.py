"""How many may come in, and how much each may ask for. Stops have an allowance of their own.

Pure: the caller says what time it is (seconds on any steady clock).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

STOPS = frozenset({"pause", "takeover", "rollback", "stop_all"})
"""The commands that remove risk, and that no flood of others may hold up."""


class Seats:
    """How many connections there may be, in all and of one person."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: Counter[str] = Counter()

    def why_full(self, name: str) -> str:
        """Why nobody of this name can come in now; empty when there is a seat."""
        if self._taken[name] >= self._each:
            return f"{name} has {self._each} connections open already"
        if self._taken.total() >= self._total:
            return f"{self._total} connections are open already"
        return ""

    @contextlib.contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """A seat for as long as the block runs."""
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


class Bucket:
    """Lets `burst` things through at once and `rate` a second in the long run."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float, amount: int = 1) -> bool:
        """Whether that many more may go through at `now`; if so, they are counted."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Allowance:
    """What one connection may still ask for.

    `IN_FLIGHT` other commands may be unanswered at a time, so that what hangs cannot pile up.
    Stops are not counted there: a stop never waits for something else to be answered.
    """

    IN_FLIGHT = 16
    STOPS_IN_FLIGHT = 64

    def __init__(self) -> None:
        self._stops = Bucket(burst=40, rate=20.0)
        self._others = Bucket(burst=20, rate=10.0)
        self._bad = Bucket(burst=20, rate=0.5)
        self._unanswered = {True: 0, False: 0}

    def begin(self, kind: str, now: float) -> str:
        """Count a command that came in; returns why it may not go through, or nothing.

        A command that may go through must be ended with `end`.
        """
        stop = kind in STOPS
        most = self.STOPS_IN_FLIGHT if stop else self.IN_FLIGHT
        if self._unanswered[stop] >= most:
            return f"{most} commands of this connection are not answered yet"
        if not (self._stops if stop else self._others).take(now):
            return "this connection sends commands faster than any person would"
        self._unanswered[stop] += 1
        return ""

    def end(self, kind: str) -> None:
        """Count a command as answered."""
        self._unanswered[kind in STOPS] -= 1

    def ask(self, now: float) -> bool:
        """Whether a request that is not a command (a snapshot, a status) may go through."""
        return self._others.take(now)

    def bad(self, now: float) -> bool:
        """Count a message that makes no sense; False when there were too many of them."""
        return self._bad.take(now)
