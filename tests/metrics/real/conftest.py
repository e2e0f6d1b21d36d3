"""Real targets, scraped by a real Prometheus and a real VictoriaMetrics, once per test process."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec

SCRIPT = Path(__file__).with_name("target.py")
PATIENCE_S = 60.0  # of a busy machine; everything here takes a few seconds


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def http(url: str, told: object = None) -> bytes:
    data = None if told is None else json.dumps(told).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5) as answer:
        body: bytes = answer.read()
        return body


def until(true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError, KeyError, IndexError):
            if found := true():
                return found
        time.sleep(0.03)
    raise TimeoutError(what)


@dataclass
class Target:
    """One instance of the service, in a process of its own."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    @property
    def instance(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, str(SCRIPT), str(self.port)])
        until(lambda: http(self.url), f"target at {self.url}")

    def tell(self, what: str, told: object) -> None:
        http(f"http://127.0.0.1:{self.port}/{what}", told)

    def add(self, **counts: int) -> None:
        self.tell("add", counts)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def die(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restore(self) -> None:
        """Honest and awake again, whatever a test did."""
        assert self.process is not None
        if self.process.poll() is not None:
            self.start()
        self.signal(signal.SIGCONT)
        self.tell("mode", "honest")


@dataclass
class Farm:
    """Two instances of stable and one canary.

    Job "shop" scrapes `stable` and `canary` twice a second, job "pool" all of them once a second:
    so `stable` and `canary` are scraped by two jobs.
    """

    stable: Target = field(default_factory=Target)
    second: Target = field(default_factory=Target)
    canary: Target = field(default_factory=Target)

    @property
    def all(self) -> tuple[Target, ...]:
        return self.stable, self.second, self.canary

    def config(self) -> str:
        def targets(track: str, *several: Target) -> str:
            names = ", ".join(f"'{target.instance}'" for target in several)
            return f"  - {{targets: [{names}], labels: {{track: {track}}}}}\n"

        return (
            "scrape_configs:\n"
            "- job_name: shop\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n"
            "  static_configs:\n" + targets("stable", self.stable) + targets("canary", self.canary)
            + "- job_name: pool\n  scrape_interval: 1s\n  scrape_timeout: 900ms\n"
            "  static_configs:\n"
            + targets("stable", self.stable, self.second) + targets("canary", self.canary)
        )  # fmt: skip


@dataclass
class Server:
    """A metrics server: `kind` is prometheus or victoria-metrics."""

    kind: str
    url: str
    process: subprocess.Popen[bytes]

    def ask(self, query: str, **more: str) -> Any:
        """The result of an instant query, as it comes."""
        asked = urllib.parse.urlencode({"query": query, **more})
        return json.loads(http(f"{self.url}/api/v1/query?{asked}"))["data"]["result"]


def start_server(kind: str, directory: Path, config: str, *more: str) -> Server:
    """A server in `directory`, as soon as it answers: before its first sample."""
    program = shutil.which(kind)
    assert program, f"{kind} is not installed: apt-get install {kind}"
    directory.mkdir(parents=True, exist_ok=True)
    file, port = directory / "scrape.yml", free_port()
    file.write_text(config)
    options = {
        "prometheus": (
            f"--config.file={file}", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ),
        "victoria-metrics": (
            f"-promscrape.config={file}", f"-storageDataPath={directory}/data",
            f"-httpListenAddr=127.0.0.1:{port}", "-memory.allowedBytes=128MiB",
        ),
    }  # fmt: skip
    with open(directory / "log", "ab") as log:
        process = subprocess.Popen(
            [program, *options[kind], *more], stdout=log, stderr=log, cwd=directory
        )
    server = Server(kind, f"http://127.0.0.1:{port}", process)
    try:
        until(lambda: server.ask("time()"), f"{kind}: {(directory / 'log').read_text()[-2000:]}")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return server


def end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def _farm() -> Iterator[Farm]:
    farm = Farm()
    try:
        for target in farm.all:
            target.start()
        yield farm
    finally:
        for target in farm.all:
            end(target.process)


@pytest.fixture
def farm(_farm: Farm) -> Iterator[Farm]:
    """The targets, honest before and after each test."""
    yield _farm
    for target in _farm.all:
        target.restore()


@pytest.fixture(scope="session")
def servers(_farm: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Both servers, as soon as they scrape everything."""
    running: dict[str, Server] = {}
    try:
        for kind in ("prometheus", "victoria-metrics"):
            running[kind] = start_server(kind, tmp_path_factory.mktemp(kind[:4]), _farm.config())
        for kind, server in running.items():
            until(lambda s=server: len(s.ask("up == 1", nocache="1")) == 5, f"{kind} scrapes all")
        yield running
    finally:
        for server in running.values():
            end(server.process)


@pytest.fixture
def one_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers for one test, gives them as soon as they answer: before any sample."""
    with contextlib.ExitStack() as stack:

        def start(kind: str, config: str, *more: str) -> Server:
            server = start_server(kind, tmp_path / kind, config, *more)
            stack.callback(end, server.process)
            return server

        yield start


METRICS = (
    MetricSpec(
        name="errors", label="errors", kind="counts", source="app", by="path",
        total=SeriesRef("http_requests_total"),
        events=SeriesRef("http_requests_total", {"code": "500"}),
    ),
    MetricSpec(
        name="latency", label="latency", kind="latency", source="app", shown_as="ms",
        total=SeriesRef("http_request_duration_seconds"),
    ),
    MetricSpec(
        name="db", label="db", kind="gauge", source="app", total=SeriesRef("db_connections")
    ),
)  # fmt: skip


@pytest.fixture
def make_service() -> Callable[..., ServiceSpec]:
    """A service whose metrics are read at one endpoint."""

    def make(endpoint: EndpointSpec, *more: MetricSpec) -> ServiceSpec:
        return ServiceSpec(
            name="shop",
            repo="repo",
            pipeline="shop.yaml",
            target=TargetSpec(kind="haproxy", socket="s.sock"),
            endpoints=(endpoint,),
            metrics=(*METRICS, *more),
        )

    return make
