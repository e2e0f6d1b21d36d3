"""The governor's memory on disk: one state file, replaced atomically, and an append-only spool.

Every write is fsync'ed before it counts. A spool line is in the state file's `outbox` first, so a
crash between the two files neither loses a line nor writes one twice.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]


class BrokenState(Exception):
    """The state file is there but cannot be read; it was put aside."""


class Store:
    """Files in `folder`, which exists: state.json and spool.jsonl. Raises OSError when the disk refuses."""

    def __init__(self, folder: str) -> None:
        self.state_path = os.path.join(folder, "state.json")
        self.spool_path = os.path.join(folder, "spool.jsonl")
        self._folder = folder
        self._spool = os.open(self.spool_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = self._repair()
        last = self.entries(0)[-1:]
        self.last_seq: int = last[0]["seq"] if last else 0

    def load(self) -> Doc | None:
        """The state, None when there is none. Raises BrokenState after putting the file aside."""
        try:
            with open(self.state_path, "rb") as file:
                state = json.loads(file.read())
            if not isinstance(state, dict) or not isinstance(state.get("services"), dict):
                raise ValueError("no services in it")
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            os.replace(self.state_path, self.state_path + ".broken")
            raise BrokenState(f"{self.state_path} cannot be read: {error}") from error
        return state

    def save(self, state: Doc) -> None:
        """Replace the state, durably: after a crash it is the old one or the new one."""
        temporary = self.state_path + ".new"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write(fd, json.dumps(state, separators=(",", ":")).encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, self.state_path)
        self._sync_folder()

    def append(self, entry: Doc) -> None:
        """Add a line to the spool, durably; a line that is there already is not added again."""
        if entry["seq"] <= self.last_seq:
            return
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            os.lseek(self._spool, self._end, os.SEEK_SET)
            _write(self._spool, line)
            os.fsync(self._spool)
        except OSError:
            os.ftruncate(self._spool, self._end)
            raise
        self._end += len(line)
        self.last_seq = entry["seq"]

    def entries(self, after: int, service: str = "", at_most_bytes: int = 0) -> list[Doc]:
        """Lines with a seq above `after`, oldest first; with a limit at least one, if any.

        With `service` only its lines.
        """
        found: list[Doc] = []
        size = 0
        with open(self.spool_path, "rb") as file:
            for line in file:
                entry = _entry(line)
                if entry is None or entry["seq"] <= after:
                    continue
                if service and entry.get("service") != service:
                    continue
                size += len(line)
                if at_most_bytes and found and size > at_most_bytes:
                    break
                found.append(entry)
        return found

    def _repair(self) -> int:
        """Cut a last line that a crash left half written. Returns the length of the file."""
        size = os.fstat(self._spool).st_size
        with open(self.spool_path, "rb") as file:
            file.seek(max(0, size - 65536))
            tail = file.read()
        if tail and not tail.endswith(b"\n"):
            size -= len(tail) - (tail.rfind(b"\n") + 1)
            os.ftruncate(self._spool, size)
        # Also where nothing is cut: one who was killed before the fsync left lines that a power
        # cut would take, and from here on they are told to others.
        os.fsync(self._spool)
        self._sync_folder()
        return size

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _entry(line: bytes) -> Doc | None:
    """A spool line, None when it is damaged: one bad line must not hide the others."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("seq"), int) else None
