"""The release request: what ships, how risky it is, what needs a person's attention."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.plan import ReleaseStage
from hatchway.core.risk import assess, risk_of
from hatchway.core.state import Run
from hatchway.forge.port import ChangedFile, Forge

MOST_FILES = 500
LONGEST_PATH = 300
_WORST_FIRST = ("HIGH", "MEDIUM", "LOW")


async def request_release(run: Run, stage: str, forge: Forge) -> ev.ReleaseRequested:
    """Read the repository and word the request. ForgeError.

    Of very many files the riskiest are named; all of them are assessed.
    """
    plan = next(p for p in run.plan.stages if p.name == stage and isinstance(p, ReleaseStage))
    changes = await forge.changes(run.base, run.commit)
    assessment = assess([f.path for f in changes.files], plan.risk_rules)
    files = changes.files
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
    )


def _words(file: ChangedFile) -> str:
    path = file.path if len(file.path) <= LONGEST_PATH else f"{file.path[:LONGEST_PATH]}..."
    if file.added < 0:
        return f"{path}  binary"
    return f"{path}  +{file.added} -{file.removed}"
