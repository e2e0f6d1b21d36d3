"""Reads from the repository what going back from a release needs to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from hatchway.core.manifest import MANIFEST, Declared
from hatchway.core.migrations import MOST_BYTES, SourceFile, find_migrations, may_be_migration
from hatchway.core.undo import Release, Undo, undo_of
from hatchway.forge.port import Forge

ReadManifest = Callable[[bytes | None], Declared]
MOST_MANIFEST = 1_000_000
MOST_MIGRATIONS = 200
"""More than so many files are not read one by one: what they do is unclear."""


async def undo_of_release(base: str, commit: str, forge: Forge, read: ReadManifest) -> Undo:
    """Whether `base` can live with what `commit` leaves behind. ForgeError."""
    files = await forge.difference(base, commit)
    old = await _declared(base, forge, read)
    new = await _declared(commit, forge, read)
    found = [file for file in files if may_be_migration(file.path)]
    read_in = [await _read(commit, f, forge) for f in found[:MOST_MIGRATIONS]]
    sources = [*read_in, *found[MOST_MIGRATIONS:]]
    # Parsing hundreds of files takes its time; the loop has people to listen to.
    migrations = await asyncio.to_thread(find_migrations, sources)
    release = Release(migrations=migrations, files=tuple(f.path for f in files), old=old, new=new)
    return _bounded(undo_of(release))


async def _declared(commit: str, forge: Forge, read: ReadManifest) -> Declared:
    file = await forge.read(commit, MANIFEST, MOST_MANIFEST)
    if file is None:
        return read(None)
    return read(file.data or b"")  # one that is too large, or a link, is none that can be read


async def _read(commit: str, file: SourceFile, forge: Forge) -> SourceFile:
    if file.change == "deleted":
        return file
    there = await forge.read(commit, file.path, MOST_BYTES)
    if there is None:
        return file
    return msgspec.structs.replace(there, change=file.change)


MOST_TOLD = 40


def _bounded(undo: Undo) -> Undo:
    """What fits into the journal: the worst of very many reasons."""
    if len(undo.reasons) <= MOST_TOLD and len(undo.residue) <= MOST_TOLD:
        return undo
    rest = tuple(r for r in undo.reasons if r.sign == "+")
    return Undo(undo.safe, (*undo.against, *rest)[:MOST_TOLD], undo.residue[:MOST_TOLD])
