"""Metrics from a command that prints a page: for sources that nothing else here can read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from hatchway.core.plan import ServiceSpec

from .exposition import Unreadable, Wanted, parse, wanted_of
from .increments import arm_values
from .port import Page, Scrape

TIMEOUT_S = 0.9
MOST_BYTES = 4_000_000
_SAID_BYTES = 64_000  # of standard error; its last line is told


class Failed(Exception):
    """A command gave no page. The text says why in a few words."""


class CommandMetrics:
    """Runs each endpoint's command once per arm and look, without a shell, in `directory`.

    What it prints is read like an instance's page. After `timeout_s` its process group is killed.
    """

    def __init__(
        self,
        service: ServiceSpec,
        *,
        directory: Path | None = None,
        timeout_s: float = TIMEOUT_S,
        most: int = MOST_BYTES,
    ) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._most = most
        self._places = tuple(
            (
                endpoint.name,
                arm,
                tuple(word.replace("{arm}", value) for word in endpoint.command),
                wanted_of(service, endpoint.name),
            )
            for endpoint in service.endpoints
            if endpoint.command
            for arm, value in arm_values(service, endpoint).items()
        )

    async def about(self) -> tuple[str, ...]:
        """Nothing: what a command prints is taken to be as new as the look."""
        return ()

    async def look(self, now: float) -> Scrape:
        """Run every command once, side by side; what fails is a page with its trouble in words."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._page(*place)) for place in self._places]
        return Scrape(now, tuple(task.result() for task in tasks))

    async def close(self) -> None:
        """Nothing runs between looks."""

    async def _page(self, endpoint: str, arm: str, argv: tuple[str, ...], names: Wanted) -> Page:
        url = f"command:{endpoint}/{arm}"
        try:
            body = await _output(argv, self._directory, self._timeout_s, self._most)
            read = parse(body, _format(body), names)
        except (Failed, Unreadable) as error:
            return Page(endpoint, arm, url, trouble=str(error))
        return Page(endpoint, arm, url, read.values, read.stamps, read.dropped)


def _format(body: bytes) -> str:
    # Only OpenMetrics has this line; with it, a page that goes on after it is not whole.
    return "application/openmetrics-text" if b"\n# EOF" in body else ""


async def _output(
    argv: tuple[str, ...], directory: Path | None, timeout_s: float, most: int
) -> bytes:
    """What a command prints before it ends with 0. `Failed` with words for everything else."""
    async with contextlib.AsyncExitStack() as stack:
        # Pipes of our own: asyncio's would wait for whoever else the command left them to.
        out, out_end = await _pipe(stack)
        err, err_end = await _pipe(stack)
        process = await _started(argv, directory, out_end, err_end)
        try:
            async with asyncio.timeout(timeout_s):
                async with asyncio.TaskGroup() as group:
                    body = group.create_task(_at_most(out, most, process))
                    said = group.create_task(_last_line(err))
                code = await process.wait()
        except TimeoutError:
            raise Failed(f"{argv[0]} did not end within {timeout_s:g} s: killed") from None
        finally:
            _kill(process)
            await process.wait()
    if len(body.result()) > most:
        raise Failed(f"{argv[0]} printed more than {most // 1_000_000} MB: killed")
    if code:
        how = f"ended with {code}" if code > 0 else f"was ended by signal {-code}"
        raise Failed(f"{argv[0]} {how}" + (f": {said.result()}" if said.result() else ""))
    if not body.result().strip():
        raise Failed(f"{argv[0]} printed nothing")
    return body.result()


async def _pipe(stack: contextlib.AsyncExitStack) -> tuple[asyncio.StreamReader, int]:
    """A pipe: a reader that is closed with the stack, and the end to write to."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb")
    )
    stack.callback(transport.close)
    return reader, theirs


async def _started(
    argv: tuple[str, ...], directory: Path | None, out: int, err: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Failed(f"{argv[0]} cannot be started: {why}") from None
    finally:
        os.close(out)
        os.close(err)


async def _at_most(
    reader: asyncio.StreamReader, most: int, process: asyncio.subprocess.Process
) -> bytes:
    body = bytearray()
    while piece := await reader.read(64 * 1024):
        body += piece
        if len(body) > most:
            _kill(process)
            break
    return bytes(body)


async def _last_line(reader: asyncio.StreamReader) -> str:
    end = b""
    while piece := await reader.read(64 * 1024):
        end = (end + piece)[-_SAID_BYTES:]
    words = end.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(words) if line.strip()), "")
    return "".join(c for c in last if c.isprintable())[:120]


def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole group: what the command started and left behind goes too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
