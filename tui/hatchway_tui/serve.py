"""`hatchway tui --serve`: the dashboard in a browser. Each page has a dashboard on a pty of its own.

The page and its terminal (xterm.js) are textual-serve's. Its server is not used: it looks neither at
Origin nor at Host, loads a font from elsewhere, and leaves processes behind when it is killed. Behind
a pty the dashboard is the one that people have in a terminal, with the same driver, the same rules
of the keys and the same wire; and the kernel hangs it up when this process is gone, however it went.

Who may open the page acts as the account that serves it. Therefore only loopback is listened on, the
address has a secret in it, other hosts' pages are turned away, and keys act only where that is asked.
"""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import html
import importlib.util
import json
import os
import secrets
import signal
import socket as sockets
import struct
import sys
import termios
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hatchway_tui.__main__ import login

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8000
PAGES_MOST = 8
"""Pages at a time: each has a process."""
LEAVE_S = 3.0
"""How long a dashboard may take to leave before it is killed, in seconds."""
MESSAGE_MAX = 64 * 1024
WIDEST, HIGHEST = 500, 200

_FILES = {
    "textual.js": ("static/js/textual.js", "text/javascript"),
    "xterm.css": ("static/css/xterm.css", "text/css"),
    "mono.ttf": ("static/fonts/RobotoMono-VariableFont_wght.ttf", "font/ttf"),
}


class Refused(Exception):
    """It cannot be served; the text says why and what to do."""


def address_of(text: str) -> tuple[str, int, bool]:
    """Host, port, and whether another port will do. Raises Refused."""
    host, colon, port = text.rpartition(":") if text else ("127.0.0.1", ":", "")
    if not colon:
        host, port = (text, "") if not text.isdecimal() else ("127.0.0.1", text)
    host = host.strip("[]") or "127.0.0.1"
    if host not in LOOPBACK:
        raise Refused(
            f"{host} is not loopback: whoever opens the page acts as you. It listens on 127.0.0.1"
            " only; from another machine: ssh -L 8000:127.0.0.1:8000 THIS-HOST"
        )
    if port and not (port.isdecimal() and int(port) < 65536):
        raise Refused(f"{port!a} is no port: write it as --serve 127.0.0.1:8000")
    return host, int(port or PORT), not port


def listener(host: str, port: int, any_port: bool) -> sockets.socket:
    """A listening socket. Raises Refused."""
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    for each in (port, 0) if any_port else (port,):
        made = sockets.socket(family)
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            made.bind((host, each))
        except OSError as error:
            made.close()
            why = error.strerror or str(error)
            continue
        made.listen()
        return made
    raise Refused(f"{host}:{port} cannot be listened on: {why}. Name another port")


def files() -> dict[str, tuple[bytes, str]]:
    """What the page loads, out of textual-serve. Raises Refused when it is not there."""
    found = importlib.util.find_spec("textual_serve")
    if found is None or found.origin is None:
        raise Refused(
            "this needs textual-serve, which is not installed: pip install 'hatchway[serve]'"
        )
    place = Path(found.origin).parent
    own = Path(__file__).with_name("served.js").read_bytes()
    taken = {name: ((place / path).read_bytes(), kind) for name, (path, kind) in _FILES.items()}
    return {**taken, "served.js": (own, "text/javascript")}


class Child:
    """A dashboard on a pty. Whoever closes the other end of it hangs it up."""

    def __init__(self, process: asyncio.subprocess.Process, end: int) -> None:
        self.process, self._end = process, end
        self._more = asyncio.Event()
        self._open = True
        os.set_blocking(end, False)
        asyncio.get_running_loop().add_reader(end, self._more.set)

    @classmethod
    async def start(cls, command: list[str], width: int, height: int) -> Child:
        """Start one."""
        ours, theirs = os.openpty()
        try:
            resize(theirs, width, height)
            environ = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_IT}
            environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            environ |= {"PYTHONIOENCODING": "utf-8"}  # the page is, whatever this terminal is
            process = await asyncio.create_subprocess_exec(
                *command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ,
                start_new_session=True, preexec_fn=partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0),
            )  # fmt: skip
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, ours)

    async def read(self) -> bytes:
        """What it wrote; nothing when it has ended."""
        while True:
            self._more.clear()
            try:
                return os.read(self._end, MESSAGE_MAX)
            except BlockingIOError:
                await self._more.wait()
            except OSError:  # the last process that had the other end is gone
                return b""

    async def write(self, data: bytes) -> None:
        """Type `data`."""
        while data:
            try:
                data = data[os.write(self._end, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.01)  # it does not read
            except OSError:
                return

    def resize(self, width: int, height: int) -> None:
        """The page has another size."""
        with suppress(OSError):
            resize(self._end, width, height)

    async def end(self) -> None:
        """Hang up, and see that it goes."""
        if not self._open:
            return
        self._open = False
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)
        try:
            async with asyncio.timeout(LEAVE_S):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


_NOT_FOR_IT = {"TEXTUAL_DRIVER", "COLUMNS", "LINES", "TMUX", "STY", "TERM_PROGRAM", "COLORFGBG"}


def resize(end: int, width: int, height: int) -> None:
    """Set the size of a terminal, within reason."""
    rows, columns = min(max(height, 1), HIGHEST), min(max(width, 1), WIDEST)
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Server:
    """The pages and their dashboards."""

    def __init__(self, command: list[str], acting: bool, static: dict[str, tuple[bytes, str]]) -> None:  # fmt: skip
        self.key = secrets.token_urlsafe(24)
        self._command, self._static = command, static
        self._children: set[Child] = set()
        self._starting = 0
        name = login()
        self.who = (
            f"KEYS ACT: whoever has this page open acts as {name}" if acting
            else f"READ-ONLY, seen as {name}: hatchway tui --serve --allow-acting lets keys act"
        )  # fmt: skip

    async def run(self, sock: sockets.socket, stop: asyncio.Event) -> None:
        """Serve until `stop`; then no process is left."""
        async with serve(
            self.handle, sock=sock, process_request=self.request, compression=None,
            max_size=MESSAGE_MAX, ping_interval=5, ping_timeout=15, close_timeout=1,
            server_header=None, open_timeout=5,
        ):  # fmt: skip
            await stop.wait()
            await asyncio.gather(*(child.end() for child in self._children))

    def request(self, socket: ServerConnection, request: Request) -> Response | None:
        """A page, a file of it, or None for its websocket; everything else is turned away."""
        host = _only(request.headers, "Host")
        if urlsplit(f"//{host}").hostname not in LOOPBACK:
            return _said(HTTPStatus.MISDIRECTED_REQUEST, "this is not that host")
        origin = request.headers.get_all("Origin")
        if origin and origin != [f"http://{host}"]:
            return _said(HTTPStatus.FORBIDDEN, "pages of other places are not served here")
        _, key, *rest = f"{urlsplit(request.path).path}/".split("/")[:3]
        if not hmac.compare_digest(key.encode(), self.key.encode()):
            return _said(HTTPStatus.NOT_FOUND, "open the whole address that hatchway tui --serve printed")  # fmt: skip
        name = rest[0] if rest else ""
        if name == "ws":
            return self._page_opens(origin)
        if name == "":
            text = Template(Path(__file__).with_name("served.html").read_text("utf-8"))
            who = html.escape(self.who)
            page = text.substitute(title=who, who=who, host=html.escape(host), key=self.key)
            return _answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8", host)
        if name in self._static:
            return _answer(HTTPStatus.OK, *self._static[name], host)
        return _said(HTTPStatus.NOT_FOUND, "there is no such thing here")

    def _page_opens(self, origin: list[str]) -> Response | None:
        if not origin:
            return _said(HTTPStatus.FORBIDDEN, "only the page itself may ask for this")
        if len(self._children) + self._starting >= PAGES_MOST:
            return _said(HTTPStatus.SERVICE_UNAVAILABLE, f"{PAGES_MOST} pages are open: close one")
        return None

    async def handle(self, socket: ServerConnection) -> None:
        """One page: from its websocket's beginning to its end, and its dashboard's."""
        assert socket.request is not None
        asked = parse_qs(urlsplit(socket.request.path).query)
        width, height = (_number(asked.get(name, [""])[0]) for name in ("width", "height"))
        self._starting += 1
        try:
            child = await Child.start(self._command, width or 80, height or 24)
        finally:
            self._starting -= 1
        self._children.add(child)
        out = asyncio.create_task(_show(child, socket), name="page")
        try:
            async for message in socket:
                await _take(child, socket, message)
        except ConnectionClosed:
            pass
        finally:
            out.cancel()
            await child.end()
            self._children.discard(child)


async def _show(child: Child, socket: ServerConnection) -> None:
    """What it draws goes to the page, as fast as that takes it; its end is the page's."""
    with suppress(ConnectionClosed):
        while data := await child.read():
            await socket.send(data)
        await socket.close()


async def _take(child: Child, socket: ServerConnection, message: str | bytes) -> None:
    """What the page's script says. What is not understood is let be."""
    try:
        kind, *rest = json.loads(message)
    except (ValueError, TypeError, RecursionError):
        return
    match kind, rest:
        case "stdin", [str(text)]:
            await child.write(text.encode("utf-8", "replace"))
        case "resize", [{"width": int(width), "height": int(height)}]:
            child.resize(width, height)
        case "ping", [str(sent)]:
            await socket.send(json.dumps(["pong", sent]))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 5 else 0


def _only(headers: Headers, name: str) -> str:
    found = headers.get_all(name)
    return found[0].lower() if len(found) == 1 else ""


def _said(status: HTTPStatus, text: str) -> Response:
    return _answer(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


def _answer(status: HTTPStatus, body: bytes, kind: str, host: str = "") -> Response:
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self';"
        f" img-src data:; connect-src ws://{host}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = Headers({
        "Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close",
        "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy,
    })  # fmt: skip
    return Response(status.value, status.phrase, headers, body)


async def _serve(server: Server, sock: sockets.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{port}/{server.key}/")
    print(f"{server.who}. The address is the key: it is for you alone.")
    print("Ctrl+C ends it and every page; that changes nothing.", flush=True)
    await server.run(sock, stop)


def main(address: str, options: list[str], acting: bool) -> int:
    """Serve the dashboard that `options` name; 0 when it was told to end, 2 when it cannot."""
    try:
        static = files()
        sock = listener(*address_of(address))
    except (Refused, OSError) as error:
        print(f"hatchway tui --serve: {error}.", file=sys.stderr)
        return 2
    more = [] if acting or "--read-only" in options else ["--read-only"]
    command = [sys.executable, "-m", "hatchway_tui", *options, *more]
    asyncio.run(_serve(Server(command, not more and "--read-only" not in options, static), sock))
    return 0
