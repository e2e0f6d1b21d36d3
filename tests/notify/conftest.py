"""Whom a notice goes to in the tests: a command, a web server, and one that only remembers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.notify.command import CommandNotifier
from hatchway.notify.port import Notice
from hatchway.notify.webhook import WebhookNotifier

TIMEOUT_S = 1.0

SCRIPT = r"""#!/bin/sh
case "$(cat how)" in
well) cat >> received ;;
fails) echo "pager is out of paper" >&2; exit 3 ;;
hangs) sleep 60 & echo $! > child; sleep 60 ;;
chatters) head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; cat >> received ;;
deaf) exit 0 ;;
leaves) cat >> received; sleep 60 & echo $! > child ;;
garbage) head -c 3000 /dev/urandom >&2; kill -9 $$ ;;
esac
"""


class ByCommand:
    """The other end of a command."""

    def __init__(self, directory: Path) -> None:
        self.d = directory
        script = directory / "pager.sh"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        self.notifier = CommandNotifier(
            "pager", ("./pager.sh",), timeout_s=TIMEOUT_S, directory=directory
        )
        self.behave("well")

    def behave(self, how: str) -> None:
        (self.d / "how").write_text(how)

    def received(self) -> list[dict[str, Any]]:
        path = self.d / "received"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    async def close(self) -> None:
        pass


class ByWeb:
    """The other end of a webhook."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.how = "well"
        self.heads: list[str] = []
        self.bodies: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/hook?a=b"
        self.notifier = WebhookNotifier(
            "hook",
            self.url,
            timeout_s=TIMEOUT_S,
            shape=self.shape,  # type: ignore[arg-type]
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1])
                for line in head.splitlines()
                if line.lower().startswith("content-length")
            )
            body = json.loads(await reader.readexactly(length))
            match self.how:
                case "fails":
                    writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
                case "garbage":
                    writer.write(b"\x00\xff not http at all\r\n\r\n")
                case "deaf":
                    return
                case "hangs":
                    await asyncio.sleep(3600)
                case "redirects":
                    writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://evil/\r\n\r\n")
                case _:
                    self.heads.append(head)
                    self.bodies.append(body)
                    endless = b"x" * 100 if self.how == "chatters" else b""
                    writer.write(b"HTTP/1.1 202 Accepted\r\n\r\n" + endless)
            await writer.drain()

    def behave(self, how: str) -> None:
        self.how = how

    def received(self) -> list[dict[str, Any]]:
        return [
            body[0]["annotations"]
            | body[0]["labels"]
            | {"title": body[0]["annotations"]["summary"]}
            if self.shape == "alertmanager"
            else body
            for body in self.bodies
        ]

    async def close(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0.01)  # transports close a round later


@pytest.fixture(params=["command", "json", "alertmanager"])
async def end(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    made: ByCommand | ByWeb
    if request.param == "command":
        made = ByCommand(tmp_path)
    else:
        made = ByWeb(request.param)
        await made.open()
    yield made
    await made.close()


@pytest.fixture
async def web() -> AsyncIterator[ByWeb]:
    made = ByWeb("json")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def notice() -> Callable[..., Notice]:
    def make(**fields: Any) -> Notice:
        fields = {"id": "7.0", "key": "7.0", "kind": "held", "at": 1000.5, **fields}
        return Notice(**{"severity": "page", "title": "shop run 1 is held", **fields})

    return make


async def until(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := check()):
            await asyncio.sleep(0.005)
        return found


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until
