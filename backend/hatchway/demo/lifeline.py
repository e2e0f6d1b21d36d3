"""A pipe whose writing end only the supervisor holds: when it ends, the supervisor is gone.

The kernel closes it however the supervisor dies, also by SIGKILL. Every process of the demo gets
the reading end and stops at its end.
"""

from __future__ import annotations

import asyncio
import os
import signal


def stop_event(lifeline: int) -> asyncio.Event:
    """An event that is set by SIGTERM, SIGINT, SIGHUP or the end of `lifeline` (-1: none)."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if lifeline >= 0:
        loop.add_reader(lifeline, _look, lifeline, stop)
    return stop


def _look(lifeline: int, stop: asyncio.Event) -> None:
    if not os.read(lifeline, 1):
        asyncio.get_running_loop().remove_reader(lifeline)
        stop.set()
