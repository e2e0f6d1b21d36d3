"""What should be watched of a service, and which names speak of it."""

from __future__ import annotations

import re
from typing import Literal, get_args

from hatchway.core.plan import MetricSpec

Area = Literal["errors", "latency", "traffic", "business", "database", "dependency", "saturation"]
AREAS: tuple[Area, ...] = get_args(Area)

CODE_LABELS = (
    *("code", "status", "status_code", "code_class", "status_class", "http_status", "http_code"),
    *("response_code", "http_response_status_code", "statuscode", "grpc_code", "outcome"),
)
"""Labels that tell how a request ended."""


PLACE_LABELS = ("route", "handler", "endpoint", "uri", "path", "grpc_method", "operation")
"""Labels that tell what was asked for."""


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


def _part(*words: str) -> re.Pattern[str]:
    """The words as whole parts of a snake_case name."""
    return re.compile(rf"(?:^|_)(?:{'|'.join(words)})(?:_|$)", re.IGNORECASE)


ITSELF = _any(
    "^promhttp_", "metric_handler", "^scrape_", "^prometheus_", "^go_(?!sql)", "^python_", "^jvm_gc"
)
"""Metrics about the page of metrics or the language, not about the service."""

OUTGOING = _part("client", "clients", "outgoing", "outbound", "upstream", "egress", "webhook")
"""Requests that the service makes, which are not those that its users make."""

BUSINESS = _part(
    *("orders?", "checkouts?", "payments?", "purchases?", "sign_?ups?", "registrations?"),
    *("bookings?", "subscriptions?", "logins?", "conversions?", "invoices?", "donations?"),
    *("reservations?", "sales", "deposits?", "transfers?", "shipments?", "add_to_carts?"),
)
FAILED = _part(
    *("errors?", "failed", "failures?", "fail", "declined", "rejected", "refused", "exceptions?"),
    *("aborted", "aborts", "cancell?ed", "cancell?ations?", "timeouts?", "panics?", "retries"),
)
DATABASE = _part(
    *("db", "database", "sql", "pg", "pgx", "pgxpool", "postgres", "postgresql", "mysql", "mongo"),
    *("mongodb", "hikaricp", "jdbc", "sqlalchemy", "mariadb", "oracle"),
)
CONNECTIONS = _part(
    "connections?", "conns?", "pool", "in_use", "acquired", "active", "checked_out", "waiting"
)
MOST = _part("max", "limit", "maximum", "capacity", "size", "min", "idle")
LATENCY = _any("duration", "latency", "response_time", "request_time", "request_seconds", "elapsed")
REQUESTS = _part("requests?", "responses?", "calls?", "handled", "hits", "served")
SATURATION = _part(
    *("queue", "backlog", "queued", "inflight", "in_flight", "in_progress", "pending", "lag"),
    *("saturation", "utili[sz]ation", "usage", "current_queue", "busy", "threads_busy"),
)


def area_of(spec: MetricSpec) -> Area | None:
    """Which area a declared metric watches, by its kind and by the words in its names."""
    names = f"{spec.name}_{spec.total.name}_{'_'.join(spec.total.labels)}".replace("-", "_")
    if spec.kind == "counts":
        return "business" if spec.worse == "down" else "errors"
    if spec.kind == "latency":
        return "latency"
    names += "_" + re.sub(r"\W+", "_", f"{spec.label}_{spec.query}")
    if spec.kind == "series":
        for area, words in (
            ("errors", FAILED), ("latency", LATENCY), ("business", BUSINESS),
            ("database", DATABASE), ("traffic", REQUESTS),
        ):  # fmt: skip
            if words.search(names):
                return _area(area)
        return "saturation"
    if DATABASE.search(names):
        return "database"
    if spec.shared or spec.kind == "state":
        return "dependency"
    return "saturation"


def _area(word: str) -> Area:
    return next(area for area in AREAS if area == word)
