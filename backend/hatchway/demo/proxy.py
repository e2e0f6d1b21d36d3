"""The splitter's traffic: a client's request goes to the server whose turn it is, and back.

Nothing is tried twice but a request on a connection that the server had closed meanwhile. Every
request that was given to a server ends as one response in that server's counters.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import cast

from hatchway.demo import framing
from hatchway.demo.arms import Pool, Server
from hatchway.demo.framing import BadMessage

LONGEST_BODY = 1 << 20


class Proxy:
    """What all connections share. `patience_s`: how long a server may be silent."""

    def __init__(self, pool: Pool, tasks: asyncio.TaskGroup, patience_s: float = 1.0) -> None:
        self.pool = pool
        self.patience_s = patience_s
        self.loop = asyncio.get_running_loop()
        self.clients: set[Client] = set()
        self._closing = False
        self._tasks = tasks

    def client(self) -> Client:
        """A protocol for a new connection of a client."""
        return Client(self)

    def forward(self, client: Client, message: bytes, method: bytes) -> None:
        """Give a complete request to the server whose turn it is."""
        server = self.pool.pick()
        if server is None:
            client.say(503, "no server has any weight")
            return
        server.began()
        exchange = Exchange(self, server, client, message, method)
        while server.idle:
            upstream = server.idle.pop()
            if upstream.send(exchange):
                server.reuses += 1
                return
        self.connect(exchange)

    def connect(self, exchange: Exchange) -> None:
        """Send a request on a new connection."""
        if self._closing:
            exchange.fail(503, "the splitter is stopping")
            return
        self._tasks.create_task(self._connect(exchange), name="connect")

    async def _connect(self, exchange: Exchange) -> None:
        server = exchange.server
        host, port = server.host, server.port
        try:
            async with asyncio.timeout(self.patience_s):
                _, upstream = await self.loop.create_connection(
                    lambda: Upstream(self, server, (host, port)), host, port
                )
        except OSError as error:  # TimeoutError is one
            server.refused += 1
            exchange.fail(503, f"cannot connect to {server.name}: {error or 'no answer'}")
            return
        server.connects += 1
        if not upstream.send(exchange):
            exchange.fail(502, f"{server.name} hung up")

    def close(self) -> None:
        """Hang up on everybody."""
        self._closing = True
        for client in tuple(self.clients):
            client.abort()
        for server in self.pool.servers:
            server.drop_idle()
            for upstream in tuple(server.under_way):
                upstream.close()


class Exchange:
    """One request under way at one server."""

    __slots__ = ("begun", "client", "message", "method", "proxy", "retried", "server")

    def __init__(
        self, proxy: Proxy, server: Server, client: Client, message: bytes, method: bytes
    ) -> None:
        self.proxy = proxy
        self.server = server
        self.client = client
        self.message = message
        self.method = method
        self.begun = False  # the client has got a part of the answer
        self.retried = False

    def may_retry(self) -> bool:
        """Nothing was answered yet, and asking twice changes nothing at the server."""
        return not self.begun and not self.retried and self.method in (b"GET", b"HEAD")

    def fail(self, status: int, why: str) -> None:
        """The server did not do its part: end here, and tell the client if that can be done."""
        self.server.current -= 1
        self.server.broken += 1
        if self.begun:  # its response is counted already, and cannot be taken back
            self.client.abort()
            return
        self.server.answered(status)
        self.client.say(status, why)

    def succeed(self) -> None:
        """The whole answer has passed."""
        self.server.current -= 1
        self.client.done()


class Upstream(asyncio.Protocol):
    """A connection to a server: one exchange at a time."""

    def __init__(self, proxy: Proxy, server: Server, address: tuple[str, int]) -> None:
        self._proxy = proxy
        self.server = server
        self._address = address
        self._transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self._buffer = b""
        self._left = 0  # bytes of the body that are still to come
        self._keep = True
        self._served = 0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, exchange: Exchange) -> bool:
        """Send a request; False when this connection is closed and nothing was sent."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        self.exchange = exchange
        self.server.under_way.add(self)
        self.server.bytes_in += len(exchange.message)
        self._watch()
        transport.write(exchange.message)
        return True

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self.close()
            return
        if not exchange.begun:
            self._buffer += data
            try:
                self._begin(exchange)
            except BadMessage as bad:
                self._give_up(bad.status, str(bad))
                return
            if not exchange.begun:
                return
        else:
            data = self._body(data)
            self._watch()
            self.server.bytes_out += len(data)
            exchange.client.write(data)
        if self._left == 0:
            self._end(exchange)

    def _begin(self, exchange: Exchange) -> None:
        """Pass the head on when it is complete, with what there is of the body."""
        while (found := framing.response(self._buffer, exchange.method)) is not None:
            rest = self._buffer[found.size :]
            self._buffer = b""
            if found.status < 200:  # "100 Continue" is no answer yet
                self._buffer = rest
                continue
            exchange.begun = True
            self._keep, self._left = found.keep, found.length
            body = self._body(rest)
            self.server.answered(found.status)
            self.server.bytes_out += found.size + len(body)
            until_close = found.length == framing.UNTIL_CLOSE
            exchange.client.answer(found.head, body, until_close=until_close)
            return

    def _body(self, data: bytes) -> bytes:
        """What of `data` belongs to the body."""
        if self._left != framing.UNTIL_CLOSE:
            if len(data) > self._left:
                self._keep = False  # more than it promised: the rest belongs to nobody
                data = data[: self._left]
            self._left -= len(data)
        return data

    def _end(self, exchange: Exchange) -> None:
        self.exchange = None
        self._served += 1
        server = self.server
        server.under_way.discard(self)
        if self._keep and self._address == (server.host, server.port):
            server.idle.append(self)
        else:
            self.close()
        exchange.succeed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        server, exchange = self.server, self.exchange
        if self in server.idle:
            server.idle.remove(self)
        server.under_way.discard(self)
        if exchange is None:
            return
        self.exchange = None
        if exchange.begun and self._left == framing.UNTIL_CLOSE and exc is None:
            exchange.succeed()
        elif self._served and not self._buffer and exchange.may_retry():
            # It was closed while idle, at the moment when it was chosen.
            exchange.retried = True
            self._proxy.connect(exchange)
        else:
            exchange.fail(502, f"{server.name} hung up")

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def shut(self) -> None:
        """Cut the request under way."""
        self._give_up(502, "an operator shut this session")

    def hold(self, on: bool) -> None:
        """The client reads slower than the server writes."""
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _give_up(self, status: int, why: str) -> None:
        exchange, self.exchange = self.exchange, None
        self.server.under_way.discard(self)
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.fail(status, why)

    def _watch(self) -> None:
        # One timer a connection that looks again, not one a request that is nearly always undone.
        self._deadline = self._proxy.loop.time() + self._proxy.patience_s
        if self._timer is None:
            self._timer = self._proxy.loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.exchange is None:
            return
        if self._proxy.loop.time() < self._deadline:
            self._timer = self._proxy.loop.call_at(self._deadline, self._look)
            return
        patience = self._proxy.patience_s
        self._give_up(504, f"{self.server.name} was silent for {patience:g} s")


class Client(asyncio.Protocol):
    """A connection of a client: its requests are answered one after the other."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._busy = False
        self._keep = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._proxy.clients.discard(self)
        upstream = self._upstream()
        if upstream is not None:
            upstream.server.client_gone += 1
            upstream.hold(on=False)  # the answer is still read, so that it is counted

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next()
        elif len(self._buffer) > framing.LONGEST_HEAD + LONGEST_BODY:
            self.abort()  # it sends on without reading answers

    def pause_writing(self) -> None:
        if (upstream := self._upstream()) is not None:
            upstream.hold(on=True)

    def resume_writing(self) -> None:
        if (upstream := self._upstream()) is not None:
            upstream.hold(on=False)

    def answer(self, head: bytes, body: bytes, *, until_close: bool = False) -> None:
        """Send an answer's head and the beginning of its body, in one write: it is one packet."""
        self._keep = self._keep and not until_close
        self.write((head if self._keep else head[:-2] + b"Connection: close\r\n\r\n") + body)

    def write(self, data: bytes) -> None:
        """Send a part of an answer."""
        if self._transport is not None:
            self._transport.write(data)

    def say(self, status: int, why: str) -> None:
        """Send an answer of the splitter's own."""
        body = f"{status} {HTTPStatus(status).phrase}: {why}\n".encode()
        self.answer(
            b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Cache-Control: no-cache\r\nContent-Length: %d\r\n\r\n"
            % (status, HTTPStatus(status).phrase.encode(), len(body)),
            body,
        )
        self.done()

    def done(self) -> None:
        """The answer is complete: hang up, or go on with the next request."""
        self._busy = False
        if self._transport is None:
            return
        if not self._keep:
            self._transport.close()
        elif self._buffer:
            self._proxy.loop.call_soon(self._resume)

    def abort(self) -> None:
        """Hang up at once, in the middle of an answer."""
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        if not self._busy and self._transport is not None:
            self._next()

    def _next(self) -> None:
        try:
            found = framing.request(self._buffer)
            if found is None:
                return
            if found.length > LONGEST_BODY:
                raise BadMessage(413, f"the body is longer than {LONGEST_BODY} bytes")
        except BadMessage as bad:
            self._busy, self._keep = True, False
            self._buffer.clear()
            self.say(bad.status, str(bad))
            return
        after = found.size + found.length
        if len(self._buffer) < after:
            return
        message = found.head + self._buffer[found.size : after]
        del self._buffer[:after]
        self._busy, self._keep = True, found.keep
        self._proxy.forward(self, message, found.method)

    def _upstream(self) -> Upstream | None:
        """Where the request under way is; searched, because it is hardly ever asked."""
        if self._busy:
            for server in self._proxy.pool.servers:
                for upstream in server.under_way:
                    if upstream.exchange is not None and upstream.exchange.client is self:
                        return upstream
        return None
