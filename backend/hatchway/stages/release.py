"""The release request: what ships, how risky it is, what needs a person's attention."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

from hatchway.core import events as ev
from hatchway.core.plan import CommandStage, PipelinePlan, ReleaseStage
from hatchway.core.risk import Assessment, assess, risk_of
from hatchway.core.state import Run
from hatchway.core.undo import Undo
from hatchway.forge.port import ChangedFile, Forge, ForgeError
from hatchway.stages.undo import ReadManifest, undo_of_release

MOST_FILES = 500
LONGEST_PATH = 300
_WORST_FIRST = ("HIGH", "MEDIUM", "LOW")


async def request_release(
    run: Run, stage: str, forge: Forge, read: ReadManifest
) -> ev.ReleaseRequested:
    """Read the repository and word the request. `read` reads a `.hatchway.yaml`. ForgeError.

    Of very many files the riskiest are named; all of them are assessed.
    """
    plan = next(p for p in run.plan.stages if p.name == stage and isinstance(p, ReleaseStage))
    changes = await forge.changes(run.base, run.commit)
    assessment = assess([f.path for f in changes.files], plan.risk_rules)
    files = changes.files
    undo = await undo_of_release(run.base, run.commit, forge, read)
    assessment = with_undo(assessment, undo)
    attention = assessment.attention
    if len(files) > MOST_FILES:
        rules = plan.risk_rules
        files = tuple(sorted(files, key=lambda f: _WORST_FIRST.index(risk_of(f.path, rules))))
        attention += (f"{len(files)} files change: the {MOST_FILES} riskiest are listed",)
    if changes.in_all > len(changes.commits):
        attention += (f"{changes.in_all} commits: the newest {len(changes.commits)} are listed",)
    return ev.ReleaseRequested(
        run=run.id,
        risk=assessment.risk,
        reasons=assessment.reasons,
        attention=attention,
        changes=changes.commits,
        files=tuple(_words(f) for f in files[:MOST_FILES]),
        undo=undo,
        authors=changes.authors,
        pushers=changes.pushers,
        artifact=await artifact_of(run.plan, run.commit, forge) or _tree(changes.tree),
    )


def _tree(tree: str) -> str:
    return f"tree:{tree}" if tree else ""


async def artifact_of(plan: PipelinePlan, commit: str, forge: Forge) -> str:
    """The digest of what a build stage says is deployed; empty when none says so. ForgeError.

    A file that holds nothing but a digest, as builders of images write it, is that digest.
    """
    paths = [s.artifact for s in plan.stages if isinstance(s, CommandStage) and s.artifact]
    if not paths:
        return ""
    place = await forge.checkout(commit)
    return " ".join([await asyncio.to_thread(_digest, place, path) for path in paths])


_DIGEST = re.compile(rb"\s*(sha256:[0-9a-f]{64})\s*")


def _digest(place: Path, path: str) -> str:
    file = place / path
    try:
        if not file.resolve().is_relative_to(place.resolve()):
            raise ForgeError(f"the artifact {path} is not in the checkout")
        with file.open("rb") as opened:
            said = _DIGEST.fullmatch(opened.read(200))
            opened.seek(0)
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ForgeError(
            f"the build says that it makes the artifact {path}, which cannot be read: {error}"
        ) from error
    return said[1].decode() if said else f"sha256:{digest}"


MOST_AGAINST = 5


def with_undo(assessment: Assessment, undo: Undo) -> Assessment:
    """A release that there is no safe way back from is a risk, and the first thing to look at."""
    if undo.safe == "yes":
        return assessment
    least: ev.Risk = "HIGH" if undo.safe == "no" else "MEDIUM"
    certain = "undo: not safe" if undo.safe == "no" else "undo: not known to be safe"
    lines = [
        f"{certain if r.sign == '-' else 'undo: not known to be safe'}: {r.text}"
        for r in undo.against[:MOST_AGAINST]
    ]
    if len(undo.against) > MOST_AGAINST:
        lines.append(f"undo: {len(undo.against) - MOST_AGAINST} more reasons against it")
    word = "cannot be undone safely" if undo.safe == "no" else "may not be safe to undo"
    return Assessment(
        max(assessment.risk, least, key=lambda risk: -_WORST_FIRST.index(risk)),
        (f"{least}: {word}: {undo.against[0].text}", *assessment.reasons),
        (*lines, *assessment.attention),
    )


def _words(file: ChangedFile) -> str:
    path = file.path if len(file.path) <= LONGEST_PATH else f"{file.path[:LONGEST_PATH]}..."
    if file.added < 0:
        return f"{path}  binary"
    return f"{path}  +{file.added} -{file.removed}"
