"""Checkpoints: what a journal's head was, noted elsewhere, so that a cut tail is missed.

A chain shows that nothing was changed within it, not that it goes on as far as it once did. One
line of JSON a checkpoint; many may stand in a file, which belongs on another machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.journal.lines import printable

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


def read(path: Path) -> list[Checkpoint]:
    """The checkpoints in a file, in its order; at least one. Raises CheckpointError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as e:
        raise CheckpointError(f"{path} cannot be read: {e.strerror}.") from e
    if len(data) > MAX_FILE:
        raise CheckpointError(f"{path} is too large for a file of checkpoints.")
    found: list[Checkpoint] = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            checkpoint = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise CheckpointError(
                f"Line {number} of {path} is no checkpoint ({e}). Use a whole copy of the file."
            ) from e
        if checkpoint.seq < 1 or len(checkpoint.hash) != 64:
            raise CheckpointError(f"Line {number} of {path} names no record.")
        found.append(checkpoint)
    if not found:
        raise CheckpointError(f"{path} holds no checkpoint.")
    return found


def heads(checkpoints: Sequence[Checkpoint]) -> dict[int, str]:
    """What a journal must contain. Raises CheckpointError when no journal can contain them all."""
    wanted: dict[int, str] = {}
    for checkpoint in checkpoints:
        if wanted.setdefault(checkpoint.seq, checkpoint.hash) != checkpoint.hash:
            raise CheckpointError(
                f"Two checkpoints of record {checkpoint.seq} contradict each other: they are of"
                " two journals, or one journal was rewritten between them. Keep a file a journal."
            )
    return wanted


def append(path: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to a file, durably. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as file:
        file.write(to_line(checkpoint))
        file.flush()
        os.fsync(file.fileno())
