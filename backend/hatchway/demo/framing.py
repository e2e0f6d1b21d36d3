"""Where an HTTP/1.1 message ends. Pure; as strict as a proxy must be that re-uses connections."""

from __future__ import annotations

from typing import NamedTuple

LONGEST_HEAD = 16_384
UNTIL_CLOSE = -1
_BODILESS = (204, 304)


class BadMessage(Exception):
    """The message cannot be carried. `status` is what a client is told."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Message(NamedTuple):
    """The head of a message. `length` is of its body; UNTIL_CLOSE when only the end tells."""

    head: bytes  # with the empty line, and without a Connection header
    size: int  # bytes of the head as it came
    length: int
    keep: bool  # the connection may be used again
    status: int = 0
    method: bytes = b""


def request(buffer: bytes | bytearray) -> Message | None:
    """The request that `buffer` begins with, None while its head is not complete. BadMessage."""
    found = _head(buffer, 400)
    if found is None:
        return None
    head, lowered, size = found
    line = head[: head.index(b"\r\n")]
    words = line.split(b" ")
    if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0") or b"\n" in line:
        raise BadMessage(400, "this is not an HTTP/1.1 request")
    if b"\r\ntransfer-encoding:" in lowered:
        raise BadMessage(411, "a request body needs a Content-Length")
    length = _length(lowered, 400)
    head, keep = _connection(head, lowered, words[2] == b"HTTP/1.1")
    return Message(head, size, max(0, length), keep, method=words[0])


def response(buffer: bytes | bytearray, method: bytes) -> Message | None:
    """The answer to a `method` request, None while its head is not complete. BadMessage."""
    found = _head(buffer, 502)
    if found is None:
        return None
    head, lowered, size = found
    words = head[: head.index(b"\r\n")].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise BadMessage(502, "the server's answer is not HTTP/1.1")
    status = int(words[1])
    if b"\r\ntransfer-encoding:" in lowered or status == 101:
        raise BadMessage(502, "the server's answer is chunked or upgraded, and not carried here")
    length = _length(lowered, 502)
    head, keep = _connection(head, lowered, words[0] == b"HTTP/1.1")
    if method == b"HEAD" or status in _BODILESS or status < 200:
        length = 0
    return Message(head, size, length, keep and length != UNTIL_CLOSE, status)


def _head(buffer: bytes | bytearray, status: int) -> tuple[bytes, bytes, int] | None:
    end = buffer.find(b"\r\n\r\n")
    if end > LONGEST_HEAD or (end < 0 and len(buffer) > LONGEST_HEAD):
        raise BadMessage(status, f"the head is longer than {LONGEST_HEAD} bytes")
    if end < 0:
        return None
    head = bytes(buffer[: end + 4])
    return head, head.lower(), end + 4


def _length(lowered: bytes, status: int) -> int:
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return UNTIL_CLOSE
    # Two lengths are two opinions about where the next message begins.
    if lowered.find(b"\r\ncontent-length:", at + 1) >= 0:
        raise BadMessage(status, "two Content-Length headers")
    value = lowered[at + 17 : lowered.index(b"\r\n", at + 2)].strip(b" \t")
    if not value.isdigit() or len(value) > 15:
        raise BadMessage(status, "Content-Length is not a number")
    return int(value)


def _connection(head: bytes, lowered: bytes, keep: bool) -> tuple[bytes, bool]:
    """What is said about the connection is between two neighbours: obeyed and not passed on."""
    at = lowered.find(b"\r\nconnection:")
    while at >= 0:
        end = lowered.index(b"\r\n", at + 2)
        value = lowered[at + 13 : end]
        keep = (keep or b"keep-alive" in value) and b"close" not in value
        head, lowered = head[:at] + head[end:], lowered[:at] + lowered[end:]
        at = lowered.find(b"\r\nconnection:")
    return head, keep
