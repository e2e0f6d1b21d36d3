"""What waits for a person. Units as in `protocol`, which has these structs too."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ItemDoc(Struct, frozen=True):
    """Something that waits for a person: an approval or the agent's recommendation."""

    id: str
    kind: Literal["approval", "recommendation", "residue", "ask", "handover"]
    capability: str
    title: str  # "ROLL BACK shop to 1.4.0"
    service: str
    run: str
    asked_at: float
    expires_at: float
    risk: str = ""
    confidence: float | None = None
    undo: str = ""  # "YES", or why not
    lines: tuple[str, ...] = ()  # a few short reasons
    requires: str = "approve"  # what must be in You.can
    default: str = ""  # what happens when nobody answers
    only_for: tuple[str, ...] = ()  # it waits for these people; empty: for all who may
    not_for: tuple[str, ...] = ()
    changes: str = ""  # what a yes changes, in words
    risk_reasons: tuple[str, ...] = ()
    record: str = ""  # how often the brain was right about this before
    terms: str = ""  # what a yes is bound to
    changed: tuple[str, ...] = ()  # of that since it was asked; empty: nothing
    who: tuple[str, ...] = ()  # who may answer
    barred: dict[str, str] = {}  # by name in lower case: why this person may not say yes


class NeedsDoc(Struct, frozen=True):
    """Key `needs-you`: open items, most urgent first."""

    items: tuple[ItemDoc, ...] = ()
