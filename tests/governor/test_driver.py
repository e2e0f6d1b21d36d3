"""After a new order was given, nothing of the old one is begun any more."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hatchway.governor.driver import Driver, Order
from hatchway.governor.haproxy import HAProxy
from hatchway.governor.settings_target import HAProxySettings
from hatchway.governor.target import Inventory, Traffic, Weights, Wish


class Stalled(HAProxy):
    """Its thread is not given the processor between looking at the order and sending the line."""

    def __init__(self, settings: HAProxySettings) -> None:
        super().__init__(settings)
        self.in_guard = False
        self.sent: list[float] = []

    def weights(self) -> Weights:
        return Weights(0, 100)

    def traffic(self) -> Traffic:
        return Traffic(0, 0)

    def inventory(self) -> Inventory:
        return Inventory((), (), (), 1)

    def bring(self, has: Weights, wish: Wish, guard: AbstractContextManager[Any]) -> None:
        with guard:
            self.in_guard = True
            time.sleep(0.3)
            self.sent.append(time.monotonic())


def test_e4_a_stop_is_not_answered_while_a_line_of_an_older_order_is_being_sent(
    tmp_path: Path,
) -> None:
    target = Stalled(HAProxySettings(str(tmp_path / "none.sock"), "be", "stable", "canary"))
    driver = Driver("shop", target, lambda report: None)
    driver.give(Order(1, 25, "exactly"))
    driver.start()
    end = time.monotonic() + 20
    while not target.in_guard and time.monotonic() < end:
        time.sleep(0.005)
    driver.give(Order(2, 0, "look"))
    answered = time.monotonic()
    assert target.sent, "the line was still to be sent when the stop was answered"
    assert max(target.sent) <= answered
