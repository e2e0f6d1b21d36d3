"""What a migration was found to do to a version that does not know it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

MOST_BYTES = 256 * 1024
"""A larger file is not read: what it does is unclear."""

Effect = Literal["adds", "unclear", "breaks"]
"""adds: the old version does not notice. breaks: what it reads or writes is not there any more."""

Framework = Literal["alembic", "django", "rails", "flyway", "sql", "other"]
_ORDER: tuple[Effect, ...] = ("adds", "unclear", "breaks")


class SourceFile(Struct, frozen=True):
    """A file that differs between two commits. `data` is None where it cannot or need not be read.

    `size` is in bytes, of the whole file, also when it is too large for `data` to be given.
    """

    path: str
    change: Literal["added", "changed", "deleted"]
    data: bytes | None = None
    size: int = 0


class Seen(Struct, frozen=True):
    """One thing that a migration does, in words: "drops the column orders.note"."""

    effect: Effect
    text: str


class Migration(Struct, frozen=True):
    """A migration of the release. `seen` lists what breaks or is unclear, the worst first.

    `back`: whether it brings a way to take it back (Hatchway never does that by itself).
    """

    name: str  # 0042, V42, 20240101120000
    path: str
    framework: Framework
    effect: Effect
    seen: tuple[Seen, ...] = ()
    back: Literal["yes", "no", "unknown"] = "unknown"


def worst(seen: Iterable[Seen]) -> Effect:
    """The worst effect of any; of nothing at all, that it only adds."""
    return max((s.effect for s in seen), key=_ORDER.index, default="adds")


def notable(seen: Iterable[Seen]) -> tuple[Seen, ...]:
    """What a person has to know, each once, the worst first."""
    told = dict.fromkeys(s for s in seen if s.effect != "adds")
    return tuple(sorted(told, key=lambda s: -_ORDER.index(s.effect)))


def unclear(text: str) -> Seen:
    """Something that nobody can tell by reading it."""
    return Seen("unclear", text)


def breaks(text: str) -> Seen:
    """Something that the old version cannot live with."""
    return Seen("breaks", text)
