"""The customers: they come steadily, whatever happens, and count what they get."""

from __future__ import annotations

import asyncio
import time

import pytest

from hatchway.demo.load import CART, LOOK, ORDER, Customers, Tally


async def until(true, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


class Crowd:
    """Customers at a port, for the length of a block."""

    def __init__(self, port: int, rate: float) -> None:
        self._port, self._rate = port, rate

    async def __aenter__(self) -> Customers:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self.customers = Customers(self._port, self._rate, 1, self._tasks)
        self.customers.start()
        return self.customers

    async def __aexit__(self, *why: object) -> None:
        self.customers.stop()
        await self._tasks.__aexit__(None, None, None)


async def test_they_come_at_the_rate_and_all_kinds_in_their_shares(stand):
    started = time.monotonic()
    async with Crowd(stand.port, 200) as customers:
        await until(lambda: customers.tally.codes["200"] >= 400)
        passed = time.monotonic() - started
        assert customers.tally.sent == pytest.approx(200 * passed, rel=0.1, abs=40)
    heads = [head for backend in stand.backends.values() for head in backend.heads]
    shares = [
        sum(h.startswith(kind[:9]) for h in heads) / len(heads) for kind in (LOOK, CART, ORDER)
    ]
    assert shares[1] == pytest.approx(0.4, abs=0.12)
    assert shares[2] == pytest.approx(0.3, abs=0.12)


async def test_a_shop_that_hangs_does_not_slow_them_down(stand):
    async def hang(head, writer):
        await asyncio.sleep(3600)

    stand.proxy.patience_s = 3600
    for backend in stand.backends.values():
        backend.behave = hang
    async with Crowd(stand.port, 200) as customers:
        await until(lambda: customers.tally.sent >= 200)
        assert customers.in_flight >= 190


async def test_bad_answers_and_no_answers_are_counted_from_any_moment(stand):
    async with Crowd(stand.port, 200) as customers:
        await until(lambda: customers.tally.codes["200"] >= 20)
        assert customers.tally.stats(0, 0)["bad"] == 0
        onset = time.time()
        stand.weigh(0, 0)
        await until(lambda: customers.tally.codes["503"] >= 20)
        stats = await customers.answer({"op": "stats", "since": onset})
        assert stats["ok"]
        assert stats["bad_since"] == stats["bad"] == stats["codes"]["503"] >= 20
        later = await customers.answer({"op": "stats", "since": time.time() + 60})
        assert later["bad_since"] == 0


async def test_nobody_there_is_counted_as_refused():
    probe = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    async with Crowd(port, 200) as customers:
        await until(lambda: customers.tally.codes["refused"] >= 20)


async def test_connections_are_kept(stand):
    async with Crowd(stand.port, 200) as customers:
        await until(lambda: customers.tally.codes["200"] >= 200)
        assert len(stand.proxy.clients) < 50


async def test_nonsense_at_the_socket_is_refused(stand):
    async with Crowd(stand.port, 1) as customers:
        assert not (await customers.answer({"op": "explode"}))["ok"]
        assert not (await customers.answer({"op": "stats", "since": "now"}))["ok"]


def test_quantiles_are_of_recent_answers():
    tally = Tally()
    for ms in range(1, 101):
        tally.answered(200, ms / 1000)
    stats = tally.stats(0, 0)
    assert stats["p50_ms"] == pytest.approx(51, abs=1)
    assert stats["p95_ms"] == pytest.approx(96, abs=1)
    assert Tally().stats(0, 0)["p95_ms"] is None
