"""The splitter's traffic: shares, drain, counters, time-outs, refusals, and hostile neighbours."""

from __future__ import annotations

import asyncio
from typing import Any

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


async def until(true: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


async def test_5_percent_of_2000_real_requests_are_exactly_100(stand):
    stand.weigh(95, 5)
    answer = await stand.raw(GET * 1999 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 2000
    assert len(stand.backends["canary"].heads) == 100
    assert (stand.stable.total, stand.canary.total) == (1900, 100)
    assert (stand.stable.responses[1], stand.canary.responses[1]) == (1900, 100)
    assert stand.backends["canary"].connections == 1, "connections are kept"


async def test_weight_0_lets_requests_under_way_end_and_starts_no_new_ones(stand):
    go = asyncio.Event()

    async def slow(head, writer):
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    stand.proxy.patience_s = 20
    stand.backends["canary"].behave = slow
    stand.weigh(0, 100)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(stand.get()) for _ in range(5)]
        await until(lambda: stand.canary.current == 5 and len(stand.canary.under_way) == 5)
        stand.weigh(100, 0)
        assert [await stand.get() for _ in range(20)] == [200] * 20
        assert stand.canary.current == 5
        assert stand.canary.total == 5
        go.set()
    assert [task.result() for task in waiting] == [200] * 5
    await until(lambda: stand.canary.current == 0)
    assert stand.canary.most == 5


async def test_silence_is_504_and_counts_as_the_arms_5xx(stand):
    async def hang(head, writer):
        await asyncio.sleep(3600)

    stand.backends["canary"].behave = hang
    stand.weigh(0, 1)
    assert await stand.get() == 504
    assert stand.canary.responses[4] == 1
    assert stand.canary.broken == 1
    assert stand.canary.current == 0


async def test_a_server_that_is_not_there_is_503_and_counts_as_the_arms_5xx(stand):
    await stand.backends["canary"].stop()
    stand.weigh(0, 1)
    assert await stand.get() == 503
    assert (stand.canary.responses[4], stand.canary.refused) == (1, 1)
    assert stand.stable.total == 0, "nothing is tried elsewhere"


async def test_a_server_that_hangs_up_is_502(stand):
    async def rude(head, writer):
        writer.close()

    stand.backends["canary"].behave = rude
    stand.weigh(0, 1)
    assert await stand.get() == 502
    assert stand.canary.responses[4] == 1


async def test_a_kept_connection_that_the_server_closed_meanwhile_costs_nobody_an_error(stand):
    async def once(head, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    stand.backends["canary"].behave = once
    stand.weigh(0, 1)
    assert [await stand.get() for _ in range(50)] == [200] * 50
    assert stand.canary.responses[4] == 0


async def test_an_answer_that_breaks_off_is_not_passed_as_whole(stand):
    async def half(head, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    stand.backends["canary"].behave = half
    stand.weigh(0, 1)
    try:
        answer = await stand.raw(LAST)
    except ConnectionError:
        answer = b""
    assert not answer.endswith(b"\r\n\r\n" + b"half" * 25)
    assert stand.canary.broken == 1
    await until(lambda: stand.canary.current == 0)


async def test_with_no_weight_at_all_the_answer_is_503_and_no_arms_fault(stand):
    stand.weigh(0, 0)
    assert await stand.get() == 503
    assert stand.stable.responses[4] == stand.canary.responses[4] == 0
    assert stand.pool.unserved == 1


async def test_requests_on_one_connection_are_answered_in_order(stand):
    async def named(head, writer):
        path = head.split(b" ")[1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    for backend in stand.backends.values():
        backend.behave = named
    asked = b"".join(b"GET /%02d HTTP/1.1\r\n\r\n" % i for i in range(20))
    answer = await stand.raw(asked + LAST)
    at = [answer.index(b"/%02d" % i) for i in range(20)]
    assert at == sorted(at)


async def test_bodies_arrive_whole_and_heads_without_connection_header(stand):
    stand.weigh(1, 0)
    body = bytes(range(256)) * 300
    head = b"POST /checkout HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = await stand.raw(head + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in answer
    assert stand.backends["stable"].bodies == [body]
    assert b"onnection" not in stand.backends["stable"].heads[0]


async def test_a_long_answer_to_a_slow_reader_arrives_whole(stand):
    size = 8_000_000

    async def long(head, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)

    stand.proxy.patience_s = 20
    stand.backends["stable"].behave = long
    stand.weigh(1, 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port, limit=65_536)
    writer.write(LAST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200" in head
    got = 0
    async with asyncio.timeout(30):
        while block := await reader.read(200_000):
            got += len(block)
            await asyncio.sleep(0)
    writer.close()
    assert got == size


async def test_an_answer_that_ends_with_the_connection_is_carried(stand):
    async def old(head, writer):
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nold style")
        await writer.drain()
        writer.close()

    stand.backends["stable"].behave = old
    stand.weigh(1, 0)
    assert (await stand.raw(GET)).endswith(b"\r\n\r\nold style")
    assert stand.stable.responses[1] == 1


async def test_more_than_was_promised_never_reaches_the_next_client(stand):
    async def chatty(head, writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + b"HTTP/1.1 666 evil\r\n\r\n"
        )

    stand.backends["stable"].behave = chatty
    stand.weigh(1, 0)
    for _ in range(5):
        assert b"666" not in await stand.raw(LAST)


async def test_a_client_that_leaves_is_counted_and_the_answer_too(stand):
    go = asyncio.Event()

    async def slow(head, writer):
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    stand.proxy.patience_s = 20
    stand.backends["stable"].behave = slow
    stand.weigh(1, 0)
    _, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    writer.write(GET)
    await until(lambda: len(stand.stable.under_way) == 1)
    writer.transport.abort()
    await until(lambda: stand.stable.client_gone == 1)
    go.set()
    await until(lambda: stand.stable.responses[1] == 1)
    assert stand.stable.current == 0


async def test_garbage_is_told_so_and_goes_nowhere(stand):
    for text in (b"\x16\x03\x01 hello\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000):
        answer = await stand.raw(text)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in answer
    too_long = b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
    assert (await stand.raw(too_long)).startswith(b"HTTP/1.1 413 ")
    assert (stand.stable.total, stand.canary.total) == (0, 0)


async def test_shut_sessions_are_cut_with_502(stand):
    async def hang(head, writer):
        await asyncio.sleep(3600)

    stand.proxy.patience_s = 20
    stand.backends["canary"].behave = hang
    stand.weigh(0, 1)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(stand.get()) for _ in range(5)]
        await until(lambda: len(stand.canary.under_way) == 5)
        for upstream in tuple(stand.canary.under_way):
            upstream.shut()
    assert [task.result() for task in waiting] == [502] * 5
    assert stand.canary.current == 0


async def test_a_moved_server_gets_new_requests_at_its_new_place(stand):
    stand.weigh(0, 1)
    assert await stand.get() == 200
    stand.canary.move("127.0.0.1", stand.backends["stable"].port)
    assert await stand.get() == 200
    assert len(stand.backends["canary"].heads) == len(stand.backends["stable"].heads) == 1
    assert stand.canary.total == 2
