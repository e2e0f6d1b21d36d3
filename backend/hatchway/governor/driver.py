"""The one thread that talks to a target: it observes, and brings the share to what is desired.

The thread that decides never waits for it. A command is begun under a lock and only while its
order is the newest, so once a stop has replaced the order nothing of the old one is begun.
"""

from __future__ import annotations

import threading
import time

from hatchway.governor.target import Overtaken, TargetError, Weights, Wish
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from hatchway.governor.target import Inventory, Target, Traffic

ALL = Weights(canary=256, stable=0)


class Order(Value):
    """What is to be done. look: only observe; exactly: bring it there; down: never above it."""

    serial: int
    percent: int
    how: Literal["look", "exactly", "down"]
    epoch: int = 0
    key: str = ""


class Report(Value):
    """What the target had. `trouble` in words; `weights` is None when it could not be read.

    `inventory` is None when it was not read in this pass; then `unread` says why, or nothing when
    it was not its turn.
    """

    serial: int
    at: float  # seconds since the epoch
    ticks: float  # monotonic
    weights: Weights | None
    traffic: Traffic | None
    trouble: str = ""
    inventory: Inventory | None = None
    inventory_at: float = 0.0  # seconds since the epoch: it is not older than this
    unread: str = ""


class Driver:
    """Owns the thread of one target. `post` is called from that thread with every report."""

    def __init__(self, name: str, target: Target, post: Callable[[Report], None]) -> None:
        self.target = target
        self._post = post
        self._order = Order(0, 0, "look")
        self._sending = threading.Lock()
        self._news = threading.Event()
        self._reached = -1  # the newest order that was seen to be done
        self._taken: tuple[int, float] | None = None  # the order and when, of the last inventory
        self._thread = threading.Thread(target=self._run, name=f"target {name}", daemon=True)

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        self._thread.start()

    def give(self, order: Order) -> None:
        """Replace the order. On return nothing of the old order will be begun any more.

        Only where beginning may take longer than the target's `begin_s` is it otherwise: the
        deciding thread does not wait, and what has begun too late is ended at once.
        """
        self._order = order
        if self._sending.acquire(timeout=self.target.begin_s):
            self._sending.release()
        self.target.interrupt()
        self._news.set()

    def _run(self) -> None:
        while True:
            self._news.clear()
            order = self._order
            try:
                report = self._pass(order)
            except Overtaken:
                continue
            self._post(report)
            self._news.wait(self.target.observe_every_s)

    def _pass(self, order: Order) -> Report:
        weights: Weights | None = None
        traffic: Traffic | None = None
        trouble = ""
        try:
            has = self._weights(order)
            if _wanted(order, has):
                self._bring(order, has)
                has = self.target.weights()
            weights = has
            traffic = self.target.traffic()
        except TargetError as error:
            trouble = str(error)
        except Overtaken:
            raise
        except Exception as error:  # the thread must live on, whatever a target answers
            trouble = f"the target's adapter failed: {error!r}"
        began = time.time()
        inventory, unread = (None, trouble) if weights is None else self._inventory(order)
        now = time.time(), time.monotonic()
        return Report(order.serial, *now, weights, traffic, trouble, inventory, began, unread)

    def _weights(self, order: Order) -> Weights:
        """Read the share. One that cannot be read is also taken back to 0, until it was seen there."""
        try:
            found = self.target.weights()
        except TargetError:
            if order.how == "look" or order.percent != 0 or self._reached == order.serial:
                raise
            if not self.target.goes_back_unseen:
                raise
            return ALL
        if found.has(order.percent):
            self._reached = order.serial
        return found

    def _bring(self, order: Order, has: Weights) -> None:
        if order.percent > has.percent:
            found = self.target.inventory()
            if found.unfit:
                raise TargetError(found.unfit[0])
        wish = Wish(order.percent, order.epoch, order.key)
        self.target.bring(has, wish, _Guard(self, order))

    def _inventory(self, order: Order) -> tuple[Inventory | None, str]:
        """The inventory when it is due: with every order, and every now and then."""
        now = time.monotonic()
        if self._taken is not None:
            serial, at = self._taken
            if serial == order.serial and now - at < self.target.inventory_every_s:
                return None, ""
        try:
            found = self.target.inventory()
        except TargetError as error:
            return None, str(error)
        except Overtaken:
            raise
        except Exception as error:  # as above
            return None, f"the target's adapter failed: {error!r}"
        self._taken = order.serial, now
        return found, ""


class _Guard:
    """Within it the order is the newest; a newer one waits until the block is left."""

    def __init__(self, driver: Driver, order: Order) -> None:
        self._driver = driver
        self._order = order

    def __enter__(self) -> None:
        self._driver._sending.acquire()
        if self._driver._order is not self._order:
            self._driver._sending.release()
            raise Overtaken

    def __exit__(self, *_: object) -> None:
        self._driver._sending.release()


def _wanted(order: Order, weights: Weights) -> bool:
    """Whether the target must be touched."""
    if order.how == "look" or weights.has(order.percent):
        return False
    nobody_served = weights.canary + weights.stable == 0 and order.percent == 0
    return order.how == "exactly" or weights.percent > order.percent or nobody_served
