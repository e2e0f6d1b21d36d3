"""A little service that exposes metrics and does as it is told: `target.py PORT`.

POST /add adds to its counters, /mode makes it lie, /reset starts its counters anew.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

NOTHING = {"good": 0, "bad": 0, "fast": 0, "slow": 0}
counters = dict(NOTHING)
mode = "honest"
lock = Lock()


def page() -> str:
    good, bad, fast, slow = (counters[name] for name in NOTHING)
    return (
        "# TYPE http_requests_total counter\n"
        f'http_requests_total{{code="200",path="/a"}} {good}\n'
        f'http_requests_total{{code="500",path="/a"}} {bad}\n'
        'http_requests_total{code="200",path="/b"} 0\n'
        "# TYPE http_request_duration_seconds histogram\n"
        f'http_request_duration_seconds_bucket{{le="0.05"}} {fast}\n'
        f'http_request_duration_seconds_bucket{{le="0.1"}} {fast + slow}\n'
        f'http_request_duration_seconds_bucket{{le="+Inf"}} {fast + slow}\n'
        f"http_request_duration_seconds_count {fast + slow}\n"
        f"http_request_duration_seconds_sum {0.02 * fast + 0.051 * slow}\n"
        f"db_connections {7 + counters['good'] % 3}\n"
        "no_number NaN\n"
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with lock:
            body, kind, lie = page().encode(), "text/plain; version=0.0.4", mode
        if lie == "html":
            body, kind = b"<!doctype html><title>Sign in</title>\n", "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) + (1000 if lie == "half" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        global mode  # noqa: PLW0603 - one process, one target
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            if self.path == "/add":
                for name, count in told.items():
                    counters[name] += count
            elif self.path == "/mode":
                mode = told
            elif self.path == "/reset":
                counters.update(NOTHING)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked is gone: not worth a word."""


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
