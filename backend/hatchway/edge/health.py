"""The backend's own health: figures for Prometheus (/metrics) and a word for probes (/healthz).

The figures are plain numbers until somebody asks, and prometheus-client is imported then: a backend
that nobody scrapes starts sooner and pays nothing for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import hatchway
from hatchway.edge.catalogue import FAMILIES, Family
from hatchway.edge.durations import Durations
from hatchway.edge.figures import Sample, Samples

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

log = logging.getLogger("hatchway.health")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

APPEND_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAG_BOUNDS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

LAG_EVERY_S = 1.0
"""How often the event loop's delay is measured."""

TURNED_AWAY = ("bad_request", "not_allowed", "too_fast")
"""The refusals of commands that the desk never hears of, and so cannot journal."""

PARTS = ("journal", "governor", "brain", "metrics", "documents", "rules", "runs")
"""Whose trouble is counted apart."""


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
        self.turned_away: Counter[str] = Counter()
        """What was turned away since it was last journaled, by the reason (see turned_away.py)."""
        self._commands: Counter[tuple[str, str]] = Counter()
        self._append = Durations(APPEND_BOUNDS_S)
        self._lag = Durations(LAG_BOUNDS_S)
        self._incomplete = 0
        self.house: Callable[[], Samples] = dict
        """What is known of the installation (see figures.py); called on the event loop."""

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
        self.turned_away[why] += 1

    def bad_message(self) -> None:
        """A message made no sense."""
        self._bad_messages += 1
        self.turned_away["bad message"] += 1

    def turn_away(self, why: str) -> None:
        """Somebody was not let in. `why` is one of a few words: "browser", "host", "token"."""
        self.turned_away[why] += 1

    def answered(self, kind: str, answer: str) -> None:
        """A command was answered with "ack" or with the code of its refusal."""
        self._commands[kind, answer] += 1
        if answer in TURNED_AWAY:
            self.turned_away[answer.replace("_", " ")] += 1

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

    def samples(self) -> Samples:
        """All that can be said now. To be called on the event loop: it reads what changes there."""
        try:
            known = self.house()
        except Exception:
            # An age that is missing must not look like a backend that is down.
            log.exception("a page of figures is incomplete")
            self._incomplete += 1
            known = {}
        return {**known, **{f"hatchway_{name}": found for name, found in self._own().items()}}

    def render(self) -> bytes:
        """All figures as Prometheus text."""
        return page(self.samples())

    def _own(self) -> Samples:
        troubles = Counter(part_of(key, words) for key, words in self.trouble.items() if words)
        samples: Samples = {
            "build_info": [((hatchway.__version__,), 1)],
            "healthy": [((), float(self.report()[0]))],
            "troubles": [((part,), troubles[part]) for part in PARTS],
            "documents_revision": [((), self.rev)],
            "clients": [((socket,), count) for socket, count in self._clients.items()],
            "dropped_clients_total": [((why,), count) for why, count in self._dropped.items()],
            "bad_messages_total": [((), self._bad_messages)],
            "commands_total": [*self._commands.items()],
            "loop_lag_seconds": [((), self._lag)],
            "incomplete_pages_total": [((), self._incomplete)],
            "journal_seq": [((), self.journal_seq)],
            "journal_append_seconds": [((), self._append)],
        }
        if self.governor_at:
            age = max(0.0, self._now() - self.governor_at)
            samples["governor_age_seconds"] = [((), age)]
        return samples


def part_of(key: str, words: str) -> str:
    """Which of PARTS has a trouble that is told under `key`: those are many, runs' among them."""
    if words.startswith("cannot be shown"):
        return "documents"
    if key in PARTS:
        return key
    if key == "policy" or key.startswith("calendar "):
        return "rules"
    return "metrics" if key.startswith("looking at ") else "runs"


def page(samples: Samples) -> bytes:
    """Samples as Prometheus text. Takes some milliseconds; may run in a thread."""
    from prometheus_client import (  # noqa: PLC0415 (see the top)
        CollectorRegistry,
        ProcessCollector,
        generate_latest,
    )

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([_metric(family, samples) for family in FAMILIES]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Once:
    """What prometheus-client asks for metrics."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _metric(family: Family, samples: Samples) -> Metric:
    from prometheus_client.metrics_core import (  # noqa: PLC0415 (see the top)
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    found: list[Sample] = samples.get(family.name, [])
    says = f"{family.says} Since {family.since}." if family.since else family.says
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, says, labels=family.labels)
        for labels, value in found:
            if isinstance(value, Durations):
                histogram.add_metric(labels, *value.cumulative())
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.name, says, labels=family.labels)
    for labels, value in found:
        if not isinstance(value, Durations):
            plain.add_metric(labels, value)
    return plain
