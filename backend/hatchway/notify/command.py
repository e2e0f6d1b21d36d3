"""Your own command: the notice is one JSON object on its standard input, never in its words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import msgspec

from hatchway.notify.port import NotDelivered, Notice

_SAID_BYTES = 2000


class CommandNotifier:
    """Runs `argv` in `directory`; that it ends with 0 is taken for delivered."""

    def __init__(
        self, name: str, argv: tuple[str, ...], *, timeout_s: float, directory: Path
    ) -> None:
        self.name = name
        self._argv = argv
        self._timeout_s = timeout_s
        self._directory = directory

    async def deliver(self, notice: Notice) -> None:
        """Raises NotDelivered; the whole process group is gone then."""
        program = self._argv[0]
        said: list[str] = []
        async with contextlib.AsyncExitStack() as stack:
            # A pipe of our own: asyncio's would wait for whoever else the command left it to.
            errors, theirs = await _pipe(stack)
            process = await self._started(theirs)
            try:
                async with asyncio.timeout(self._timeout_s):
                    await _tell(process, msgspec.json.encode(notice) + b"\n", errors, said)
            except TimeoutError:
                raise NotDelivered(
                    f"{program} did not end within {self._timeout_s:g} s: killed"
                ) from None
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        code = process.returncode
        if code:
            how = f"ended with {code}" if code > 0 else f"was ended by signal {-code}"
            raise NotDelivered(f"{program} {how}" + (f": {said[0]}" if said else ""))

    async def _started(self, errors: int) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                cwd=self._directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise NotDelivered(f"{self._argv[0]} cannot be started: {why}") from None
        finally:
            os.close(errors)


async def _pipe(stack: contextlib.AsyncExitStack) -> tuple[asyncio.StreamReader, int]:
    """A pipe: a reader that is closed with the stack, and the end to write to."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb")
    )
    stack.callback(transport.close)
    return reader, theirs


async def _tell(
    process: asyncio.subprocess.Process,
    line: bytes,
    errors: asyncio.StreamReader,
    said: list[str],
) -> None:
    """Give it the line, and wait for its end; what it complained of goes to `said`."""
    assert process.stdin is not None
    reading = asyncio.create_task(_last_line(errors))
    try:
        with contextlib.suppress(ConnectionError):  # it may end without reading
            process.stdin.write(line)
            await process.stdin.drain()
        process.stdin.close()
        await process.wait()
        with contextlib.suppress(TimeoutError):  # what it left behind may keep the pipe open
            async with asyncio.timeout(0.1):
                said += filter(None, [await reading])
    finally:
        reading.cancel()


async def _last_line(reader: asyncio.StreamReader) -> str:
    end = b""
    while piece := await reader.read(64 * 1024):
        end = (end + piece)[-_SAID_BYTES:]
    lines = [line.strip() for line in end.decode(errors="replace").split("\n") if line.strip()]
    return "".join(c for c in lines[-1] if c.isprintable())[:120] if lines else ""
