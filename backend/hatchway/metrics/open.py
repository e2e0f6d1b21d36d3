"""Which adapter reads a service's metrics: decided here, and nowhere else."""

from __future__ import annotations

from hatchway.core.plan import ServiceSpec

from .port import Metrics
from .scrape import ScrapeMetrics


def opened(service: ServiceSpec) -> Metrics:
    """The source of scrapes that the service's endpoints ask for. Opens no connection yet.

    The caller closes it.
    """
    return ScrapeMetrics(service)
