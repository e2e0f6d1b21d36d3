"""Where a shim puts what its command prints. Standard library only."""

from __future__ import annotations

import os
from collections import deque

TAIL_BYTES = 256 * 1024
"""Of a flood, this much of the end is kept (less when the cap is small)."""


class Output:
    """The file `output`: the first part as it comes, the last part at the end, nothing waits."""

    def __init__(self, path: str, limit: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._limit = limit
        self._tail_limit = min(TAIL_BYTES, limit // 4)
        self._room = limit - self._tail_limit
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.bytes = 0
        self.dropped = 0
        self.trouble = ""

    def take(self, data: bytes) -> None:
        """The next bytes that the command printed."""
        self.bytes += len(data)
        head, rest = data[: self._room], data[self._room :]
        if head:
            stored = self._store(head)
            self._room -= stored
            if stored < len(head):
                self._room = 0
                rest = head[stored:] + rest
        if not rest:
            return
        self._tail.append(rest)
        self._tail_bytes += len(rest)
        while self._tail_bytes > self._tail_limit and self._tail:
            oldest = self._tail.popleft()
            excess = min(self._tail_bytes - self._tail_limit, len(oldest))
            if excess < len(oldest):
                self._tail.appendleft(oldest[excess:])
            self._tail_bytes -= excess
            self.dropped += excess

    def finish(self) -> None:
        """Append what was kept of the end, with a line that says how much is missing before it."""
        tail = b"".join(self._tail)
        if self.dropped:
            whole_lines = tail[tail.find(b"\n") + 1 :]
            self.dropped += len(tail) - len(whole_lines)
            tail = whole_lines
            self._store(b"\n[%s]\n" % self.dropped_in_words().encode())
        self.dropped += len(tail) - self._store(tail)
        try:
            os.fsync(self._fd)
        except OSError as e:
            self.trouble = self.trouble or os.strerror(e.errno or 0)
        os.close(self._fd)

    def dropped_in_words(self) -> str:
        """What is missing."""
        return f"output above {size(self._limit)}: {size(self.dropped)} dropped"

    def _store(self, data: bytes) -> int:
        """How many bytes were stored; a full disk must not stop the command."""
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as e:
            self.trouble = os.strerror(e.errno or 0)
        return done


def size(count: int) -> str:
    """Bytes in words: 8 MB, 512 kB, 90 bytes."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= unit:
            return f"{count / unit:.0f} {name}"
    return f"{count} bytes"
