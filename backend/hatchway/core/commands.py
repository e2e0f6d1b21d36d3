"""What may be asked of the core. Stops are not here: the governor takes them (see safety)."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.events import Mode
from hatchway.core.plan import MetricSpec, PipelinePlan


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
    attests: bool = False


class Accept(Struct, frozen=True, kw_only=True):
    """A person's yes to an open item."""

    id: str
    by: str
    item: str
    expect_version: int = -1
    reason: str = ""  # only looked at where a yes needs one


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


class Lift(Struct, frozen=True, kw_only=True):
    """Say why a commit that was rolled back may be released again."""

    id: str
    by: str
    service: str
    commit: str
    reason: str


class Expect(Struct, frozen=True, kw_only=True):
    """Say that a metric will be up to `at_most`, as it is shown, for the next `for_s` seconds.

    `metrics` are those of the service, as they are configured.
    """

    id: str
    by: str
    service: str
    metric: str
    at_most: float
    for_s: float
    ticket: str
    reason: str
    metrics: tuple[MetricSpec, ...] = ()


class Withdraw(Struct, frozen=True, kw_only=True):
    """Take back what was said to be expected."""

    id: str
    by: str
    service: str
    expectation: str
    reason: str = ""


class CloseBreaker(Struct, frozen=True, kw_only=True):
    """Say why the agent may act by itself again."""

    id: str
    by: str
    service: str
    reason: str


Order = Lift | Expect | Withdraw | CloseBreaker
Command = StartRun | Accept | Reject | Review | Release | Order
