"""`hatchway tui --serve`: the dashboard in a real browser, for whoever has its address, and no process stays.

Chromium is driven by the DevTools protocol over a websocket, as picture.py starts it.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hatchway_tui.serve import Refused, address_of

FIND_THE_TERMINAL = """
Object.defineProperty(Object.prototype, '_terminal', {configurable: true, set(value) {
  if (value && value.buffer) window.shown = value;
  Object.defineProperty(this, '_terminal', {value, writable: true, configurable: true});
}});
"""
"""xterm.js has its screen in an object of its own: an add-on of it is given it under this name."""
THE_WORDS = """
(() => { const b = window.shown && window.shown.buffer.active; let t = document.getElementById('who').innerText;
for (let i = 0; b && i < b.length; i++) t += '\\n' + b.getLine(i).translateToString(true); return t; })()
"""


def children_of(pid: int) -> list[int]:
    """The processes below one, and below those."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(each.name))
    below = parents.get(pid, [])
    return below + [one for child in below for one in children_of(child)]


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(true: Callable[[], Any], what: str, seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


@contextmanager
def served(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server's process and its address."""
    command = [
        sys.executable,
        "-m",
        "hatchway",
        "tui",
        "--dir",
        str(directory),
        "--serve",
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:\d+/[\w-]{32}/$", line)
        assert found, line + (process.stderr.read() if process.stderr and not line else "")
        yield process, found[0]
    finally:
        below = children_of(process.pid)
        process.kill()
        process.communicate()
        for pid in below:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._next = socket, 0

    async def call(self, method: str, session: str = "", **params: Any) -> Any:
        self._next += 1
        call = {"id": self._next, "method": method, "params": params}
        await self._socket.send(json.dumps(call | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(40):
            while True:
                answer = json.loads(await self._socket.recv())
                if answer.get("id") == self._next:
                    assert "error" not in answer, answer
                    return answer["result"]

    async def open(self, address: str) -> tuple[str, str]:
        """A page; its target and its session."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))[
            "sessionId"
        ]
        await self.call("Page.enable", session)
        await self.call("Page.addScriptToEvaluateOnNewDocument", session, source=FIND_THE_TERMINAL)
        await self.call("Page.navigate", session, url=address)
        return target, session

    async def words(self, session: str) -> str:
        found = await self.call("Runtime.evaluate", session, expression=THE_WORDS)
        return str(found["result"].get("value", ""))

    async def see(self, session: str, *parts: str) -> str:
        end = time.monotonic() + 60
        while True:
            text = await self.words(session)
            if all(part in text for part in parts):
                return text
            assert time.monotonic() < end, f"not on the page: {parts}\n{text}"
            await asyncio.sleep(0.1)

    async def press(self, session: str, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", session, type=kind, key=key, **text)


@asynccontextmanager
async def chromium(room: Path) -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: .ci/run names its package"
    process = subprocess.Popen(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--remote-debugging-port=0", f"--user-data-dir={room / 'profile'}", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        said = room / "profile" / "DevToolsActivePort"
        await until(lambda: said.exists() and len(said.read_text().split()) == 2, "chromium starts")
        port, path = said.read_text().split()
        async with connect(
            f"ws://127.0.0.1:{port}{path}", max_size=2**24, compression=None
        ) as socket:
            yield Browser(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def test_a_page_shows_the_dashboard_p_pauses_the_real_backend_and_no_process_stays(
    waiting: Any, tmp_path: Path
) -> None:
    with served(waiting.d, "127.0.0.1:0", "--allow-acting") as (server, address):
        async with chromium(tmp_path) as browser:
            target, session = await browser.open(address)
            text = await browser.see(session, "DATA LIVE", "PAUSE AGENT", "CONTROL")
            assert "KEYS ACT: whoever has this page open acts as" in text
            (child,) = children_of(server.pid)
            if out := os.environ.get("HATCHWAY_PAGE_PNG"):  # for people who want to look at it
                shot = await browser.call("Page.captureScreenshot", session)
                Path(out).write_bytes(base64.b64decode(shot["data"]))
            await browser.press(session, "p")
            await browser.see(session, "CONTROL  PAUSED")
            (authority,) = (d for key, d in waiting.docs().items() if key.startswith("authority/"))
            assert authority["mode"] == "paused"
            await browser.call("Target.closeTarget", targetId=target)
            await until(lambda: not alive(child), "the closed page's process ends", 8)
            assert children_of(server.pid) == []
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


# --- the same without a browser: what a page's script says over its websocket ------------------


@asynccontextmanager
async def page(address: str, **headers: str) -> AsyncIterator[Any]:
    parts = urlsplit(address)
    origin = headers.pop("origin", f"http://{parts.netloc}")
    where = f"ws://{parts.netloc}{parts.path}ws?width=80&height=24"
    async with connect(
        where, origin=origin or None, additional_headers=headers, compression=None
    ) as socket:  # type: ignore[arg-type]
        yield socket


async def reads(socket: Any, part: str) -> str:
    """What the terminal was sent, until a part is in it."""
    text = ""
    async with asyncio.timeout(40):
        while part not in text:
            text += (await socket.recv()).decode("utf-8", "replace")
    return text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_when_the_server_ends_in_any_way_no_dashboard_stays(
    tmp_path: Path, number: int
) -> None:
    with served(tmp_path, "127.0.0.1:0") as (server, address):
        async with page(address) as socket:
            await reads(socket, "READ-ONLY")  # keys act only where that was asked for
            below = children_of(server.pid)
            assert len(below) == 1
            server.send_signal(number)
            assert server.wait(15) == (-9 if number == signal.SIGKILL else 0)
            await until(lambda: not any(map(alive, below)), "its dashboard ends", 8)


async def test_a_page_that_is_left_ends_its_own_dashboard_and_no_other(tmp_path: Path) -> None:
    with served(tmp_path, "127.0.0.1:0") as (server, address):
        async with page(address) as first:
            await reads(first, "CONTROL")
            (stays,) = children_of(server.pid)
            async with page(address) as second:
                await reads(second, "CONTROL")
                (goes,) = set(children_of(server.pid)) - {stays}
                await second.send(json.dumps(["stdin", "q"]))
                with pytest.raises(ConnectionClosed):
                    await reads(second, "what never comes")
            await until(lambda: not alive(goes), "the page that was left", 8)
            async with page(address) as third:
                await reads(third, "CONTROL")
                (closed,) = set(children_of(server.pid)) - {stays}
            await until(lambda: not alive(closed), "the page that was closed", 8)
            for bad in (
                "",
                "[",
                "[]",
                "7",
                '["stdin"]',
                '["resize", {"width": 1e999}]',
                "[" * 9000,
            ):
                await first.send(bad)
            await first.send(json.dumps(["resize", {"width": 100, "height": 30}]))
            await first.send(json.dumps(["ping", "1"]))
            assert alive(stays)
            while not isinstance(answer := await first.recv(), str):
                pass
            assert json.loads(answer) == ["pong", "1"]


async def test_only_the_page_itself_may_open_a_terminal(tmp_path: Path) -> None:
    """Another page in the same browser, a name that an attacker points here, a wrong key."""
    with served(tmp_path, "127.0.0.1:0") as (server, address):
        parts = urlsplit(address)
        for origin in (
            "",
            "null",
            "https://evil.example",
            "http://127.0.0.1:1",
            f"https://{parts.netloc}",
        ):
            with pytest.raises(InvalidStatus, match="403"):
                async with page(address, origin=origin):
                    pass
        with pytest.raises(InvalidStatus, match="404"):
            async with page(f"http://{parts.netloc}/{'x' * 32}/", origin=f"http://{parts.netloc}"):
                pass
        for path, host, status in (
            (parts.path, parts.netloc, 200),
            (parts.path, f"localhost:{parts.port}", 200),
            (parts.path, f"evil.example:{parts.port}", 421),
            (parts.path, "", 421),
            ("/", parts.netloc, 404),
            (f"{parts.path}../../etc/passwd", parts.netloc, 404),
            (f"{parts.path}textual.js", parts.netloc, 200),
        ):
            assert got(parts.port, path, host)[0] == status, (path, host)
        assert children_of(server.pid) == []


def got(port: Any, path: str, host: str) -> tuple[int, str, dict[str, str]]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.putrequest("GET", path, skip_host=True)
    line.putheader("Host", host)
    line.endheaders()
    answer = line.getresponse()
    text = answer.read().decode("utf-8", "replace")
    line.close()
    return answer.status, text, dict(answer.headers)


def test_the_page_loads_nothing_from_elsewhere_and_says_whose_hands_it_is(tmp_path: Path) -> None:
    with served(tmp_path, "127.0.0.1:0") as (_, address):
        parts = urlsplit(address)
        _, text, headers = got(parts.port, parts.path, parts.netloc)
        assert "READ-ONLY, seen as" in text
        assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", text)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert f"connect-src ws://{parts.netloc};" in policy
        assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "192.0.2.1:8000", "[::]:80", "example.com", "10.0.0.1"]
)
def test_other_addresses_than_loopback_are_refused_in_words(host: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"not loopback: .* ssh -L"):
        address_of(host)


def test_addresses_are_read_as_people_write_them() -> None:
    assert address_of("") == ("127.0.0.1", 8000, True)
    assert address_of("localhost:81") == ("localhost", 81, False)
    assert address_of("8123") == ("127.0.0.1", 8123, False)
    assert address_of("[::1]:81") == ("::1", 81, False)
    with pytest.raises(Refused, match="is no port"):
        address_of("127.0.0.1:http")
