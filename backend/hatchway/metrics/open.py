"""Which adapter reads a service's metrics: decided here, and nowhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hatchway.core.plan import ServiceSpec

from .command import CommandMetrics
from .port import Metrics, Scrape
from .prometheus import PrometheusMetrics
from .scrape import ScrapeMetrics


def opened(service: ServiceSpec, directory: Path | None = None) -> Metrics:
    """The source of scrapes that the service's endpoints ask for. Opens no connection yet.

    Commands run in `directory` (default: where this process is). The caller closes it.
    """
    sources: list[Metrics] = []
    if any(e.both or e.stable or e.canary for e in service.endpoints):
        sources.append(ScrapeMetrics(service))
    if any(e.prometheus for e in service.endpoints):
        sources.append(PrometheusMetrics(service))
    if any(e.command for e in service.endpoints):
        sources.append(CommandMetrics(service, directory=directory))
    return sources[0] if len(sources) == 1 else Together(sources)


class Together:
    """Several sources as one: a service may have endpoints of different kinds."""

    def __init__(self, sources: list[Metrics]) -> None:
        self._sources = sources

    async def about(self) -> tuple[str, ...]:
        """What each source says about itself."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(source.about()) for source in self._sources]
        return tuple(sentence for task in tasks for sentence in task.result())

    async def look(self, now: float) -> Scrape:
        """All sources at once."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(source.look(now)) for source in self._sources]
        return Scrape(now, tuple(page for task in tasks for page in task.result().pages))

    async def close(self) -> None:
        """Close every source."""
        for source in self._sources:
            await source.close()
