"""Real HTTP servers that expose metrics, and lie in every way that was seen in practice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec

PLAIN = "text/plain; version=0.0.4"


@dataclass
class Endpoint:
    """One endpoint on loopback. `how` says what it does with a request."""

    how: str = "honest"
    body: str = ""
    content_type: str = PLAIN
    port: int = 0
    asked: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self._say(writer)
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter) -> None:
        body, status, content_type = self.body.encode(), "200 OK", self.content_type
        match self.how:
            case "hang":
                await self._over.wait()
                return
            case "drip":
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._over.wait(), 0.1)
                return
            case "half":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body)
                return
            case "garbage":
                writer.write(b"\x00\xff\x16\x03\x01 nothing like HTTP\r\n\r\n" * 3)
                return
            case "silent":
                return
            case "flood":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                line = b"up 1\n" * 20_000
                for _ in range(200):
                    writer.write(line)
                    await writer.drain()
                return
            case "login":
                body, content_type = b"<!doctype html><title>Sign in</title>", "text/html"
            case "unavailable":
                status = "503 Service Unavailable"
            case "moved":
                status = "302 Found"
            case "chunked":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for start in range(0, len(body), 7):
                    piece = body[start : start + 7]
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return
        head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()

    def stop_hanging(self) -> None:
        self._over.set()


Serve = Callable[..., Awaitable[Endpoint]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts endpoints; all of them end with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(body: str = "", how: str = "honest", content_type: str = PLAIN) -> Endpoint:
            endpoint = Endpoint(how, body, content_type)
            server = await asyncio.start_server(endpoint.answer, "127.0.0.1", 0)
            endpoint.port = server.sockets[0].getsockname()[1]
            await stack.enter_async_context(server)
            stack.callback(endpoint.stop_hanging)
            return endpoint

        yield start


METRICS = (
    MetricSpec(
        name="errors",
        label="errors",
        kind="counts",
        source="edge",
        total=SeriesRef("haproxy_server_http_responses_total"),
        events=SeriesRef("haproxy_server_http_responses_total", {"code": "5xx"}),
        shown_as="percent",
        limit=2.0,
    ),
    MetricSpec(
        name="latency",
        label="latency p95",
        kind="latency",
        source="app",
        total=SeriesRef("http_request_duration_seconds"),
        shown_as="ms",
        limit=300.0,
    ),
    MetricSpec(
        name="orders",
        label="orders",
        kind="counts",
        source="app",
        total=SeriesRef("http_requests_total"),
        events=SeriesRef("shop_orders_total"),
        worse="down",
        shown_as="per_minute",
    ),
    MetricSpec(
        name="db",
        label="database connections",
        kind="gauge",
        source="app",
        total=SeriesRef("shop_db_connections"),
        judged=False,
    ),
    MetricSpec(
        name="payments",
        label="payments dependency",
        kind="state",
        source="app",
        total=SeriesRef("shop_dependency_up", {"dependency": "payments"}),
        judged=False,
        shared=True,
    ),
)

MakeService = Callable[..., ServiceSpec]


@pytest.fixture
def make_service() -> MakeService:
    """The demo's service, with endpoints at the given addresses."""

    def make(
        stable: tuple[str, ...] = ("http://stable/",),
        canary: tuple[str, ...] = ("http://canary/",),
        edge: str = "http://edge/",
    ) -> ServiceSpec:
        return ServiceSpec(
            name="shop",
            repo="repo",
            pipeline="shop.yaml",
            target=TargetSpec(kind="haproxy", socket="s.sock"),
            endpoints=(
                EndpointSpec("app", stable=stable, canary=canary),
                EndpointSpec("edge", both=edge, arm_label="server"),
            ),
            metrics=METRICS,
        )

    return make


@pytest.fixture
def app_page() -> Callable[..., str]:
    """The text of an application's endpoint."""

    def page(
        fast: int = 0, slow: int = 0, orders: int = 0, db: object = 41, payments: object = 1
    ) -> str:
        whole = fast + slow
        return (
            "# HELP http_request_duration_seconds Time to answer.\n"
            "# TYPE http_request_duration_seconds histogram\n"
            f'http_request_duration_seconds_bucket{{le="0.1"}} {fast}\n'
            f'http_request_duration_seconds_bucket{{le="0.5"}} {whole}\n'
            f'http_request_duration_seconds_bucket{{le="+Inf"}} {whole}\n'
            f"http_request_duration_seconds_count {whole}\n"
            f"http_request_duration_seconds_sum {0.05 * fast + 0.3 * slow}\n"
            "# TYPE http_requests_total counter\n"
            f'http_requests_total{{code="200"}} {whole}\n'
            "# TYPE shop_orders_total counter\n"
            f"shop_orders_total {orders}\n"
            f"shop_db_connections {db}\n"
            f'shop_dependency_up{{dependency="mail"}} 1\n'
            f'shop_dependency_up{{dependency="payments"}} {payments}\n'
        )

    return page


@pytest.fixture
def edge_page() -> Callable[..., str]:
    """The text of HAProxy's endpoint: (good, bad) for each arm."""

    def page(stable: tuple[int, int], canary: tuple[int, int]) -> str:
        lines = ["# TYPE haproxy_server_http_responses_total counter"]
        for server, (good, bad) in (("stable", stable), ("canary", canary)):
            for code, count in (("2xx", good), ("4xx", 0), ("5xx", bad), ("other", 0)):
                labels = f'proxy="be",server="{server}",code="{code}"'
                lines.append(f"haproxy_server_http_responses_total{{{labels}}} {count}")
        return "\n".join(lines) + "\n"

    return page
