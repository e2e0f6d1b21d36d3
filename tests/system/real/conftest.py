"""A real HAProxy and a real Prometheus before two shops, and Hatchway as an operator runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.demo import repo
from hatchway.demo.state_directory import write_json
from hatchway.demo.summary import Happened, Reader
from hatchway.journal.sqlite_file import scan
from hatchway.settings.load import shipped

HERE = Path(__file__).parent
RATE = 400.0
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}:/usr/sbin",
}


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in held:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in held]


def wait_for(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until it is true; a readable failure when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError):
            found = true()
            if found:
                return found
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def fill(name: str, **words: object) -> str:
    """A file beside this one, its words in capitals replaced."""
    text = (HERE / name).read_text()
    for word, value in words.items():
        text = re.sub(rf"\b{word}\b", str(value), text)
    return text


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop it, also when it is stopped in the other sense."""
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@dataclass
class Arm:
    """What HAProxy says of a server."""

    at: float
    weight: int
    inflight: int
    total: int
    bad: int
    status: str


@dataclass
class Servers:
    """HAProxy, Prometheus, the two shops and their customers."""

    d: Path
    ports: dict[str, int]
    commits: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, cwd: Path | None = None) -> None:
        with open(self.d / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=cwd or self.d, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def signal(self, name: str, number: signal.Signals) -> None:
        self.running[name].send_signal(number)

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            end(process)

    def hap(self, command: str) -> str:
        """One command to HAProxy, and its answer."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(5)
            admin.connect(str(self.d / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            parts = []
            while part := admin.recv(65_536):
                parts.append(part)
        return b"".join(parts).decode()

    def arm(self, name: str) -> Arm:
        """What HAProxy says of a server, by its statistics and not by what Hatchway reads."""
        head, *rows = self.hap("show stat be 4 -1").strip().splitlines()
        at = time.time()
        for row in rows:
            facts = dict(zip(head[2:].split(","), row.split(","), strict=False))
            if facts["svname"] == name:
                return Arm(
                    at, int(facts["weight"]), int(facts["scur"]), int(facts["stot"]),
                    int(facts["hrsp_5xx"]), facts["status"],
                )  # fmt: skip
        raise LookupError(name)

    def weight(self, name: str = "canary") -> int:
        """The configured weight, as HAProxy's other command has it."""
        return int(self.hap(f"get weight be/{name}").split()[0])

    def newest(self, query: str) -> tuple[float, float]:
        """The newest raw sample that Prometheus has of a series: when it was scraped, its value."""
        asked = urllib.parse.urlencode({"query": f"{query}[5s]"})
        url = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=2) as answer:
            at, value = json.load(answer)["data"]["result"][0]["values"][-1]
        return float(at), float(value)

    def fault(self, arm: str, name: str, *, on: bool) -> float:
        """Switch a fault at a shop's own socket; when it was done."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(str(self.d / f"{arm}.ctl"))
            control.sendall(f"{name} {'on' if on else 'off'}\n".encode())
            said = control.recv(100)
        assert said == b"ok\n", said
        return time.time()

    def more_customers(self, count: int) -> None:
        """Wait until so many more requests have been sent."""
        before = self.customers()["sent"]
        wait_for(lambda: self.customers()["sent"] >= before + count, 60, f"{count} more requests")

    def customers(self, since: float = 0.0) -> dict[str, Any]:
        """What customers were answered."""
        with socket.socket(socket.AF_UNIX) as load:
            load.settimeout(5)
            load.connect(str(self.d / "load.sock"))
            load.sendall(json.dumps({"op": "stats", "since": since}).encode() + b"\n")
            with load.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        return answer

    def as_before(self) -> None:
        """No canary traffic, nobody stopped, no faults, all that is scraped fresh."""
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
        self.hap("set server be/stable weight 100")
        self.hap("set server be/canary weight 0")
        for name in ("errors", "slow", "orders-drop", "hang"):
            self.fault("canary", name, on=False)
        wait_for(lambda: self.arm("canary").status.startswith("UP"), 30, "the canary is up")
        wait_for(self.scraped, 30, "Prometheus scrapes everything")

    def scraped(self) -> bool:
        ports = [self.ports[name] for name in ("stable", "canary", "exporter")]
        newest = [self.newest(f'up{{instance="127.0.0.1:{port}"}}') for port in ports]
        return all(value == 1 and time.time() - at < 2 for at, value in newest)


def _open(servers: Servers) -> None:
    d, ports = servers.d, servers.ports
    words = {name.upper(): port for name, port in ports.items()}
    (d / "haproxy.cfg").write_text(fill("haproxy.cfg", ADMIN=d / "admin.sock", **words))
    (d / "prometheus.yml").write_text(fill("prometheus.yml", **words))
    python = sys.executable
    servers.start(
        "prometheus", "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
        f"--web.listen-address=127.0.0.1:{ports['prometheus']}", "--log.level=warn",
    )  # fmt: skip
    for arm, commit in servers.commits.items():
        servers.start(
            arm, python, "-m", "shop", "--port", str(ports[arm]), "--arm", arm, "--control",
            str(d / f"{arm}.ctl"), "--seed", "7", "--error-rate", "0.01", "--work-ms", "20",
            cwd=repo.checkout(d / "repo", commit, d / "work"),
        )  # fmt: skip
    servers.start("haproxy", "haproxy", "-db", "-f", "haproxy.cfg")
    front = f"http://127.0.0.1:{ports['front']}/healthz"
    wait_for(lambda: urllib.request.urlopen(front, timeout=2).read(), 30, "HAProxy serves")
    servers.start(
        "load", python, "-m", "hatchway.demo.load", "--port", str(ports["front"]), "--rate",
        f"{RATE:g}", "--socket", str(d / "load.sock"),
    )  # fmt: skip
    wait_for(servers.scraped, 60, "Prometheus scrapes everything")


@pytest.fixture(scope="module")
def shared_servers() -> Iterator[Servers]:
    d = Path(tempfile.mkdtemp(prefix="hwr-"))
    shop = repo.create(d / "repo")
    names = ("front", "exporter", "prometheus", "stable", "canary")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    servers = Servers(d, ports, {"stable": shop.stable, "canary": shop.release})
    try:
        _open(servers)
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(d, ignore_errors=True)


@pytest.fixture
def servers(shared_servers: Servers) -> Servers:
    """The real servers, with all traffic on stable."""
    shared_servers.as_before()
    return shared_servers


@dataclass
class Hatchway:
    """An installation on the real servers. `d` is its state directory."""

    d: Path
    servers: Servers
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`hatchway ...` as a person types it."""
        return subprocess.run(
            [sys.executable, "-m", "hatchway", *words, "--dir", str(self.d)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def configure(self) -> None:
        servers, config = self.servers, self.d / "config"
        ports = {name.upper(): port for name, port in servers.ports.items()}
        places = {"ADMIN": servers.d / "admin.sock", "REPO": servers.d / "repo"}
        (config / "pipelines").mkdir(parents=True)
        (config / "hatchway.yaml").write_text(fill("hatchway.yaml", **ports, **places))
        pipeline = fill("pipeline.yaml", RUNS=HERE / "runs.py", **ports)
        (config / "pipelines" / "shop.yaml").write_text(pipeline)
        policy = (shipped() / "policy.yaml").read_text()
        assert policy.count("    mode: recommend ") == 1
        (config / "policy.yaml").write_text(
            policy.replace("    mode: recommend ", "    mode: act ")
        )
        target = {"kind": "haproxy", "socket": str(servers.d / "admin.sock"), "backend": "be"}
        service = {"target": target, "agent_may_write": True}
        write_json(self.d / "governor.json", {"services": {"shop": service}})
        checked = self.command("check")
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def start(self) -> None:
        """The two processes of an installation, and a run in act mode."""
        self.configure()
        for name in ("governor", "serve"):
            self._keep_running(name)
        wait_for((self.d / "backend.pid").exists, 60, "the backend serves")
        started = self.command(
            "run", "shop", "--commit", "v1.5.0", "--base", "v1.4.0", "--mode", "act", "--pace", "60"
        )
        assert started.returncode == 0, started.stdout + started.stderr
        self.until(lambda: self.command("accept").returncode == 0, 60, "the release is approved")

    def _keep_running(self, name: str) -> None:
        with open(self.d / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hatchway", name, "--dir", str(self.d)],
                env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.running.append(process)

    def stop(self) -> None:
        for process in reversed(self.running):
            end(process)

    def journal(self) -> list[Happened]:
        return Reader().read(scan(self.d / "journal.db"))

    def events(self, kind: Any) -> list[Any]:
        """The journaled events of a kind, oldest first."""
        return [h.event for h in self.journal() if isinstance(h.event, kind)]

    def until(self, true: Callable[[], Any], seconds: float, what: str) -> Any:
        """Poll while the run lasts; when it never comes true, the failure has the journal's end."""

        def found() -> list[Any]:
            ended = bool(self.events(ev.RunEnded))  # looked at first: its last words count
            said = true()
            return [said] if said or ended else []

        try:
            [said] = wait_for(found, seconds, what)
            assert said, f"the run ended before: {what}"
            return said
        except AssertionError as error:
            last = "\n".join(f"{h.at:.2f} {h.event}"[:300] for h in self.journal()[-12:])
            log = (self.d / "serve.log").read_text()[-2000:]
            raise AssertionError(f"{error}\n{last}\n{log}") from None


@pytest.fixture
def hatchway(servers: Servers) -> Iterator[Hatchway]:
    """Hatchway on the real servers, with a run that has just begun."""
    d = Path(tempfile.mkdtemp(prefix="hwr-"))
    installation = Hatchway(d, servers)
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
        shutil.rmtree(d, ignore_errors=True)
