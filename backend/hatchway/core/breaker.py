"""One automatic rollback, then people: what did not help once does not help twice. Pure.

The agent's rollback spends the budget of its service's window, and opens the breaker: from then on
the agent only recommends there. A rollback that made worse what it was to cure opens it for as long
as nobody looks. Closing it gives the agent its hands back, not its budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

WINDOW_S = 24 * 3600.0
"""The window of one automatic rollback, in seconds: long enough for people to have been there."""

BUDGET = 1
"""Automatic rollbacks of one service in a window. A policy may grant fewer, never more."""


class Breaker(Struct, frozen=True):
    """Why the agent only recommends. A `rollback` is over with its window, `feedback` never."""

    cause: Literal["rollback", "feedback"]
    why: str
    since: float
    run: str


def spent(times: Sequence[float], now: float) -> int:
    """How many of the agent's rollbacks, begun at `times`, are in the window that ends now.

    One that lies in the future (the clock was put back) is in every window.
    """
    return sum(1 for at in times if now - at < WINDOW_S)


def is_open(breaker: Breaker | None, now: float) -> bool:
    """Whether the agent only recommends because of it."""
    if breaker is None:
        return False
    return breaker.cause == "feedback" or now - breaker.since < WINDOW_S
