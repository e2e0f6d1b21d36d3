"""What the shop tells Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from shop import __version__

CODES = (200, 404, 405, 422, 500, 503)
BUCKETS = (
    *(0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15),
    *(0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5),
)


class Metrics:
    """Every label value exists from the start: a missing series must never look like a zero."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._registry = registry = CollectorRegistry()
        requests = Counter("http_requests", "Answered requests", ["code"], registry=registry)
        self._requests = {code: requests.labels(str(code)) for code in CODES}
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time to the answer",
            buckets=BUCKETS,
            registry=registry,
        )
        self.orders = Counter("shop_orders", "Orders taken", registry=registry)
        self.connections = Gauge("shop_db_connections", "Connections in use", registry=registry)
        Gauge("shop_db_up", "1: the database answers", registry=registry).set(1)
        dependency = Gauge(
            "shop_dependency_up", "1: the service answers", ["dependency"], registry=registry
        )
        self.payments = dependency.labels("payments")
        self.payments.set(1)
        build = Gauge("build_info", "Always 1", ["version"], registry=registry)
        build.labels(__version__).set(1)

    def answered(self, code: int, seconds: float) -> None:
        """Count one answer."""
        self._requests[code].inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it, in the text format 0.0.4."""
        text: bytes = generate_latest(self._registry)
        return text
