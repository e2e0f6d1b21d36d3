"""What a run may need next, as values. `next.py` says which; the conductor sees to them."""

from __future__ import annotations

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.plan import JobPlan
from hatchway.core.state import Effect


class Record(Struct, frozen=True):
    """Journal these events."""

    events: tuple[ev.Event, ...]
    actor: str = "hatchway"


class RunJob(Struct, frozen=True):
    """Start or adopt this attempt of a job and journal how it ends."""

    run: str
    stage: str
    job: JobPlan
    attempt: int
    timeout_s: float

    @property
    def key(self) -> str:
        """The runner's name for this attempt."""
        return job_key(self.run, self.stage, self.job.name, self.attempt)


class CancelJob(Struct, frozen=True):
    """Stop a job whose stage has failed anyway."""

    run: str
    key: str
    why: str


class GatherRelease(Struct, frozen=True):
    """Read from the repository what ships."""

    run: str
    stage: str


class Ask(Struct, frozen=True):
    """Ask the brain about something other than the canary's metrics."""

    run: str
    topic: str  # "release" or "failed"
    stage: str


class ArmCapsule(Struct, frozen=True):
    """Give the governor what it needs to roll back alone."""

    run: str


class Apply(Struct, frozen=True):
    """Bring the target to an effect's weight and settle the effect."""

    run: str
    effect: Effect


class ConfirmRollback(Struct, frozen=True):
    """A person rolled back at the governor: observe until the target is there."""

    run: str


Action = Record | RunJob | CancelJob | GatherRelease | Ask | ArmCapsule | Apply | ConfirmRollback


def job_key(run: str, stage: str, job: str, attempt: int) -> str:
    """A name for one attempt of a job, fit for a folder."""
    return ".".join(
        part.replace(" ", "_").replace("/", "_")
        for part in (f"run-{run}", stage, job, str(attempt))
    )
