"""What is known of one service besides its durable state: the newest reports of its target."""

from __future__ import annotations

import time

from hatchway.governor.driver import Driver, Order, Report
from hatchway.governor.target import MOST_FACTS, differences
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hatchway.governor.authority import Authority
    from hatchway.governor.target import Inventory, Target

    Doc = dict[str, Any]
    Reply = Callable[[Doc], None]

DRAINED_S = 0.4
"""The canary's request counter must stand still for this long before it counts as drained."""
DRIFT_AFTER_S = 3.0
"""A change that is under way is not called drift before this."""
UNKNOWN = -1
"""Requests of the canary, when its weight could be read and its statistics could not."""


class Waiting(Value):
    """A client that is answered when the target was read back."""

    serial: int
    reply: Reply
    answer: Doc
    key: str = ""  # of an apply; empty for a rollback
    until: float = 0.0  # monotonic; of a rollback


class Service:
    """One target, its driver, and what the driver last said."""

    def __init__(self, name: str, target: Target, post: Callable[[Report], None]) -> None:
        self.driver = Driver(name, target, post)
        self.order = Order(0, 0, "look")
        self.ordered_at = 0.0
        self.waiting: list[Waiting] = []
        self.seen: Doc | None = None
        self.report: Report | None = None
        self.trouble = "the target has not been read yet"
        self.still_since = 0.0  # monotonic; 0 when the canary is not at rest
        self.inventory: Inventory | None = None
        self.inventory_at = 0.0  # seconds since the epoch
        self.unread = "its inventory has not been read yet"
        self.drift = ""
        self.drift_since = 0.0  # seconds since the epoch; 0 when there is none
        self.restarted = ""

    @property
    def drained(self) -> bool:
        """Weight 0 read back, nothing under way, and the counter stood still for a while."""
        return bool(
            self.still_since
            and self.report
            and self.report.ticks - self.still_since >= DRAINED_S
            and not self.trouble
        )

    def note(self, report: Report) -> None:
        """Keep what a report says of the target."""
        self.trouble = report.trouble
        self._note_inventory(report)
        if report.weights is None:
            self.still_since = 0.0
            return
        before = self.seen
        percent, traffic = report.weights.percent, report.traffic
        served = report.weights.canary + report.weights.stable > 0
        if not served:
            self.trouble = self.trouble or "both weights are 0: nobody is served"
        self.report = report
        self.seen = {
            "canary": percent,
            "stable": 100 - percent if served else 0,
            "canary_inflight": traffic.inflight if traffic else UNKNOWN,
            "canary_total": traffic.total if traffic else UNKNOWN,
            "at": report.at,
        }
        at_rest = percent == 0 and traffic is not None and traffic.inflight == 0
        if not at_rest:
            self.still_since = 0.0
        elif not self.still_since or (before or {}).get("canary_total") != traffic.total:  # type: ignore[union-attr]
            self.still_since = report.ticks

    def _note_inventory(self, report: Report) -> None:
        self.unread = report.unread or (self.unread if report.inventory is None else "")
        if report.inventory is None:
            return
        before, now = self.inventory, report.inventory
        if before is not None and before.process != now.process:
            at = time.strftime("%H:%M:%SZ", time.gmtime(report.at))
            self.restarted = f"process {now.process} answers since {at}, not {before.process}"
        self.inventory, self.inventory_at = now, report.inventory_at

    def picture(self) -> Doc | None:
        """The before-picture: the newest inventory, unless it is not known to be true now."""
        if self.inventory is None or self.unread or len(self.inventory.facts) > MOST_FACTS:
            return None
        return {
            "at": self.inventory_at,
            "facts": list(self.inventory.facts),
            "process": self.inventory.process,
        }

    def residue(self, state: Authority) -> list[str]:
        """What differs from the before-picture, in words. Not known counts as a difference.

        The canary's share counts while none is wanted: then it is not what somebody is doing.
        """
        if state.capsule is None:
            return []
        left = []
        if state.desired == 0 and (self.report is None or not self.report.weights.has(0)):  # type: ignore[union-attr]
            has = (self.seen or {}).get("canary")
            left.append(f"the canary has {'an unknown share' if has is None else f'{has} %'}")
        if state.picture is None:
            return [*left, "no before-picture was taken: whether all is as before is not known"]
        if self.inventory is None or self.unread:
            return [*left, f"whether all is as before is not known: {self.unread}"]
        second = [text for text in self.inventory.others if text.startswith("another process")]
        return [*left, *differences(tuple(state.picture["facts"]), self.inventory.facts), *second]

    def look_for_drift(self, state: Authority, at: float) -> None:
        """Whether the target has what nobody wants, and since when."""
        self.drift = self._drift(state)
        if not self.drift:
            self.drift_since = 0.0
        elif not self.drift_since:
            self.drift_since = at

    def _drift(self, state: Authority) -> str:
        weights = self.report.weights if self.report else None
        if state.desired is None or weights is None:
            return ""
        others = "; ".join(self.inventory.others) if self.inventory else ""
        if weights.has(state.desired):
            return others
        under_way = self.order.how != "look"
        if under_way and time.monotonic() - self.ordered_at < DRIFT_AFTER_S:
            return others
        has = f"{state.desired} % is wanted and the target has {weights.percent} %"
        if under_way:
            has = f"{has}: the governor keeps trying"
        elif self.restarted:
            has = f"{has}: it was changed outside Hatchway, or it lost its weights in a restart ({self.restarted})"
        else:
            has = f"{has}: it was changed outside Hatchway, or it lost its weights in a restart"
        return "; ".join(filter(None, (has, others)))
