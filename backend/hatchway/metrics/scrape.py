"""Metrics straight from each instance's endpoint, all endpoints at once."""

from __future__ import annotations

import asyncio

from hatchway.core.plan import ServiceSpec

from .exposition import Unreadable, parse, wanted_of
from .http import GetFailed, get
from .port import Page, Scrape

TIMEOUT_S = 0.9
MOST_BYTES = 4_000_000


class ScrapeMetrics:
    """Scrapes the OpenMetrics or Prometheus text endpoints of a service over HTTP."""

    def __init__(self, service: ServiceSpec, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._names = {
            endpoint.name: wanted_of(service, endpoint.name) for endpoint in service.endpoints
        }
        self._places = tuple(
            (endpoint.name, arm, url)
            for endpoint in service.endpoints
            for arm, urls in (
                ("stable", endpoint.stable),
                ("canary", endpoint.canary),
                ("", (endpoint.both,) if endpoint.both else ()),
            )
            for url in urls
        )

    async def about(self) -> tuple[str, ...]:
        """Nothing: an instance's own page is as new as the look."""
        return ()

    async def look(self, now: float) -> Scrape:
        """Scrape every endpoint once; what cannot be read is a page with its trouble in words."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._page(*place)) for place in self._places]
        return Scrape(now, tuple(task.result() for task in tasks))

    async def close(self) -> None:
        """Nothing is kept open between scrapes."""

    async def _page(self, endpoint: str, arm: str, url: str) -> Page:
        try:
            content_type, body = await get(url, timeout_s=self._timeout_s, most=MOST_BYTES)
            read = parse(body, content_type, self._names[endpoint])
        except (GetFailed, Unreadable) as error:
            return Page(endpoint, arm, url, trouble=str(error))
        return Page(endpoint, arm, url, read.values, read.stamps, read.dropped)
