"""The running shop: what it measures of itself, and what each fault does to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchway.demo import repo

ORDER = json.dumps({"items": [{"product": "mug", "quantity": 1}]})


class Shop:
    """A running instance of the released version, without noise or work unless asked for."""

    def __init__(self, place: Path, control: Path, *arguments: str, lifeline: int = -1) -> None:
        self.control = control
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shop", "--control", str(control), *arguments],
            cwd=place,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(lifeline,) if lifeline >= 0 else (),
        )
        assert self.process.stdout is not None
        found = re.search(r"^shop (\S+) .*:(\d+)$", self.process.stdout.readline())
        assert found is not None
        self.version, self.port = found[1], int(found[2])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def call(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        return response.status, response.read().decode()

    def statuses(self, n: int, path: str = "/cart") -> Counter[int]:
        method, body = ("POST", ORDER) if path == "/checkout" else ("GET", None)
        return Counter(self.call(method, path, body)[0] for _ in range(n))

    def metric(self, series: str) -> float:
        status, text = self.call("GET", "/metrics")
        assert status == 200
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
        assert found is not None, series
        return float(found[1])

    def switch(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.control))
            peer.sendall(f"{command}\n".encode())
            return peer.makefile().readline().strip()

    def stop(self) -> int:
        self.connection.close()
        self.process.terminate()
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("shop")
    made = repo.create(base / "repo")
    return repo.checkout(made.path, made.release, base / "work")


@pytest.fixture
def shop(place: Path, short: Path) -> Iterator[Shop]:
    running = Shop(place, short / "c")
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


def test_every_series_is_there_before_the_first_request(shop: Shop):
    for code in (200, 404, 405, 422, 500, 503):
        assert shop.metric(f'http_requests_total{{code="{code}"}}') == 0
    assert shop.metric("shop_orders_total") == 0
    assert shop.metric("http_request_duration_seconds_count") == 0
    assert shop.metric("shop_db_up") == 1
    assert shop.metric('shop_dependency_up{dependency="payments"}') == 1
    assert shop.metric(f'build_info{{version="{shop.version}"}}') == 1
    assert 0 < shop.metric("shop_db_connections") < 80


def test_requests_orders_and_time_are_counted_and_looking_is_not(shop: Shop):
    assert shop.statuses(20) == {200: 20}
    assert shop.statuses(10, "/checkout") == {200: 10}
    assert shop.call("GET", "/nothing")[0] == 404
    assert shop.call("DELETE", "/cart")[0] == 405
    assert shop.call("POST", "/checkout", "{}")[0] == 422
    shop.call("GET", "/healthz")
    assert shop.metric('http_requests_total{code="200"}') == 30
    assert shop.metric("shop_orders_total") == 10
    assert shop.metric("http_request_duration_seconds_count") == 33


def test_errors_fails_20_percent(shop: Shop):
    assert shop.switch("errors on") == "ok"
    assert 30 <= shop.statuses(300)[500] <= 95
    assert shop.switch("errors off") == "ok"
    assert shop.statuses(50) == {200: 50}


def test_both_arms_fails_15_percent(shop: Shop):
    shop.switch("both-arms on")
    assert 20 <= shop.statuses(300)[500] <= 75


def test_slow_delays_30_percent_by_a_quarter_of_a_second_or_more(shop: Shop):
    shop.switch("slow on")
    assert shop.statuses(40) == {200: 40}
    quick = shop.metric('http_request_duration_seconds_bucket{le="0.2"}')
    assert 18 <= quick <= 37


def test_orders_drop_loses_60_percent_of_orders_and_answers_200(shop: Shop):
    shop.switch("orders-drop on")
    assert shop.statuses(300, "/checkout") == {200: 300}
    assert 80 <= shop.metric("shop_orders_total") <= 160


def test_metrics_silent_takes_the_metrics_and_nothing_else(shop: Shop):
    shop.switch("metrics-silent on")
    assert shop.call("GET", "/metrics")[0] == 503
    assert shop.statuses(10) == {200: 10}
    assert shop.call("GET", "/healthz")[0] == 200


def test_dependency_down_shows_in_the_gauge_and_in_checkouts(shop: Shop):
    shop.switch("dependency-down on")
    assert shop.metric('shop_dependency_up{dependency="payments"}') == 0
    assert shop.statuses(5, "/checkout") == {503: 5}
    assert shop.statuses(5) == {200: 5}
    shop.switch("dependency-down off")
    assert shop.metric('shop_dependency_up{dependency="payments"}') == 1
    assert shop.statuses(5, "/checkout") == {200: 5}


def test_hang_accepts_and_never_answers_but_can_be_switched_off(shop: Shop):
    shop.switch("hang on")
    for path in ("/", "/healthz", "/metrics"):
        with socket.create_connection(("127.0.0.1", shop.port), timeout=0.3) as peer:
            peer.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            with pytest.raises(TimeoutError):
                peer.recv(1)
    shop.switch("hang off")
    assert shop.statuses(3) == {200: 3}


def test_staging_broken_fails_the_smoke_test_and_health_is_fine(shop: Shop, place: Path):
    smoke = [sys.executable, "tests/smoke.py", f"http://127.0.0.1:{shop.port}"]
    assert subprocess.run(smoke, cwd=place, capture_output=True, check=False).returncode == 0
    shop.switch("staging-broken on")
    broken = subprocess.run(smoke, cwd=place, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert "FAIL GET /cart" in broken.stdout
    assert shop.call("GET", "/healthz")[0] == 200


def test_the_monitor_sees_failed_requests_and_keeps_to_the_pace(shop: Shop, place: Path):
    monitor = [sys.executable, "tests/monitor.py", f"http://127.0.0.1:{shop.port}"]
    paced = {**os.environ, "HATCHWAY_PACE": "100"}
    well = subprocess.run(
        [*monitor, "--seconds", "20"], cwd=place, env=paced, capture_output=True, check=False
    )
    assert well.returncode == 0, well.stdout
    shop.switch("staging-broken on")
    with subprocess.Popen([*monitor, "--seconds", "60"], cwd=place, stdout=subprocess.PIPE) as m:
        deadline = time.monotonic() + 60
        while m.poll() is None and time.monotonic() < deadline:
            shop.call("GET", "/cart")
            time.sleep(0.05)
        assert m.returncode == 1
        assert m.stdout is not None
        assert b"requests failed" in m.stdout.read()


def test_an_unknown_fault_is_refused_with_the_names(shop: Shop):
    for command in ("erors on", "errors", "errors maybe", ""):
        assert shop.switch(command).startswith("error: write NAME on|off with a name of: errors")


def test_garbage_does_not_hurt_it(shop: Shop):
    for text in (
        b"\x00\xff\r\n\r\n",
        b"GET /",
        b"x" * 100_000,
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        with (
            socket.create_connection(("127.0.0.1", shop.port), timeout=10) as peer,
            contextlib.suppress(ConnectionError),
        ):
            peer.sendall(text)
            peer.shutdown(socket.SHUT_WR)
            peer.recv(100)
    assert shop.statuses(3) == {200: 3}


def test_what_is_under_way_is_answered_before_it_stops(place: Path, short: Path):
    slow = Shop(place, short / "c", "--work-ms", "500")
    with socket.create_connection(("127.0.0.1", slow.port), timeout=20) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert slow.switch("errors off") == "ok"  # asked later, answered: the request is read
        slow.process.send_signal(signal.SIGTERM)
        answer = peer.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer
    # Asked once: a second SIGTERM could meet an interpreter that no longer handles it.
    assert slow.process.wait(20) == 0
    slow.stop()


def test_it_ends_with_its_lifeline(place: Path, short: Path):
    lifeline, pulse = os.pipe()
    running = Shop(place, short / "c", "--lifeline", str(lifeline), lifeline=lifeline)
    os.close(lifeline)
    assert running.statuses(1) == {200: 1}
    os.close(pulse)
    assert running.process.wait(20) == 0
    running.stop()


def test_the_same_seed_fails_the_same_requests(place: Path, short: Path):
    seen = []
    for _ in range(2):
        noisy = Shop(place, short / "c", "--error-rate", "0.3", "--seed", "5", "--arm", "canary")
        seen.append([noisy.call("GET", "/")[0] for _ in range(60)])
        assert noisy.stop() == 0
    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 500}
