"""`hatchway metrics check` and `suggest`, as processes against real little HTTP servers."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli.metrics import main
from hatchway.settings.load import load_installation

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
SHARES = (0.05, 0.35, 0.40, 0.15, 0.04, 0.005, 0.005)

PIPELINE = """\
pipeline: store
service: store
environment: prod
stages:
  - {name: release, kind: release}
  - name: canary
    kind: canary
    deploy: [{start: "true"}]
    steps:
      - {weight: 5, monitor: 2m, excludes: 10}
      - {weight: 25, monitor: 2m, excludes: 5}
      - {weight: 100, hold_back: 5, monitor: 5m, excludes: 10}
"""

SERVICE = """\
environment: prod
services:
  store:
    repo: repo
    pipeline: pipelines/store.yaml
    scrape: 0.5s
    target: {{kind: haproxy, socket: admin.sock}}
    endpoints:
      app:
        stable: [{stable}]
        canary: [{canary}]
    metrics:
{metrics}
"""

ERRORS = """\
      errors:
        kind: counts
        source: app
        total: http_requests_total
        events: http_requests_total{code="500"}
        shown_as: percent
"""
LATENCY = """\
      latency:
        kind: latency
        source: app
        total: http_request_duration_seconds
        shown_as: ms
"""
ORDERS = """\
      orders:
        kind: counts
        source: app
        total: http_requests_total
        events: shop_orders_total
        worse: down
"""
NOWHERE = "http://127.0.0.1:1/metrics"


class Shop:
    """A page whose counters grow by so much at each scrape. Nothing of it is random."""

    def __init__(self, *, requests: int = 50, errors: int = 1, codes: tuple[str, ...] = ()) -> None:
        self.requests, self.errors = requests, errors
        self.codes = codes or ("200", "404", "500")
        self.shares = SHARES
        self.scrapes = 0
        self.fixed = ""  # instead of all else

    def page(self) -> str:
        self.scrapes += 1
        return self.fixed or "\n".join([*self._counters(), *self._histogram(), *self._others()])

    def _counters(self) -> Iterator[str]:
        whole, bad = self.scrapes * self.requests, self.scrapes * self.errors
        yield "# TYPE http_requests_total counter"
        for code in self.codes:
            count = bad if code.startswith("5") else whole - bad if code.startswith("2") else 0
            yield f'http_requests_total{{code="{code}"}} {count}'

    def _histogram(self) -> Iterator[str]:
        yield "# TYPE http_request_duration_seconds histogram"
        below = 0.0
        for bound, share in zip((*BOUNDS, "+Inf"), self.shares, strict=True):
            below += share * self.scrapes * self.requests
            yield f'http_request_duration_seconds_bucket{{le="{bound}"}} {round(below)}'
        yield f"http_request_duration_seconds_count {self.scrapes * self.requests}"
        yield f"http_request_duration_seconds_sum {self.scrapes * 3.1}"

    def _others(self) -> Iterator[str]:
        yield "# TYPE shop_orders_total counter"
        yield f"shop_orders_total {30 * self.scrapes}"
        yield "# TYPE shop_db_connections gauge\nshop_db_connections 21"
        yield 'shop_dependency_up{dependency="payments"} 1\n'


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Served = Callable[[Shop], str]


@pytest.fixture
def served() -> Iterator[Served]:
    """Serves a shop's page on a free port; gives the address."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def serve(shop: Shop) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = shop.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/metrics"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def configured(
    tmp_path: Path, stable: str, *metrics: str, canary: str = NOWHERE, pipeline: str = PIPELINE
) -> Path:
    """A state directory for a service with these metrics."""
    home = tmp_path / "config"
    (home / "pipelines").mkdir(parents=True)
    text = SERVICE.format(stable=stable, canary=canary, metrics="".join(metrics))
    (home / "hatchway.yaml").write_text(text)
    (home / "pipelines" / "store.yaml").write_text(pipeline)
    return tmp_path


def hatchway(*arguments: str) -> Done:
    """The verb in this process, as the entry point calls it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(arguments))
        except SystemExit as left:  # by argparse
            status = int(left.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def process(*arguments: str) -> Done:
    """The verb as people start it."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchway.cli.main", "metrics", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def check(directory: Path, *more: str) -> Done:
    return hatchway("check", "--dir", str(directory), "--seconds", "1", *more)


def checked(directory: Path) -> tuple[int, dict[str, Any]]:
    """The exit status, and each metric by name."""
    done = check(directory, "--json")
    assert done.stderr == ""
    return done.returncode, {
        metric["name"]: metric for metric in json.loads(done.stdout)["metrics"]
    }


def test_a_service_that_can_be_judged_says_how_small_a_regression_is_seen(
    served: Served, tmp_path: Path
) -> None:
    directory = configured(tmp_path, served(Shop()), ERRORS, LATENCY, ORDERS)
    done = process("check", "store", "--dir", str(directory), "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "All 3 judged metrics can be judged." in text
    assert "a doubling of 2 % errors needs" in text
    assert "requests that take 1.5x as long need" in text
    assert "one instance: margins are configured" in text
    assert "connection refused" in text  # the canary: not there yet, and no mistake
    assert "Not declared: database" in text
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_every_planned_step_has_its_figures(served: Served, tmp_path: Path) -> None:
    status, metrics = checked(configured(tmp_path, served(Shop()), ERRORS, LATENCY))
    assert status == 0
    steps = metrics["errors"]["steps"]
    assert [step["weight"] for step in steps] == [5, 25, 95]
    assert [step["monitor_s"] for step in steps] == [120, 120, 300]
    assert all(1 < step["found_late"] < step["found"] < 20 for step in steps)
    assert all(0 < step["pass_s"] < step["most_s"] for step in steps)
    assert steps[1]["found"] < steps[0]["found"]


def test_both_arms_are_read_when_the_canary_is_there(served: Served, tmp_path: Path) -> None:
    stable, canary = served(Shop()), served(Shop(requests=10, errors=1))
    status, metrics = checked(configured(tmp_path, stable, ERRORS, canary=canary))
    assert status == 0
    assert metrics["errors"]["canary"]["trouble"] == ""
    assert metrics["errors"]["canary"]["events"] == 2
    assert metrics["errors"]["canary"]["requests"] == 20


def test_a_misspelt_series_is_told_what_was_meant(served: Served, tmp_path: Path) -> None:
    wrong = ERRORS.replace("total: http_requests_total", "total: http_request_total")
    status, metrics = checked(configured(tmp_path, served(Shop()), wrong))
    assert status == 1
    (problem,) = metrics["errors"]["problems"]
    assert "there is no series http_request_total; did you mean http_requests_total" in problem


def test_a_label_value_in_another_form_is_told_what_there_is(
    served: Served, tmp_path: Path
) -> None:
    wrong = ERRORS.replace('code="500"', 'code="5xx"')
    _, metrics = checked(configured(tmp_path, served(Shop()), wrong))
    assert any('no code="5xx" (there is: 200, 404, 500)' in n for n in metrics["errors"]["notes"])


def test_no_traffic_cannot_be_judged(served: Served, tmp_path: Path) -> None:
    status, metrics = checked(configured(tmp_path, served(Shop(requests=0, errors=0)), ERRORS))
    assert status == 1
    assert "no traffic on stable" in metrics["errors"]["problems"][0]


def test_a_service_that_is_down_cannot_be_judged(tmp_path: Path) -> None:
    directory = configured(tmp_path, NOWHERE, ERRORS, canary="http://127.0.0.1:2/metrics")
    done = process("check", "--dir", str(directory), "--seconds", "1")
    assert done.returncode == 1
    assert "connection refused" in done.stdout
    assert "CANNOT BE JUDGED" in done.stdout
    assert "1 of 1 judged metrics cannot be judged" in done.stdout


def test_too_coarse_buckets_are_called_so(served: Served, tmp_path: Path) -> None:
    shop = Shop(requests=100)
    shop.shares = (0.97, 0.01, 0.01, 0.005, 0.005, 0.0, 0.0)
    status, metrics = checked(configured(tmp_path, served(shop), LATENCY))
    assert status == 1
    assert (
        "97 % of the requests are in one bucket, up to 10 ms" in metrics["latency"]["problems"][0]
    )


def test_a_summary_is_no_latency(served: Served, tmp_path: Path) -> None:
    shop = Shop()
    shop.fixed = (
        "# TYPE http_request_duration_seconds summary\n"
        'http_request_duration_seconds{quantile="0.95"} 0.04\n'
        "http_request_duration_seconds_sum 1\nhttp_request_duration_seconds_count 9\n"
    )
    status, metrics = checked(configured(tmp_path, served(shop), LATENCY))
    assert status == 1
    assert "is a summary: latency needs a histogram" in metrics["latency"]["problems"][0]


def test_errors_that_never_came_are_reckoned_with_the_most_that_could_be(
    served: Served, tmp_path: Path
) -> None:
    done = check(configured(tmp_path, served(Shop(errors=0)), ERRORS))
    text = " ".join(done.stdout.split())
    assert "with none seen it is reckoned with at most" in text
    assert "(10x)" in text


def test_a_step_too_short_for_the_traffic_is_said_before_it_holds_a_release(
    served: Served, tmp_path: Path
) -> None:
    hasty = PIPELINE.replace("monitor: 2m, excludes: 10", "monitor: 20s, excludes: 2")
    shop = Shop(requests=5, errors=0)
    status, metrics = checked(configured(tmp_path, served(shop), ERRORS, pipeline=hasty))
    assert status == 1
    assert "PASS does not come within the longest monitoring" in metrics["errors"]["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--dir", "/nonexistent"), "holds no hatchway.yaml"),
        (("check", "--seconds", "0"), "--seconds takes a number from 1 to 3600"),
        (("check", "--seconds", "nan"), "--seconds takes a number from 1 to 3600"),
        (("look",), "invalid choice"),
        ((), "required"),
        (("suggest",), "URL"),
        (("suggest", NOWHERE), "cannot be read: connection refused"),
        (("suggest", "not-an-address"), "not an http address"),
    ],
)
def test_misuse_is_told_with_status_2(arguments: tuple[str, ...], said: str) -> None:
    done = hatchway(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_wrong_file_is_told_by_line_and_nothing_is_looked_at(
    served: Served, tmp_path: Path
) -> None:
    shop = Shop()
    directory = configured(tmp_path, served(shop), ERRORS.replace("counts", "coutns"))
    done = check(directory)
    assert done.returncode == 2
    lines = (directory / "config" / "hatchway.yaml").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "coutns" in text)
    assert f"hatchway.yaml:{line}: " in done.stderr
    assert "counts" in done.stderr
    assert shop.scrapes == 0


def test_an_unknown_service_is_told_which_there_are(served: Served, tmp_path: Path) -> None:
    done = check(configured(tmp_path, served(Shop()), ERRORS), "shop")
    assert done.returncode == 2
    assert 'no service "shop"; it has store' in done.stderr


def test_a_service_without_metrics_is_sent_to_suggest(tmp_path: Path) -> None:
    directory = configured(tmp_path, NOWHERE, canary="http://127.0.0.1:2/metrics")
    done = check(directory)
    assert done.returncode == 2
    assert f"hatchway metrics suggest {NOWHERE}" in done.stderr


def test_what_is_suggested_can_be_judged_at_once(served: Served, tmp_path: Path) -> None:
    url, canary = served(Shop()), served(Shop(requests=3, errors=0))
    done = process("suggest", url, "--canary", canary)
    assert (done.returncode, done.stderr) == (0, "")
    assert "http_requests_total has the label code" in " ".join(done.stdout.split("#"))
    directory = configured(tmp_path, url, ERRORS, canary=canary)
    file = directory / "config" / "hatchway.yaml"
    head = file.read_text().partition("    endpoints:")[0]
    file.write_text(head + done.stdout)
    again = hatchway("check", "--config", str(file), "--seconds", "1", "--json")
    assert (again.returncode, again.stderr) == (0, "")
    said = json.loads(again.stdout)
    assert {metric["name"] for metric in said["metrics"]} >= {"errors", "latency", "shop_orders"}
    assert said["undeclared"] == ["saturation"]


def test_a_page_with_nothing_to_judge_by_is_status_1(served: Served) -> None:
    shop = Shop()
    shop.fixed = "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 3e7\n"
    done = hatchway("suggest", served(shop))
    assert done.returncode == 1
    assert "nothing here can judge a canary" in done.stderr
    assert "process_resident_memory_bytes" in done.stdout


def test_the_documented_example_loads(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(blocks) == 2
    head = SERVICE.partition("    endpoints:")[0].replace("{{", "{").replace("}}", "}")
    file = tmp_path / "hatchway.yaml"
    file.write_text(head + textwrap.indent("".join(blocks), "    "))
    (service,) = load_installation(file).services
    assert {metric.kind for metric in service.metrics} == {"counts", "latency", "state", "series"}
    assert len(service.endpoints) == 4


def test_what_a_page_says_cannot_write_to_the_terminal(served: Served, tmp_path: Path) -> None:
    shop = Shop()
    shop.fixed = 'http_requests_total{code="\x1b[2J500"} 1\nhttp_requests_total{code="200"} 1\n'
    done = check(configured(tmp_path, served(shop), ERRORS))
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
