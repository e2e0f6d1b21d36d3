"""An edge on real sockets, a door that remembers, and a dashboard that mirrors."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect

from hatchway.core.plan import Installation, Person
from hatchway.edge import protocol
from hatchway.edge.door import Answer, OrderRequest, StartRequest
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.identity import Identity
from hatchway.edge.server import Listening, serve

PATIENCE_S = 30.0


class NoteDoor:
    """A backend that notes what it was asked. The same id gets the same answer.

    `hold` maps a kind to an event that its commands wait for; `fail` holds kinds that raise.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[protocol.Command | StartRequest, Identity]] = []
        self.done: list[str] = []
        self.hold: dict[str, asyncio.Event] = {}
        self.fail: set[str] = set()
        self._answers: dict[str, Answer] = {}

    async def command(self, command: protocol.Command, who: Identity) -> Answer:
        return await self._do(command, command.kind, who)

    async def start(self, request: StartRequest, who: Identity) -> Answer:
        return await self._do(request, "start", who)

    async def order(self, request: OrderRequest, who: Identity) -> Answer:
        return await self._do(request, request.kind, who)

    async def _do(self, request: Any, kind: str, who: Identity) -> Answer:
        self.asked.append((request, who))
        if kind in self.fail:
            raise OSError("the disk is full")
        if kind in self.hold:
            await self.hold[kind].wait()
        if request.id not in self._answers:
            self.done.append(request.id)
            seq = len(self.done)
            self._answers[request.id] = protocol.Ack(request.id, seq, f"{kind} by {who.name}")
        return self._answers[request.id]


class Dashboard:
    """Mirrors the documents as a real dashboard must, and fails on a gap in the deltas."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.docs: dict[str, Any] = {}
        self.rev = -1
        self.hello: protocol.Hello | None = None
        self.seen: list[protocol.ServerMessage] = []
        self.answers: dict[str, Any] = {}

    async def say(self, message: protocol.ClientMessage) -> None:
        await self.socket.send(protocol.encode(message), text=True)

    async def hear(self) -> protocol.ServerMessage:
        message = protocol.decode_server(await self.socket.recv(decode=False))
        self.seen.append(message)
        match message:
            case protocol.Hello():
                self.hello = message
            case protocol.Snapshot():
                self.docs = {k: msgspec.json.decode(v) for k, v in message.docs.items()}
                self.rev = message.rev
            case protocol.Delta():
                assert message.from_rev == self.rev, "a gap"
                for key in message.gone:
                    self.docs.pop(key, None)
                self.docs.update({k: msgspec.json.decode(v) for k, v in message.set.items()})
                self.rev = message.to_rev
            case protocol.Ack() | protocol.Refused() | protocol.Told():
                self.answers[message.id] = message
        return message

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await self.hear()

    async def subscribe(self, **fields: Any) -> protocol.Hello:
        self.hello = None
        await self.say(protocol.Subscribe(**fields))
        await self.until(lambda: self.hello)
        assert self.hello is not None
        if not fields.get("boot"):
            await self.until(lambda: self.rev >= 0)
        return self.hello

    async def ask(self, id: str, kind: Any, **fields: Any) -> Answer:
        await self.say(protocol.Command(id, kind, **fields))
        await self.until(lambda: id in self.answers)
        return self.answers[id]


class OpenEdge:
    """A serving edge and all its parts."""

    def __init__(self, hub: Hub, door: NoteDoor, health: Health, listening: Listening) -> None:
        self.hub = hub
        self.door = door
        self.health = health
        self.listening = listening

    @contextlib.asynccontextmanager
    async def dashboard(self, **subscribe: Any) -> AsyncIterator[Dashboard]:
        async with self.connection() as socket:
            dashboard = Dashboard(socket)
            await dashboard.subscribe(**subscribe)
            yield dashboard

    def connection(self, **options: Any) -> unix_connect:
        return unix_connect(str(self.listening.backend), **options)

    def tcp_connection(self, **options: Any) -> connect:
        assert self.listening.tcp is not None
        host, port = self.listening.tcp
        return connect(f"ws://{host}:{port}/", **options)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A state directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="hw-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def open_edge(directory: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[OpenEdge]]:
    """Opens an edge in `directory`: `async with open_edge(everyone=("viewer",)) as edge`."""

    @contextlib.asynccontextmanager
    async def opened(
        *,
        people: tuple[Person, ...] = (),
        everyone: tuple[str, ...] = ("operator", "approver"),
        listen: str = "",
        token_file: str = "",
        boot: str = "boot-1",
        tls: tuple[str, str] = ("", ""),
        **options: Any,
    ) -> AsyncIterator[OpenEdge]:
        installation = Installation(
            environment="prod",
            name="test",
            services=(),
            people=people,
            everyone=everyone,
            listen=listen,
            token_file=token_file,
            tls_cert=tls[0],
            tls_key=tls[1],
        )
        hub, door, health = Hub(boot), NoteDoor(), Health()
        async with serve(
            directory, installation, hub=hub, door=door, health=health, **options
        ) as listening:
            yield OpenEdge(hub, door, health, listening)

    return opened


@pytest.fixture
async def edge(open_edge: Any) -> AsyncIterator[OpenEdge]:
    """An edge where everybody may do everything that people may."""
    async with open_edge() as opened:
        yield opened


@pytest.fixture
def mirror() -> type[Dashboard]:
    """The class of mirroring dashboards."""
    return Dashboard
