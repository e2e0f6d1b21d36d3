"""The governor's socket: JSON lines, many clients, one thread, stops first.

Nothing here waits for a client or a target. Answers of one connection keep the order of its
requests; a stop is carried out when it is read, whatever an earlier request still waits for.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import time
from collections import deque

from hatchway.governor.requests import STOPS, Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Doc = dict[str, Any]
    Handle = Callable[[Doc, Peer, Callable[[Doc], None]], None]

LONGEST_LINE = 64 * 1024
MOST_CLIENTS = 200
MOST_UNREAD = 512 * 1024  # bytes that a client may leave unread before it is dropped
MOST_UNANSWERED = 64  # requests of one client that are carried out before it is read again
TICK_S = 0.1


class Client:
    """One connection. `answers` has a place for every request, in order."""

    def __init__(self, link: socket.socket, peer: Peer) -> None:
        self.link = link
        self.peer = peer
        self.heard = time.monotonic()
        self.inbox = bytearray()
        self.lines: deque[bytes] = deque()
        self.stops = 0  # how many of the lines look like a stop
        self.answers: deque[list[bytes]] = deque()
        self.outbox = bytearray()
        self.ending = False  # answer what is open, then close

    def take_lines(self) -> None:
        """Cut complete lines off the inbox."""
        *lines, rest = bytes(self.inbox).split(b"\n")
        self.inbox = bytearray(rest)
        self.lines.extend(line for line in lines if line.strip())
        self.stops += sum(map(_stops, lines))


class Server:
    """Serves `listener` until `stop` is called; `work` is called at least every TICK_S."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._selector = selectors.DefaultSelector()
        self._listener = self._listen()
        self._clients: dict[int, Client] = {}
        self._wake_in, self._wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._running = True

    def wake(self) -> None:
        """From any thread or signal handler: go round the loop now."""
        with contextlib.suppress(BlockingIOError):  # it is awake already
            os.write(self._wake_out, b".")

    def stop(self) -> None:
        """Leave `run` after the present round."""
        self._running = False
        self.wake()

    def until_end_of(self, fd: int) -> None:
        """Stop when `fd` reaches its end: whoever held the other side is gone."""
        os.set_blocking(fd, False)
        self._selector.register(fd, selectors.EVENT_READ, "lifeline")

    def run(self, handle: Handle, work: Callable[[], None]) -> None:
        """The loop. Returns after `stop`, or at the end of the lifeline."""
        while self._running:
            backlog = any(c.lines for c in self._clients.values())
            for key, events in self._selector.select(0 if backlog else TICK_S):
                self._ready(key, events)
            self._carry_out(handle)
            work()
            for client in list(self._clients.values()):
                self._flush(client)
            if not os.path.exists(self._path):
                self._listen_again()
        self._close()

    def _ready(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fd == self._wake_in:
            os.read(self._wake_in, 4096)
        elif key.data == "lifeline":
            self._look_at_lifeline(key.fd)
        elif key.fd in self._clients and events & selectors.EVENT_READ:
            self._read(self._clients[key.fd])

    def _look_at_lifeline(self, fd: int) -> None:
        try:
            if os.read(fd, 4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # a closed pseudo-terminal says so with EIO
        self._running = False

    def _accept(self) -> None:
        while True:
            if len(self._clients) >= MOST_CLIENTS:
                # Somebody holds many connections: a new one may bring a stop.
                self._drop(min(self._clients.values(), key=lambda c: c.heard))
            try:
                link, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                if not self._clients:
                    return
                self._drop(min(self._clients.values(), key=lambda c: c.heard))
                continue
            link.setblocking(False)
            raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, uid = (int.from_bytes(raw[i : i + 4], "little", signed=True) for i in (0, 4))
            self._clients[link.fileno()] = Client(link, Peer(pid, uid))
            self._selector.register(link, selectors.EVENT_READ)

    def _read(self, client: Client) -> None:
        try:
            data = client.link.recv(16384)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)
            return
        client.heard = time.monotonic()
        if not data:
            client.ending = True
            self._listen_to(client)
            return
        client.inbox += data
        client.take_lines()
        if len(client.inbox) > LONGEST_LINE:
            client.inbox.clear()
            self._refuse(client, f"A line is longer than {LONGEST_LINE} bytes.")
            client.ending = True
        self._listen_to(client)

    def _carry_out(self, handle: Handle) -> None:
        """One line of each client, those with a stop first; more of the stops' clients."""
        ready = [c for c in self._clients.values() if c.lines]
        ready.sort(key=lambda c: not c.stops)
        for client in ready:
            self._carry_out_one(client, handle)
            # What came before a stop on its own connection must not hold it back.
            while client.lines and client.stops:
                self._carry_out_one(client, handle)
            self._listen_to(client)

    def _carry_out_one(self, client: Client, handle: Handle) -> None:
        line = client.lines.popleft()
        client.stops -= _stops(line)
        try:
            doc = json.loads(line)
        except (ValueError, RecursionError):
            self._refuse(client, "The line is not JSON.")
            return
        place: list[bytes] = []
        client.answers.append(place)
        try:
            handle(doc, client.peer, lambda answer: place.append(_encoded(answer)))
        except Exception:
            # A fault in one request must not take the stops of everybody else away.
            sys.excepthook(*sys.exc_info())
            why = "The governor failed over this request; whether it was done is not known."
            todo = "Read the status. The governor's log has the details."
            place[:] = [_encoded({"ok": False, "code": "internal", "why": why, "todo": todo})]

    def _refuse(self, client: Client, why: str) -> None:
        todo = "Write one JSON object a line."
        answer = {"ok": False, "code": "bad_request", "why": why, "todo": todo}
        client.answers.append([_encoded(answer)])

    def _flush(self, client: Client) -> None:
        while client.answers and client.answers[0]:
            client.outbox += client.answers.popleft()[0]
        try:
            while client.outbox:
                sent = client.link.send(client.outbox)
                del client.outbox[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop(client)
            return
        idle = not (client.outbox or client.answers or client.lines)
        if len(client.outbox) > MOST_UNREAD or (client.ending and idle):
            self._drop(client)
        else:
            self._listen_to(client)

    def _listen_to(self, client: Client) -> None:
        """Read a client only while it takes its answers; write when there is something."""
        full = len(client.lines) + len(client.answers) >= MOST_UNANSWERED
        events = 0 if client.ending or full else selectors.EVENT_READ
        if client.outbox:
            events |= selectors.EVENT_WRITE
        registered = client.link in self._selector.get_map()
        if not events:
            if registered:
                self._selector.unregister(client.link)
        elif not registered:
            self._selector.register(client.link, events)
        elif self._selector.get_key(client.link).events != events:
            self._selector.modify(client.link, events)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.link.fileno(), None) is None:
            return
        if client.link in self._selector.get_map():
            self._selector.unregister(client.link)
        client.link.close()

    def _listen(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o117)  # 0660 from the first moment on
        try:
            listener.bind(self._path)
        finally:
            os.umask(before)
        listener.listen(256)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        return listener

    def _listen_again(self) -> None:
        """Somebody removed the socket's file: without it nobody could stop anything."""
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = self._listen()

    def _close(self) -> None:
        for client in list(self._clients.values()):
            self._flush(client)
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _stops(line: bytes) -> bool:
    """Whether a line looks like a stop; a wrong guess costs only its place in the queue."""
    return any(b'"' + op.encode() + b'"' in line[:4096] for op in STOPS)


def _encoded(answer: Doc) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"
