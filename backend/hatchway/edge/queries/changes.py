"""The query `changes`: what the journal knows of a release beyond its commits and files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Literal

from hatchway.core.manifest import MANIFEST
from hatchway.core.plan import CommandStage
from hatchway.core.state import Run, State
from hatchway.edge.docs.changes import ChangesDoc, Dependency, ScanResult, UndoReason
from hatchway.edge.protocol import StageStatus
from hatchway.edge.queries.run import known_run

_LOCKS = {
    "uv.lock": "Python", "poetry.lock": "Python", "Pipfile.lock": "Python", "pdm.lock": "Python",
    "requirements*.txt": "Python", "constraints*.txt": "Python", "pylock*.toml": "Python",
    "package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "yarn.lock": "npm",
    "pnpm-lock.yaml": "npm", "bun.lock": "npm", "Cargo.lock": "Rust", "go.sum": "Go",
    "Gemfile.lock": "Ruby", "composer.lock": "PHP", "mix.lock": "Elixir",
    "packages.lock.json": ".NET", "gradle.lockfile": "Gradle", "flake.lock": "Nix",
    ".terraform.lock.hcl": "Terraform", "Chart.lock": "Helm",
}  # fmt: skip
_MANIFESTS = {
    "pyproject.toml": "Python", "setup.py": "Python", "setup.cfg": "Python", "Pipfile": "Python",
    "requirements*.in": "Python", "package.json": "npm", "Cargo.toml": "Rust", "go.mod": "Go",
    "Gemfile": "Ruby", "composer.json": "PHP", "mix.exs": "Elixir", "*.csproj": ".NET",
    "pom.xml": "Maven", "build.gradle": "Gradle", "build.gradle.kts": "Gradle",
    "Chart.yaml": "Helm", "Dockerfile*": "container image", "*.Dockerfile": "container image",
}  # fmt: skip


def changes_of(state: Callable[[], State]) -> Callable[[str], ChangesDoc]:
    """Makes what ships with a run."""
    return lambda about: changes(known_run(state(), about))


def changes(run: Run) -> ChangesDoc:
    """What ships with a run."""
    undo = run.undo
    return ChangesDoc(
        run=run.id,
        requested=run.release_requested,
        safe=undo.safe if undo is not None else "",
        reasons=tuple(UndoReason(r.sign, r.rule, r.text) for r in undo.reasons) if undo else (),
        residue=undo.residue if undo is not None else (),
        dependencies=tuple(dependencies(run.files)),
        scans=tuple(_scans(run)),
        has_scans=any(isinstance(p, CommandStage) and p.kind == "scan" for p in run.plan.stages),
        declares=any(path_of(file) == MANIFEST for file in run.files),
        authors=run.authors,
        pushers=run.pushers,
        artifact=run.artifact,
        base=run.base,
        ref=run.ref,
        requester=run.requester,
    )


def path_of(file: str) -> str:
    """The path in a line of `RunDoc.files`: "api/openapi.yaml  +12 -3"."""
    return file.rpartition("  ")[0] or file


def dependencies(files: tuple[str, ...]) -> Iterator[Dependency]:
    """The changed files that say which packages are used: by their names, whatever is in them."""
    kinds: tuple[tuple[Literal["lock file", "manifest"], dict[str, str]], ...] = (
        ("lock file", _LOCKS),
        ("manifest", _MANIFESTS),
    )
    for file in files:
        name = path_of(file).rpartition("/")[2]
        for kind, patterns in kinds:
            found = next((of for p, of in patterns.items() if fnmatchcase(name, p)), "")
            if found:
                yield Dependency(file, kind, found)
                break


def _scans(run: Run) -> Iterator[ScanResult]:
    for stage, plan in zip(run.stages, run.plan.stages, strict=True):
        if not isinstance(plan, CommandStage) or plan.kind != "scan":
            continue
        for job in stage.jobs.values():
            status: StageStatus = "failed"
            if job.status in ("running", "passed", "cancelled"):
                status = job.status
            yield ScanResult(stage.name, job.name, status, job.why, job.tail[-3:])
