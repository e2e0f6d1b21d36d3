"""What a version says about itself in `.hatchway.yaml`, after the file was read and checked."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

MANIFEST = ".hatchway.yaml"


class Schema(Struct, frozen=True):
    """The schema that this version's migrations lead to, and those that it works with."""

    at: int
    reads_from: int
    reads_to: int


class DeclaredMigration(Struct, frozen=True):
    """What the authors say about one migration. `file` is its path in the repository.

    expand: versions that do not know it work on; contract: they do not.
    """

    file: str
    phase: Literal["expand", "contract"]
    reversible: bool = True


class Config(Struct, frozen=True):
    """`at` names the configuration this version is released with, `runs_with` those it has run
    with. Files that match `shared` are read by both versions while both run.
    """

    at: str = ""
    runs_with: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


class Dependent(Struct, frozen=True):
    """Another service, and the contract of this one that it uses by now."""

    name: str
    uses: str


class Manifest(Struct, frozen=True):
    """One version's file. None: it says nothing about that."""

    schema: Schema | None = None
    migrations: tuple[DeclaredMigration, ...] = ()
    config: Config | None = None
    contracts: tuple[str, ...] | None = None  # that this version offers
    dependents: tuple[Dependent, ...] = ()
    # Paths of what other services stand on too (networks, queues, clusters); all: the whole release.
    shared: tuple[str, ...] = ()


ALL = ("**",)
"""`shared: true`: whatever this release changes is shared infrastructure."""


class Unreadable(Struct, frozen=True):
    """A file that is there and cannot be used: whatever it declares is not known."""

    why: str


Declared = Manifest | Unreadable | None
"""None: the version has no such file."""
