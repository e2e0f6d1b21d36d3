"""`hatchway serve`: the backend."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from hatchway.cli.where import find
from hatchway.edge.sockets import ListenError
from hatchway.edge.tokens import TokenFileError
from hatchway.journal.port import JournalError
from hatchway.settings.errors import ConfigError
from hatchway.settings.load import Settings, load_all
from hatchway.wiring import AlreadyRunning, backend


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, SIGINT or the end of the lifeline; 0 then, 2 on bad configuration."""
    parser = argparse.ArgumentParser(prog="hatchway serve", description="Run the backend.")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--lifeline", type=int, default=-1, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    directory = Path(find(arguments.dir))
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        settings = load_all(directory / "config")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(_serve(directory, settings, arguments.lifeline))


async def _serve(directory: Path, settings: Settings, lifeline: int) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if lifeline >= 0:
        loop.add_reader(lifeline, _lost, lifeline, stop)
    try:
        async with backend(directory, settings, stop.set):
            pid = directory / "backend.pid"
            with contextlib.suppress(OSError):  # a full disk must not keep people from their screen
                pid.write_text(f"{os.getpid()}\n")
            logging.getLogger("hatchway").info("serving from %s", directory)
            try:
                await stop.wait()
            finally:
                with contextlib.suppress(OSError):
                    pid.unlink()
    except (AlreadyRunning, JournalError, ListenError, TokenFileError) as error:
        print(f"hatchway serve: {error}", file=sys.stderr)
        return 1
    return 0


def _lost(lifeline: int, stop: asyncio.Event) -> None:
    """Whoever started this backend is gone when the other end of the pipe is closed."""
    if not os.read(lifeline, 1):
        asyncio.get_running_loop().remove_reader(lifeline)
        stop.set()
