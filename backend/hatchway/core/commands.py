"""What may be asked of the core. Stops are not here: the governor takes them (see safety)."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.events import Mode
from hatchway.core.plan import PipelinePlan


class StartRun(Struct, frozen=True, kw_only=True):
    """Release `commit`. Versions were read from the repository."""

    id: str
    by: str
    service: str
    environment: str
    commit: str
    base: str
    from_version: str
    to_version: str
    mode: Mode
    pace: float
    plan: PipelinePlan
    policy_digest: str


class Accept(Struct, frozen=True, kw_only=True):
    """A person's yes to an open item."""

    id: str
    by: str
    item: str
    expect_version: int = -1


class Reject(Struct, frozen=True, kw_only=True):
    """A person's no to an open item."""

    id: str
    by: str
    item: str
    reason: str = ""


class Review(Struct, frozen=True, kw_only=True):
    """A person's word on a run that has ended."""

    id: str
    by: str
    run: str
    reason: str


class Release(Struct, frozen=True, kw_only=True):
    """Give control of a service back to the agent. The governor does it once this is accepted."""

    id: str
    by: str
    service: str
    reason: str
    expect_epoch: int = -1


Command = StartRun | Accept | Reject | Review | Release
