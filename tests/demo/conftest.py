"""Short directories, and a splitter with two servers behind it, all in this process."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hatchway.demo.arms import Pool, Server
from hatchway.demo.proxy import Proxy

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose sockets have short paths."""
    path = Path(tempfile.mkdtemp(prefix="hwd-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Backend:
    """A server behind the splitter. `behave` answers one request; it can be changed."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.behave: Behaviour = self.well
        self.port = 0
        self._server: asyncio.Server | None = None

    async def well(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.bodies.append(await reader.readexactly(length))
                await self.behave(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Stand:
    """A splitter, its two servers, and a way to ask."""

    def __init__(self, proxy: Proxy, port: int, stable: Backend, canary: Backend) -> None:
        self.proxy = proxy
        self.pool = proxy.pool
        self.port = port
        self.backends = {"stable": stable, "canary": canary}
        self.stable, self.canary = self.pool.servers

    def weigh(self, stable: int, canary: int) -> None:
        self.pool.weigh(self.canary, canary)
        self.pool.weigh(self.stable, stable)

    async def raw(self, text: bytes) -> bytes:
        """Send bytes, say that this was all, and read to the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer

    async def get(self, path: str = "/") -> int:
        """The status of one request on a connection of its own."""
        answer = await self.raw(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """A splitter that has patience for 0.3 s, both arms at weight 50."""
    stable, canary = Backend(), Backend()
    await stable.start()
    await canary.start()
    servers = [
        Server("stable", 1, "127.0.0.1", stable.port, initial_weight=50),
        Server("canary", 2, "127.0.0.1", canary.port, initial_weight=50),
    ]
    async with asyncio.TaskGroup() as tasks:
        proxy = Proxy(Pool("be", servers), tasks, patience_s=0.3)
        loop = asyncio.get_running_loop()
        front = await loop.create_server(proxy.client, "127.0.0.1", 0)
        yield Stand(proxy, front.sockets[0].getsockname()[1], stable, canary)
        front.close()
        proxy.close()
        await stable.stop()
        await canary.stop()
