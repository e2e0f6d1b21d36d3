"""Everything that can be journaled: one struct a kind, told apart by the tag `kind`.

An event says what happened, never what to do. When it happened, who did it and in which epoch is in
the journal's record around it. Events that an older or newer version wrote decode to `Unknown` and
are kept. Durations are seconds, weights percent of the traffic that goes to the canary.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from hatchway.core.drills import DrillRecorded
from hatchway.core.event import EventBase as _Event
from hatchway.core.events_of_duty import (
    AskDeclined,
    DutyEvent,
    HandedOver,
    HandoverAcknowledged,
    OncallAsked,
)
from hatchway.core.events_of_effects import (
    By,  # noqa: F401  known as events.By
    CapsuleArmed,
    EffectDiverged,
    EffectFenced,
    EffectIntended,
    EffectVerified,
    StepEntered,
)
from hatchway.core.events_of_notices import NoticeEvent, NoticeFailed, NoticeSent
from hatchway.core.events_of_rules import FreezeChanged, PolicyChanged, PolicyRefused, RulesEvent
from hatchway.core.events_of_services import (
    BreakerClosed,
    BreakerOpened,
    ExpectationDeclared,
    ExpectationWithdrawn,
    QuarantineLifted,
    ServiceEvent,
    TargetChanged,
    TargetRestored,
)
from hatchway.core.facts import Finding
from hatchway.core.plan import PipelinePlan
from hatchway.core.undo import Undo

Mode = Literal["recommend", "act"]
Risk = Literal["LOW", "MEDIUM", "HIGH"]
Capability = Literal[
    "promote", "hold", "rollback", "block_deploy", "open_release", "deploy_staging", "page"
]
Answer = Literal["auto", "ask", "deny"]
JobStatus = Literal["passed", "failed", "timed_out", "cancelled", "lost"]
Verdict = Literal["", "right", "wrong", "harmful"]
Outcome = Literal["promoted", "rolled_back", "held", "rejected", "failed"]
HoldCause = Literal[
    "no_data",
    "evidence",
    "unsure",
    "stable_unhealthy",
    "target",
    "quarantine",
    "drift",
    "version",
    "freeze",
    "rollback",
]


class Change(Struct, frozen=True):
    """One commit that ships."""

    commit: str
    author: str
    title: str
    email: str = ""  # of the author


class Signature(Struct, frozen=True):
    """An SSH signature over `text`, in the namespace "hatchway-approval", made by `principal`.

    `text` names the answer, the binding and the backend's nonce, so that it is good for one yes.
    """

    text: str
    armored: str
    principal: str
    fingerprint: str


class Evidence(Struct, frozen=True):
    """One numbered fact as it was seen at a decision. `sign`: + harmless, - worrying, ? unknown."""

    id: str
    sign: Literal["+", "-", "?"]
    text: str
    source: str
    at: float


class Symptom(Struct, frozen=True):
    """A metric that showed the regression, and its levels then, as they are shown. None: unknown."""

    metric: str
    stable: float | None
    canary: float | None


class RunStarted(_Event, frozen=True, kw_only=True, tag="run.started"):
    run: str
    service: str
    environment: str
    mode: Mode
    pace: float
    commit: str
    base: str  # the commit that is live
    from_version: str
    to_version: str
    plan: PipelinePlan
    policy_digest: str
    attests: bool = False  # its instances say which version they run
    requester: str = ""
    requester_person: str = ""  # the listed person that the requester is
    ref: str = ""  # what was asked for, where that was a name and not a commit
    policy_says: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it


class StageStarted(_Event, frozen=True, kw_only=True, tag="stage.started"):
    run: str
    stage: str


class JobStarted(_Event, frozen=True, kw_only=True, tag="job.started"):
    run: str
    stage: str
    job: str
    attempt: int


class JobEnded(_Event, frozen=True, kw_only=True, tag="job.ended"):
    run: str
    stage: str
    job: str
    attempt: int
    status: JobStatus
    seconds: float
    why: str
    exit_code: int | None = None
    tail: tuple[str, ...] = ()


class StageEnded(_Event, frozen=True, kw_only=True, tag="stage.ended"):
    run: str
    stage: str
    status: Literal["passed", "failed", "cancelled"]
    why: str = ""


class ReleaseRequested(_Event, frozen=True, kw_only=True, tag="release.requested"):
    run: str
    risk: Risk
    reasons: tuple[str, ...]
    attention: tuple[str, ...]
    changes: tuple[Change, ...]
    files: tuple[str, ...]
    undo: Undo | None = None  # whether the old version can live with it; None: nobody looked
    authors: tuple[str, ...] = ()  # of all commits, also co-authors: "Name <e-mail>"
    pushers: tuple[str, ...] = ()  # who made the newest commit, as far as git knows
    artifact: str = ""  # the digest of what is deployed, or of the commit's files


class ItemOpened(_Event, frozen=True, kw_only=True, tag="item.opened"):
    """Something now waits for a person. `binding` is what a yes is worth, and for nothing else."""

    run: str
    item: str
    type: Literal["approval", "recommendation"]
    capability: Capability
    step: int
    expires_at: float
    confidence: float | None = None
    lines: tuple[str, ...] = ()
    binding: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it


class ItemClosed(_Event, frozen=True, kw_only=True, tag="item.closed"):
    run: str
    item: str
    status: Literal["accepted", "rejected", "expired", "superseded"]
    by: str
    reason: str = ""
    person: str = ""  # the listed person that answered
    how: str = ""  # how they were known: uid 1000, token ana, signature SHA256:...
    roles: tuple[str, ...] = ()  # that they had then
    max_weight: int = 100  # a yes to no more than this share
    not_before: float = 0.0  # and not yet
    signature: Signature | None = None


class ApprovalVoided(_Event, frozen=True, kw_only=True, tag="approval.voided"):
    """A yes that is worth nothing any more; it is asked again, with the difference."""

    run: str
    item: str
    why: str


class TermsChanged(_Event, frozen=True, kw_only=True, tag="terms.changed"):
    """What a yes depends on is no longer what it was. `..._says` are dotted names and their words.

    `ref_commit` is the commit that the name which was asked for stands for now.
    """

    run: str
    policy: str
    policy_says: dict[str, str]
    pipeline: str
    pipeline_says: dict[str, str]
    artifact: str
    ref_commit: str


class VerdictChanged(_Event, frozen=True, kw_only=True, tag="verdict.changed"):
    run: str
    step: int
    word: Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
    action: Literal["none", "hold", "rollback"]
    headline: str
    evidence: tuple[Evidence, ...]
    confidence: float
    proof: bytes = b""  # what the judge had before and saw, so that the verdict can be recomputed
    symptoms: tuple[Symptom, ...] = ()  # what made it a REGRESS


class ProposalMade(_Event, frozen=True, kw_only=True, tag="proposal.made"):
    """A brain asked for an action, and policy answered. `evidence` is what was seen then."""

    run: str
    proposal: str
    capability: Capability
    step: int
    epoch: int
    brain: str
    confidence: float
    headline: str
    evidence: tuple[Evidence, ...]
    digest: str  # SHA-256 of the evidence
    answer: Answer
    rule: str
    why: str
    proof: bytes = b""  # as in VerdictChanged: the verdict that the proposal stands on
    policy: str = ""  # the digest of the policy that answered
    fired: str = ""  # the line of it that decided
    stood: tuple[Finding, ...] = ()  # each condition, with the fact as it was seen
    people: int = 1  # where it asks: how many different people have to say yes
    roles: tuple[str, ...] = ()  # and roles of which each needs its own person
    freeze: str = ""  # the freeze in force, which people have to be shown
    until: float = 0.0  # when a calendar may change the answer; 0: none does


class RunHeld(_Event, frozen=True, kw_only=True, tag="run.held"):
    run: str
    cause: HoldCause
    why: str


class RunResumed(_Event, frozen=True, kw_only=True, tag="run.resumed"):
    run: str
    why: str


class RunEnded(_Event, frozen=True, kw_only=True, tag="run.ended"):
    run: str
    outcome: Outcome
    why: str


class AuthorityChanged(_Event, frozen=True, kw_only=True, tag="authority.changed"):
    """A line of the governor's spool: it has already happened when it is journaled."""

    service: str
    spool: int
    op: str  # pause, takeover, rollback, stop_all, release, readmit, adopted
    command: str
    by: str
    reason: str
    epoch: int
    mode: Literal["agent", "paused", "person"]
    holder: str
    desired: int
    direct: bool
    at: float
    uid: int = -1
    agents_stopped: bool = False  # from here on: no agent may do anything, nor read


class FleetAttested(_Event, frozen=True, kw_only=True, tag="fleet.attested"):
    """Every instance of the canary says that it runs the version that was deployed."""

    run: str
    version: str
    instances: int


class ResidueFound(_Event, frozen=True, kw_only=True, tag="residue.found"):
    """The traffic went back, and this is not as it was before: the rollback is not done."""

    run: str
    left: tuple[str, ...]


class RollbackConfirmed(_Event, frozen=True, kw_only=True, tag="rollback.confirmed"):
    """A rollback is done: everything is as it was, and so it was observed."""

    run: str
    seen: tuple[str, ...]


class ResidueAccepted(_Event, frozen=True, kw_only=True, tag="residue.accepted"):
    """A person says why what a rollback left behind may stay."""

    run: str
    left: tuple[str, ...]
    by: str
    reason: str


class CommandRefused(_Event, frozen=True, kw_only=True, tag="command.refused"):
    command: str
    by: str
    what: str
    code: str
    why: str
    todo: str = ""
    how: str = ""


class WireRefused(_Event, frozen=True, kw_only=True, tag="wire.refused"):
    """What the edge turned away within `seconds`, counted by the reason: a line for a flood."""

    counts: dict[str, int]
    seconds: float


class RunReviewed(_Event, frozen=True, kw_only=True, tag="run.reviewed"):
    """Somebody looked at a run after its end and said so; `verdict`: how the agent decided last."""

    run: str
    by: str
    reason: str
    verdict: Verdict = ""


class JournalSealed(_Event, frozen=True, kw_only=True, tag="journal.sealed"):
    """Records `first` to `last` were moved into a file; the digests cover it and the state there."""

    first: int
    last: int
    hash: str  # of record `last`
    root: str  # the Merkle root of records 1 to `last`, in hexadecimal
    file: str  # its name
    file_sha256: str
    state_sha256: str  # of the state that is kept in their place


class Unknown(Struct, frozen=True):
    """An event of a kind this version does not know. It is kept and changes nothing."""

    kind: str


Event = (
    RunStarted
    | StageStarted
    | JobStarted
    | JobEnded
    | StageEnded
    | ReleaseRequested
    | ItemOpened
    | ItemClosed
    | ApprovalVoided
    | TermsChanged
    | VerdictChanged
    | ProposalMade
    | CapsuleArmed
    | EffectIntended
    | EffectVerified
    | EffectDiverged
    | EffectFenced
    | StepEntered
    | RunHeld
    | RunResumed
    | RunEnded
    | AuthorityChanged
    | ServiceEvent
    | NoticeEvent
    | FleetAttested
    | ResidueFound
    | RollbackConfirmed
    | ResidueAccepted
    | CommandRefused
    | DrillRecorded
    | RunReviewed
    | WireRefused
    | JournalSealed
    | RulesEvent
    | DutyEvent
)

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder(order="deterministic")


def kind_of(event: Event) -> str:
    """The tag of an event, as it stands in the journal."""
    return str(event.__struct_config__.tag)


def stream_of(event: Event) -> str:
    """The stream that an event belongs to."""
    match event:
        case CommandRefused():
            return "commands"
        case AuthorityChanged() | QuarantineLifted() | ExpectationDeclared():
            return f"service/{event.service}"
        case ExpectationWithdrawn() | BreakerOpened() | BreakerClosed():
            return f"service/{event.service}"
        case TargetChanged() | TargetRestored() | OncallAsked() | AskDeclined():
            return f"service/{event.service}"
        case DrillRecorded():
            return "drills"
        case HandedOver() | HandoverAcknowledged():
            return "handovers"
        case JournalSealed():
            return "journal"
        case WireRefused():
            return "edge"
        case NoticeSent() | NoticeFailed():
            return "notices"
        case PolicyChanged() | PolicyRefused():
            return "policy"
        case FreezeChanged():
            return f"environment/{event.environment}"
        case _:
            return f"run/{event.run}"


def encode(event: Event) -> bytes:
    """The exact bytes that are hashed and kept."""
    return _encoder.encode(event)


def decode(kind: str, payload: bytes) -> Event | Unknown:
    """The event in a record; `Unknown` when this version cannot read it."""
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return Unknown(kind)
