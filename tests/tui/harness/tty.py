"""A program on a real pty, whose screen is replayed by pyte and whose bytes are kept."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pexpect
import pyte

DEADLINE = 40.0
COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
_NOT_FOR_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[[0-9;]*t")
"""The kitty protocol and the memory for titles, which pyte does not know."""


class Screen(pyte.Screen):
    """Counts how often it rang, and answers what it is asked as xterm would."""

    bells = 0
    answer: Callable[[str], None] | None = None

    def bell(self, *_: Any) -> None:
        self.bells += 1

    def write_process_input(self, data: str) -> None:
        if self.answer is not None:
            self.answer(data)


class Terminal:
    """A command in a terminal, which says where the cursor is when asked, as all real ones do."""

    def __init__(
        self, command: Sequence[str], width: int = 80, height: int = 24, *, answers: bool = True,
        environ: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLORFGBG", "TMUX"}}
        self.started = time.monotonic()
        self.child = pexpect.spawn(
            command[0], list(command[1:]), dimensions=(height, width),
            env=kept | (environ or COLOURS),
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.screen = Screen(width, height)
        if answers:
            self.screen.answer = self.send
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        self.heard: list[tuple[float, int]] = []  # when, and how many bytes by then

    def read(self) -> None:
        """What has come; called by the loop."""
        try:
            data = os.read(self.child.child_fd, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.child.child_fd)
            return
        self.bytes += data
        self.heard.append((time.monotonic(), len(self.bytes)))
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """Show it."""
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data))

    @property
    def pid(self) -> int:
        return int(self.child.pid)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def send(self, data: str | bytes) -> None:
        os.write(self.child.child_fd, data.encode() if isinstance(data, str) else data)

    def resize(self, width: int, height: int) -> None:
        """The window gets another size."""
        self.screen.resize(height, width)
        self.child.setwinsize(height, width)

    async def until(self, *parts: str, gone: str = "\0") -> float:
        """Wait until all parts are on the screen; when that was, on the monotonic clock."""
        return await self.that(
            lambda: all(part in self.text for part in parts) and gone not in self.text
        )

    async def that(self, true: Callable[[], object], within: float = DEADLINE) -> float:
        """Wait until it is true after something was read; when what made it true was read."""
        end = time.monotonic() + within
        seen = -1
        while True:
            if seen != len(self.heard):
                seen = len(self.heard)
                if true():
                    return self.heard[-1][0] if self.heard else time.monotonic()
            elif true():
                return time.monotonic()
            assert time.monotonic() < end, self.text
            await asyncio.sleep(0.002)

    async def quiet(self, seconds: float = 0.3) -> None:
        """Wait until nothing more comes for a while."""
        await self.that(lambda: self.heard and time.monotonic() - self.heard[-1][0] > seconds)

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        asyncio.get_running_loop().remove_reader(self.child.child_fd)
        self.child.ptyproc.fileobj.close()  # the number alone would be closed again, as another's
        self.child.closed = True

    async def ended(self) -> int:
        """Its exit status, or minus the signal's number."""
        await self.that(lambda: not self.child.isalive())
        status = self.child.exitstatus
        return int(status) if status is not None else -int(self.child.signalstatus)


class QuickTerminal(Terminal):
    """As quick as real ones: says where the cursor is at once, and keeps only the bytes.

    Pyte takes tens of milliseconds for a page, which would be counted as the dashboard's.
    """

    _asked = re.compile(rb"\x1b\[(\d+;\d+)H\x1b\[6n")

    def feed(self, data: bytes) -> None:
        for place in self._asked.findall(data):
            self.send(b"\x1b[" + place + b"R")

    async def says(self, word: bytes, since: int) -> float:
        """Wait until the word was written after so many bytes; when that was."""
        end = time.monotonic() + DEADLINE
        while (found := self.bytes.find(word, since)) < 0:
            assert time.monotonic() < end, self.bytes[since:][-2000:]
            await asyncio.sleep(0.001)
        return next(at for at, count in self.heard if count >= found + len(word))


@asynccontextmanager
async def opened(made: Any) -> AsyncIterator[Any]:
    """Read it all the time; at the end nothing of it is left."""
    asyncio.get_running_loop().add_reader(made.child.child_fd, made.read)
    try:
        yield made
    finally:
        if not made.child.closed:
            asyncio.get_running_loop().remove_reader(made.child.child_fd)
            made.child.close(force=True)


def dashboard(room: Any, *more: str) -> list[str]:
    """The command of a dashboard for the sockets in a directory."""
    return [
        sys.executable, "-m", "hatchway_tui", "--backend", str(room / "backend.sock"),
        "--governor", str(room / "governor.sock"), *more,
    ]  # fmt: skip


@asynccontextmanager
async def terminal(
    room: Any, width: int = 80, height: int = 24, *more: str, **environ: str
) -> AsyncIterator[Terminal]:
    """The dashboard for the sockets in a directory, in a terminal of its own."""
    async with opened(
        Terminal(dashboard(room, *more), width, height, environ=environ or None)
    ) as made:
        yield made


def restored(output: bytes) -> bool:
    """The alternate screen left, the cursor back, after everything else."""
    tail = output[-200:]
    return b"\x1b[?1049l" in tail and b"\x1b[?25h" in tail
