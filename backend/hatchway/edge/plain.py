"""The command socket: one JSON object a line each way, for the command line and for scripts.

Same people, same rights and same door as the dashboards' socket, without a websocket to speak.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any, Literal, get_args

import msgspec

from hatchway.edge import protocol
from hatchway.edge.door import (
    DrillReport,
    Guard,
    OrderKind,
    OrderRequest,
    Request,
    StartRequest,
    kind_of,
)
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub, encode
from hatchway.edge.identity import Identity, People, peer_uid
from hatchway.edge.limits import Allowance, Seats
from hatchway.edge.queries.answer import Queries, answer

log = logging.getLogger("hatchway.edge")

LINE_MAX = 64 * 1024
"""The longest line that is read, in bytes."""

IDLE_S = 30.0
"""A connection that does not finish a line within this time is closed."""

SLOW_S = 5.0
"""A client that does not read its answer within this time is cut off."""

CLIENTS_MAX = 400
CLIENTS_EACH = 100
"""Connections at a time, in all and of one person."""

_COMMANDS = get_args(protocol.CommandKind)
_ORDERS = get_args(OrderKind)
_OPS = (*_COMMANDS, "start", "drill", *_ORDERS, "status", "ping", "query")


class Line(msgspec.Struct, frozen=True):
    """What can be in a line; `op` says which of the others matter."""

    op: str
    id: str = ""
    service: str = ""
    item: str = ""
    reason: str = ""
    expect_epoch: int = -1
    expect_version: int = -1
    max_weight: int = 100
    not_before: float = 0.0
    signed: str = ""
    signature: str = ""
    verdict: str = ""
    commit: str = ""
    base: str = ""
    mode: Literal["act", "recommend"] = "recommend"
    pace: float = 1.0
    evidence: str = ""
    at_most: float = 0.0
    for_s: float = 0.0
    ticket: str = ""


_line = msgspec.json.Decoder(Line)


class PlainServer:
    """Serves the command socket."""

    def __init__(
        self,
        *,
        hub: Hub,
        guard: Guard,
        people: People,
        health: Health,
        queries: Queries = MappingProxyType({}),
    ) -> None:
        self._queries = queries
        self._hub = hub
        self._guard = guard
        self._people = people
        self._health = health
        self._seats = Seats(CLIENTS_MAX, CLIENTS_EACH)
        self._connections: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve connections of a listening Unix socket until the block is left."""
        async with asyncio.TaskGroup() as group:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = group.create_task(self._connection(reader, writer), name="command client")
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)

            server = await asyncio.start_unix_server(connected, sock=listener, limit=LINE_MAX)
            try:
                yield
            finally:
                server.close()
                for task in self._connections:
                    task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._health.joined("command")
        try:
            who = await self._people.behind(peer_uid(writer.get_extra_info("socket")))
            full = self._seats.why_full(who.name)
            if full:
                await _say(writer, _refusal("too_many", full, "close some, or use --direct"))
                return
            with self._seats.taken(who.name):
                await self._converse(reader, writer, who)
        except TimeoutError:
            self._health.dropped("slow")
        except ConnectionError:
            pass  # it left
        except Exception:
            # One client must not take the others along.
            log.exception("a client of the command socket failed")
        finally:
            self._health.left("command")
            await _close(writer)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: Identity
    ) -> None:
        allowance = Allowance()
        clock = asyncio.get_running_loop().time
        more = True
        while more:
            try:
                async with asyncio.timeout(IDLE_S):
                    text = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as last:
                if not last.partial.strip():
                    return
                text, more = last.partial, False  # a last line without its newline is a line
            except asyncio.LimitOverrunError:
                self._health.bad_message()
                why = f"a line has at most {LINE_MAX} bytes"
                await _say(writer, _refusal("bad_request", why, "send a shorter one"))
                return
            try:
                line = _line.decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as trouble:
                self._health.bad_message()
                why = f"this is not a request: {trouble}"
                more = more and allowance.bad(clock())
                await _say(writer, _refusal("bad_request", why, 'send {"op": "ping"}'))
                continue
            await _say(writer, await self._answer(line, who, allowance))

    async def _told(self, line: Line) -> dict[str, Any]:
        """The answer to a query, as dashboards ask them: `item` is its kind, `service` what about."""
        found = await answer(self._queries, protocol.Query(line.id, line.item, line.service))
        if isinstance(found, protocol.Refused):
            return _refusal(found.code, found.why, found.todo, found.id)
        return {"ok": True, "kind": found.kind, "about": found.about, "doc": found.doc}

    async def _answer(self, line: Line, who: Identity, allowance: Allowance) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        barred = self._guard.barred(who)
        if barred:
            todo = "a person lets agents in again: hatchway resume --agents --reason ..."
            return _refusal("agents_stopped", barred, todo, line.id)
        if line.op in ("ping", "status", "query"):
            if not allowance.ask(now):
                return _refusal("too_fast", "this connection asks too often", "wait a second")
            if line.op == "ping":
                return {"ok": True}
            if line.op == "query":
                return await self._told(line)
            return {"ok": True, "docs": self._hub.documents(), "you": who.you()}
        request = _request(line)
        if request is None:
            self._health.bad_message()
            return _refusal("bad_request", f"there is no op {line.op!r}", f"use {', '.join(_OPS)}")
        kind = kind_of(request)
        busy = allowance.begin(kind, now)
        if busy:
            self._health.answered(kind, "too_fast")
            return _refusal("too_fast", busy, "wait a second, then repeat", line.id)
        try:
            answer = await self._guard.answer(request, who)
        finally:
            allowance.end(kind)
        if isinstance(answer, protocol.Refused):
            return _refusal(answer.code, answer.why, answer.todo, answer.id)
        return {"ok": True, "id": answer.id, "seq": answer.seq, "said": answer.said}


def _request(line: Line) -> Request | None:
    if line.op == "start":
        return StartRequest(
            id=line.id,
            service=line.service,
            commit=line.commit,
            base=line.base,
            mode=line.mode,
            pace=line.pace,
        )
    if line.op == "drill":
        return DrillReport(id=line.id, evidence=line.evidence)
    for order in _ORDERS:
        if order == line.op:
            return OrderRequest(
                id=line.id,
                kind=order,
                service=line.service,
                item=line.item,
                at_most=line.at_most,
                for_s=line.for_s,
                ticket=line.ticket,
                reason=line.reason,
            )
    for kind in _COMMANDS:
        if kind == line.op:
            return protocol.Command(
                id=line.id,
                kind=kind,
                service=line.service,
                item=line.item,
                reason=line.reason,
                expect_epoch=line.expect_epoch,
                expect_version=line.expect_version,
                max_weight=line.max_weight,
                not_before=line.not_before,
                signed=line.signed,
                signature=line.signature,
                verdict=line.verdict,
            )
    return None


def _refusal(code: str, why: str, todo: str, id: str = "") -> dict[str, Any]:
    return {"ok": False, "id": id, "code": code, "why": why, "todo": todo}


async def _say(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(encode(answer) + b"\n")
    async with asyncio.timeout(SLOW_S):
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    try:
        writer.close()
        async with asyncio.timeout(SLOW_S):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError):
        pass
    finally:
        # What is left unread must not keep the descriptor open for ever.
        writer.transport.abort()
