"""The backend's own health: figures for Prometheus (/metrics) and a word for probes (/healthz).

The figures are plain numbers until somebody asks, and prometheus-client is imported then: a backend
that nobody scrapes starts sooner and pays nothing for them.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TYPE_CHECKING

import hatchway

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

APPEND_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAG_BOUNDS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

LAG_EVERY_S = 1.0
"""How often the event loop's delay is measured."""


class Durations:
    """A histogram of durations in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """The counts up to each bound (as text, "+Inf" last), and the sum of all durations."""
        bounds = [*map(str, self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True)), self._sum


class Health:
    """What is counted. Set the attributes; call the methods where things happen."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.trouble: dict[str, str] = {}
        """What is wrong, in words, by the part it is wrong with ("journal"). Empty: all is well."""
        self.rev = 0
        """The newest revision of the documents."""
        self.journal_seq = 0
        """The newest event of the journal."""
        self.governor_at = 0.0
        """When the governor last answered, in seconds since the epoch; 0 for never."""
        self._clients: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._bad_messages = 0
        self._commands: Counter[tuple[str, str]] = Counter()
        self._append = Durations(APPEND_BOUNDS_S)
        self._lag = Durations(LAG_BOUNDS_S)
        self._registry: CollectorRegistry | None = None

    # --- counting -------------------------------------------------------------------------------

    def joined(self, socket: str) -> None:
        """A client connected to "unix", "tcp" or "command"."""
        self._clients[socket] += 1

    def left(self, socket: str) -> None:
        """A client of that socket is gone."""
        self._clients[socket] -= 1

    def dropped(self, why: str) -> None:
        """A client was cut off. `why` is one word: "stalled", "bad", "slow"."""
        self._dropped[why] += 1

    def bad_message(self) -> None:
        """A message made no sense."""
        self._bad_messages += 1

    def answered(self, kind: str, answer: str) -> None:
        """A command was answered with "ack" or with the code of its refusal."""
        self._commands[kind, answer] += 1

    def appended(self, seconds: float) -> None:
        """An append to the journal took this long until it was on disk."""
        self._append.observe(seconds)

    async def watch_loop(self) -> None:
        """Measure for ever how late the event loop runs what is due."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.observe(max(0.0, loop.time() - due))

    # --- telling --------------------------------------------------------------------------------

    def report(self) -> tuple[bool, str]:
        """Whether all is well, and a line for each part where it is not."""
        trouble = [f"{part}: {words}" for part, words in self.trouble.items() if words]
        return not trouble, "".join(f"{line}\n" for line in trouble) or "ok\n"

    def render(self) -> bytes:
        """All figures as Prometheus text. Blocks for some milliseconds; may run in a thread."""
        from prometheus_client import (  # noqa: PLC0415 (see the top)
            CollectorRegistry,
            ProcessCollector,
            generate_latest,
        )

        if self._registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """The figures, for a prometheus-client registry."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415 (see the top)
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        def gauge(name: str, what: str, value: float) -> Metric:
            return GaugeMetricFamily(f"hatchway_{name}", what, value=value)

        def histogram(name: str, what: str, durations: Durations) -> Metric:
            buckets, total = durations.cumulative()
            return HistogramMetricFamily(f"hatchway_{name}", what, buckets=buckets, sum_value=total)

        build = GaugeMetricFamily("hatchway_build_info", "The version.", labels=["version"])
        build.add_metric([hatchway.__version__], 1)
        yield build
        yield gauge("healthy", "1 when no part reports trouble.", float(self.report()[0]))
        yield gauge("documents_revision", "Newest revision of the documents.", self.rev)
        yield gauge("journal_seq", "Newest event of the journal.", self.journal_seq)
        if self.governor_at:
            age = max(0.0, self._now() - self.governor_at)
            yield gauge("governor_age_seconds", "Time since the governor last answered.", age)
        clients = GaugeMetricFamily("hatchway_clients", "Connected clients.", labels=["socket"])
        for socket, count in self._clients.copy().items():
            clients.add_metric([socket], count)
        yield clients
        dropped = CounterMetricFamily(
            "hatchway_dropped_clients", "Clients that were cut off.", labels=["why"]
        )
        for why, count in self._dropped.copy().items():
            dropped.add_metric([why], count)
        yield dropped
        yield CounterMetricFamily(
            "hatchway_bad_messages", "Messages that made no sense.", value=self._bad_messages
        )
        commands = CounterMetricFamily(
            "hatchway_commands", "Commands, by answer.", labels=["kind", "answer"]
        )
        for (kind, answer), count in self._commands.copy().items():
            commands.add_metric([kind, answer], count)
        yield commands
        yield histogram("journal_append_seconds", "Time until an append was on disk.", self._append)
        yield histogram("loop_lag_seconds", "How late the event loop ran.", self._lag)
