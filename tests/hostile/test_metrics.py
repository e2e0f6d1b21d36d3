"""Metrics that lie, from a real endpoint through scraper, window and judge: no PASS, no rollback.

Each lie begins after the page was read honestly for a while, at the canary alone or at both arms.
What single pages become is in tests/metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.conductor import watch as watch_module
from hatchway.conductor.watch import CanaryWatch
from hatchway.core import events as ev
from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.metrics.open import opened

LOOKS = 60
PACE_S = 0.01


def page(look: int, *, per_look: int = 20, errors: float = 0.0, labels: str = "") -> str:
    seen = per_look * look
    return (
        f"# TYPE requests_total counter\nrequests_total{labels} {seen}\n"
        f"# TYPE errors_total counter\nerrors_total{labels} {errors}\n"
    )


Lie = Callable[[int], str]

CANARY: dict[str, Lie] = {
    "missing": lambda n: "# TYPE other counter\nother 1\n",
    "empty": lambda n: "",
    "NaN": lambda n: page(n).replace(f" {20 * n}\n", " NaN\n"),
    "infinity": lambda n: page(n).replace(f" {20 * n}\n", " +Inf\n"),
    "minus infinity": lambda n: page(n).replace(f" {20 * n}\n", " -Inf\n"),
    "frozen": lambda n: page(5),
    "negative": lambda n: page(n).replace(f" {20 * n}\n", f" -{20 * n}\n"),
    "reset at each look": lambda n: page(n % 2),
    "half written": lambda n: page(n)[:45],
    "no number": lambda n: page(n).replace(f" {20 * n}\n", " many\n"),
    "two series for one": lambda n: page(n) + f"requests_total {7 * n}\n",
    "text for a number": lambda n: page(n).replace("requests_total ", 'requests_total "'),
    "HTML": lambda n: "<!doctype html><title>Sign in</title><p>200 OK</p>",
    "JSON": lambda n: '{"requests_total": 5}',
    "binary": lambda n: "\x00\x01\x02" * 50,
    "a wrong type": lambda n: page(n).replace("counter", "histogram"),
    "another unit": lambda n: page(n).replace("requests_total", "requests"),
    "huge": lambda n: page(n).replace(f" {20 * n}\n", " 1e308\n"),
}
HOW = ("hang", "drip", "half", "garbage", "silent", "flood", "login", "unavailable", "moved")


def service(stable: str, canary: str) -> ServiceSpec:
    return ServiceSpec(
        name="shop",
        repo="r",
        pipeline="p",
        target=TargetSpec("haproxy", "s"),
        endpoints=(EndpointSpec("app", stable=(stable,), canary=(canary,)),),
        metrics=(
            MetricSpec(
                name="errors",
                label="errors",
                kind="counts",
                source="app",
                total=SeriesRef("requests_total"),
                events=SeriesRef("errors_total"),
            ),
        ),
        scrape_s=PACE_S,
    )


class Watching:
    """The watch of a canary over two real endpoints, in a house that runs."""

    def __init__(self, house: Any, serve: Any, directory: Path) -> None:
        self.house, self._serve, self._directory = house, serve, directory

    @contextlib.asynccontextmanager
    async def of(self, stable: Any, canary: Any) -> Any:
        metrics = opened(service(stable.url, canary.url), self._directory)
        watch = CanaryWatch(
            service=service(stable.url, canary.url),
            metrics=metrics,
            ledger=self.house.ledger,
            live=self.house.live,
            agent=self.house.agent,
            memory=self._directory / "judge",
            clock=self.house.clock,
        )
        task = asyncio.create_task(watch.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await metrics.close()

    async def verdict(self) -> ev.VerdictChanged:
        """The first one after now."""
        before = len(self.house.of(ev.VerdictChanged))
        async with asyncio.timeout(40):
            while len(found := self.house.of(ev.VerdictChanged)) == before:
                await asyncio.sleep(0.02)
        return found[-1]

    def untouched(self) -> None:
        """Nobody was promoted and nobody was rolled back on it."""
        effects = self.house.of(ev.EffectIntended)
        assert [e.weight for e in effects] == [5], effects
        assert "PASS" not in {v.word for v in self.house.of(ev.VerdictChanged)}
        asked = {p.capability for p in self.house.of(ev.ProposalMade)}
        assert "rollback" not in asked
        assert "promote" not in asked


@pytest.fixture
async def watching(
    house: Any, serve_pages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Watching:
    monkeypatch.setattr(watch_module, "BLIND_S", 0.1)
    await house.to_canary()
    return Watching(house, serve_pages, tmp_path)


def telling(endpoint: Any, tell: Lie, honest_for: int = 3) -> None:
    """The endpoint's page, anew at each look: honest at first, then the lie."""
    counter = itertools.count(1)
    say = endpoint._say

    async def answer(writer: Any) -> None:
        look = next(counter)
        endpoint.body = page(look) if look <= honest_for else tell(look)
        await say(writer)

    endpoint._say = answer


@pytest.mark.parametrize("lie", CANARY)
async def test_no_page_of_a_canary_that_lies_passes_or_rolls_back(
    watching: Watching, serve_pages: Any, lie: str
) -> None:
    stable, canary = await serve_pages(), await serve_pages()
    telling(stable, page)
    telling(canary, CANARY[lie])
    async with watching.of(stable, canary):
        found = await watching.verdict()
        assert found.word in ("NO_DATA", "UNSURE"), found
        assert found.headline
        assert found.action in ("none", "hold")
        while canary.asked < LOOKS:
            await asyncio.sleep(0.02)
    watching.untouched()


@pytest.mark.parametrize("how", HOW)
async def test_no_server_that_lies_passes_or_rolls_back(
    watching: Watching, serve_pages: Any, how: str
) -> None:
    stable, canary = await serve_pages(), await serve_pages()
    telling(stable, page)
    telling(canary, page)
    async with watching.of(stable, canary):
        while canary.asked < 3:
            await asyncio.sleep(0.01)
        canary.how = how
        found = await watching.verdict()
        assert found.word in ("NO_DATA", "UNSURE"), found
        assert found.headline
        await asyncio.sleep(0.3)
    watching.untouched()


async def test_arms_that_are_one_and_the_same_prove_nothing(
    watching: Watching, serve_pages: Any
) -> None:
    """Both arms named after one endpoint: no difference is ever seen, and none is shown either."""
    both = await serve_pages()
    telling(both, lambda n: page(1))
    async with watching.of(both, both):
        found = await watching.verdict()
        assert found.word in ("NO_DATA", "UNSURE")
    watching.untouched()


async def test_the_same_watch_does_see_a_canary_that_is_bad(
    watching: Watching, serve_pages: Any
) -> None:
    """Else it would prove nothing that it stays calm on lies."""
    stable, canary = await serve_pages(), await serve_pages()
    telling(stable, page)
    telling(canary, lambda n: page(n, errors=10.0 * n))
    async with watching.of(stable, canary):
        async with asyncio.timeout(60):
            while "REGRESS" not in {v.word for v in watching.house.of(ev.VerdictChanged)}:
                await asyncio.sleep(0.02)


async def test_the_lies_are_counted(bar: Any) -> None:
    cases = len(CANARY) + len(HOW) + 1
    bar("hostile corpus, metrics", f"{cases} lies, 0 PASS, 0 rollbacks", "0 and 0")
