"""Writes to the terminal without ever waiting for it."""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

LEAVE_WITHIN = 0.2
"""How long `stop` waits for a terminal that does not read, in seconds."""

_PIECE = 4096


def _nothing() -> None:
    pass


class Out:
    """In the place of Textual's `WriterThread`: that one's queue blocks the loop when it is full.

    The terminal is opened a second time, so that only this opening is non-blocking: the flag would
    otherwise hold for the shell too, which shares the first. Where that is not possible (a terminal
    of another user without being the controlling one) single bytes are written while there is room.
    """

    def __init__(self, file: TextIO) -> None:
        self._shared = file.fileno()
        self._encoding, self._errors = file.encoding or "utf-8", file.errors or "replace"
        self._buffer = bytearray()
        self._fd = _open_again(self._shared)
        self._piece = _PIECE if self._fd >= 0 else 1
        self._loop = asyncio.get_running_loop()
        self._watched = False
        self.drained: Callable[[], None] = _nothing
        self.dead = False

    @property
    def pending(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return len(self._buffer)

    def start(self) -> None:
        """There is no thread to start."""

    def isatty(self) -> bool:
        """As a file on a terminal answers."""
        return True

    def fileno(self) -> int:
        """The descriptor that is written to."""
        return self._fd if self._fd >= 0 else self._shared

    def flush(self) -> None:
        """Nothing waits here but for the terminal itself."""

    def encode(self, text: str) -> bytes:
        """The bytes that `write` writes for `text`."""
        return text.encode(self._encoding, self._errors)

    def write(self, text: str) -> None:
        """Write as much as the terminal takes now, the rest when it reads again."""
        if self.dead:
            return
        self._buffer += self.encode(text)
        self._push()

    def _push(self) -> None:
        if not self._try():
            self._watch()
            return
        self._unwatch()

    def _try(self) -> bool:
        """Write what goes without waiting. False: there is a rest."""
        fd = self.fileno()
        try:
            while self._buffer:
                if self._piece == 1 and not _has_room(fd):
                    return False
                done = os.write(fd, self._buffer[: self._piece])
                del self._buffer[:done]
        except BlockingIOError:
            return False
        except OSError:  # hung up: what is to be said to it is of no use any more
            self.dead = True
            self._buffer.clear()
        return True

    def _watch(self) -> None:
        if not self._watched and not self._loop.is_closed():
            self._watched = True
            self._loop.add_writer(self.fileno(), self._room)

    def _unwatch(self) -> None:
        if self._watched and not self._loop.is_closed():
            self._watched = False
            self._loop.remove_writer(self.fileno())

    def _room(self) -> None:
        self._push()
        if not self._buffer:
            self.drained()

    def wait(self, until: float) -> None:
        """Write what is left, until a time of the monotonic clock. Blocks: only for leaving."""
        while not self._try() and (left := until - time.monotonic()) > 0:
            select.select([], [self.fileno()], [], left)

    def stop(self) -> None:
        """Write what is left if the terminal takes it soon, and let go of it."""
        self.wait(time.monotonic() + LEAVE_WITHIN)
        self._unwatch()
        self.dead = True
        self._buffer.clear()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _open_again(fd: int) -> int:
    if not os.isatty(fd):
        return -1
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    with suppress(OSError):
        return os.open(os.ttyname(fd), flags)
    with suppress(OSError):
        os.tcgetpgrp(fd)  # fails unless it is the controlling terminal
        return os.open("/dev/tty", flags)
    return -1


def _has_room(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0)[1])
