"""The release request: what ships, how risky it is, what needs a person's attention."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.plan import ReleaseStage
from hatchway.core.risk import Assessment, assess, risk_of
from hatchway.core.state import Run
from hatchway.core.undo import Undo
from hatchway.forge.port import ChangedFile, Forge
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
    )


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
