"""What may be asked of the core. Stops are not here: the governor takes them (see safety)."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.events import Mode, Signature
from hatchway.core.events_of_duty import Field, Op
from hatchway.core.people import Who
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
    policy_says: dict[str, str] = {}
    ref: str = ""  # what was asked for, where that was a name and not a commit
    who: Who | None = None


class Accept(Struct, frozen=True, kw_only=True):
    """A person's yes to an open item; to a release for no more than `max_weight` percent.

    `not_before` is when it begins to count, in seconds since 1970.
    """

    id: str
    by: str
    item: str
    expect_version: int = -1
    reason: str = ""  # only looked at where a yes needs one
    who: Who | None = None
    max_weight: int = 100
    not_before: float = 0.0
    signature: Signature | None = None


class Reject(Struct, frozen=True, kw_only=True):
    """A person's no to an open item."""

    id: str
    by: str
    item: str
    reason: str = ""
    who: Who | None = None


class Review(Struct, frozen=True, kw_only=True):
    """A person's word on a run that has ended."""

    id: str
    by: str
    run: str
    reason: str
    verdict: str = ""  # how the agent decided last: right, wrong or harmful; empty: not said


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


class HandOver(Struct, frozen=True, kw_only=True):
    """Hand the shift over to `to`. The fields were made from the state and the journal."""

    id: str
    by: str
    to: tuple[str, ...]
    fields: tuple[Field, ...]
    since: int
    keeps: tuple[str, ...] = ()
    who: Who | None = None


class Acknowledge(Struct, frozen=True, kw_only=True):
    """Take a shift over: the text of this `digest` was read, and nothing else."""

    id: str
    by: str
    handover: str
    digest: str
    said: str = ""
    who: Who | None = None


class AskOncall(Struct, frozen=True, kw_only=True):
    """Ask those who may to pause, take over or roll back. `role` says why one does not oneself."""

    id: str
    by: str
    service: str
    op: Op
    reason: str = ""
    role: str = ""


Order = Lift | Expect | Withdraw | CloseBreaker
Duty = HandOver | Acknowledge | AskOncall
Command = StartRun | Accept | Reject | Review | Release | Order | Duty
