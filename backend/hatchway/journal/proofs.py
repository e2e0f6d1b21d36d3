"""Proofs for those who do not have the journal, as C2SP writes them. Pure.

That a record is in it: a tlog-proof, the record's number, some hashes and a checkpoint. That an
older checkpoint's journal is the beginning of a newer one's: what witnesses are sent, `old` and its
size, some hashes and the newer checkpoint.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from msgspec import Struct

from hatchway.journal.merkle import is_consistent, is_included
from hatchway.journal.note import Note, NoteError, TreeHead, parse, tree_head

PROOF = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 64
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class Inclusion(Struct, frozen=True):
    """Record `index` + 1 is in the journal of the checkpoint. `extra` is the record as a line."""

    index: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    @property
    def head(self) -> TreeHead:
        """What the checkpoint says."""
        return tree_head(self.note)

    def holds(self, leaf: bytes) -> bool:
        """Whether it proves that the record with this hash is there."""
        head = self.head
        return is_included(leaf, self.index, head.size, self.path, head.root)

    def __str__(self) -> str:
        extra = f"extra {b64encode(self.extra).decode()}\n" if self.extra else ""
        return f"{PROOF}\n{extra}index {self.index}\n{_hashes(self.path)}\n{self.note}"


class Consistency(Struct, frozen=True):
    """The first `old` records of the checkpoint's journal are the journal of an older one."""

    old: int
    path: tuple[bytes, ...]
    note: Note

    @property
    def head(self) -> TreeHead:
        """What the newer checkpoint says."""
        return tree_head(self.note)

    def holds(self, older: TreeHead) -> bool:
        """Whether it proves that `older` is a beginning of it."""
        head = self.head
        return (
            (older.origin, older.size) == (head.origin, self.old)
            and is_consistent(older.size, older.root, head.size, head.root, self.path)
        )  # fmt: skip

    def __str__(self) -> str:
        return f"old {self.old}\n{_hashes(self.path)}\n{self.note}"


def read(text: str) -> Inclusion | Consistency:
    """A proof as it was written. Raises NoteError."""
    above, blank, below = text.partition("\n\n")
    lines = above.split("\n")
    if not blank:
        raise NoteError("it is no proof: there is no blank line and checkpoint in it")
    note = parse(below)
    tree_head(note)
    if lines[0] != PROOF:
        return Consistency(_number(lines[0], "old"), _path(lines[1:]), note)
    extra = b""
    rest = lines[1:]
    if rest and rest[0].startswith("extra "):
        extra, rest = _base64(rest[0].removeprefix("extra ")), rest[1:]
    if not rest:
        raise NoteError("it names no record")
    return Inclusion(_number(rest[0], "index"), _path(rest[1:]), note, extra)


def _number(line: str, name: str) -> int:
    word, _, number = line.partition(" ")
    if word != name or not _NUMBER.fullmatch(number):
        raise NoteError(f"{line[:80]!a} stands where `{name} NUMBER` belongs")
    return int(number)


def _path(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > _MOST_HASHES:
        raise NoteError(f"it has more than {_MOST_HASHES} hashes")
    path = tuple(_base64(line) for line in lines)
    if any(len(node) != 32 for node in path):
        raise NoteError("one of its hashes has not 32 bytes")
    return path


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError) as e:
        raise NoteError(f"{text[:80]!a} is not base64") from e


def _hashes(path: tuple[bytes, ...]) -> str:
    return "".join(f"{b64encode(node).decode()}\n" for node in path)
