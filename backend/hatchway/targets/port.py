"""The port to what carries the traffic. The governor is behind it; nothing else may be."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from hatchway.core.events import AuthorityChanged, By


class TargetError(Exception):
    """The governor does not answer, or answers what nobody understands."""


class Declined(TargetError):
    """The governor understood and said no; `code` as in its protocol."""

    def __init__(self, code: str, why: str, todo: str) -> None:
        super().__init__(why)
        self.code = code
        self.todo = todo


class Observed(Struct, frozen=True):
    """The target as it was read back. `inflight` and `total` count the canary's requests."""

    canary: int
    stable: int
    inflight: int
    total: int
    at: float


class Standing(Struct, frozen=True):
    """What the governor says of a service. Times in seconds since 1970.

    `drift` says what the target has that nobody wants, since `drift_since`; with `drift_own` it is a
    change of the governor's own that the target has not taken yet. `residue` is what
    differs from the picture that the governor took when the capsule was armed (what it cannot know
    is in it too), as of `residue_at`. `unfit` is why the target cannot give a percentage.
    `stop_all` says by whom and why no agent may do anything; empty when they may.
    """

    service: str
    epoch: int
    mode: str
    holder: str
    spool: int
    desired: int
    observed: Observed | None
    trouble: str
    drift: str
    agent_writes: int
    person_writes: int
    drift_since: float = 0.0
    drift_own: bool = False
    residue: tuple[str, ...] = ()
    residue_at: float = 0.0
    unfit: tuple[str, ...] = ()
    stop_all: str = ""


class NotApplied(Struct, frozen=True):
    """The governor refused or the target failed; `code` as in the governor's protocol."""

    code: str
    why: str


class Target(Protocol):
    """All methods raise TargetError."""

    async def standing(self, service: str) -> Standing:
        """Who is in control, what is wanted, what is true."""

    async def renew_lease(self) -> None:
        """Say that the backend lives."""

    async def arm(self, service: str, capsule: dict[str, Any]) -> None:
        """Leave with the governor what it needs to roll back alone."""

    async def apply(
        self, service: str, *, epoch: int, key: str, canary: int, by: By
    ) -> Observed | NotApplied:
        """Bring the canary's share to `canary` percent; the same key is applied once."""

    async def stop(self, service: str, op: str, *, id: str, by: str, reason: str) -> str:
        """pause, takeover, rollback, stop_all, release or readmit; what the governor says, in words.

        stop_all and readmit are of every service; `service` is empty then.

        Declined when there is nothing to release.
        """

    async def spool(self, service: str, after: int) -> tuple[AuthorityChanged, ...]:
        """Changes of authority after line `after`, oldest first."""
