"""Events about a service, which outlive its runs. See `events.py`, which has them all."""

from __future__ import annotations

from hatchway.core.event import EventBase


class QuarantineLifted(EventBase, frozen=True, kw_only=True, tag="quarantine.lifted"):
    """A person says why what was rolled back may be released again."""

    service: str
    commit: str
    by: str
    reason: str


class ExpectationDeclared(EventBase, frozen=True, kw_only=True, tag="expectation.declared"):
    """A person says that `metric` will be up to `at_most` (as it is shown) until `expires_at`."""

    service: str
    expectation: str
    metric: str
    at_most: float
    expires_at: float
    ticket: str
    by: str
    reason: str


class ExpectationWithdrawn(EventBase, frozen=True, kw_only=True, tag="expectation.withdrawn"):
    service: str
    expectation: str
    by: str
    reason: str


class BreakerOpened(EventBase, frozen=True, kw_only=True, tag="breaker.opened"):
    """The agent made worse what it was to cure: it only recommends until a person closes this."""

    service: str
    run: str
    why: str


class BreakerClosed(EventBase, frozen=True, kw_only=True, tag="breaker.closed"):
    service: str
    by: str
    reason: str


class TargetChanged(EventBase, frozen=True, kw_only=True, tag="target.changed"):
    """An unattributed change: the target is not as Hatchway left it, and Hatchway did not do it.

    `what` is weight, version or state; `since` is when it was first seen. `run` is the run that
    was active, or empty.
    """

    service: str
    what: str
    wanted: str
    found: str
    since: float
    why: str
    run: str = ""


class TargetRestored(EventBase, frozen=True, kw_only=True, tag="target.restored"):
    """The target is again as it is wanted, after `seconds`."""

    service: str
    what: str
    seconds: float


ServiceEvent = (
    QuarantineLifted
    | ExpectationDeclared
    | ExpectationWithdrawn
    | BreakerOpened
    | BreakerClosed
    | TargetChanged
    | TargetRestored
)
