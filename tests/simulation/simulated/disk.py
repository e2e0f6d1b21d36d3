"""The governor's disk: what was written, and what of it was fsync'ed. It outlives every process.

`Files` stands for the modules `os` and `open` in `hatchway.governor.store`, so the real store runs.
"""

from __future__ import annotations

import errno
import io
import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class File:
    """An inode: its bytes in the page cache and on the platter."""

    __slots__ = ("data", "synced")

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.synced = data


class Disk:
    """Files of one folder. `full` refuses every byte more. A kill loses nothing, a power cut does."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self.synced_names: dict[str, File] = {}
        self.full = False

    def copy(self) -> Disk:
        """The same folder, as after a clean shutdown."""
        other = Disk()
        other.names = {name: File(file.data) for name, file in self.names.items()}
        other.synced_names = dict(other.names)
        return other

    def power_cut(self, dice: random.Random) -> None:
        """What was not fsync'ed is there, is not there, or is there in part."""
        if dice.random() < 0.5:
            self.names = dict(self.synced_names)
        self.synced_names = dict(self.names)
        for file in self.names.values():
            if file.data != file.synced:
                if file.data.startswith(file.synced):
                    kept = dice.randint(len(file.synced), len(file.data))
                    file.data = file.data[:kept]
                else:
                    file.data = (
                        file.synced if dice.random() < 0.5 else file.data[: len(file.data) // 2]
                    )
            file.synced = file.data


class Files:
    """`os` and `open` as the store uses them. `boundary(what)` is called around each step."""

    O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_CLOEXEC, O_DIRECTORY = 0, 1, 2, 4, 8, 16, 32
    SEEK_SET = 0
    path = os.path

    def __init__(self, disk: Callable[[], Disk], boundary: Callable[[str], None]) -> None:
        self._disk = disk
        self._boundary = boundary
        self._open: dict[int, list[Any]] = {}  # by fd: file (None: the folder), position
        self._next = 3

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        disk = self._disk()
        self._next += 1
        if flags & self.O_DIRECTORY:
            self._open[self._next] = [None, 0]
            return self._next
        file = disk.names.get(path)
        if file is None:
            if disk.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            file = disk.names[path] = File()
        if flags & self.O_TRUNC:
            file.data = b""
        self._open[self._next] = [file, 0]
        return self._next

    def write(self, fd: int, data: bytes) -> int:
        self._boundary("disk write")
        file, at = self._open[fd]
        if self._disk().full:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.data = file.data[:at] + data + file.data[at + len(data) :]
        self._open[fd][1] = at + len(data)
        return len(data)

    def fsync(self, fd: int) -> None:
        file = self._open[fd][0]
        self._boundary("disk fsync")
        disk = self._disk()
        if file is None:
            disk.synced_names = dict(disk.names)
        else:
            file.synced = file.data
        self._boundary("disk fsynced")

    def close(self, fd: int) -> None:
        del self._open[fd]

    def replace(self, old: str, new: str) -> None:
        self._boundary("disk rename")
        names = self._disk().names
        names[new] = names.pop(old)
        self._boundary("disk renamed")

    def lseek(self, fd: int, at: int, whence: int) -> None:
        self._open[fd][1] = at

    def ftruncate(self, fd: int, size: int) -> None:
        file = self._open[fd][0]
        file.data = file.data[:size]

    def fstat(self, fd: int) -> Any:
        return SimpleNamespace(st_size=len(self._open[fd][0].data))

    def open_file(self, path: str, mode: str) -> io.BytesIO:
        """The built-in `open`, for reading."""
        file = self._disk().names.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return io.BytesIO(file.data)
