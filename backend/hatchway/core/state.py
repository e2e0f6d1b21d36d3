"""What is, as far as the journal tells: immutable structs. `evolve.py` folds events into them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from hatchway.core.asks import Asks
from hatchway.core.breaker import Breaker
from hatchway.core.drills import Drill
from hatchway.core.events import (
    Answer,
    By,
    Capability,
    Change,
    Evidence,
    HoldCause,
    JobStatus,
    Mode,
    Outcome,
    Risk,
    Symptom,
)
from hatchway.core.expectations import Expected
from hatchway.core.handover import Handover
from hatchway.core.plan import CanaryStage, PipelinePlan
from hatchway.core.quarantine import Wards
from hatchway.core.record import TrackRecord
from hatchway.core.undo import Undo

StageStatus = Literal["pending", "running", "waiting", "passed", "failed", "cancelled"]


class Job(Struct, frozen=True):
    """The newest attempt of one command."""

    name: str
    attempt: int
    started_at: float
    ended_at: float = 0.0
    status: JobStatus | Literal["running"] = "running"
    why: str = ""
    tail: tuple[str, ...] = ()


class Stage(Struct, frozen=True):
    """One stage of a run; its plan is at the same place in `Run.plan.stages`."""

    name: str
    status: StageStatus = "pending"
    started_at: float = 0.0
    ended_at: float = 0.0
    why: str = ""
    jobs: dict[str, Job] = {}


class Item(Struct, frozen=True):
    """Something that waits, or waited, for a person."""

    id: str
    type: Literal["approval", "recommendation"]
    capability: Capability
    step: int
    asked_at: float
    expires_at: float
    epoch: int
    confidence: float | None = None
    lines: tuple[str, ...] = ()
    binding: dict[str, str] = {}
    status: Literal["open", "accepted", "rejected", "expired", "superseded"] = "open"
    by: str = ""
    closed_at: float = 0.0
    person: str = ""
    max_weight: int = 100
    not_before: float = 0.0
    void: str = ""  # why a yes is worth nothing any more
    roles: tuple[str, ...] = ()  # of who answered

    @property
    def asked_on(self) -> str:
        """The judge's word that it was asked on: a yes is worth nothing on a worse one."""
        return self.binding.get("verdict", "PASS")


class Proposal(Struct, frozen=True):
    """What a brain asked for and what policy said."""

    id: str
    capability: Capability
    step: int
    epoch: int
    at: float
    answer: Answer
    why: str
    confidence: float
    policy: str = ""  # the digest of the policy that answered
    people: int = 1
    roles: tuple[str, ...] = ()
    freeze: str = ""
    until: float = 0.0  # when a calendar may change the answer; 0: none does


class Effect(Struct, frozen=True):
    """One change of the canary's share: intended, then settled. `at` is when either happened."""

    key: str
    step: int
    weight: int
    epoch: int
    by: By
    reason: str
    status: Literal["intended", "verified", "diverged", "fenced"] = "intended"
    why: str = ""
    code: str = ""  # of a refusal
    at: float = 0.0
    begun: float = 0.0  # when it was intended


class Verdict(Struct, frozen=True):
    """The judge's newest word that made a difference."""

    word: Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
    action: Literal["none", "hold", "rollback"]
    headline: str
    evidence: tuple[Evidence, ...]
    confidence: float
    at: float


class Hold(Struct, frozen=True):
    """Why a run does not go on."""

    cause: HoldCause
    why: str
    since: float


class Run(Struct, frozen=True):
    """One execution of a pipeline for one commit.

    `step` is the canary step that was entered last (-1: none; the number of steps: the last change,
    after monitoring, was made). `rollback_from` is the spool line of a person's rollback.
    `undone_by` rolled back what had been promoted already.
    """

    id: str
    service: str
    environment: str
    mode: Mode
    pace: float
    commit: str
    base: str
    from_version: str
    to_version: str
    plan: PipelinePlan
    policy_digest: str
    started_at: float
    stages: tuple[Stage, ...]
    version: int = 1
    risk: Risk = "LOW"
    risk_reasons: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    files: tuple[str, ...] = ()
    release_requested: bool = False
    capsule: str = ""
    items: dict[str, Item] = {}
    proposals: dict[str, Proposal] = {}
    effects: dict[str, Effect] = {}
    step: int = -1
    step_since: float = 0.0
    weight: int = 0
    weight_changes: tuple[float, ...] = ()
    verdict: Verdict | None = None
    hold: Hold | None = None
    rollback_from: int = 0
    rollback_by: str = ""
    rollback_at: float = 0.0
    outcome: Outcome | None = None
    why: str = ""
    ended_at: float = 0.0
    undone_by: str = ""
    undo: Undo | None = None
    attests: bool = False
    attested: str = ""  # the version that every instance of the canary said it runs
    confirmed_at: float = 0.0  # its rollback was observed to be done
    residue: tuple[str, ...] = ()  # what its rollback left behind, as it was last looked at
    residue_since: float = 0.0
    residue_by: str = ""  # who accepted that
    symptoms: tuple[Symptom, ...] = ()  # of the last REGRESS in this step
    requester: str = ""
    requester_person: str = ""
    ref: str = ""
    ref_commit: str = ""
    authors: tuple[str, ...] = ()
    pushers: tuple[str, ...] = ()
    artifact: str = ""
    pipeline_digest: str = ""  # of the pipeline file as it is now; the run goes by `plan`
    said: dict[str, dict[str, str]] = {}  # by digest: what a policy or a pipeline says
    reviewed_by: tuple[str, ...] = ()

    @property
    def canary(self) -> CanaryStage | None:
        """The canary stage of its pipeline, if there is one."""
        return next((s for s in self.plan.stages if isinstance(s, CanaryStage)), None)

    @property
    def active(self) -> bool:
        """Whether the run has not ended."""
        return self.outcome is None

    @property
    def went_back(self) -> bool:
        """Whether its traffic was given back to the old version, before or after its end."""
        return self.outcome == "rolled_back" or bool(self.undone_by)

    @property
    def unsettled(self) -> bool:
        """Whether nobody knows yet that its rollback left nothing behind, or accepted that."""
        return self.went_back and not self.confirmed_at and not self.residue_by


class Drift(Struct, frozen=True):
    """A change of the target that Hatchway did not make, and that is still there."""

    what: str
    wanted: str
    found: str
    since: float
    why: str

    @property
    def words(self) -> str:
        """The change in a line."""
        return f"unattributed change: {self.what} is {self.found}, {self.wanted} is wanted"


class Frozen(Struct, frozen=True):
    """How the freezes of an environment stand, until `until` (0: for good)."""

    stands: Literal["open", "closed", "unknown"]
    freeze: str
    why: str
    until: float = 0.0
    people: int = 0


class Authority(Struct, frozen=True):
    """Who is in control of a service, as the governor last said."""

    service: str
    mode: Literal["agent", "paused", "person"] = "agent"
    epoch: int = 0
    holder: str = ""
    reason: str = ""
    since: float = 0.0
    spool: int = 0  # the newest line of the governor's spool that is in the journal
    agents_stopped: bool = False  # STOP ALL stands, whoever is in control


class Answered(Struct, frozen=True):
    """The one answer that a command got. `code` is empty when it was accepted.

    `what` is the verb that it answers, `about` what it was about: an id that comes again with
    another of these is another command.
    """

    seq: int
    said: str
    code: str = ""
    todo: str = ""
    what: str = ""
    about: str = ""  # the item or the service that it was about


class _Sorted(NamedTuple):
    of: dict[str, Run]
    by_service: dict[str, tuple[Run, ...]]


_sorted = [_Sorted({}, {})]


def _by_service(runs: dict[str, Run]) -> dict[str, tuple[Run, ...]]:
    """The runs by service. Sorted once a state: with 200 services each is asked for often.

    `runs` is never changed in place, so what was sorted holds as long as it is the same object.
    """
    known = _sorted[0]
    if known.of is not runs:
        found: dict[str, list[Run]] = {}
        for run in runs.values():
            found.setdefault(run.service, []).append(run)
        known = _sorted[0] = _Sorted(runs, {name: tuple(each) for name, each in found.items()})
    return known.by_service


class State(Struct, frozen=True):
    """Everything, at `seq` of the journal."""

    seq: int = 0
    runs: dict[str, Run] = {}
    authority: dict[str, Authority] = {}
    answers: dict[str, Answered] = {}
    automatic_rollbacks: dict[str, tuple[float, ...]] = {}  # by service: when
    quarantine: Wards = {}
    expectations: Expected = {}
    breakers: dict[str, Breaker] = {}  # by service
    drift: dict[str, dict[str, Drift]] = {}  # by service, and by what changed
    drills: dict[str, Drill] = {}  # see drills.with_drill
    policy_digest: str = ""  # of the policy in force; empty: an older journal does not say
    frozen: dict[str, Frozen] = {}  # by environment; one that is not here has no freezes
    record: TrackRecord = TrackRecord()  # how the agent's decisions turned out
    asks: Asks = {}  # what is asked of those on call, oldest first
    handovers: tuple[Handover, ...] = ()  # see handover.after

    def authority_of(self, service: str) -> Authority:
        """Who is in control of `service`; the agent at epoch 0 when nothing was ever said."""
        return self.authority.get(service) or Authority(service)

    def active_run(self, service: str) -> Run | None:
        """The run of `service` that has not ended, if there is one."""
        return next((r for r in self.runs_of(service) if r.active), None)

    def runs_of(self, service: str) -> tuple[Run, ...]:
        """The runs of `service`, oldest first."""
        return _by_service(self.runs).get(service, ())

    def last_back(self, service: str) -> Run | None:
        """The newest run of `service` whose traffic went back, if no newer one moved any."""
        for run in reversed(self.runs_of(service)):
            if run.went_back:
                return run
            if run.effects:
                return None
        return None

    def live_commit(self, service: str) -> str:
        """The commit that this journal says is live: promoted last, or gone back to; or empty."""
        for run in reversed(self.runs_of(service)):
            if run.outcome == "rolled_back":
                return run.base
            if run.outcome == "promoted":
                return run.base if run.undone_by else run.commit
        return ""
