"""What was asked of those on call, for whoever asked to see what became of it."""

from __future__ import annotations

from msgspec import Struct


class AskDoc(Struct, frozen=True):
    """One ask. `became` is in words: "ana paused 02:15:03Z", "waits for an answer"."""

    id: str
    op: str
    service: str
    by: tuple[str, ...]
    seq: int
    at: float
    waits: bool
    became: str
    closed_at: float = 0.0


class AsksDoc(Struct, frozen=True):
    """Key `asks`: the newest, the newest last."""

    asks: tuple[AskDoc, ...] = ()
