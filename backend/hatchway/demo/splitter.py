"""`python -m hatchway.demo.splitter`: the demo's traffic splitter, a process of its own.

Traffic on one port, metrics on another, and an administration socket that speaks HAProxy's runtime
language, so that what steers it can steer an HAProxy as well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import cast

from hatchway.demo import framing
from hatchway.demo.arms import Pool, Server
from hatchway.demo.control import private_socket
from hatchway.demo.exporter import exposition
from hatchway.demo.haproxy_language import Language
from hatchway.demo.lifeline import stop_event
from hatchway.demo.proxy import Proxy

LONGEST_LINE = 16_384


class MetricsPage(asyncio.Protocol):
    """Answers GET /metrics and nothing else."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        try:
            while (found := framing.request(self._buffer)) is not None:
                self._buffer = self._buffer[found.size :]
                self._transport.write(self._answer(found.head.split(b" ", 2)[1]))
                if not found.keep or found.length:
                    self._transport.close()
                    return
        except framing.BadMessage:
            self._transport.abort()

    def _answer(self, path: bytes) -> bytes:
        if path.partition(b"?")[0] == b"/metrics":
            line, body = b"200 OK", exposition(self._pool).encode()
        else:
            line, body = b"404 Not Found", b"only /metrics is here\n"
        kind = b"text/plain; version=0.0.4"
        head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        return head % (line, kind, len(body)) + body


async def administer(
    language: Language, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One line of commands, its answers, and the end: as HAProxy does without a prompt."""
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(10):
            line = await reader.readline()
            writer.write(language.answer(line.decode(errors="replace")).encode())
            await writer.drain()
    writer.close()


async def serve(options: argparse.Namespace) -> None:
    """Split traffic until told to stop."""
    stop = stop_event(options.lifeline)
    stable = Server("stable", 1, "127.0.0.1", options.stable, initial_weight=100)
    canary = Server("canary", 2, "127.0.0.1", options.canary, initial_weight=0)
    pool = Pool("be", [stable, canary])
    language = Language(pool)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        proxy = Proxy(pool, tasks, options.patience)
        front = await loop.create_server(proxy.client, "127.0.0.1", options.port, backlog=512)
        page = await loop.create_server(lambda: MetricsPage(pool), "127.0.0.1", options.metrics)
        admin = await asyncio.start_unix_server(
            lambda r, w: administer(language, r, w),
            sock=private_socket(Path(options.socket)),
            limit=LONGEST_LINE,
        )
        print(f"splitter on http://127.0.0.1:{options.port}", flush=True)
        gc.collect()
        gc.freeze()
        await stop.wait()
        for server in (front, page, admin):
            server.close()
        proxy.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(options.socket)


def main(argv: list[str]) -> int:
    """Run the splitter; 1 when it cannot listen."""
    parser = argparse.ArgumentParser(prog="python -m hatchway.demo.splitter")
    parser.add_argument("--port", type=int, required=True, help="traffic comes in here")
    parser.add_argument("--metrics", type=int, required=True, help="port of /metrics")
    parser.add_argument("--socket", required=True, help="path of the administration socket")
    parser.add_argument("--stable", type=int, required=True, help="port of the stable arm")
    parser.add_argument("--canary", type=int, required=True, help="port of the canary arm")
    parser.add_argument("--patience", type=float, default=1.0, help="seconds without an answer")
    parser.add_argument("--lifeline", type=int, default=-1)
    try:
        asyncio.run(serve(parser.parse_args(argv)))
    except OSError as error:
        print(f"splitter: cannot listen: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
