"""Notices that policy.yaml or calendars.yaml changed, and reads them anew or says what is wrong.

A file is read when it has been still for a moment. One that is cut off is refused even where what
is left of it is right: half a policy may allow more than the whole.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from pathlib import Path

from msgspec import Struct

from hatchway.settings.calendars import FILE as CALENDARS
from hatchway.settings.errors import ConfigError, Trouble
from hatchway.settings.load import Rules, load_rules

Stamp = tuple[int, int, int] | None
POLICY = "policy.yaml"
END = b"..."


class Refusal(Struct, frozen=True):
    """Files that cannot be used; what was in force stays."""

    troubles: tuple[Trouble, ...]


class RulesFiles:
    """The rules in a configuration directory. `poll()` every second or so."""

    def __init__(self, directory: Path, digest: str) -> None:
        """`digest` is of the policy in force: what changed since it was read is noticed too."""
        self._directory = directory
        self._data = _read(directory / POLICY)
        same = hashlib.sha256(self._data).hexdigest() == digest
        self._read: tuple[Stamp, ...] = self._stamps() if same else ()
        self._moving = self._read

    def poll(self) -> Rules | Refusal | None:
        """What the files say now if they changed and have been still since the last poll."""
        stamps = self._stamps()
        still, self._moving = stamps == self._moving, stamps
        if stamps == self._read or not still:
            return None
        data = _read(self._directory / POLICY)
        found: Rules | Refusal
        try:
            found = load_rules(self._directory)
        except ConfigError as error:
            found = Refusal(error.troubles)
        if self._stamps() != stamps:
            return None  # it changed while it was read
        self._read = stamps
        cut = self._cut_off(data)
        if cut:
            return Refusal(
                (Trouble(str(self._directory / POLICY), data.count(b"\n") + 1, 1, *cut),)
            )
        if isinstance(found, Rules):
            self._data = data
        return found

    def owner(self) -> str:
        """Whose file it is, which is as much as is known about who changed it."""
        try:
            uid = (self._directory / POLICY).stat().st_uid
        except OSError:
            return ""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"uid {uid}"

    def _stamps(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(self._directory / name) for name in (POLICY, CALENDARS))

    def _cut_off(self, data: bytes) -> tuple[str, str] | None:
        """(what is wrong, what to write) when the policy seems to be the begin of another."""
        if not data.strip():
            return "the file is empty", "the whole policy"
        if not data.endswith(b"\n"):
            return (
                "its last line has no end: it seems to be cut off",
                "the rest of it, and a line end",
            )
        if data != self._data and self._data.startswith(data):
            return "it is the begin of the policy in force, cut off here", "the whole policy"
        ended = self._data.rstrip().endswith(b"\n" + END)
        if ended and not data.rstrip().endswith(b"\n" + END):
            return 'the "..." at its end is gone: it seems to be cut off', "... on the last line"
        return None


def _stamp(path: Path) -> Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
