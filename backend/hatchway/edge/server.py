"""The edge: opens the sockets, says who may come in, and closes everything in order.

    async with serve(directory, installation, hub=hub, door=door, health=health) as edge:
        ...  # hub.publish(...) as things change

Dashboards come to DIR/backend.sock (websockets; also /healthz and /metrics over HTTP) and, if
`listen` is set, to a loopback TCP port; the command line comes to DIR/command.sock.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.http11 import Request, Response

from hatchway.core.plan import Installation
from hatchway.edge.client import Client, Login
from hatchway.edge.connection import Connection
from hatchway.edge.door import ANSWER_S, Door, Guard, Note
from hatchway.edge.health import CONTENT_TYPE, Health, page
from hatchway.edge.hub import Hub
from hatchway.edge.identity import Identity, People, peer_uid
from hatchway.edge.limits import Seats
from hatchway.edge.plain import PlainServer
from hatchway.edge.queries.answer import Queries
from hatchway.edge.sockets import tcp_listener, unix_listener
from hatchway.edge.tls import Certificate
from hatchway.edge.tokens import UNKNOWN, TokenFileError, Tokens

log = logging.getLogger("hatchway.edge")
wire = log.getChild("wire")
wire.setLevel(logging.WARNING)  # a line for each connection is too much with a scrape every second

SOCKET_MODE = 0o660
MESSAGE_MAX = 64 * 1024
"""The longest message of a client, in bytes."""

OPEN_S = 3.0
"""How long an opening handshake may take, in seconds; also bounds how long closing takes."""

CLOSE_S = 1.0
"""How long a client may take to answer a close, in seconds."""

CLIENTS_MAX = 400
CLIENTS_EACH = 200
"""Dashboards at a time, in all and of one person."""

FINISH_S = 5.0
"""How long commands may take to finish when the edge closes, in seconds."""


class Listening(msgspec.Struct, frozen=True):
    """Where the edge listens. `tcp` is (address, port), or None when it does not listen there."""

    backend: Path
    command: Path
    tcp: tuple[str, int] | None = None


@contextlib.asynccontextmanager
async def serve(
    directory: Path,
    installation: Installation,
    *,
    hub: Hub,
    door: Door,
    health: Health,
    answer_s: float = ANSWER_S,
    agents_stopped: Callable[[], str] = lambda: "",
    note: Note | None = None,
    queries: Queries = MappingProxyType({}),
) -> AsyncIterator[Listening]:
    """Serve dashboards and the command line until the block is left.

    While `agents_stopped` says why (STOP ALL), the credentials of agents are void. `note` journals
    who was turned away. `queries` answer what dashboards ask beyond the documents.

    Raises ListenError or TokenFileError, with nothing left open, when it may not or cannot listen.
    A command that is being done when the block is left has `FINISH_S` to finish. What the block
    raises comes out in an ExceptionGroup, as from any task group.
    """
    listening = Listening(directory / "backend.sock", directory / "command.sock")
    with contextlib.ExitStack() as listeners:
        # Everything that can be refused is refused before anybody is served.
        unix = listeners.enter_context(unix_listener(listening.backend, SOCKET_MODE))
        plain = listeners.enter_context(unix_listener(listening.command, SOCKET_MODE))
        tcp, tokens, certificate = None, None, None
        people = People(installation)
        if installation.listen:
            tokens = _tokens(directory, installation, people)
            if installation.tls_cert:
                cert, key = directory / installation.tls_cert, directory / installation.tls_key
                certificate = Certificate(cert, key)
            tls = certificate is not None
            tcp = listeners.enter_context(tcp_listener(installation.listen, tls=tls))
            host, port, *_ = tcp.getsockname()
            listening = msgspec.structs.replace(listening, tcp=(host, port))
        async with asyncio.TaskGroup() as tasks:
            guard = Guard(door, health, tasks, answer_s, agents_stopped, tokens, note)
            lag = tasks.create_task(health.watch_loop(), name="edge loop lag")
            unwatch = hub.listen(lambda _: setattr(health, "rev", hub.rev))
            room = Room(hub, guard, health, tasks, queries)
            command_line = PlainServer(
                hub=hub, guard=guard, people=people, health=health, queries=queries
            )
            try:
                async with contextlib.AsyncExitStack() as servers:
                    await servers.enter_async_context(command_line.serve(plain))
                    await servers.enter_async_context(UnixFront(room, people).open(unix))
                    if tcp is not None and tokens is not None:
                        front = TcpFront(room, tokens, tcp, certificate)
                        await servers.enter_async_context(front.open(tcp))
                    if certificate is not None:
                        renewing = tasks.create_task(certificate.renew(), name="certificate")
                        servers.callback(renewing.cancel)
                    yield listening
            finally:
                unwatch()
                lag.cancel()
                # Also when the block was cancelled: the group would cut a pause short otherwise.
                await guard.finish(FINISH_S)


def _tokens(directory: Path, installation: Installation, people: People) -> Tokens:
    if not installation.token_file:
        raise TokenFileError(
            "listen is set but token_file is not, so nobody could say who they are; set token_file "
            "in hatchway.yaml"
        )
    tokens = Tokens(directory / installation.token_file, people, installation.environment)
    tokens.check()
    return tokens


class Room:
    """What all dashboards share, and how many of them there are."""

    def __init__(
        self, hub: Hub, guard: Guard, health: Health, tasks: asyncio.TaskGroup, queries: Queries
    ) -> None:
        self.queries = queries
        self.hub = hub
        self.guard = guard
        self.health = health
        self.tasks = tasks
        self.seats = Seats(CLIENTS_MAX, CLIENTS_EACH)

    async def serve(self, socket: Connection, login: Login, kind: str) -> None:
        """Serve one dashboard until it leaves. `kind` is "unix" or "tcp"."""
        with self.seats.taken(name_of(socket)):
            self.health.joined(kind)
            try:
                client = Client(
                    socket,
                    socket.who,
                    login,
                    hub=self.hub,
                    guard=self.guard,
                    health=self.health,
                    tasks=self.tasks,
                    queries=self.queries,
                )
                await client.serve()
            finally:
                if socket.flooded:
                    self.health.dropped("flood")
                self.health.left(kind)


def name_of(socket: Connection) -> str:
    """Whose seat a connection takes; those that are not known yet share the name ""."""
    return socket.who.name if socket.who is not None else ""


class _Front(abc.ABC):
    """One listening socket of dashboards, and the HTTP requests that come there."""

    kind = ""
    compression: str | None = None
    tls: ssl.SSLContext | None = None

    def __init__(self, room: Room) -> None:
        self._room = room

    @contextlib.asynccontextmanager
    async def open(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve until the block is left; clients are then told 1001, going away."""
        async with serve_websockets(
            self._handle,
            sock=listener,
            unix=listener.family == socket.AF_UNIX,
            process_request=self._process,
            create_connection=Connection,
            compression=self.compression,
            server_header=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=None,  # the client's writer pings, and looks for the pong
            max_size=MESSAGE_MAX,
            logger=wire,
            ssl=self.tls,
            ssl_handshake_timeout=OPEN_S if self.tls is not None else None,
        ):
            yield

    async def _handle(self, socket: ServerConnection) -> None:
        assert isinstance(socket, Connection)
        await self._room.serve(socket, self._login, self.kind)

    async def _process(self, socket: ServerConnection, request: Request) -> Response | None:
        assert isinstance(socket, Connection)
        if request.headers.get_all("Origin"):
            self._room.health.turn_away("browser")
            return socket.respond(HTTPStatus.FORBIDDEN, "browsers are not served here\n")
        return await self._admit(socket, request) or await self._page(socket, request)

    async def _page(self, socket: Connection, request: Request) -> Response | None:
        health = self._room.health
        match request.path:
            case "/" | "/ws":
                full = self._room.seats.why_full(name_of(socket))
                if full:
                    self._room.health.turn_away("full")
                    return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{full}\n")
                return None
            case "/healthz":
                well, words = health.report()
                status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
                return socket.respond(status, words)
            case "/metrics" if self._may_scrape(socket):
                # In a thread: the first time it imports, and stops should not wait for that.
                text = await asyncio.to_thread(page, health.samples())
                response = socket.respond(HTTPStatus.OK, text.decode())
                del response.headers["Content-Type"]
                response.headers["Content-Type"] = CONTENT_TYPE
                return response
            case "/metrics":
                return _unauthorized(socket)
        return socket.respond(HTTPStatus.NOT_FOUND, "here are /, /healthz and /metrics\n")

    @abc.abstractmethod
    async def _admit(self, socket: Connection, request: Request) -> Response | None:
        """Set `socket.who` if it can be known by now; an answer ends the connection."""

    def _may_scrape(self, socket: Connection) -> bool:
        return socket.who is not None

    def _login(self, token: str) -> Identity | str:
        return UNKNOWN


class UnixFront(_Front):
    """Dashboards of this machine (or through ssh -L): the kernel says whose they are."""

    kind = "unix"

    def __init__(self, room: Room, people: People) -> None:
        super().__init__(room)
        self._people = people

    async def _admit(self, socket: Connection, request: Request) -> Response | None:
        uid = peer_uid(socket.transport.get_extra_info("socket"))
        socket.who = await self._people.behind(uid)
        return None


class TcpFront(_Front):
    """Dashboards over TCP, with TLS or on loopback: a token says whose they are."""

    kind = "tcp"
    compression = "deflate"

    def __init__(
        self,
        room: Room,
        tokens: Tokens,
        listener: socket.socket,
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__(room)
        self._tokens = tokens
        self.tls = certificate.context if certificate is not None else None
        host, port, *_ = listener.getsockname()
        names = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host}
        self._hosts = {f"{name}:{port}" for name in names}

    async def _admit(self, socket: Connection, request: Request) -> Response | None:
        # A web page can make a browser connect here under a name of its own (DNS rebinding), but
        # it cannot make it say another Host than that name. (With TLS, that name would have to be
        # in our certificate.)
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1 or (self.tls is None and hosts[0].lower() not in self._hosts):
            self._room.health.turn_away("host")
            return socket.respond(HTTPStatus.MISDIRECTED_REQUEST, "this is not that host\n")
        given = request.headers.get_all("Authorization")
        if not given:
            return None  # it may come with the subscription
        scheme, _, token = given[0].partition(" ")
        if len(given) == 1 and scheme.lower() == "bearer":
            found = self._login(token.strip())
            if not isinstance(found, str):
                socket.who = found
                return None
            self._room.health.turn_away("token")
            return _unauthorized(socket, found)
        self._room.health.turn_away("token")
        return _unauthorized(socket)

    def _login(self, token: str) -> Identity | str:
        try:
            who = self._tokens.login(token)
            # A void credential is one that is not known, also for the metrics page.
            return (self._room.guard.barred(who) if isinstance(who, Identity) else "") or who
        except TokenFileError as trouble:
            log.error("nobody can come in over TCP: %s", trouble)
            return "the backend cannot read its token file; its log says more"


def _unauthorized(socket: Connection, why: str = "") -> Response:
    needs = "this needs a token: Authorization: Bearer TOKEN, with one of the token file"
    response = socket.respond(HTTPStatus.UNAUTHORIZED, f"{why or needs}\n")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
