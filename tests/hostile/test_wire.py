"""A client that misbehaves at the real edge and desk: refused with a reason, counted, journaled.

What single frames and floods do is in tests/edge/test_hostile_dashboards.py, bad lines at the
governor in tests/governor/test_hostile.py. Here all of it at once, and a stop gets through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hatchway.core import events as ev
from hatchway.edge import protocol

PATIENCE_S = 30.0
SUBSCRIBE = protocol.encode(protocol.Subscribe())
PAUSE = b'{"type":"command","id":"dup","kind":"pause"}'

MESSAGES = {
    "duplicate keys": b'{"type":"command","id":"a","id":"b","kind":"accept","kind":"pause"}',
    "NaN": b'{"type":"command","id":"x","kind":"release","expect_epoch":NaN}',
    "infinity": b'{"type":"command","id":"x","kind":"release","expect_epoch":1e999}',
    "deep": b'{"type":"ping","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep and open": b'{"a":' * 10_000,
    "no UTF-8": b'{"type":"command","id":"\xc3\x28","kind":"pause"}',
    "overlong UTF-8": b'{"type":"command","id":"\xc0\xaf","kind":"pause"}',
    "a surrogate": b'{"type":"command","id":"\\ud800","kind":"pause"}',
    "a wide number": b'{"type":"command","id":"x","kind":"release","expect_epoch":' + b"9" * 400 + b"}",
    "a float": b'{"type":"command","id":"x","kind":"release","expect_epoch":1.5}',
    "an unknown kind": b'{"type":"command","id":"x","kind":"deploy"}',
    "null": b"null",
    "a NUL": b'{"type":"ping"}\x00',
    "two values": b'{"type":"ping"}{"type":"ping"}',
    "a byte order mark": b'\xef\xbb\xbf{"type":"ping"}',
}  # fmt: skip


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True,
          rsv: int = 0, says: int | None = None) -> bytes:  # fmt: skip
    """A websocket frame, right or wrong. `says` is a length that is not the payload's."""
    size = len(payload) if says is None else says
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mark = 0x80 if masked else 0
    if size < 126:
        head += bytes([mark | size])
    elif size < 1 << 16:
        head += bytes([mark | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mark | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if masked else b"") + payload


FRAMES = {
    "not masked": frame(1, PAUSE, masked=False),
    "a continuation of nothing": frame(0, PAUSE),
    "a text within a text": frame(1, b'{"ty', fin=False) + frame(1, PAUSE),
    "a control frame in pieces": frame(9, b"x", fin=False),
    "a control frame that is too long": frame(9, b"x" * 126),
    "a reserved opcode": frame(3, PAUSE),
    "a reserved control opcode": frame(11),
    "a reserved bit": frame(1, PAUSE, rsv=4),
    "a length of 2^63": frame(1, b"", says=1 << 63),
    "a length of a gigabyte": frame(1, b"", says=1 << 30),
    "a close with one byte": frame(8, b"\x03"),
    "a close with a code that is none": frame(8, struct.pack("!H", 5) + b"x"),
    "a close whose reason is no UTF-8": frame(8, struct.pack("!H", 1000) + b"\xff"),
    "text that is no UTF-8 over two frames": frame(1, b'"\xc3', fin=False) + frame(0, b'\x28"'),
    "no frames": os.urandom(512),
}

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)

HANDSHAKES = {
    "a browser": HANDSHAKE + b"Origin: https://evil.example\r\n\r\n",
    "a browser without an origin of its own": HANDSHAKE + b"Origin: null\r\n\r\n",
    "endless headers": HANDSHAKE + b"X: y\r\n" * 5_000 + b"\r\n",
    "an endless header": HANDSHAKE + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    "a body": HANDSHAKE.replace(b"GET", b"POST") + b"Content-Length: 5\r\n\r\nhello",
    "an old version": HANDSHAKE.replace(b"13\r\n", b"8\r\n") + b"\r\n",
    "no key": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "a path outside": HANDSHAKE.replace(b"GET /", b"GET /../../etc/passwd") + b"\r\n",
    "a header with a NUL": HANDSHAKE + b"X: a\x00b\r\n\r\n",
    "a smuggled line": HANDSHAKE + b"X: a\nHost: evil\r\n\r\n",
}


def talk(path: Any, data: bytes, *, shake: bool) -> bytes:
    """Send bytes as they are; everything that comes back until the end."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE_S)
        link.connect(str(path))
        if shake:
            link.sendall(HANDSHAKE + b"\r\n")
            assert b" 101 " in link.recv(2048)
            link.sendall(frame(1, SUBSCRIBE))
        link.sendall(data)
        back = b""
        with contextlib.suppress(OSError):
            while part := link.recv(65536):
                back += part
        return back
    return b""


@pytest.mark.parametrize("what", HANDSHAKES)
async def test_a_handshake_that_is_none_is_refused(backend: Any, what: str) -> None:
    back = await asyncio.to_thread(talk, backend.listening.backend, HANDSHAKES[what], shake=False)
    assert b" 101 " not in back
    assert b" 2" not in back[:12]
    if "browser" in what:
        assert b"browsers are not served" in back
        await backend.journaled("browser")
    await lives(backend)


@pytest.mark.parametrize("what", FRAMES)
async def test_a_frame_that_is_none_ends_its_own_connection_alone(backend: Any, what: str) -> None:
    async with backend.dashboard() as dashboard:
        path = backend.listening.backend
        back = await asyncio.to_thread(talk, path, FRAMES[what], shake=True)
        assert b"\x88" in back or back == b"" or b"bad_message" in back, "closed, cut or refused"
        assert backend.house.governor.state["shop"].mode == "agent", "nothing was done"
        said = await dashboard.ask("still here", "accept", item="none")
        assert said.code == "no_such_item"


async def test_every_message_that_is_none_has_a_reason_and_is_journaled(backend: Any) -> None:
    async with backend.dashboard() as dashboard:
        for what, message in MESSAGES.items():
            before = len(dashboard.seen)
            await dashboard.socket.send(message, text=True)
            try:
                await dashboard.until(
                    lambda before=before: any(
                        isinstance(m, protocol.Refused | protocol.Ack)
                        for m in dashboard.seen[before:]
                    )
                )
            except ConnectionClosed as end:
                pytest.fail(f"{what}: {end}")
            answer = dashboard.seen[-1]
            assert isinstance(answer, protocol.Refused | protocol.Ack), what
            if isinstance(answer, protocol.Ack):
                assert what == "duplicate keys", "its last keys are a pause, and a stop is a stop"
                continue
            assert answer.why, what
            assert answer.code in ("bad_message", "bad_request", "reason_missing"), (what, answer)
        assert not any(record.effects for record in backend.house.ledger.state.runs.values())
    await backend.journaled("bad message")


async def test_a_binary_message_is_no_text_and_no_crash(backend: Any) -> None:
    async with unix_connect(str(backend.listening.backend)) as raw:
        await raw.send(SUBSCRIBE, text=False)
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                await raw.recv()
    await lives(backend)


async def test_an_id_that_comes_again_with_another_body_is_refused_and_changes_nothing(
    backend: Any,
) -> None:
    await backend.house.to_canary()
    async with backend.dashboard() as dashboard:
        first = await dashboard.ask("one", "pause", reason="first")
        epoch = backend.house.governor.state["shop"].epoch
        for body in (
            {"kind": "release", "reason": "x"},
            {"kind": "accept", "item": "x"},
            {"kind": "reject", "item": "x"},
            {"kind": "review", "item": "1"},
        ):
            dashboard.answers.pop("one", None)
            answer = await dashboard.ask("one", body.pop("kind"), **body)
            assert answer.code == "id_reused"
        dashboard.answers.pop("one", None)
        assert await dashboard.ask("one", "pause", reason="second") == first
        assert backend.house.governor.state["shop"].epoch == epoch


async def test_what_is_expected_of_the_future_is_refused(backend: Any) -> None:
    """A revision, an epoch and a version that nobody has been at yet."""
    await backend.house.to_canary()
    async with backend.dashboard() as dashboard:
        await dashboard.ask("p", "pause")
        stale = await dashboard.ask("r", "release", reason="x", expect_epoch=10**9)
        assert stale.code == "stale"
        assert backend.house.governor.state["shop"].mode == "paused"
    async with unix_connect(str(backend.listening.backend)) as raw:
        ahead = protocol.Subscribe(boot="boot-1", since=10**12)
        await raw.send(protocol.encode(ahead), text=True)
        kinds = [type(protocol.decode_server(await raw.recv(decode=False))) for _ in range(3)]
        assert protocol.Snapshot in kinds, "it is given everything anew"


LINES = {
    "no JSON": b"hello\n",
    "an array": b"[]\n",
    "NaN": b'{"op":"start","pace":NaN}\n',
    "infinity": b'{"op":"start","pace":1e999}\n',
    "a deep one": b'{"op":' + b"[" * 20_000 + b"\n",
    "no UTF-8": b'{"op":"\xff"}\n',
    "an unknown op": b'{"op":"deploy"}\n',
    "a wrong type": b'{"op":"pause","id":[]}\n',
    "an op of two": b'{"op":"nothing","op":"deploy"}\n',
    "a mode that is none": b'{"op":"start","mode":"root"}\n',
    "too long": b'{"op":"ping","x":"' + b"y" * 70_000 + b'"}\n',
    "an empty line": b"\n",
    "only a NUL": b"\x00\n",
}


@pytest.mark.parametrize("what", LINES)
async def test_a_line_at_the_command_socket_that_is_none_is_refused_in_words(
    backend: Any, what: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(backend.listening.command))
    writer.write(LINES[what])
    async with asyncio.timeout(PATIENCE_S):
        answer = json.loads(await reader.readline())
    assert answer["ok"] is False
    assert answer["code"] == "bad_request"
    assert answer["why"]
    assert answer["todo"]
    writer.close()
    await backend.journaled("bad message")


async def test_a_stop_gets_through_while_everybody_misbehaves(backend: Any, bar: Any) -> None:
    """Floods, slow handshakes, clients that never read, bad messages; then a pause, at once."""
    await backend.house.to_canary()
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    never: list[socket.socket] = []
    for _ in range(20):  # half a handshake, and nothing more
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(backend.listening.backend))
        link.sendall(b"GET / HTT")
        never.append(link)

    async def flood(data: bytes) -> None:
        while not over.is_set():
            with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError):
                async with unix_connect(str(backend.listening.backend), close_timeout=0.1) as raw:
                    await raw.send(SUBSCRIBE, text=True)
                    while not over.is_set():
                        await raw.send(data, text=True)
                        await asyncio.sleep(0)
            await asyncio.sleep(0.01)

    async def lines() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(str(backend.listening.command))
                for _ in range(50):
                    writer.write(b'{"op":"accept"}\n' * 20)
                    await asyncio.sleep(0)
                writer.transport.abort()

    floods = [flood(MESSAGES[what]) for what in ("deep and open", "NaN", "null")]
    accept = protocol.encode(protocol.Command("f", "accept", item="x"))
    tasks = [asyncio.create_task(one) for one in (*floods, flood(accept), lines())]
    try:
        took = []
        async with backend.dashboard() as dashboard:
            for number in range(10):
                began = loop.time()
                answer = await dashboard.ask(f"stop-{number}", "pause")
                took.append(loop.time() - began)
                assert isinstance(answer, protocol.Ack)
                await asyncio.sleep(0.02)
        assert backend.house.governor.state["shop"].mode == "paused"
        bar(
            "hostile wire: a pause amid floods",
            f"{max(took) * 1e3:.0f} ms at most of 10 (load {os.getloadavg()[0]:.0f})",
            "answered, each",
        )
    finally:
        over.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in never:
            link.close()
    await backend.journaled("bad message")
    records = [e for e in backend.house.events() if isinstance(e, ev.WireRefused)]
    refused = sum(sum(e.counts.values()) for e in records)
    assert refused > 10 * len(records), "a flood is a line of the journal, not one each"


async def test_what_a_role_may_not_do_is_journaled_too(
    house: Any, directory: Any, monkeypatch: pytest.MonkeyPatch, mirror: Any
) -> None:
    from hatchway.edge import turned_away
    from hatchway.edge.health import Health
    from hatchway.edge.hub import Hub
    from hatchway.edge.server import serve

    monkeypatch.setattr(turned_away, "EVERY_S", 0.05)
    health = Health()
    only_look = msgspec.structs.replace(house.installation, everyone=("viewer",))
    async with serve(directory, only_look, hub=Hub("b"), door=house.desk, health=health) as at:
        task = asyncio.create_task(turned_away.journal_turned_away(health, house.ledger))
        async with unix_connect(str(at.backend)) as socket:
            dashboard = mirror(socket)
            await dashboard.subscribe()
            assert (await dashboard.ask("x", "accept", item="y")).code == "not_allowed"
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                isinstance(e, ev.WireRefused) and "not allowed" in e.counts for e in house.events()
            ):
                await asyncio.sleep(0.02)
        task.cancel()


async def lives(backend: Any) -> None:
    """The backend still serves whoever behaves."""
    async with backend.dashboard() as dashboard:
        assert (await dashboard.ask("alive", "accept", item="none")).code == "no_such_item"


async def test_the_corpus_is_counted(bar: Any) -> None:
    cases = len(MESSAGES) + len(FRAMES) + len(HANDSHAKES) + len(LINES)
    bar("hostile corpus, wire", f"{cases} cases, 0 crashes", "0 crashes")
