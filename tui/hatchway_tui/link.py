"""The line to the backend: subscribes, resumes, retries for ever; sends commands and matches answers.

Knows nothing of the screen. What happens goes to `tell` as events of the mirror.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hatchway.edge.protocol import (
    PROTOCOL,
    Ack,
    Beat,
    Command,
    Delta,
    Hello,
    Query,
    Refused,
    Reset,
    Snapshot,
    Subscribe,
    decode_server,
    encode,
)
from hatchway_tui import governor_line
from hatchway_tui.asked import PREFIX
from hatchway_tui.governor_line import GovernorTrouble
from hatchway_tui.mirror import Event, GovernorSaid, Heard, Lost, RoundTrip

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

SILENT_AFTER = 2.0
GIVE_UP_AFTER = 10.0
ANSWER_WITHIN = 2.0
FIRST_RETRY, LAST_RETRY = 0.1, 1.0
STOPS = {"pause", "takeover", "rollback", "stop_all"}


class Address(Struct, frozen=True):
    """Where the backend and the governor are."""

    backend: str  # a path of a unix socket, or wss://HOST:PORT
    governor: str = ""
    token: str = ""
    read_only: bool = False
    name: str = ""  # the login, for the governor's record
    ca: str = ""  # the PEM file of who vouches for a wss:// address; empty: the system's own


class Answer(Struct, frozen=True):
    """What became of a command."""

    ok: bool
    said: str
    seq: int = 0
    direct: bool = False
    todo: str = ""


class Link:
    """One connection at a time, for as long as `run` runs."""

    def __init__(self, address: Address, tell: Callable[[Event], None]) -> None:
        self.address = address
        self._tell = tell
        self._socket: ClientConnection | None = None
        self._boot, self._rev = "", -1
        self._heard = 0.0
        self._live = False
        self._lost = asyncio.Event()  # set while commands do not go to the backend
        self._lost.set()
        self._waiting: dict[str, asyncio.Future[Ack | Refused]] = {}

    @property
    def live(self) -> bool:
        """Whether commands go to the backend."""
        return self._live

    def _goes(self, live: bool) -> None:
        self._live = live
        if live:
            self._lost.clear()
        else:
            self._lost.set()

    async def run(self) -> None:
        """Connect, listen, and connect again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_connected(), name="link")
            if self.address.governor:
                group.create_task(self._watch_governor(), name="governor")

    async def _keep_connected(self) -> None:
        wait = FIRST_RETRY
        while True:
            began = time.monotonic()
            try:
                await self._session()
                why = "the backend closed the connection"
            except Exception as error:
                why = self._in_words(_first(error))
            self._socket = None
            self._goes(False)
            if time.monotonic() - began > 5:
                wait = FIRST_RETRY
            pause = wait * random.uniform(0.8, 1.0)  # noqa: S311 - so that dashboards do not march
            now = time.monotonic()
            self._tell(Lost("down", now, why, now + pause))
            await asyncio.sleep(pause)
            wait = min(wait * 2, LAST_RETRY)

    def _connect(self) -> connect:
        from websockets.asyncio.client import connect, unix_connect  # noqa: PLC0415

        settings: dict[str, object] = {
            "open_timeout": 5, "close_timeout": 1, "ping_interval": 5, "ping_timeout": None,
            "max_size": 16 * 2**20, "compression": None, "proxy": None,
        }  # fmt: skip
        if self.address.backend.startswith(("ws://", "wss://")):
            settings["compression"] = "deflate"
            if self.address.backend.startswith("wss://"):
                settings["ssl"] = ssl.create_default_context(cafile=self.address.ca or None)
            return connect(self.address.backend, **settings)  # type: ignore[arg-type]
        return unix_connect(self.address.backend, "ws://localhost/", **settings)

    async def _session(self) -> None:
        async with self._connect() as socket:
            self._socket = socket
            self._heard = time.monotonic()
            await self._subscribe(socket)
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch_silence(socket), name="silence")
                await self._listen(socket)
                watch.cancel()

    async def _subscribe(self, socket: ClientConnection) -> None:
        hello = Subscribe(
            PROTOCOL, self._boot, self._rev, self.address.read_only, self.address.token
        )
        await socket.send(encode(hello), text=True)

    async def _listen(self, socket: ClientConnection) -> None:
        slice_began = time.monotonic()
        async for data in socket:
            message = decode_server(data)
            now = self._heard = time.monotonic()
            match message:
                case Hello(boot=boot):
                    if boot != self._boot:
                        self._boot, self._rev = boot, -1
                case Snapshot(rev=rev):
                    self._rev = rev
                    self._goes(True)
                case Delta(from_rev=from_rev, to_rev=to_rev):
                    if self._rev < 0 or from_rev > self._rev:
                        # a hole: what is between was never seen, so ask for everything
                        self._rev = -1
                        await self._subscribe(socket)
                        continue
                    self._rev = max(to_rev, self._rev)
                    self._goes(True)
                case Beat():
                    self._goes(self._rev >= 0)
                    self._tell(RoundTrip(socket.latency))
                case Ack(id=name) | Refused(id=name):
                    waiting = self._waiting.pop(name, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)
                case Reset():
                    self._rev = -1
            self._tell(Heard(message, now))
            if now - slice_began > 0.005:
                await asyncio.sleep(0)  # keys must get through a flood of messages
                slice_began = time.monotonic()

    async def _watch_silence(self, socket: ClientConnection) -> None:
        """A server that is stopped keeps its sockets open; only its silence tells."""
        while True:
            quiet = time.monotonic() - self._heard
            if quiet > GIVE_UP_AFTER:
                raise TimeoutError(f"nothing heard for {GIVE_UP_AFTER:g} s")
            if quiet > SILENT_AFTER:
                self._goes(False)
                self._tell(Lost("silent", time.monotonic(), "connected, but the backend is silent"))
            # no sooner than it can be so: nobody is to be woken for nothing
            await asyncio.sleep(max(SILENT_AFTER - quiet + 0.01, 0.25))

    async def _watch_governor(self) -> None:
        """While the backend is away, the mode on the screen comes from the governor itself."""
        while True:
            await self._lost.wait()
            try:
                said = await governor_line.statuses(self.address.governor)
                self._tell(GovernorSaid(time.monotonic(), said))
            except GovernorTrouble as error:
                self._tell(GovernorSaid(time.monotonic(), (), str(error)))
            await asyncio.sleep(1.0)

    async def ask(self, kind: str, about: str) -> None:
        """Send a query; its answer comes as an event like any other."""
        from websockets.exceptions import WebSocketException  # noqa: PLC0415

        if self._live and self._socket is not None:
            with suppress(OSError, WebSocketException):
                query = Query(f"{PREFIX}{kind}/{about}", kind, about)
                await self._socket.send(encode(query), text=True)

    async def order(self, command: Command) -> Answer:
        """Send a command and wait for its answer; stops fall back to the governor by themselves."""
        stop = command.kind in STOPS
        if self._live and self._socket is not None:
            answer = await self._through_backend(command)
            if answer is not None:
                return answer
            if not (stop and self.address.governor):
                return Answer(
                    False, "no answer within 2 s: it is not known whether it counted",
                    todo="look at LAST, then press again (the same order counts once)",
                )  # fmt: skip
        if not stop:
            return Answer(False, "needs the backend, which does not answer")
        return await self._through_governor(command)

    async def _through_backend(self, command: Command) -> Answer | None:
        from websockets.exceptions import WebSocketException  # noqa: PLC0415

        assert self._socket is not None
        waiting = self._waiting[command.id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._socket.send(encode(command), text=True)
                message = await waiting
        except (TimeoutError, OSError, WebSocketException):
            return None
        finally:
            self._waiting.pop(command.id, None)
        if isinstance(message, Ack):
            return Answer(True, message.said, message.seq)
        return Answer(False, message.why or message.code, todo=message.todo)

    async def _through_governor(self, command: Command) -> Answer:
        if not self.address.governor:
            return Answer(
                False, "neither backend nor governor can be reached from here", direct=True,
                todo=f"on the backend's host: hatchway {command.kind.replace('_', '')}",
            )  # fmt: skip
        question: dict[str, object] = {
            "op": command.kind, "id": command.id, "by": self.address.name, "direct": True,
            "reason": command.reason or "by the dashboard, backend silent",
        }  # fmt: skip
        if command.service and command.kind != "stop_all":
            question["service"] = command.service
        try:
            answer = await governor_line.ask(self.address.governor, question)
        except GovernorTrouble as error:
            return Answer(False, str(error), direct=True, todo="try: hatchway status --direct")
        with suppress(GovernorTrouble):
            now = await governor_line.statuses(self.address.governor)
            self._tell(GovernorSaid(time.monotonic(), now))
        if answer.get("ok"):
            said = "; ".join(str(answer[key]) for key in ("said", "left") if answer.get(key))
            return Answer(True, said, direct=True)
        why, todo = str(answer.get("why", "refused")), str(answer.get("todo", ""))
        return Answer(False, why, direct=True, todo=todo)

    def _in_words(self, error: BaseException) -> str:
        match error:
            case FileNotFoundError():
                return f"there is no socket at {self.address.backend}"
            case ConnectionRefusedError():
                return "nobody listens there (the backend is not running)"
            case PermissionError():
                return f"you may not open {self.address.backend}"
            case ConnectionResetError() | BrokenPipeError():
                return "the backend went away"
            case ssl.SSLCertVerificationError():
                return _of_certificate(error)
            case TimeoutError():
                return str(error) or "no answer within 5 s"
            case msgspec.MsgspecError():
                self._boot, self._rev = "", -1  # begin anew: what was missed is not known
                return f"the backend speaks something else: {error}"
        text = str(error) or type(error).__name__
        return "the backend went away" if "no close frame" in text else text


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    """Why the backend's certificate is not believed."""
    why = error.verify_message or str(error)
    if "mismatch" in why or "not valid for" in why:
        return f"its certificate is another one's ({why})"
    if "expired" in why:
        return "its certificate has ended: it has to be renewed there"
    return f"nobody known here vouches for its certificate ({why}): name its --ca FILE"


def _first(error: BaseException) -> BaseException:
    """The first error inside a group of task errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
