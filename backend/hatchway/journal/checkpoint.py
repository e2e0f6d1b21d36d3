"""Checkpoints: what a journal's head was, noted elsewhere, so that a cut tail is missed.

A chain shows that nothing was changed within it, not that it goes on as far as it once did. A
checkpoint is a signed note with the Merkle root of the records (see note.py), or a line of JSON
with the hash of the last. Many may stand in a file, both kinds, which belongs on another machine.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.journal.lines import printable
from hatchway.journal.note import DASH, Note, NoteError, TreeHead, parse, tree_head

MAX_FILE = 64 * 1024 * 1024  # bytes


class CheckpointError(Exception):
    """A file of checkpoints, or a signature, that cannot be used. Says why and what to do."""


class Checkpoint(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="checkpoint-1"
):
    """The journal's record `seq` had this hash; seen at `at`, seconds since 1970."""

    seq: int
    hash: str
    at: float
    sshsig: str = ""  # an armored signature of `signed_text`

    @property
    def signed_text(self) -> bytes:
        """What a signature is of."""
        return f"hatchway checkpoint 1\n{self.seq}\n{self.hash}\n{self.at!r}\n".encode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Checkpoint)


def to_line(checkpoint: Checkpoint) -> bytes:
    """One line, with its end."""
    return printable(_encoder.encode(checkpoint)) + b"\n"


class Noted(Struct, frozen=True):
    """A checkpoint that is a signed note."""

    note: Note
    head: TreeHead

    @property
    def seq(self) -> int:
        """The record that it goes up to."""
        return self.head.size


class Anchors(Struct, frozen=True):
    """What a journal must contain: hashes of single records, roots of the first so many."""

    heads: dict[int, str] = {}
    roots: dict[int, bytes] = {}
    origins: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many checkpoints there are, of different records."""
        return len({*self.heads, *self.roots})

    @property
    def last(self) -> int:
        """The newest record that one is of; 0 when there is none."""
        return max((*self.heads, *self.roots), default=0)


def read(path: Path) -> list[Checkpoint | Noted]:
    """The checkpoints in a file, in its order; at least one. Raises CheckpointError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as e:
        raise CheckpointError(f"{path} cannot be read: {e.strerror}.") from e
    if len(data) > MAX_FILE:
        raise CheckpointError(f"{path} is too large for a file of checkpoints.")
    found: list[Checkpoint | Noted] = []
    for number, part in _parts(data):
        try:
            checkpoint = _noted(part) if part[:1] != b"{" else _decoder.decode(part)
        except (msgspec.DecodeError, UnicodeDecodeError, NoteError) as e:
            raise CheckpointError(
                f"Line {number} of {path} is no checkpoint ({e}). Use a whole copy of the file."
            ) from e
        if checkpoint.seq < 1 or (
            isinstance(checkpoint, Checkpoint) and len(checkpoint.hash) != 64
        ):
            raise CheckpointError(f"Line {number} of {path} names no record.")
        found.append(checkpoint)
    if not found:
        raise CheckpointError(f"{path} holds no checkpoint.")
    return found


def _noted(part: bytes) -> Noted:
    note = parse(part.decode())
    return Noted(note, tree_head(note))


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each checkpoint with the number of its first line: a line of JSON, or the lines of a note.

    A note ends with its signatures, since no line of a checkpoint's text begins as they do.
    """
    dash = DASH.encode()
    begin, part, signed = 1, b"", False
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        if part and (not part.endswith(b"\n") or (signed and not line.startswith(dash))):
            yield begin, part
            part, signed = b"", False
        if not part:
            begin = number
        if not part and line.startswith(b"{"):
            yield begin, line.rstrip(b"\r\n")
            continue
        part += line
        signed = line.startswith(dash)
    if part:
        yield begin, part


def anchors(checkpoints: Sequence[Checkpoint | Noted]) -> Anchors:
    """What a journal must contain. Raises CheckpointError when no journal can contain them all."""
    heads: dict[int, str] = {}
    roots: dict[int, bytes] = {}
    for one in checkpoints:
        if isinstance(one, Checkpoint):
            agrees = heads.setdefault(one.seq, one.hash) == one.hash
        else:
            agrees = roots.setdefault(one.seq, one.head.root) == one.head.root
        if not agrees:
            raise CheckpointError(
                f"Two checkpoints of record {one.seq} contradict each other: they are of"
                " two journals, or one journal was rewritten between them. Keep a file a journal."
            )
    origins = frozenset(c.head.origin for c in checkpoints if isinstance(c, Noted))
    return Anchors(heads, roots, origins)


def to_text(checkpoint: Checkpoint | Noted) -> bytes:
    """As it is written into a file."""
    if isinstance(checkpoint, Checkpoint):
        return to_line(checkpoint)
    return str(checkpoint.note).encode()


def append(path: Path, checkpoint: Checkpoint | Noted) -> None:
    """Add a checkpoint to a file, durably. Raises OSError."""
    append_text(path, to_text(checkpoint))


def append_text(path: Path, text: bytes) -> None:
    """Add what `to_text` gave to a file, durably and whole. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb", buffering=0) as file:
        before = os.fstat(fd).st_size
        try:
            if file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, before)  # half of one would spoil the file for all the others
            raise
