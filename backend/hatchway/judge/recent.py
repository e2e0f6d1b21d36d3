"""The last ten to twenty seconds of some counts, in two blocks of whole numbers."""

from __future__ import annotations

from msgspec import Struct

BLOCK_S = 10.0


class Recent(Struct, frozen=True, array_like=True):
    """Sums of the block that is being filled and of the one before, with their seconds."""

    now: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    now_s: float = 0.0
    before_s: float = 0.0


def added(recent: Recent, values: tuple[int, ...], seconds: float) -> Recent:
    """The same with one look more. Another number of values than before starts afresh."""
    if recent.now_s >= BLOCK_S or len(recent.now) != len(values):
        before = recent.now if len(recent.now) == len(values) else (0,) * len(values)
        return Recent(values, before, seconds, recent.now_s)
    now = tuple([a + b for a, b in zip(recent.now, values, strict=True)])
    return Recent(now, recent.before, recent.now_s + seconds, recent.before_s)


def sums(recent: Recent) -> tuple[int, ...]:
    """Both blocks together."""
    return tuple([a + b for a, b in zip(recent.now, recent.before, strict=True)])


def seconds(recent: Recent) -> float:
    """The time that `sums` covers."""
    return recent.now_s + recent.before_s
