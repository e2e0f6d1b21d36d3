"""The one thread that talks to a target: it observes, and brings the share to what is desired.

The thread that decides never waits for it. A command is put on the wire under a lock and only
while its order is the newest, so once a stop has replaced the order nothing of the old one is sent.
"""

from __future__ import annotations

import threading
import time

from hatchway.governor.haproxy import HAProxy, Overtaken, TargetError, Traffic, Weights
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Literal

OBSERVE_EVERY_S = 0.5


class Order(Value):
    """What is to be done. look: only observe; exactly: bring it there; down: never above it."""

    serial: int
    percent: int
    how: Literal["look", "exactly", "down"]


class Report(Value):
    """What the target had. `trouble` in words; `weights` is None when it could not be read."""

    serial: int
    at: float  # seconds since the epoch
    ticks: float  # monotonic
    weights: Weights | None
    traffic: Traffic | None
    trouble: str = ""


class Driver:
    """Owns the thread of one target. `post` is called from that thread with every report."""

    def __init__(self, name: str, target: HAProxy, post: Callable[[Report], None]) -> None:
        self._target = target
        self._post = post
        self._order = Order(0, 0, "look")
        self._sending = threading.Lock()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"target {name}", daemon=True)

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        self._thread.start()

    def give(self, order: Order) -> None:
        """Replace the order. On return nothing of the old order will be sent any more."""
        with self._sending:
            self._order = order
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
            self._news.wait(OBSERVE_EVERY_S)

    def _pass(self, order: Order) -> Report:
        weights: Weights | None = None
        traffic: Traffic | None = None
        trouble = ""
        try:
            weights = self._target.weights()
            if _wanted(order, weights):
                plan, weights = steps(weights, order.percent), None
                for arm, weight in plan:
                    self._target.set(arm, weight, self._fenced(order))
                weights = self._target.weights()
            traffic = self._target.traffic()
        except TargetError as error:
            trouble = str(error)
        except Overtaken:
            raise
        except Exception as error:  # the thread must live on, whatever a target answers
            trouble = f"the target's adapter failed: {error!r}"
        return Report(order.serial, time.time(), time.monotonic(), weights, traffic, trouble)

    def _fenced(self, order: Order) -> Callable[[socket.socket, bytes], None]:
        def send(link: socket.socket, line: bytes) -> None:
            # The socket is fresh and the line short: this cannot block while the lock is held.
            with self._sending:
                if self._order is not order:
                    raise Overtaken
                link.sendall(line)

        return send


def _wanted(order: Order, weights: Weights) -> bool:
    """Whether the target must be touched."""
    if order.how == "look" or weights.has(order.percent):
        return False
    nobody_served = weights.canary + weights.stable == 0 and order.percent == 0
    return order.how == "exactly" or weights.percent > order.percent or nobody_served


def steps(weights: Weights, percent: int) -> list[tuple[str, int]]:
    """The (arm, absolute weight) commands from `weights` to a share of `percent`.

    Raise first, lower second: between the two commands, and when the second one fails, somebody
    serves. The other order gave up to 97 failed requests a swap.
    """
    canary = ("canary", percent, weights.canary)
    stable = ("stable", 100 - percent, weights.stable)
    ordered = (canary, stable) if percent > weights.canary else (stable, canary)
    return [(arm, to) for arm, to, has in ordered if to != has]
