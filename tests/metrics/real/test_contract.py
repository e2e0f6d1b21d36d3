"""One contract for all sources of metrics, kept against the same real processes.

Pages, Prometheus, VictoriaMetrics (with its default 30 s of hiding) and a command: whatever reads
the numbers, differences add up exactly, and what cannot be read is missing, never zero.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, ServiceSpec
from hatchway.judge.look import Counts, Gauge, Latency, Look, Missing
from hatchway.metrics.open import opened
from hatchway.metrics.port import Metrics
from hatchway.metrics.window import Window, before, look

SOURCES = ("pages", "prometheus", "victoria-metrics", "command")
PATIENCE_S = 60.0
FETCH = """
import socket, sys
port = sys.argv[1 + (sys.argv[3] == "canary")]
with socket.create_connection(("127.0.0.1", int(port))) as server:
    server.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    answer = b"".join(iter(lambda: server.recv(65536), b""))
head, _, body = answer.partition(b"\\r\\n\\r\\n")
assert b"Content-Length: %d" % len(body) in head, "the page breaks off"
sys.stdout.buffer.write(body)
"""


@dataclass
class Rig:
    """A service, how its metrics are read, and all that was counted since `ready`."""

    farm: Any
    service: ServiceSpec
    metrics: Metrics
    window: Window = field(default_factory=Window)
    counted: dict[str, list[int]] = field(default_factory=dict)
    added: dict[str, list[int]] = field(default_factory=dict)

    async def look(self, only_stable: bool = False) -> Look:
        scrape = await self.metrics.look(time.time())
        self.window, seen = (
            before(self.service, self.window, scrape)
            if only_stable
            else look(self.service, self.window, scrape, 5)
        )
        for arm in ("stable", "canary"):
            errors, latency = seen.samples["errors"], seen.samples["latency"]
            if isinstance(errors, Counts):
                requests, bad = getattr(errors, arm)
                self._count(self.counted, arm, requests - bad, bad, 0, 0)
            if isinstance(latency, Latency):
                fast, slow, above = getattr(latency, arm)
                assert above == 0
                self._count(self.counted, arm, 0, 0, fast, slow)
        return seen

    async def looks(self, only_stable: bool = False) -> AsyncIterator[Look]:
        """Looks, faster than anything is scraped, for as long as anybody has patience."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            yield await self.look(only_stable)
            await asyncio.sleep(0.1)
        raise TimeoutError(f"counted {self.counted}, added {self.added}")

    def add(self, arm: str, good: int = 0, bad: int = 0, fast: int = 0, slow: int = 0) -> None:
        getattr(self.farm, arm).add(good=good, bad=bad, fast=fast, slow=slow)
        self._count(self.added, arm, good, bad, fast, slow)

    @staticmethod
    def _count(where: dict[str, list[int]], arm: str, *more: int) -> None:
        where[arm] = [a + b for a, b in zip(where.get(arm, [0, 0, 0, 0]), more, strict=True)]

    def goods(self) -> int:
        """Good requests that the stable instance ever had."""
        found = re.search(r'code="200",path="/a"} (\d+)', http_text(self.farm.stable.url))
        assert found
        return int(found[1])

    def truth(self) -> tuple[float, ...]:
        """What the targets themselves say now: all of both arms' requests."""
        return tuple(
            sum(float(n) for n in re.findall(r"http_requests_total{.*} (\d+)", text))
            for text in (http_text(self.farm.stable.url), http_text(self.farm.canary.url))
        )

    def base(self) -> tuple[float, ...]:
        """The same as of the window's base."""
        pages = self.window.base.get("app", {}).values()
        return tuple(
            sum(
                value
                for page in pages
                for (name, _), value in page.values.items()
                if page.arm == arm and name == "http_requests_total"
            )
            for arm in ("stable", "canary")
        )

    async def ready(self) -> None:
        """The base is what the targets have: from here on everything is counted."""
        async for seen in self.looks():
            if isinstance(seen.samples["errors"], Counts) and self.base() == self.truth():
                break
        self.counted = {arm: [0, 0, 0, 0] for arm in ("stable", "canary")}
        self.added = {arm: [0, 0, 0, 0] for arm in ("stable", "canary")}

    async def all_counted(self) -> None:
        """Everything that was added arrives, and nothing more ever does."""
        async for _ in self.looks():
            if self.counted == self.added:
                break
        for _ in range(5):
            await self.look()
        assert self.counted == self.added

    async def missing(self) -> Missing:
        """Goes on looking, with traffic on stable, until there is nothing to count."""
        async for seen in self.looks():
            sample = seen.samples["errors"]
            if isinstance(sample, Missing) and not sample.why.startswith("stale"):
                return sample
            self.add("stable", good=3, fast=3)
        raise AssertionError


def http_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture(params=SOURCES)
async def rig(
    request: pytest.FixtureRequest, farm: Any, make_service: Callable[..., Any]
) -> AsyncIterator[Rig]:
    match request.param:
        case "pages":
            endpoint = EndpointSpec("app", stable=(farm.stable.url,), canary=(farm.canary.url,))
        case "command":
            ports = (str(farm.stable.port), str(farm.canary.port))
            fetch = (sys.executable, "-Sc", FETCH, *ports, "{arm}")
            endpoint = EndpointSpec("app", command=fetch)
        case kind:
            server = request.getfixturevalue("servers")[kind]
            endpoint = EndpointSpec(
                "app", prometheus=server.url, arm_label="track", select='job="shop"'
            )
    service = make_service(endpoint)
    metrics = opened(service)
    try:
        yield Rig(farm, service, metrics)
    finally:
        await metrics.close()


async def test_differences_add_up_exactly(rig: Rig) -> None:
    await rig.ready()
    for i in range(12):
        rig.add("stable", good=17 + i, bad=i % 3, fast=16, slow=1)
        rig.add("canary", good=i, bad=i % 2, fast=i)
        await rig.look()
    await rig.all_counted()


async def test_a_reset_loses_nothing_that_was_still_there(rig: Rig) -> None:
    await rig.ready()
    rig.add("canary", good=30, bad=2, fast=20, slow=12)
    await rig.all_counted()
    rig.farm.canary.tell("reset", None)
    rig.add("canary", good=4, bad=1, fast=3, slow=2)
    rig.add("stable", good=9, fast=9)
    await rig.all_counted()


async def test_an_instance_that_died_is_missing_and_counts_from_zero_afterwards(rig: Rig) -> None:
    await rig.ready()
    rig.add("canary", good=30, bad=2, fast=20, slow=12)
    await rig.all_counted()
    rig.farm.canary.die()
    assert (await rig.missing()).arm == "canary"
    rig.farm.canary.start()
    rig.add("canary", good=5, bad=1, fast=6)
    await rig.all_counted()


async def test_a_hanging_instance_is_missing_never_zero(rig: Rig) -> None:
    await rig.ready()
    rig.add("canary", good=3, fast=3)
    rig.farm.canary.signal(signal.SIGSTOP)
    assert (await rig.missing()).arm == "canary"
    counted = rig.counted["stable"]
    for _ in range(3):
        rig.add("stable", good=10, bad=1, fast=11)
        seen = await rig.look()
        assert isinstance(seen.samples["errors"], Missing)
        assert isinstance(seen.samples["latency"], Missing)
        level = seen.samples["db"]
        assert isinstance(level, Gauge)
        assert level.canary == ()
    assert rig.counted["stable"] == counted
    rig.farm.canary.signal(signal.SIGCONT)
    await rig.all_counted()


@pytest.mark.parametrize("lie", ["html", "half"])
async def test_a_page_that_is_none_is_missing_and_made_up_for(rig: Rig, lie: str) -> None:
    await rig.ready()
    rig.farm.canary.tell("mode", lie)
    rig.add("canary", good=7, bad=1, fast=8)
    assert (await rig.missing()).arm == "canary"
    rig.farm.canary.tell("mode", "honest")
    await rig.all_counted()


async def test_before_a_rollout_stable_is_counted_without_a_canary(rig: Rig) -> None:
    await rig.ready()
    rig.farm.canary.die()
    await rig.missing()
    rig.add("stable", good=12, bad=1, fast=13)
    async for seen in rig.looks(only_stable=True):
        if rig.counted["stable"] == rig.added["stable"]:
            assert seen.samples["db"] == Gauge((), (7.0 + rig.goods() % 3,))
            break
    assert rig.counted == rig.added
    rig.farm.stable.signal(signal.SIGSTOP)
    async for seen in rig.looks(only_stable=True):
        sample = seen.samples["errors"]
        if isinstance(sample, Missing) and not sample.why.startswith("stale"):
            assert sample.arm == "stable"
            break
