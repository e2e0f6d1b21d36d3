"""One dashboard on a websocket: a reader that takes messages in, a writer that keeps it current.

The writer follows one rule: at most one delta is unanswered. After each it sends a ping, and the
pong says that the client has read so far. So a client gets the newest text at the pace of its own
link, through whatever tunnels and their buffers, and one that has stopped reading is noticed. Only
urgent documents (who is in control, what needs people) do not wait for the pong.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

import hatchway
from hatchway.edge import protocol
from hatchway.edge.connection import Connection
from hatchway.edge.door import Guard
from hatchway.edge.health import Health
from hatchway.edge.hub import NEW, Hub, encode
from hatchway.edge.identity import Identity
from hatchway.edge.limits import Allowance
from hatchway.edge.queries.answer import Queries, answer

FLUSH_S = 0.1
"""Deltas go out at most once in each such span of the loop's clock, so that clients share them."""

BEAT_S = 1.0
STALL_S = 3.5
"""A client that has not read for this long is dropped. With BEAT_S it stays below 5 s."""

SUBSCRIBE_S = 5.0
"""A client that does not subscribe within this time is dropped."""

INVALID_DATA = 1007
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
REASON_BYTES = 120  # a close frame has room for 123


class Goodbye(Exception):
    """The connection must end, with this close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:REASON_BYTES].decode(errors="ignore")


class Stalled(Exception):
    """The client has stopped reading."""


T = TypeVar("T")

Login = Callable[[str], Identity | str]
"""Who has this token, or why nobody; for connections that did not say who they are at first."""


class Client:
    """A connection, from its first message to its last."""

    def __init__(
        self,
        socket: ServerConnection,
        who: Identity | None,
        login: Login,
        *,
        hub: Hub,
        guard: Guard,
        health: Health,
        tasks: asyncio.TaskGroup,
        queries: Queries,
    ) -> None:
        """`who` is None while the client is not known; `tasks` owns the commands in flight."""
        self._socket = socket
        self._who = who
        self._login = login
        self._hub = hub
        self._guard = guard
        self._health = health
        self._tasks = tasks
        self._queries = queries
        self._loop = asyncio.get_running_loop()
        self._allowance = Allowance()
        self._subscription: protocol.Subscribe | None = None
        self._asked_beat = False
        self._cursor = NEW
        self._wake = asyncio.Event()
        self._flush_at = 0.0
        self._beat_at = 0.0
        self._pong: asyncio.Future[float] | None = None
        self._pinged_at = 0.0

    async def serve(self) -> None:
        """Serve the client until it leaves or is dropped. Never raises because of the client."""
        try:
            await self._converse()
        except* Stalled:
            self._health.dropped("stalled")
            # A closing handshake would wait for somebody who does not read.
            self._socket.transport.abort()
        except* Goodbye as bad:
            self._health.dropped("bad")
            await self._say_goodbye(bad)
        except* ConnectionClosed:
            pass

    # --- reading --------------------------------------------------------------------------------

    async def _converse(self) -> None:
        await self._first_message()
        async with asyncio.TaskGroup() as both:
            writer = both.create_task(self._write(), name="edge writer")
            try:
                while True:
                    await self._take(await self._socket.recv(decode=False))
            finally:
                writer.cancel()

    async def _first_message(self) -> None:
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                message = self._decode(await self._socket.recv(decode=False))
        except TimeoutError:
            raise Goodbye(POLICY_VIOLATION, "say subscribe within 5 s of connecting") from None
        if isinstance(message, protocol.Refused):
            raise Goodbye(INVALID_DATA, message.why)
        if not isinstance(message, protocol.Subscribe):
            raise Goodbye(POLICY_VIOLATION, "the first message must be a subscribe")
        self._subscribe(message)

    async def _take(self, text: bytes) -> None:
        match self._decode(text):
            case protocol.Command() as command:
                await self._command(command)
            case protocol.Subscribe() as subscribe:
                if not self._allowance.ask(self._loop.time()):
                    raise Goodbye(TRY_AGAIN_LATER, "you subscribe too often; wait a second")
                self._subscribe(subscribe)
            case protocol.Query() as query if self._allowance.ask(self._loop.time()):
                self._tasks.create_task(self._tell(query), name=f"query {query.kind}")
            case protocol.Query(id=id):
                too_fast = "this connection asks faster than any person would"
                await self._send(
                    encode(protocol.Refused(id, "too_fast", too_fast, "wait a second"))
                )
            case protocol.Ping():
                if self._allowance.ask(self._loop.time()):
                    self._asked_beat = True
                    self._wake.set()
            case protocol.Refused() as refused:
                if not self._allowance.bad(self._loop.time()):
                    raise Goodbye(POLICY_VIOLATION, f"too many bad messages: {refused.why}")
                await self._send(encode(refused))

    def _decode(self, text: bytes) -> protocol.ClientMessage | protocol.Refused:
        try:
            return protocol.decode_client(text)
        except msgspec.DecodeError as trouble:
            self._health.bad_message()
            why = f"this is not a message of protocol {protocol.PROTOCOL}: {trouble}"
            return protocol.Refused(_id_in(text), "bad_message", why, "nothing was done")

    def _subscribe(self, message: protocol.Subscribe) -> None:
        if message.protocol != protocol.PROTOCOL:
            raise Goodbye(
                POLICY_VIOLATION,
                f"this backend speaks protocol {protocol.PROTOCOL}, you speak {message.protocol}; "
                "use the same hatchway",
            )
        who = self._who or self._login(message.token)
        if isinstance(who, str):
            raise Goodbye(POLICY_VIOLATION, who)
        self._stay_only_if_welcome(who)
        if isinstance(self._socket, Connection):
            self._socket.who = who  # no stranger any more
        self._who = msgspec.structs.replace(who, read_only=message.read_only)
        self._subscription = message
        self._wake.set()

    def _stay_only_if_welcome(self, who: Identity | None) -> None:
        barred = self._guard.barred(who)
        if barred:
            raise Goodbye(POLICY_VIOLATION, barred)

    async def _command(self, command: protocol.Command) -> None:
        assert self._who is not None
        busy = self._allowance.begin(command.kind, self._loop.time())
        if busy:
            self._health.answered(command.kind, "too_fast")
            refused = protocol.Refused(command.id, "too_fast", busy, "wait a second, then repeat")
            await self._send(encode(refused))
            return
        self._tasks.create_task(self._answer(command, self._who), name=f"answer {command.id}")

    async def _answer(self, command: protocol.Command, who: Identity) -> None:
        try:
            answer = await self._guard.answer(command, who)
        finally:
            self._allowance.end(command.kind)
        # If it cannot be told, it was done all the same: the client asks again by the same id.
        with contextlib.suppress(ConnectionClosed, Stalled):
            await self._send(encode(answer))

    async def _tell(self, query: protocol.Query) -> None:
        told = await answer(self._queries, query)
        with contextlib.suppress(ConnectionClosed, Stalled):
            await self._send(encode(told))

    # --- writing --------------------------------------------------------------------------------

    async def _write(self) -> None:
        unlisten = self._hub.listen(self._changed)
        try:
            while True:
                self._wake.clear()
                self._stay_only_if_welcome(self._who)
                if self._subscription is not None:
                    await self._greet(self._subscription)
                now = self._loop.time()
                if self._may_flush(now):
                    await self._flush(now)
                if now >= self._beat_at or self._asked_beat:
                    gone = self._guard.gone(self._who)
                    if gone:
                        raise Goodbye(POLICY_VIOLATION, gone)
                    await self._beat(now)
                await self._sleep()
        finally:
            unlisten()

    async def _greet(self, message: protocol.Subscribe) -> None:
        assert self._who is not None
        self._subscription = None
        hub = self._hub
        self._cursor, reset = hub.place(message.boot, message.since)
        server = f"hatchway {hatchway.__version__}"
        you, rev, now = self._who.you(), hub.rev, time.time()
        hello = protocol.Hello(protocol.PROTOCOL, server, hub.boot, you, rev, now)
        await self._send(encode(hello))
        if reset is not None:
            await self._send(encode(reset))
        await self._flush(self._loop.time())

    def _changed(self, urgent: bool) -> None:
        # Woken only by the first change since the last flush, and by urgent ones: the others
        # find the writer waiting for its time already.
        if urgent or self._cursor == self._hub.rev - 1:
            self._wake.set()

    def _may_flush(self, now: float) -> bool:
        if self._cursor == self._hub.rev:
            return False
        if self._cursor < self._hub.urgent_rev:
            return True
        return now >= self._flush_at and self._pong is None

    async def _flush(self, now: float) -> None:
        # The cursor moves before the first await: what is published while this is being sent is
        # owed afterwards, neither lost nor sent twice.
        messages = self._hub.since(self._cursor)
        self._cursor = self._hub.rev
        self._flush_at = (math.floor(now / FLUSH_S) + 1) * FLUSH_S
        for message in messages:
            await self._send(message)
        await self._ping()

    async def _beat(self, now: float) -> None:
        self._asked_beat = False
        self._beat_at = now + BEAT_S
        await self._send(encode(protocol.Beat(self._cursor, time.time())))
        await self._ping()

    async def _ping(self) -> None:
        if self._pong is not None:
            return
        self._pinged_at = self._loop.time()
        pong = cast("asyncio.Future[float]", await self._in_time(self._socket.ping()))
        self._pong = pong
        pong.add_done_callback(self._ponged)

    def _ponged(self, _: asyncio.Future[float]) -> None:
        self._pong = None
        self._wake.set()

    async def _sleep(self) -> None:
        until = self._beat_at
        if self._pong is not None:
            if self._loop.time() >= self._pinged_at + STALL_S:
                raise Stalled
            until = min(until, self._pinged_at + STALL_S)
        elif self._cursor != self._hub.rev:
            until = min(until, self._flush_at)
        timer = self._loop.call_at(until, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    # --- both -----------------------------------------------------------------------------------

    async def _send(self, text: bytes) -> None:
        await self._in_time(self._socket.send(text, text=True))

    async def _in_time(self, sending: Awaitable[T]) -> T:
        # Counted from the oldest sign of not reading, be it a full buffer or a missing pong.
        silent_since = self._loop.time() if self._pong is None else self._pinged_at
        try:
            async with asyncio.timeout_at(silent_since + STALL_S):
                return await sending
        except TimeoutError:
            raise Stalled from None

    async def _say_goodbye(self, bad: BaseExceptionGroup[Goodbye]) -> None:
        first: BaseException = bad
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        assert isinstance(first, Goodbye)
        try:
            async with asyncio.timeout(BEAT_S):
                await self._socket.close(first.code, first.reason)
        except TimeoutError:
            self._socket.transport.abort()  # it does not even read why


class _WithId(msgspec.Struct):
    id: str = ""


def _id_in(text: bytes) -> str:
    """The id of a message that makes no sense otherwise, so that its sender learns of its fate."""
    try:
        return msgspec.json.decode(text, type=_WithId).id[:128]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
