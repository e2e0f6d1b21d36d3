"""Metrics from a server with Prometheus' HTTP API: Prometheus, VictoriaMetrics and their like."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from math import ceil

from msgspec.structs import replace

from hatchway.core.plan import EndpointSpec, MetricSpec, ServiceSpec

from .exposition import MOST_SERIES, Unreadable, wanted_of
from .freshness import Freshness, gap_of, said
from .http import GetFailed, get
from .increments import arm_values
from .instances import Asked, Place, Seen, pages
from .port import NO_SERIES, Page, Scrape, SeriesKey
from .promql import Line, address, lines, one_number, raw, refusal, text_literal

log = logging.getLogger("hatchway.metrics")

TIMEOUT_S = 0.9
MOST_BYTES = 4_000_000
FRESH_S = 5.0  # an instance's newest sample may be this old, or four scrapes of its server
FIRST_LOOK_S = 300  # how far back the first question goes, to learn how often the server scrapes
AGAIN_S = 10.0  # with everything in trouble, how often the server is looked at anew


class PrometheusMetrics:
    """Reads raw samples of a service's instances from the servers that its endpoints name.

    `fresh_s` is how old an instance's newest sample may be (default: 5 s, or four of the server's
    scrapes if that is longer).
    """

    def __init__(
        self,
        service: ServiceSpec,
        *,
        timeout_s: float = TIMEOUT_S,
        fresh_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._servers = [
            _Server(service, endpoint, timeout_s, fresh_s, clock)
            for endpoint in service.endpoints
            if endpoint.prometheus
        ]

    async def about(self) -> tuple[str, ...]:
        """How old each server's numbers are, and what else to know before trusting them."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.about()) for server in self._servers]
        return tuple(sentence for task in tasks for sentence in task.result())

    async def look(self, now: float) -> Scrape:
        """Ask every server once; what cannot be read is a page with its trouble in words.

        The first look asks each server about its freshness too, and logs it.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.pages()) for server in self._servers]
        return Scrape(now, tuple(page for task in tasks for page in task.result()))

    async def close(self) -> None:
        """Nothing is kept open between looks."""


class _Server:
    """One endpoint: a server, and what is asked of it."""

    def __init__(
        self,
        service: ServiceSpec,
        endpoint: EndpointSpec,
        timeout_s: float,
        fresh_s: float | None,
        clock: Callable[[], float],
    ) -> None:
        specs = [spec for spec in service.metrics if spec.source == endpoint.name]
        self._values = arm_values(service, endpoint)
        arms = {value: arm for arm, value in self._values.items()}
        self._asked = Asked(endpoint, wanted_of(service, endpoint.name), arms)
        self._queries = [spec for spec in specs if spec.kind == "series"]
        self._timeout_s = timeout_s
        self._fresh_s = fresh_s
        self._clock = clock
        self._expected_s = service.scrape_s
        self._freshness: Freshness | None = None
        self._looked_at = -AGAIN_S
        self._seen: dict[Place, Seen] = {}

    async def about(self) -> tuple[str, ...]:
        """How old this server's numbers are, in sentences."""
        endpoint = self._asked.endpoint
        try:
            freshness = await self._look_at_it()
        except (GetFailed, Unreadable) as error:
            return (f"{endpoint.prometheus} cannot be read: {error}",)
        return said(endpoint, freshness, self._bound_s(freshness))

    async def pages(self) -> tuple[Page, ...]:
        """A page per instance, and one per arm for each query."""
        async with asyncio.TaskGroup() as group:
            queries = [
                group.create_task(self._answer(spec, arm))
                for spec in self._queries
                for arm in self._values
            ]
            instances = await self._instances()
        return (*instances, *(_gated(task.result(), instances) for task in queries))

    async def _instances(self) -> tuple[Page, ...]:
        endpoint = self._asked.endpoint
        try:
            freshness = await self._known_freshness()
            found = await self._raw(ceil(self._bound_s(freshness)) + 1)
        except (GetFailed, Unreadable) as error:
            return (Page(endpoint.name, "", self._asked.url("", ""), trouble=str(error)),)
        if (gap := gap_of(found)) is not None and freshness.gap_s is not None:
            # A reload may have changed how often the server scrapes.
            self._freshness = freshness.with_gap(gap)
        now = self._clock() + freshness.ahead_s
        self._seen, made = pages(self._asked, found, self._seen, now, self._bound_s(freshness))
        if all(page.trouble for page in made) and now - self._looked_at > AGAIN_S:
            self._freshness = None
        return made

    def _bound_s(self, freshness: Freshness) -> float:
        if self._fresh_s is not None:
            return self._fresh_s
        return max(FRESH_S, 4 * (freshness.gap_s or self._expected_s))

    async def _known_freshness(self) -> Freshness:
        """What was found at the first look; until there is a sample, every look is the first."""
        known = self._freshness
        if known is None or known.gap_s is None:
            known = await self._look_at_it()
            if known != self._freshness:
                for sentence in said(self._asked.endpoint, known, self._bound_s(known)):
                    log.info("%s", sentence)
            self._freshness = known
            self._looked_at = self._clock() + known.ahead_s
        return known

    async def _look_at_it(self) -> Freshness:
        server = self._asked.endpoint.prometheus
        ups = await self._raw(FIRST_LOOK_S, only_up=True)
        exact = one_number(await self._ask(address(server, "time()")))
        hiding = one_number(await self._ask(address(server, "time()", newest=False)))
        label = self._asked.endpoint.arm_label
        return Freshness.of(ups, hiding, exact, self._clock(), label)

    async def _raw(self, seconds: int, *, only_up: bool = False) -> list[Line]:
        endpoint, names = self._asked.endpoint, self._asked.names
        several = {"up"} if only_up else {"up", *names.counters, *names.gauges}
        question = raw(several, endpoint.arm_label, self._asked.arms, endpoint.select, seconds)
        found = lines(await self._ask(address(endpoint.prometheus, question)))
        if len(found) > MOST_SERIES:
            raise Unreadable(f"{len(found)} matching series, more than {MOST_SERIES}")
        return found

    async def _answer(self, spec: MetricSpec, arm: str) -> Page:
        """The answer to a metric's query for one arm."""
        endpoint = self._asked.endpoint
        question = spec.query.replace("{arm}", text_literal(self._values[arm]))
        url = f"{self._asked.url(arm, '')}?{spec.name}"
        try:
            value = one_number(await self._ask(address(endpoint.prometheus, question)))
        except (GetFailed, Unreadable) as error:
            return Page(endpoint.name, arm, url, trouble=str(error), query=spec.name)
        values: dict[SeriesKey, float] = {} if value is None else {(spec.name, ()): value}
        return Page(endpoint.name, arm, url, values, query=spec.name)

    async def _ask(self, url: str) -> bytes:
        try:
            _, body = await get(
                url,
                timeout_s=self._timeout_s,
                most=MOST_BYTES,
                accept=b"application/json",
                read_errors=True,
            )
        except GetFailed as error:
            said_by_it = refusal(error.body)
            raise GetFailed(f"{error}, {said_by_it}" if said_by_it else str(error)) from None
        return body


def _gated(answer: Page, instances: tuple[Page, ...]) -> Page:
    """A query's answer counts while an instance of the arm can be read.

    A rate goes on for seconds after its instance hangs; what it says then is made up.
    """
    of_arm = [page for page in instances if page.arm in (answer.arm, "")]
    troubles = [page.trouble for page in of_arm if page.trouble]
    if answer.trouble or not of_arm or len(troubles) < len(of_arm):
        return answer
    if all(trouble.startswith(NO_SERIES) for trouble in troubles):
        return answer
    return replace(answer, values={}, trouble=troubles[0])
