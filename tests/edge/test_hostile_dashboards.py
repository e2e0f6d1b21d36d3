"""Clients that are broken, slow, silent or malicious, beside one that must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hatchway.edge import protocol

PATIENCE_S = 30.0
SUBSCRIBE = protocol.encode(protocol.Subscribe())

NONSENSE = {
    "not JSON": b"hello",
    "nothing": b"",
    "cut off": b'{"type":"command","id":"x"',
    "an array": b"[]",
    "no type": b"{}",
    "an unknown type": b'{"type":"reboot"}',
    "an unknown command": b'{"type":"command","id":"x","kind":"reboot"}',
    "a wrong type": b'{"type":"command","id":7,"kind":"pause"}',
    "not a number": b'{"type":"command","id":"x","kind":"pause","expect_epoch":NaN}',
    "a huge number": b'{"type":"command","id":"x","kind":"pause","expect_epoch":'
    + b"9" * 5000
    + b"}",
    "half a surrogate": b'{"type":"command","id":"\\ud800","kind":"pause"}',
    "no UTF-8": b'{"type":"command","id":"\xff","kind":"pause"}',
    "only bytes": bytes(range(256)),
    "a deep array": b'{"type":"ping","x":' + b"[" * 60_000,
    "a deep object": b'{"type":"ping","x":' + b'{"a":' * 12_000,
    "a server's message": protocol.encode(protocol.Ack("x", 1)),
}


@contextlib.asynccontextmanager
async def subscribed(edge: Any, **options: Any) -> AsyncIterator[Any]:
    async with edge.connection(**options) as raw:
        await raw.send(SUBSCRIBE, text=True)
        await raw.recv()
        yield raw


async def closing_of(raw: Any) -> tuple[int, str]:
    """The code and reason with which the server closes."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                await raw.recv()
        except ConnectionClosed as end:
            close = end.rcvd
    assert close is not None, "it was cut without a word"
    return close.code, close.reason


@pytest.mark.parametrize("what", NONSENSE)
async def test_nonsense_is_refused_in_words_and_the_connection_goes_on(
    edge: Any, what: str
) -> None:
    async with edge.dashboard() as dashboard:
        await dashboard.socket.send(NONSENSE[what], text=True)
        await dashboard.until(lambda: dashboard.answers)
        (refused,) = dashboard.answers.values()
        assert refused.code == "bad_message"
        assert "not a message of protocol" in refused.why
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
        assert [command.id for command, _ in edge.door.asked] == ["p-1"]


@pytest.mark.parametrize("what", NONSENSE)
async def test_nonsense_as_the_first_word_ends_the_connection_with_a_reason(
    edge: Any, what: str
) -> None:
    async with edge.connection() as raw:
        await raw.send(NONSENSE[what], text=True)
        code, reason = await closing_of(raw)
        assert code == 1007 if what != "a server's message" else code in (1007, 1008)
        assert "not a message of protocol" in reason


async def test_a_refused_message_is_answered_by_its_id_if_it_has_one(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        await dashboard.socket.send(NONSENSE["an unknown command"], text=True)
        await dashboard.until(lambda: "x" in dashboard.answers)


async def test_a_message_that_is_too_long_ends_the_connection(edge: Any) -> None:
    async with subscribed(edge) as raw:
        await raw.send(b" " * (64 * 1024 + 1), text=True)
        code, _ = await closing_of(raw)
        assert code == 1009


async def test_a_message_in_endless_fragments_ends_the_connection(edge: Any) -> None:
    async with subscribed(edge) as raw:
        with contextlib.suppress(ConnectionClosed):
            await raw.send(b" " * 1024 for _ in range(200))
        code, _ = await closing_of(raw)
        assert code == 1009


async def test_too_much_nonsense_ends_the_connection(edge: Any) -> None:
    async with subscribed(edge) as raw:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(30):
                await raw.send(b"hello", text=True)
        code, reason = await closing_of(raw)
        assert code == 1008
        assert "too many bad messages" in reason


async def test_another_protocol_is_told_so(edge: Any) -> None:
    async with edge.connection() as raw:
        await raw.send(protocol.encode(protocol.Subscribe(protocol=99)), text=True)
        code, reason = await closing_of(raw)
        assert code == 1008
        assert "protocol 1, you speak 99" in reason


async def test_whoever_does_not_say_hello_is_sent_away(edge: Any) -> None:
    async with edge.connection() as raw:
        await raw.send(protocol.encode(protocol.Command("p-1", "pause")), text=True)
        code, _ = await closing_of(raw)
        assert code == 1008
    async with edge.connection() as silent:
        code, reason = await closing_of(silent)
        assert code == 1008
        assert "subscribe" in reason
    assert edge.door.asked == []


async def test_ten_thousand_bad_messages_do_not_keep_a_good_pause_waiting(edge: Any) -> None:
    left = 10_000

    async def flood() -> None:
        nonlocal left
        while left > 0:
            # It is sent away (1008), and at times not let in (503): it comes again at once.
            with contextlib.suppress(ConnectionClosed, InvalidStatus):
                async with subscribed(edge, close_timeout=0.1) as raw:
                    for what in list(NONSENSE.values()) * 2:
                        await raw.send(what[:200], text=True)
                        left -= 1

    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks, edge.dashboard() as dashboard:
        floods = [tasks.create_task(flood()) for _ in range(4)]
        pauses = 0
        while not all(task.done() for task in floods):
            answer = await dashboard.ask(f"p-{pauses}", "pause")
            assert isinstance(answer, protocol.Ack)
            pauses += 1
            await asyncio.sleep(0.1)
        assert pauses > 1
    assert len(edge.door.asked) == pauses


def shows(dashboard: Any, number: int) -> bool:
    return bool(dashboard.docs.get("run/1", {}).get("number") == number)


def raw_websocket(path: Any) -> socket.socket:
    """A connection that has shaken hands and subscribed, by hand."""
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(str(path))
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b"101" in raw.recv(1024)
    raw.sendall(frame(SUBSCRIBE))
    return raw


def frame(payload: bytes) -> bytes:
    """A masked text frame (the mask is zero)."""
    size = (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else b"\xfe" + struct.pack("!H", len(payload))
    )
    return b"\x81" + size + bytes(4) + payload


@pytest.mark.parametrize("size", [10, 200_000])
async def test_a_client_that_never_reads_is_dropped_and_others_do_not_notice(
    edge: Any, size: int
) -> None:
    """Whether it is noticed by the full buffer (large documents) or by the missing pong (small)."""
    silent = await asyncio.to_thread(raw_websocket, edge.listening.backend)
    try:
        async with edge.dashboard() as dashboard, asyncio.timeout(PATIENCE_S):
            number = 0
            while b'hatchway_dropped_clients_total{why="stalled"} 1.0' not in edge.health.render():
                number += 1
                edge.hub.publish("run/1", {"number": number, "text": "x" * size})
                await dashboard.until(partial(shows, dashboard, number))
                await asyncio.sleep(0.05)
            assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
            assert dashboard.socket.state.name == "OPEN"
    finally:
        silent.close()


async def test_what_a_slow_client_gets_is_the_newest(edge: Any, mirror: Any) -> None:
    async with edge.connection(max_queue=1) as raw:
        dashboard = mirror(raw)
        await dashboard.subscribe()
        for number in range(300):
            edge.hub.publish("run/1", {"number": number, "text": "x" * 10_000})
            await asyncio.sleep(0.002)
        await dashboard.until(partial(shows, dashboard, 299))
        deltas = sum(isinstance(m, protocol.Delta) for m in dashboard.seen)
        assert deltas < 100


FLOODS = {
    "empty messages": frame(b""),
    "pings": b"\x89\x80" + bytes(4),
    "large pings": b"\x89\xfd" + bytes(4) + bytes(125),
    "pongs": b"\x8a\x80" + bytes(4),
    "a message in pieces": b"\x01\x80" + bytes(4) + (b"\x00\x80" + bytes(4)) * 4000,
    "commands": frame(protocol.encode(protocol.Command("x", "accept"))),
    "not even frames": bytes(range(256)),
}


@pytest.mark.parametrize("what", FLOODS)
async def test_a_flood_is_cut_off_and_others_do_not_notice(edge: Any, what: str) -> None:
    flood = await asyncio.to_thread(raw_websocket, edge.listening.backend)
    flood.setblocking(False)
    loop = asyncio.get_running_loop()

    async def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                await loop.sock_sendall(flood, FLOODS[what] * 2000)

    try:
        async with edge.dashboard() as dashboard, asyncio.timeout(PATIENCE_S):
            sending = asyncio.create_task(send())
            for number in range(5):
                assert isinstance(await dashboard.ask(f"p-{number}", "pause"), protocol.Ack)
            await sending
            assert isinstance(await dashboard.ask("p-last", "pause"), protocol.Ack)
    finally:
        flood.close()


async def test_who_says_too_much_is_told_so(edge: Any) -> None:
    async with subscribed(edge) as raw:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(30):
                await raw.pong(bytes(100))
                await raw.send(b'{"type":"ping"}' + b" " * 20_000, text=True)
        code, reason = await closing_of(raw)
        assert code == 1008
        assert "more than a dashboard has to say" in reason
    async with asyncio.timeout(PATIENCE_S):
        while b'hatchway_dropped_clients_total{why="flood"} 1.0' not in edge.health.render():
            await asyncio.sleep(0.01)


async def test_half_a_handshake_does_not_stay(edge: Any) -> None:
    started = time.monotonic()
    reader, writer = await asyncio.open_unix_connection(str(edge.listening.backend))
    writer.write(b"GET / HTTP/1.1\r\nHost: ")
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    assert time.monotonic() - started < PATIENCE_S
    writer.close()


async def test_what_is_not_http_is_cut(edge: Any) -> None:
    reader, writer = await asyncio.open_unix_connection(str(edge.listening.backend))
    writer.write(os.urandom(4096) + b"\r\n")
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            await reader.read()
    writer.close()
    async with edge.dashboard() as dashboard:
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)


async def test_an_id_or_a_reason_without_end_is_cut_to_size(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        await dashboard.say(protocol.Command("x" * 5000, "pause"))
        await dashboard.until(lambda: dashboard.answers)
        (refused,) = dashboard.answers.values()
        assert refused.code == "bad_request"
        await dashboard.ask("p-1", "pause", reason="r" * 5000)
    ((command, _),) = edge.door.asked
    assert len(command.reason) == 1000
