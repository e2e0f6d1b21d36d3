"""Events about the target: what was to become of it, and what was read back."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hatchway.core.event import EventBase


class By(Struct, frozen=True):
    """On whose authority something is done."""

    kind: Literal["agent", "person", "system"]
    name: str


class CapsuleArmed(EventBase, frozen=True, kw_only=True, tag="capsule.armed"):
    """The governor holds what is needed to roll back without the backend."""

    run: str
    checksum: str


class EffectIntended(EventBase, frozen=True, kw_only=True, tag="effect.intended"):
    """The canary's share is to become `weight`; in the journal before the target is touched."""

    run: str
    key: str
    step: int
    weight: int
    epoch: int
    by: By
    reason: str


class EffectVerified(EventBase, frozen=True, kw_only=True, tag="effect.verified"):
    run: str
    key: str
    observed: int


class EffectDiverged(EventBase, frozen=True, kw_only=True, tag="effect.diverged"):
    """The target does not have what was wanted, or cannot be asked."""

    run: str
    key: str
    observed: int | None
    why: str


class EffectFenced(EventBase, frozen=True, kw_only=True, tag="effect.fenced"):
    """The governor refused: `code` is fenced, held, no_capsule or agent_may_not_write."""

    run: str
    key: str
    code: str
    why: str


class StepEntered(EventBase, frozen=True, kw_only=True, tag="step.entered"):
    run: str
    step: int
    weight: int
