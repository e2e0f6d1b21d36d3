"""HTTP/1.1 with keep-alive on top of asyncio, as much of it as a shop behind a proxy needs."""

import asyncio
import json
import time
from typing import cast

from shop import __version__
from shop.api import handle
from shop.faults import Faults
from shop.metrics import Metrics

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
LONGEST_HEAD = 16_384
LONGEST_BODY = 65_536
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
JSON = b"application/json"


class Shop:
    """One running shop: what its connections share."""

    def __init__(self, faults: Faults, work_s: float) -> None:
        self.faults = faults
        self.metrics = Metrics()
        self.work_s = work_s
        self.orders = 0
        self.stopping = False
        self.connections: set[Connection] = set()
        faults.changed = self._reflect
        self._reflect()

    def _reflect(self) -> None:
        self.metrics.payments.set(0 if "dependency-down" in self.faults.on else 1)

    def busy(self) -> int:
        """Requests under way."""
        return sum(connection.busy for connection in self.connections)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Do the work of one request."""
        failure = self.faults.failure(path)
        if failure:
            return failure, b'{"error": "something went wrong"}'
        status, document = handle(method, path, body, self.orders + 1)
        if status == 200 and path == "/checkout":
            self.orders += 1
            if not self.faults.order_lost():
                self.metrics.orders.inc()
        return status, json.dumps(document).encode()

    def metrics_text(self) -> bytes:
        """The metrics, with the gauges as they are now."""
        self.metrics.connections.set(12 + 2 * self.busy() + self.faults.wobble(4))
        return self.metrics.text()


class Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._buffer = b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._close = False
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._shop.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.busy = False
        self._shop.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.busy:
            self._next()
        elif len(self._buffer) > LONGEST_HEAD + LONGEST_BODY:
            self.close()  # it does not wait for its answers

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LONGEST_HEAD:
                self._refuse(400)
            return
        head = self._buffer[:end].decode("latin-1")
        line, *fields = head.split("\r\n")
        words = line.split(" ")
        headers = {}
        for header in fields:
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip().lower()
        length = headers.get("content-length", "0")
        if len(words) != 3 or not length.isdecimal() or "transfer-encoding" in headers:
            self._refuse(400)
            return
        if int(length) > LONGEST_BODY:
            self._refuse(413)
            return
        after = end + 4 + int(length)
        if len(self._buffer) < after:
            return
        body = self._buffer[end + 4 : after]
        self._buffer = self._buffer[after:]
        connection = headers.get("connection", "")
        self._close = connection == "close" or (
            words[2] == "HTTP/1.0" and connection != "keep-alive"
        )
        self._begin(words[0], words[1].partition("?")[0], body)

    def _begin(self, method: str, path: str, body: bytes) -> None:
        shop = self._shop
        self.busy = True
        if "hang" in shop.faults.on:
            return  # the client gives up first
        if path == "/metrics":
            if "metrics-silent" in shop.faults.on:
                self._send(503, b"")
            else:
                self._send(200, shop.metrics_text(), TEXT)
        elif path == "/healthz":
            self._send(200, json.dumps({"ok": True, "version": __version__}).encode())
        else:
            delay = shop.faults.delay(shop.work_s)
            started = time.perf_counter()
            self._timer = self._loop.call_later(delay, self._work, method, path, body, started)

    def _work(self, method: str, path: str, body: bytes, started: float) -> None:
        self._timer = None
        status, text = self._shop.answer(method, path, body)
        self._shop.metrics.answered(status, time.perf_counter() - started)
        self._send(status, text)

    def _send(self, status: int, body: bytes, kind: bytes = JSON) -> None:
        transport = self._transport
        if transport is None:
            return
        self.busy = False
        close = self._close or self._shop.stopping
        transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s"
            % (
                status,
                REASONS[status].encode(),
                kind,
                len(body),
                b"Connection: close\r\n" if close else b"",
                body,
            )
        )
        if close:
            transport.close()
        elif self._buffer:
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.busy and self._transport is not None:
            self._next()

    def _refuse(self, status: int) -> None:
        self._close = True
        self._send(status, b'{"error": "this is not a request that can be answered"}')
