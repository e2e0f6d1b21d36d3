"""Sockets of the demo's own: one JSON object a line, in both directions.

An answer is {"ok": true, ...}, or {"ok": false, "code", "why", "todo"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

LONGEST_LINE = 65_536
LONGEST_ANSWER = 16 << 20  # a backend's `status` is long

Answer = dict[str, Any]
Handler = Callable[[dict[str, Any]], Awaitable[Answer]]


class NoAnswer(Exception):
    """The socket is not there, or nothing came back; the message is a sentence."""


def refusal(code: str, why: str, todo: str = "") -> Answer:
    """An answer that says no."""
    return {"ok": False, "code": code, "why": why, "todo": todo}


async def listen(path: Path, handle: Handler) -> asyncio.Server:
    """Answer requests at `path`, which only this user may open, each connection in turn."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: a line that is too long
            while line := await reader.readline():
                writer.write(json.dumps(await _reply(line, handle)).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(talk, sock=private_socket(path), limit=LONGEST_LINE)


def private_socket(path: Path) -> socket.socket:
    """A listening Unix socket at `path` which only this user may open; replaces a dead one."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


async def _reply(line: bytes, handle: Handler) -> Answer:
    try:
        request = json.loads(line)
    except ValueError as error:
        return refusal("bad_request", f"this is not JSON: {error}", "send one object a line")
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        return refusal("bad_request", "this is no request", 'send {"op": "status"}')
    return await handle(request)


def ask(path: Path, request: Answer, timeout_s: float = 5.0) -> Answer:
    """Send one request and wait for its answer. Raises NoAnswer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(os.fspath(path))
            peer.sendall(json.dumps(request).encode() + b"\n")
            with peer.makefile("rb") as answers:
                return _decode(path, answers.readline(LONGEST_ANSWER))
    except OSError as error:
        raise NoAnswer(f"nothing answers at {path}: {error}") from error


async def ask_soon(path: Path, request: Answer, timeout_s: float = 5.0) -> Answer:
    """`ask` without blocking the loop. Raises NoAnswer."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=LONGEST_ANSWER)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                return _decode(path, await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise NoAnswer(f"nothing answers at {path}: {error or 'time is up'}") from error


def _decode(path: Path, line: bytes) -> Answer:
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoAnswer(f"{path} hung up without an answer")
    return answer
