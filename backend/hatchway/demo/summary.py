"""What a run of the demo came to, read from its journal. Pure but for reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import CanaryStage, CommandStage
from hatchway.core.state import Run, State
from hatchway.journal.port import Record

CANARY_FAULTS = frozenset({"errors", "slow", "orders-drop", "hang"})
NOT_OURS = frozenset({"metrics-silent", "both-arms", "dependency-down"})
BEFORE_TRAFFIC = frozenset({"staging-broken", "test-fails"})


class Happened(Struct, frozen=True):
    """An event and the record that it stands in."""

    record: Record
    event: ev.Event | ev.Unknown

    @property
    def seq(self) -> int:
        """Its place in the journal."""
        return self.record.seq

    @property
    def at(self) -> float:
        """Seconds since 1970."""
        return self.record.at


class Reader:
    """Folds records into `state`, as far as it has read."""

    def __init__(self) -> None:
        self.state = State()

    def read(self, records: Iterable[Record]) -> list[Happened]:
        """The events of these records, which follow those read before."""
        happened: list[Happened] = []
        for record in records:
            event = ev.decode(record.kind, record.payload)
            self.state = evolve(self.state, event, seq=record.seq, at=record.at, idem=record.idem)
            happened.append(Happened(record, event))
        return happened


def intended(faults: Iterable[str], mode: str) -> str:
    """The outcome that the shipped policy means to have under these faults, approvals given."""
    names = {fault.partition("@")[0] for fault in faults}
    if names & BEFORE_TRAFFIC:
        return "failed"
    if names & NOT_OURS:
        return "held"
    if names & CANARY_FAULTS:
        return "rolled_back" if mode == "act" else "held"
    return "promoted"


def summarise(
    records: Iterable[Record],
    *,
    fault_on_at: float | None,
    bad_requests: int,
    target_writes: Mapping[str, int],
    verified: bool,
) -> dict[str, Any]:
    """The summary of the newest run. Times in seconds; `fault_on_at` in seconds since 1970.

    `target_writes` counts what the governor itself wrote to the target, by agent and person.
    """
    reader = Reader()
    happened = reader.read(records)
    run = list(reader.state.runs.values())[-1]
    mine = [h for h in happened if getattr(h.event, "run", run.id) == run.id]
    onset = _onset(mine, fault_on_at)
    back = next(
        (
            h.at
            for h in mine
            if isinstance(h.event, ev.EffectVerified) and h.event.observed == 0 and run.step >= 0
        ),
        None,
    )
    weights = [h.event.observed for h in mine if isinstance(h.event, ev.EffectVerified)]
    return {
        "outcome": run.outcome or "held",
        "service": run.service,
        "from": run.from_version,
        "to": run.to_version,
        "stages": _stages(run, mine[-1].at),
        "decisions": _decisions(mine),
        "detected_after_s": _since(onset, _detected(mine, onset)),
        "rolled_back_after_s": _since(onset, back),
        "max_weight": max(weights, default=0),
        "bad_requests_served": bad_requests,
        "target_writes": dict(target_writes),
        "journal": {"events": len(happened), "verified": verified},
    }


def _onset(mine: list[Happened], fault_on_at: float | None) -> float | None:
    """From when the fault could be seen: it is on, and the canary has traffic."""
    first = next((h.at for h in mine if isinstance(h.event, ev.StepEntered)), None)
    if fault_on_at is None or first is None:
        return None
    return max(fault_on_at, first)


def _detected(mine: list[Happened], onset: float | None) -> float | None:
    for h in mine:
        if onset is None or h.at < onset:
            continue
        asked = isinstance(h.event, ev.ProposalMade) and h.event.capability in ("rollback", "hold")
        if asked or isinstance(h.event, ev.RunHeld):
            return h.at
    return None


def _since(onset: float | None, at: float | None) -> float | None:
    return None if onset is None or at is None else round(at - onset, 2)


def _stages(run: Run, last: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for stage, plan in zip(run.stages, run.plan.stages, strict=True):
        kind = "release"
        if isinstance(plan, CommandStage):
            kind = plan.kind
        elif isinstance(plan, CanaryStage):
            kind = "canary"
        ended = stage.ended_at or (last if stage.started_at else 0.0)
        found.append(
            {
                "name": stage.name,
                "kind": kind,
                "status": stage.status,
                "seconds": round(ended - stage.started_at, 2) if stage.started_at else 0.0,
            }
        )
    return found


def _decisions(mine: list[Happened]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked: dict[str, ev.ItemOpened] = {}
    for h in mine:
        match h.event:
            case ev.ProposalMade() as made:
                found.append(
                    {
                        "seq": h.seq,
                        "capability": made.capability,
                        "verdict": made.answer,
                        "by": made.brain,
                        "why": f"{made.headline} ({made.why})",
                        "evidence": [f"{e.id} {e.sign} {e.text}" for e in made.evidence],
                    }
                )
            case ev.ItemOpened() as opened:
                asked[opened.item] = opened
            case ev.ItemClosed() as closed if closed.status in ("accepted", "rejected"):
                item = asked[closed.item]
                found.append(
                    {
                        "seq": h.seq,
                        "capability": item.capability,
                        "verdict": closed.status,
                        "by": closed.by,
                        "why": closed.reason,
                        "evidence": list(item.lines),
                    }
                )
            case ev.AuthorityChanged() as changed if changed.op != "adopted":
                found.append(
                    {
                        "seq": h.seq,
                        "capability": changed.op,
                        "verdict": "done",
                        "by": changed.by,
                        "why": changed.reason,
                        "evidence": [],
                    }
                )
    return found
