"""The splitter's metrics, by the names that HAProxy's Prometheus exporter gives them."""

from __future__ import annotations

from collections.abc import Callable

from hatchway.demo.arms import CLASSES, Pool, Server

METRICS: tuple[tuple[str, str, str, Callable[[Server], int]], ...] = (
    ("current_sessions", "gauge", "Number of current sessions", lambda s: s.current),
    ("sessions_total", "counter", "Total number of sessions", lambda s: s.total),
    ("bytes_in_total", "counter", "Total number of request bytes", lambda s: s.bytes_in),
    ("bytes_out_total", "counter", "Total number of response bytes", lambda s: s.bytes_out),
    ("connection_errors_total", "counter", "Failed connections", lambda s: s.refused),
    ("weight", "gauge", "Server's effective weight", lambda s: s.effective),
)


def exposition(pool: Pool) -> str:
    """All of it, in the text format 0.0.4."""
    lines = []
    for name, kind, words, read in METRICS:
        lines.append(f"# HELP haproxy_server_{name} {words}\n# TYPE haproxy_server_{name} {kind}")
        for server in pool.servers:
            lines.append(
                f'haproxy_server_{name}{{proxy="{pool.name}",server="{server.name}"}} '
                f"{read(server)}"
            )
    name = "haproxy_server_http_responses_total"
    lines.append(f"# HELP {name} Total number of HTTP responses\n# TYPE {name} counter")
    for at, code in enumerate(CLASSES):
        for server in pool.servers:
            labels = f'proxy="{pool.name}",server="{server.name}",code="{code}"'
            lines.append(f"{name}{{{labels}}} {server.responses[at]}")
    return "\n".join(lines) + "\n"
