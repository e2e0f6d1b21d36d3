"""The release request: what ships, how risky it is, what needs a person's attention."""

from __future__ import annotations

from hatchway.core import events as ev
from hatchway.core.plan import ReleaseStage
from hatchway.core.risk import assess
from hatchway.core.state import Run
from hatchway.forge.port import ChangedFile, Forge


async def request_release(run: Run, stage: str, forge: Forge) -> ev.ReleaseRequested:
    """Read the repository and word the request. ForgeError."""
    plan = next(p for p in run.plan.stages if p.name == stage and isinstance(p, ReleaseStage))
    changes = await forge.changes(run.base, run.commit)
    assessment = assess([f.path for f in changes.files], plan.risk_rules)
    return ev.ReleaseRequested(
        run=run.id,
        risk=assessment.risk,
        reasons=assessment.reasons,
        attention=assessment.attention,
        changes=changes.commits,
        files=tuple(_words(f) for f in changes.files),
    )


def _words(file: ChangedFile) -> str:
    if file.added < 0:
        return f"{file.path}  binary"
    return f"{file.path}  +{file.added} -{file.removed}"
