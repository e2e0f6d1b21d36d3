from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hatchway.core.plan import Person

PATIENCE_S = 30.0

CHILD = """
import json, os, socket, sys
path, uid = sys.argv[1], int(sys.argv[2])
connection = socket.socket(socket.AF_UNIX)
if uid != os.getuid():
    os.setgroups([])
    os.setresuid(uid, uid, uid)  # the group stays, and with it the way to the socket
connection.connect(path)
answers = connection.makefile("r")
for op in ("status", "pause"):
    connection.sendall(json.dumps({"op": op}).encode() + b"\\n")
    print(answers.readline(), end="")
"""


class Plain:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes) -> Any:
        self.writer.write(text)
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self.reader.readline())

    async def ask(self, **line: Any) -> Any:
        return await self.say(json.dumps(line).encode() + b"\n")


@contextlib.asynccontextmanager
async def plain(edge: Any) -> AsyncIterator[Plain]:
    reader, writer = await asyncio.open_unix_connection(str(edge.listening.command), limit=2**24)
    try:
        yield Plain(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_status_says_what_dashboards_are_shown(edge: Any) -> None:
    edge.hub.publish("system", {"name": "x"})
    edge.hub.publish("log/1", {"lines": ["y" * 200_000]})
    async with plain(edge) as line:
        status = await line.ask(op="status")
    assert status["ok"] is True
    assert status["docs"] == {"system": {"name": "x"}, "log/1": {"lines": ["y" * 200_000]}}
    assert status["you"]["can"] == ["pause", "takeover", "rollback", "release", "approve"]


async def test_each_op_reaches_the_door_as_what_it_is(edge: Any) -> None:
    async with plain(edge) as line:
        assert await line.ask(op="ping") == {"ok": True}
        for op in ("pause", "takeover", "rollback", "release", "accept", "reject"):
            answer = await line.ask(op=op, id=op, service="shop", item="i-1", reason="r")
            assert answer["ok"] is True
            assert answer["id"] == op
            assert answer["said"].startswith(op)
        started = await line.ask(
            op="start", id="s", service="shop", commit="1f", base="0a", mode="act", pace=10
        )
        assert started["ok"] is True
    commands = [request for request, _ in edge.door.asked]
    assert [command.kind for command in commands[:-1]] == [
        "pause", "takeover", "rollback", "release", "accept", "reject",
    ]  # fmt: skip
    assert {(c.service, c.item, c.reason) for c in commands[:-1]} == {("shop", "i-1", "r")}
    assert (commands[-1].commit, commands[-1].base) == ("1f", "0a")
    assert (commands[-1].mode, commands[-1].pace) == ("act", 10.0)


async def test_a_pause_needs_nothing_but_the_word(edge: Any) -> None:
    async with plain(edge) as line:
        first, second = await line.ask(op="pause"), await line.ask(op="pause")
    assert first["ok"]
    assert second["ok"]
    assert first["id"] != second["id"]


async def test_a_last_line_without_its_end_is_a_line(edge: Any) -> None:
    reader, writer = await asyncio.open_unix_connection(str(edge.listening.command))
    writer.write(b'{"op": "pause", "id": "p-1"}')
    writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        assert json.loads(await reader.readline())["ok"] is True
        assert await reader.read() == b""
    writer.close()


async def test_several_requests_at_once_are_answered_in_order(edge: Any) -> None:
    async with plain(edge) as line:
        ids = [f"p-{n}" for n in range(10)]
        for id in ids:
            line.writer.write(json.dumps({"op": "pause", "id": id}).encode() + b"\n")
        assert [json.loads(await line.reader.readline())["id"] for _ in ids] == ids


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback", "release", "accept", "start"])
async def test_a_viewer_is_refused_in_words(open_edge: Any, op: str) -> None:
    async with open_edge(everyone=("viewer",)) as edge, plain(edge) as line:
        answer = await line.ask(op=op, id="c-1")
        assert answer["ok"] is False
        assert (answer["id"], answer["code"]) == ("c-1", "not_allowed")
        assert answer["why"].startswith("viewers cannot ")
        assert answer["todo"]
        assert (await line.ask(op="status"))["ok"] is True
    assert edge.door.asked == []


async def test_an_unknown_op_is_refused_and_named(edge: Any) -> None:
    async with plain(edge) as line:
        answer = await line.ask(op="pasue")
        assert answer["code"] == "bad_request"
        assert "'pasue'" in answer["why"]
        assert "pause" in answer["todo"]


@pytest.mark.parametrize(
    "text",
    [b"hello\n", b"\n", b"[]\n", b"{}\n", b'{"op":7}\n', b"\xff\xfe\n", b'{"op":"\xff"}\n',
     b'{"op":"start","mode":"yolo"}\n', b'{"op":"ping","x":' + b"[" * 60_000 + b"\n",
     b'{"op":"start","pace":NaN}\n'],
)  # fmt: skip
async def test_nonsense_is_refused_and_the_connection_goes_on(edge: Any, text: bytes) -> None:
    async with plain(edge) as line:
        answer = await line.say(text)
        assert answer["code"] == "bad_request"
        assert answer["why"]
        assert await line.ask(op="ping") == {"ok": True}


async def test_a_line_that_is_too_long_is_refused_and_ends_the_connection(edge: Any) -> None:
    async with plain(edge) as line:
        answer = await line.say(b'{"op":"' + b"x" * 70_000)
        assert answer["code"] == "bad_request"
        assert "65536 bytes" in answer["why"]
        with contextlib.suppress(ConnectionError):
            assert await line.reader.read() == b""


async def test_too_much_nonsense_ends_the_connection(edge: Any) -> None:
    async with plain(edge) as line:
        with contextlib.suppress(ConnectionError):
            line.writer.write(b"hello\n" * 10_000)
            async with asyncio.timeout(PATIENCE_S):
                assert (await line.reader.read()).count(b"bad_request") < 100
    async with plain(edge) as line:
        assert (await line.ask(op="pause"))["ok"] is True


async def test_no_flood_of_questions_starves_a_stop(edge: Any) -> None:
    async with plain(edge) as line:
        codes = [(await line.ask(op="status")).get("code") for _ in range(60)]
        assert "too_fast" in codes
        assert (await line.ask(op="pause"))["ok"] is True


async def test_who_takes_all_seats_is_the_only_one_to_be_refused(edge: Any) -> None:
    async with contextlib.AsyncExitStack() as stack:
        answers = []
        for _ in range(110):
            line = await stack.enter_async_context(plain(edge))
            answers.append(await line.ask(op="ping"))
        assert [answer["ok"] for answer in answers] == [True] * 100 + [False] * 10
        assert answers[-1]["code"] == "too_many"
    async with asyncio.timeout(PATIENCE_S):
        while b'clients{socket="command"} 0.0' not in edge.health.render():
            await asyncio.sleep(0.01)


async def test_closing_does_not_wait_for_who_only_listens(open_edge: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async with contextlib.AsyncExitStack() as stack:
            async with open_edge() as edge:
                lines = [await stack.enter_async_context(plain(edge)) for _ in range(3)]
                await lines[0].ask(op="ping")
            assert await lines[0].reader.read() == b""


async def test_only_owner_and_group_can_open_the_sockets(edge: Any) -> None:
    for path in (edge.listening.backend, edge.listening.command):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


async def test_the_kernel_says_who_is_asking(open_edge: Any, directory: Any) -> None:
    """Root also asks as somebody else: a real process with another uid."""
    directory.chmod(0o711)
    me, other = os.getuid(), 64_123
    people = (Person("ana", uid=me, roles=("operator",)), Person("luis", uid=other))
    async with open_edge(people=people) as edge:
        for uid, name in ((me, "ana"), *(((other, "luis"),) if me == 0 else ())):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-c", CHILD, str(edge.listening.command), str(uid),
                stdout=subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(PATIENCE_S):
                out, _ = await child.communicate()
            status, paused = map(json.loads, out.splitlines())
            assert status["you"]["name"] == name
            assert paused["ok"] is (name == "ana")
    assert [(who.name, who.uid) for _, who in edge.door.asked] == [("ana", me)]


async def test_two_edges_cannot_serve_one_directory(open_edge: Any) -> None:
    from hatchway.edge.sockets import ListenError

    async with open_edge() as edge:
        with pytest.raises(ListenError, match="another process answers"):
            async with open_edge():
                pass
        async with plain(edge) as line:
            assert await line.ask(op="ping") == {"ok": True}


async def test_what_a_crash_left_behind_is_replaced(open_edge: Any, directory: Any) -> None:
    for name in ("backend.sock", "command.sock"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / name))
    async with open_edge() as edge, plain(edge) as line:
        assert await line.ask(op="ping") == {"ok": True}
    assert list(directory.iterdir()) == []


ORDERS = ("lift", "expect", "withdraw", "close")


async def test_what_people_say_of_a_service_reaches_the_door_as_what_it_is(edge: Any) -> None:
    more = {"service": "shop", "item": "x", "at_most": 4, "for_s": 60, "ticket": "T", "reason": "r"}
    async with plain(edge) as line:
        for op in ORDERS:
            answer = await line.ask(op=op, id=op, **more)
            assert answer["ok"] is True, answer
    asked = [request for request, _ in edge.door.asked]
    assert [request.kind for request in asked] == list(ORDERS)
    for request in asked:
        assert {key: getattr(request, key) for key in more} == more


@pytest.mark.parametrize("roles", [("viewer",), ("agent", "approver"), ("auditor",)])
async def test_neither_viewers_nor_agents_say_any_of_it(
    open_edge: Any, roles: tuple[str, ...]
) -> None:
    async with open_edge(everyone=roles) as edge, plain(edge) as line:
        for op in ORDERS:
            answer = await line.ask(op=op, id=op, item="x", reason="r")
            assert (answer["ok"], answer["code"]) == (False, "not_allowed")
    assert edge.door.asked == []
