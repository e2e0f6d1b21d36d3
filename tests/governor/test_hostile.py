"""Bad lines at the socket: each refused with a reason, nobody else disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

import pytest

DEEP = b"[" * 30_000
BAD_LINES = [
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"pause"',
    b"\x00\xff\xfe",
    b"NaN",
    b'{"op": NaN}',
    b'{"op": null}',
    b'{"op": ["pause"]}',
    b'{"op": {"pause": 1}}',
    b'{"op": "PAUSE"}',
    b'{"op": "pause", "service": "other"}',
    b'{"op": "pause", "service": ["shop"]}',
    b'{"op": "spool"}',
    b'{"op": "spool", "after": -1}',
    b'{"op": "spool", "after": 1e3}',
    b'{"op": "spool", "after": true}',
    b'{"op": "arm"}',
    b'{"op": "arm", "capsule": []}',
    b'{"op": "arm", "capsule": {"rollback": {"canary": 5}}}',
    b'{"op": "arm", "capsule": {"rollback": {"canary": 0}, "x": "' + b"x" * 9000 + b'"}}',
    b'{"op": "apply"}',
    b'{"op": "apply", "key": "", "canary": 5, "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": 101, "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": -1, "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": "5", "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": true, "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": 5.0, "epoch": 1, "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": 5, "epoch": "1", "by": {"kind": "agent"}}',
    b'{"op": "apply", "key": "k", "canary": 5, "epoch": 1, "by": "ana"}',
    b'{"op": "apply", "key": "k", "canary": 5, "epoch": 1, "by": {"kind": "root"}}',
    b'{"op": "apply", "key": "k", "canary": 5, "epoch": 1, "by": {"kind": []}}',
    b'{"op": "apply", "key": ' + b"9" * 5000 + b"}",
    b'{"op": "release"}',
    b'{"op": "release", "reason": ""}',
    b"GET / HTTP/1.1",
    b"set server be/canary weight 100",
    DEEP,
    b'{"a":' * 9000,
]


@pytest.mark.parametrize("at_once", [False, True])
def test_bad_lines_are_refused_and_the_connection_goes_on(governor: Any, at_once: bool) -> None:
    client = governor.client()
    if at_once:
        client.link.sendall(b"".join(line + b"\n" for line in BAD_LINES))
    for line in BAD_LINES:
        if not at_once:
            client.link.sendall(line + b"\n")
        answer = client.receive()
        assert answer["ok"] is False, line[:80]
        assert answer["code"] in ("bad_request", "nothing_to_release")
        assert answer["why"].isprintable()
        assert answer["todo"]
    assert client.ask(op="status")["status"]["epoch"] == 1
    assert governor.splitter.commands == []


def test_an_endless_line_is_cut_off(governor: Any) -> None:
    client = governor.client()
    with contextlib.suppress(OSError):
        client.link.sendall(b"x" * 200_000)
    with contextlib.suppress(OSError):  # reset: it was closed with bytes unread
        assert client.receive()["code"] == "bad_request"
        assert client.file.readline() == b""
    assert governor.stop("pause")["ok"]


def test_a_stop_is_never_refused_for_its_form(governor: Any) -> None:
    for odd in (
        {},
        {"id": 7, "by": 8, "reason": 9},
        {"id": "x" * 5000, "by": "y" * 5000, "reason": "z" * 40_000},
        {"id": "\ud800", "by": "\ud800", "reason": "\x1b]52;c;aGk=\x07\u202e"},
        {"unknown": True},
    ):
        assert governor.ask(op="pause", **odd)["ok"]
    spool = governor.spool()
    assert len(spool) == 5
    assert all(len(json.dumps(line)) < 6000 for line in spool)


def test_half_a_line_and_a_hang_up_do_nothing(governor: Any) -> None:
    for cut in range(1, 30):
        client = governor.client()
        client.link.sendall(b'{"op": "pause", "by": "ana"}\n'[:cut])
        client.close()
    # The whole line without its end counts as half: nobody can know that it is whole.
    assert governor.status()["epoch"] in (1, 2)
    assert governor.status()["mode"] == ("agent" if governor.status()["epoch"] == 1 else "paused")


def test_a_line_that_comes_byte_by_byte_is_a_line(governor: Any) -> None:
    client = governor.client()
    for byte in b'{"op": "pause", "id": "slow", "by": "ana"}\n':
        client.link.sendall(bytes([byte]))
        assert governor.status()["service"] == "shop", "others are answered meanwhile"
    assert client.receive()["id"] == "slow"


def test_a_flood_leaves_a_stop_its_place(governor: Any) -> None:
    floods = [governor.client() for _ in range(8)]
    for client in floods:
        client.link.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(200):
                client.link.send(b'{"op":"status"}\n' * 500)
    started = time.monotonic()
    assert governor.stop("pause")["ok"]
    assert time.monotonic() - started < 10, "a flood of 800,000 lines would take far longer"


def test_who_asks_is_recorded_as_the_kernel_says(governor: Any) -> None:
    governor.stop("pause", by="ana")
    (line,) = governor.spool()
    assert line["uid"] == os.getuid()
    assert line["by"] == "ana"
