"""What ships with a run, and what going back from it would meet. Query `changes`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hatchway.edge.protocol import StageStatus


class UndoReason(Struct, frozen=True):
    """What one rule found. `sign`: + safe, - not safe, ? not known, which never counts as safe.

    `rule`: manifest, migrations, schema, config, dependents, shared.
    """

    sign: Literal["+", "-", "?"]
    rule: str
    text: str


class Dependency(Struct, frozen=True):
    """A changed file that says which packages the service is built from."""

    file: str  # "uv.lock  +12 -3"
    kind: Literal["lock file", "manifest"]
    of: str  # "Python", "npm"


class ScanResult(Struct, frozen=True):
    """A job of a scan stage, and the last it printed."""

    stage: str
    job: str
    status: StageStatus
    why: str = ""
    said: tuple[str, ...] = ()


class ChangesDoc(Struct, frozen=True):
    """`safe` is empty while nobody looked (before the release request): `requested` is False then.

    `migrations` counts what was found to be one.
    """

    run: str
    requested: bool
    safe: Literal["", "yes", "no", "unknown"] = ""
    reasons: tuple[UndoReason, ...] = ()
    residue: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    scans: tuple[ScanResult, ...] = ()
    has_scans: bool = False  # the pipeline has a stage that scans
    declares: bool = False  # `.hatchway.yaml` itself changes
    authors: tuple[str, ...] = ()
    pushers: tuple[str, ...] = ()
    artifact: str = ""
    base: str = ""
    ref: str = ""
    requester: str = ""
