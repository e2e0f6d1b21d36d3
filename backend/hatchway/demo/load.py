"""`python -m hatchway.demo.load`: customers. Steady arrivals, whatever the shop does (open loop).

What they were answered can be asked at a socket: {"op": "stats", "since": TIME}.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import time
from array import array
from bisect import bisect_left
from collections import Counter, deque
from pathlib import Path
from typing import Any, cast

from hatchway.demo import framing
from hatchway.demo.control import Answer, listen, refusal
from hatchway.demo.lifeline import stop_event

PATIENCE_S = 5.0
MOST_IN_FLIGHT = 1_000
LONGEST_LAG_S = 1.0  # a process that was stopped does not send all it missed
RECENT = 2_000

_HOST = b"Host: shop.example\r\n"
_ORDER = b'{"items": [{"product": "mug", "quantity": 1}, {"product": "tea", "quantity": 2}]}'
LOOK = b"GET / HTTP/1.1\r\n" + _HOST + b"\r\n"
CART = b"GET /cart HTTP/1.1\r\n" + _HOST + b"\r\n"
ORDER = (
    b"POST /checkout HTTP/1.1\r\n"
    + _HOST
    + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_ORDER), _ORDER)
)
KINDS = (LOOK, CART, ORDER)
SHARES = (30, 40, 30)  # percent


class Tally:
    """What customers saw. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self.sent = 0
        self.codes: Counter[str] = Counter()
        self.bad_at = array("d")
        self.recent: deque[float] = deque(maxlen=RECENT)

    def answered(self, status: int, seconds: float) -> None:
        """An answer came."""
        self.codes[str(status)] += 1
        self.recent.append(seconds)
        if status >= 500:
            self.bad_at.append(time.time())

    def failed(self, how: str) -> None:
        """No answer came: refused, hung up, timeout, overload."""
        self.codes[how] += 1
        self.bad_at.append(time.time())

    def stats(self, since: float, in_flight: int) -> Answer:
        """The figures; `bad` is answers with 5xx and requests without an answer."""
        ordered = sorted(self.recent)
        bad = len(self.bad_at)
        return {
            "ok": True,
            "at": time.time(),
            "sent": self.sent,
            "in_flight": in_flight,
            "codes": dict(self.codes),
            "bad": bad,
            "bad_since": bad - bisect_left(self.bad_at, since),
            "p50_ms": _quantile(ordered, 0.50),
            "p95_ms": _quantile(ordered, 0.95),
            "p99_ms": _quantile(ordered, 0.99),
        }


def _quantile(ordered: list[float], q: float) -> float | None:
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))], 1)


class Customers:
    """Sends requests at a steady rate."""

    def __init__(self, port: int, rate: float, seed: int, tasks: asyncio.TaskGroup) -> None:
        self.tally = Tally()
        self.idle: list[Customer] = []
        self.in_flight = 0
        self.loop = asyncio.get_running_loop()
        self._port = port
        self._gap = 1.0 / rate
        self._random = random.Random(seed)  # noqa: S311  a mix of requests, not a secret
        self._tasks = tasks
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.customers: set[Customer] = set()

    def start(self) -> None:
        """Begin."""
        self._next_at = self.loop.time()
        self._arrive()

    def _arrive(self) -> None:
        now = self.loop.time()
        self._next_at = max(self._next_at, now - LONGEST_LAG_S)
        while self._next_at <= now:
            self._next_at += self._gap
            self._send(self._random.choices(KINDS, SHARES)[0])
        self._timer = self.loop.call_at(self._next_at, self._arrive)

    def stop(self) -> None:
        """Send no more, and hang up."""
        if self._timer is not None:
            self._timer.cancel()
        for customer in tuple(self.customers):
            customer.hang_up()

    def _send(self, message: bytes) -> None:
        self.tally.sent += 1
        if self.in_flight >= MOST_IN_FLIGHT:
            self.tally.failed("overload")
            return
        self.in_flight += 1
        while self.idle:
            if self.idle.pop().send(message):
                return
        self._tasks.create_task(self._connect(message), name="connect")

    async def _connect(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, customer = await self.loop.create_connection(
                    lambda: Customer(self), "127.0.0.1", self._port
                )
        except OSError:
            self.done("refused")
            return
        if not customer.send(message):
            self.done("hung up")

    def done(self, failure: str = "") -> None:
        """A request came to its end."""
        self.in_flight -= 1
        if failure:
            self.tally.failed(failure)

    async def answer(self, request: dict[str, Any]) -> Answer:
        """Answer at the socket."""
        if request["op"] != "stats":
            return refusal("bad_request", f"there is no {request['op']!r}", 'ask for "stats"')
        since = request.get("since", 0.0)
        if not isinstance(since, int | float):
            return refusal("bad_request", "`since` is no time", "send seconds since the epoch")
        return self.tally.stats(since, self.in_flight)


class Customer(asyncio.Protocol):
    """One connection that is kept: a request, its answer, the next."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = -1.0
        self._method = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._customers.customers.add(self)

    def hang_up(self) -> None:
        """Leave without waiting for the answer."""
        if self._transport is not None:
            self._transport.abort()

    def send(self, message: bytes) -> bool:
        """Send a request; False when this connection is closed."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        loop = self._customers.loop
        self._sent_at = loop.time()
        self._method = message[:4].rstrip()
        if self._timer is None:
            self._timer = loop.call_at(self._sent_at + PATIENCE_S, self._look)
        transport.write(message)
        return True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            found = framing.response(self._buffer, self._method)
        except framing.BadMessage:
            self._finish("garbled")
            return
        if found is None or len(self._buffer) < found.size + max(0, found.length):
            return
        taken = self._customers.loop.time() - self._sent_at
        self._customers.tally.answered(found.status, taken)
        self._finish("", keep=found.keep)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._customers.customers.discard(self)
        if self in self._customers.idle:
            self._customers.idle.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._sent_at >= 0:
            self._finish("hung up")

    def _look(self) -> None:
        """One timer a connection, which looks again: nearly no request comes so far."""
        loop, due = self._customers.loop, self._sent_at + PATIENCE_S
        self._timer = None
        if self._sent_at < 0:
            return
        if loop.time() < due:
            self._timer = loop.call_at(due, self._look)
        else:
            self._finish("timeout")

    def _finish(self, failure: str, *, keep: bool = False) -> None:
        self._buffer = b""
        self._sent_at = -1.0
        if keep:
            self._customers.idle.append(self)
        elif self._transport is not None:
            self._transport.abort()
        self._customers.done(failure)


async def serve(options: argparse.Namespace) -> None:
    """Send until told to stop."""
    stop = stop_event(options.lifeline)
    async with asyncio.TaskGroup() as tasks:
        customers = Customers(options.port, options.rate, options.seed, tasks)
        server = await listen(options.socket, customers.answer)
        customers.start()
        gc.collect()
        gc.freeze()
        await stop.wait()
        server.close()
        customers.stop()


def main(argv: list[str]) -> int:
    """Run the load generator."""
    parser = argparse.ArgumentParser(prog="python -m hatchway.demo.load")
    parser.add_argument("--port", type=int, required=True, help="where the shop is")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--socket", type=Path, required=True, help="where statistics are asked")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lifeline", type=int, default=-1)
    parser.add_argument("--sweep", type=Path, help="state directory to clear up at the end")
    options = parser.parse_args(argv)
    asyncio.run(serve(options))
    if options.sweep is not None:
        # What cleans up needs more than this process has loaded.
        os.execv(  # noqa: S606
            sys.executable, [sys.executable, "-m", "hatchway.demo.sweep", str(options.sweep)]
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
