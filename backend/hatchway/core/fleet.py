"""Whether the instances run what they should: see `metrics/attest.py`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hatchway.core.undo import Instance

SHORTEST = 7
"""Characters of a commit that name it."""


def means(said: str, version: str, commit: str) -> bool:
    """Whether what an instance says is this version: by its name, or by its commit."""
    if said.removeprefix("v") == version.removeprefix("v"):
        return bool(said)
    return len(said) >= SHORTEST and bool(commit) and commit.startswith(said)


def named(fleet: Iterable[Instance], version: str, commit: str) -> tuple[Instance, ...]:
    """The fleet with everything that means `version` called so."""
    return tuple(
        Instance(i.name, version) if means(i.version, version, commit) else i for i in fleet
    )


def not_yet(fleet: tuple[Instance, ...], version: str) -> str:
    """Why not all instances of a deployment run `version`, in words; empty when all do.

    `fleet` is as `named` gives it. No instance at all is not all instances.
    """
    if not fleet:
        return f"no instance says that it runs {version}"
    wrong = [i for i in fleet if i.version != version]
    if not wrong:
        return ""
    first = wrong[0]
    runs = f"runs {first.version}" if first.version else "does not say what it runs"
    right = len(fleet) - len(wrong)
    return f"{right} of {len(fleet)} instances say that they run {version}: {first.name} {runs}"
