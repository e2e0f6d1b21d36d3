"""A real governor process, and a small real server that speaks HAProxy's runtime language."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hatchway

PACKAGE_PARENT = str(Path(hatchway.__file__).parent.parent)
DEADLINE_S = 30.0


def eventually(check: Callable[[], Any], what: str = "") -> Any:
    """The first true value of `check`; fails after DEADLINE_S."""
    until = time.monotonic() + DEADLINE_S
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < until, f"not within {DEADLINE_S} s: {what or check}"
        time.sleep(0.01)


class Splitter:
    """Holds two weights behind a socket. It can hang, refuse, answer errors, forget and lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weights = {"stable": 100, "canary": 0}
        self.ports = {"stable": 8001, "canary": 8002}
        self.states = {"stable": 0, "canary": 0}  # the bits of srv_admin_state
        self.algorithm = "roundrobin"
        self.pid = os.getpid()
        self.inflight = 0
        self.total = 0
        self.commands: list[str] = []  # every `set` that was carried out, in order
        self.sums: list[int] = []  # the sum of the weights after each of them
        self.hung = False
        self.error = ""  # answered to everything
        self.deaf_to: set[str] = set()  # arms whose weight is not set, silently
        self.before_set: Callable[[], None] = lambda: None
        self._held: list[tuple[socket.socket, str]] = []
        self._listener = self._listen()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        self.path.unlink(missing_ok=True)
        listener.bind(str(self.path))
        listener.listen(64)
        listener.settimeout(0.05)
        return listener

    def _run(self) -> None:
        while not self._closing:
            if not self.hung:
                while self._held:  # what lay in the buffers is carried out when it wakes
                    self._answer(*self._held.pop(0))
            try:
                link, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            link.settimeout(2)
            with contextlib.suppress(OSError):
                line = link.makefile("r").readline().strip()
                if self.hung:
                    self._held.append((link, line))
                else:
                    self._answer(link, line)
                continue
            link.close()

    def _answer(self, link: socket.socket, line: str) -> None:
        with contextlib.suppress(OSError):
            link.sendall((self.error or self.command(line)).encode() + b"\n")
        link.close()

    def command(self, line: str) -> str:
        match line.split():
            case ["get", "weight", name] if name.removeprefix("be/") in self.weights:
                return f"{self.weights[name.removeprefix('be/')]} (initial 0)\n"
            case ["set", "server", name, "weight", weight] if name[3:] in self.weights:
                self.before_set()
                if name[3:] not in self.deaf_to:
                    self.weights[name[3:]] = int(weight)
                self.commands.append(f"{name[3:]}={weight}")
                self.sums.append(sum(self.weights.values()))
                return ""
            case ["show", "stat", "be", "4" | "6", "-1"]:
                rows = [
                    f"be,{arm},0,0,{self.inflight if arm == 'canary' else 0},1,,{self.total},,"
                    for arm in self.weights
                ]
                rows.append(f"be,BACKEND,0,0,0,0,,0,{self.algorithm},")
                return "\n".join(["# pxname,svname,qcur,qmax,scur,smax,slim,stot,algo,", *rows, ""])
            case ["show", "servers", "state", "be"]:
                rows = [
                    f"be {arm} 127.0.0.1 {self.states[arm]} {weight} {self.ports[arm]}"
                    for arm, weight in self.weights.items()
                ]
                head = "# be_name srv_name srv_addr srv_admin_state srv_uweight srv_port"
                return "\n".join(["1", head, *rows, ""])
            case ["show", "info"]:
                return f"Name: splitter\nPid: {self.pid}\n"
        return "No such server.\n"

    def die(self) -> None:
        """Refuse connections from now on."""
        self._listener.close()
        self._thread.join()

    def close(self) -> None:
        self._closing = True
        self.die()
        for link, _ in self._held:
            link.close()


class Client:
    """A JSON-lines connection."""

    def __init__(self, path: Path) -> None:
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(DEADLINE_S)
        try:
            self.link.connect(str(path))
        except OSError:
            self.link.close()
            raise
        self.file = self.link.makefile("rb")

    def send(self, **doc: Any) -> None:
        self.link.sendall(json.dumps(doc).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        line = self.file.readline()
        if not line:
            raise ConnectionError("the governor closed the connection")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **doc: Any) -> dict[str, Any]:
        self.send(**doc)
        return self.receive()

    def close(self) -> None:
        self.file.close()
        self.link.close()


class GovernorProcess:
    """`python -S -m hatchway.governor` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "governor.sock"
        self.splitter = Splitter(directory / "splitter.sock")
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []
        self.configure()

    def configure(self, *, agent_may_write: bool = True, lease_s: float = 60.0) -> None:
        target = {"kind": "haproxy", "socket": "splitter.sock"}
        target |= {"backend": "be", "stable": "stable", "canary": "canary"}
        shop = {"target": target, "agent_may_write": agent_may_write}
        doc = {"services": {"shop": shop}, "lease_s": lease_s}
        (self.directory / "governor.json").write_text(json.dumps(doc))

    def launch(self, *more: str, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-m", "hatchway.governor", "--dir", str(self.directory)]
        environment = {"PYTHONPATH": PACKAGE_PARENT, "PATH": os.environ["PATH"]}
        with (self.directory / "log").open("ab") as log:
            options = {"stderr": log, **options}
            return subprocess.Popen([*command, *more], env=environment, **options)

    def start(self, *more: str, **options: Any) -> GovernorProcess:
        """Start, and wait until it answers."""
        self.process = self.launch(*more, **options)
        self.ready()
        return self

    def ready(self) -> None:
        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "log").read_text()
            try:
                return bool(self.ask(op="status")["ok"])
            except OSError:
                return False

        eventually(answers, "the governor answers")

    def seen(self) -> dict[str, Any]:
        """The status, once the target has been read."""
        return eventually(lambda: (s := self.status())["observed"] and s, "the target is read")

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask(op="status")["status"]
        return status

    def client(self) -> Client:
        client = Client(self.socket)
        self._clients.append(client)
        return client

    def ask(self, **doc: Any) -> dict[str, Any]:
        client = Client(self.socket)
        try:
            return client.ask(**doc)
        finally:
            client.close()

    def arm(self) -> None:
        capsule = {"run": "run-1", "last_good": "1.4.0", "rollback": {"canary": 0}}
        assert self.ask(op="arm", service="shop", capsule=capsule)["ok"]

    def apply(self, canary: int, key: str = "", kind: str = "agent", **more: Any) -> dict[str, Any]:
        doc = {"op": "apply", "service": "shop", "key": key or f"run-1.canary.{canary}"}
        doc |= {"canary": canary, "by": {"kind": kind, "name": more.pop("name", "rules")}}
        doc["epoch"] = more.pop("epoch", None) or self.status()["epoch"]
        return self.ask(**doc, **more)

    def stop(self, op: str, id: str = "", by: str = "ana", reason: str = "") -> dict[str, Any]:
        return self.ask(
            op=op, service="shop", id=id or f"{op}-{time.time_ns()}", by=by, reason=reason
        )

    def spool(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        while True:
            after = entries[-1]["seq"] if entries else 0
            more = self.ask(op="spool", after=after)["entries"]
            entries += more
            if not more:
                return entries

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def at(self, percent: int) -> GovernorProcess:
        """A canary at `percent`, put there by the agent."""
        self.seen()
        self.arm()
        assert self.apply(percent)["ok"]
        return self

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self.splitter.close()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="hw-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def splitter_at() -> Iterator[Callable[[Path], Splitter]]:
    """Starts a splitter at a path."""
    started: list[Splitter] = []

    def start(path: Path) -> Splitter:
        started.append(Splitter(path))
        return started[-1]

    yield start
    for splitter in started:
        splitter.close()


@pytest.fixture
def cold(short_dir: Path) -> Iterator[GovernorProcess]:
    """A governor that is not started yet."""
    governor = GovernorProcess(short_dir)
    yield governor
    governor.close()


@pytest.fixture
def governor(cold: GovernorProcess) -> GovernorProcess:
    """A governor that runs and has read its target."""
    cold.start().seen()
    return cold


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    return eventually
