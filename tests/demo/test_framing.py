"""Where messages end, and which ones are not carried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.demo import framing
from hatchway.demo.framing import BadMessage

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


def test_a_request_is_complete_with_the_empty_line():
    for cut in range(len(GET)):
        assert framing.request(GET[:cut]) is None
    found = framing.request(GET)
    assert found is not None
    assert (found.size, found.length, found.keep, found.method) == (len(GET), 0, True, b"GET")


def test_what_follows_belongs_to_the_next_message():
    post = b"POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\n\r\nabcGET"
    found = framing.request(post)
    assert found is not None
    assert post[found.size : found.size + found.length] == b"abc"


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.1", "connection: Keep-Alive, Close\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: keep-alive\r\n", True),
    ],
)
def test_the_connection_header_is_obeyed_and_not_passed_on(version: str, connection: str, keep):
    found = framing.request(f"GET / HTTP/{version}\r\n{connection}Host: a\r\n\r\n".encode())
    assert found is not None
    assert found.keep is keep
    assert b"onnection" not in found.head
    assert found.head.endswith(b"Host: a\r\n\r\n")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4000, 400),
    ],
)
def test_a_request_that_could_end_in_two_places_is_refused(message: bytes, status: int):
    with pytest.raises(BadMessage) as refused:
        framing.request(message)
    assert refused.value.status == status


def test_an_answer_ends_where_it_says():
    for head, method, length, keep in (
        (b"200 OK\r\nContent-Length: 5", b"GET", 5, True),
        (b"200 OK\r\nContent-Length: 5", b"HEAD", 0, True),
        (b"204 No Content", b"GET", 0, True),
        (b"200 OK", b"GET", framing.UNTIL_CLOSE, False),
        (b"200 OK\r\nContent-Length: 5\r\nConnection: close", b"GET", 5, False),
    ):
        found = framing.response(b"HTTP/1.1 " + head + b"\r\n\r\n", method)
        assert found is not None
        assert (found.length, found.keep) == (length, keep), head


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"HTTP/1.1 101 x", b"SSH-2.0 hello"]
)
def test_an_answer_that_cannot_be_carried_is_a_bad_gateway(head: bytes):
    with pytest.raises(BadMessage) as refused:
        framing.response(head + b"\r\n\r\n", b"GET")
    assert refused.value.status == 502


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waited_for_and_nothing_else(garbage: bytes):
    for text in (garbage, b"GET / HTTP/1.1\r\n" + garbage + b"\r\n\r\n"):
        for read in (framing.request, lambda b: framing.response(b, b"GET")):
            try:
                found = read(text)
            except BadMessage:
                continue
            assert found is None or 0 < found.size <= len(text)
