"""The port to the place where the code is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hatchway.core.events import Change
from hatchway.core.migrations import SourceFile


class ForgeError(Exception):
    """The repository cannot answer: what was asked, what it said."""


class ChangedFile(Struct, frozen=True):
    """A file that differs between two commits, with lines added and removed (-1: binary)."""

    path: str
    added: int
    removed: int


class Changes(Struct, frozen=True):
    """What lies between two commits, the newest commit first.

    `commits` may be cut off at a number; `in_all` counts them all. `authors` has everybody who wrote
    one of them, co-authors too, and `pushers` who committed the newest: "Name <e-mail>". `tree` is
    the id of the newest commit's files.
    """

    commits: tuple[Change, ...]
    files: tuple[ChangedFile, ...]
    in_all: int
    authors: tuple[str, ...] = ()
    pushers: tuple[str, ...] = ()
    tree: str = ""


class Forge(Protocol):
    """Reads a repository. All methods raise ForgeError."""

    async def resolve(self, ref: str) -> str:
        """The full id of a commit, tag or branch."""

    async def version(self, commit: str) -> str:
        """The name of a commit for people: its tag, else its first seven characters."""

    async def changes(self, base: str, commit: str) -> Changes:
        """What `commit` brings that `base` does not have."""

    async def difference(self, base: str, commit: str) -> tuple[SourceFile, ...]:
        """Every file that is not the same in both, without content: what one has to live with when
        the other was there before it.
        """

    async def read(self, commit: str, path: str, most: int) -> SourceFile | None:
        """The file at `path` in `commit`, with its content if that is not above `most` bytes.

        None where there is no file: nothing, a folder, another repository.
        """

    async def checkout(self, commit: str) -> Path:
        """A folder with the files of `commit`; the same folder each time."""
