"""What is said of recorded data."""

from __future__ import annotations

from msgspec import Struct

from .verdict import Why, Word


class Outcome(Struct, frozen=True, kw_only=True):
    """What the judge would have said. `hold_at` and `rollback_at` are indices of looks.

    `metrics` are the names judged together. What was recorded after a rollback is not judged:
    in earnest there would have been nothing more to see.
    """

    metrics: tuple[str, ...]
    word: Word
    e: float
    hold_at: int | None
    rollback_at: int | None
    why: str
    forecast_s: float | None
    looks: int
    t: float | None = None  # of the look that the verdict is about
    reasons: tuple[Why, ...] = ()
