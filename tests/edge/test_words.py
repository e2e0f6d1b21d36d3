"""Every kind of event has its words, or is left out on purpose."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hatchway.core import events as ev
from hatchway.core.drills import Evidence
from hatchway.core.plan import PipelinePlan
from hatchway.edge.protocol import Tone
from hatchway.edge.words import line_of
from hatchway.journal.port import Record

RUN: dict[str, Any] = {"run": "1"}
SHOP: dict[str, Any] = {"service": "shop"}
CAN: dict[str, Any] = {"capability": "rollback", "step": 0}
EVENTS: tuple[ev.Event, ...] = (
    ev.RunStarted(
        **RUN,
        service="shop",
        environment="prod",
        mode="act",
        pace=1.0,
        commit="c",
        base="b",
        from_version="1",
        to_version="2",
        plan=PipelinePlan("shop", "shop", "prod", ()),
        policy_digest="",
    ),
    ev.StageStarted(**RUN, stage="s"),
    ev.JobStarted(**RUN, stage="s", job="j", attempt=1),
    ev.JobEnded(**RUN, stage="s", job="j", attempt=1, status="failed", seconds=1.0, why="w"),
    ev.StageEnded(**RUN, stage="s", status="failed", why="w"),
    ev.ReleaseRequested(**RUN, risk="HIGH", reasons=(), attention=(), changes=(), files=()),
    ev.ItemOpened(**RUN, **CAN, item="i", type="approval", expires_at=1.0),
    ev.ItemClosed(**RUN, item="run-1.approval.1", status="rejected", by="ana", reason="w"),
    ev.ApprovalVoided(**RUN, item="run-1.approval.1", why="w"),
    ev.TermsChanged(
        **RUN,
        policy="p",
        policy_says={},
        pipeline="q",
        pipeline_says={},
        artifact="",
        ref_commit="c",
    ),
    ev.VerdictChanged(
        **RUN, step=0, word="REGRESS", action="rollback", headline="w", evidence=(), confidence=1.0
    ),
    ev.ProposalMade(
        **RUN,
        **CAN,
        proposal="p",
        epoch=1,
        brain="b",
        confidence=1.0,
        headline="w",
        evidence=(),
        digest="d",
        answer="ask",
        rule="r",
        why="w",
    ),
    ev.CapsuleArmed(**RUN, checksum="c"),
    ev.EffectIntended(
        **RUN, key="k", step=0, weight=5, epoch=1, by=ev.By("person", "ana"), reason="w"
    ),
    ev.EffectVerified(**RUN, key="k", observed=5),
    ev.EffectDiverged(**RUN, key="k", observed=None, why="w"),
    ev.EffectFenced(**RUN, key="k", code="held", why="w"),
    ev.StepEntered(**RUN, step=0, weight=5),
    ev.RunHeld(**RUN, cause="no_data", why="w"),
    ev.RunResumed(**RUN, why="w"),
    ev.RunEnded(**RUN, outcome="rolled_back", why="w"),
    ev.AuthorityChanged(
        service="shop",
        spool=1,
        op="pause",
        command="c",
        by="ana",
        reason="w",
        epoch=2,
        mode="paused",
        holder="ana",
        desired=5,
        direct=True,
        at=1.0,
    ),
    ev.WireRefused(counts={"bad message": 2}, seconds=10.0),
    ev.RunReviewed(**RUN, by="ana", reason="w"),
    ev.JournalSealed(
        first=1, last=9, hash="h", root="r", file="f", file_sha256="d", state_sha256="s"
    ),
    ev.CommandRefused(command="c", by="ana", what="release shop", code="c", why="w"),
    ev.QuarantineLifted(**SHOP, commit="c1", by="ana", reason="w"),
    ev.ExpectationDeclared(
        **SHOP,
        expectation="e",
        metric="logs",
        at_most=4.0,
        expires_at=9.0,
        ticket="T",
        by="ana",
        reason="w",
    ),
    ev.ExpectationWithdrawn(**SHOP, expectation="e", by="ana", reason="w"),
    ev.BreakerOpened(**SHOP, run="1", why="w"),
    ev.BreakerClosed(**SHOP, by="ana", reason="w"),
    ev.TargetChanged(**SHOP, what="weight", wanted="5", found="9", since=1.0, why="w"),
    ev.TargetRestored(**SHOP, what="weight", seconds=3.0),
    ev.FleetAttested(**RUN, version="2", instances=8),
    ev.ResidueFound(**RUN, left=("a route is left",)),
    ev.RollbackConfirmed(**RUN, seen=("weight 0",)),
    ev.ResidueAccepted(**RUN, left=("a route is left",), by="ana", reason="w"),
    ev.DrillRecorded(
        evidence=Evidence(drill="d", environment="staging", service="shop", began=1.0), digest="a"
    ),
    ev.PolicyChanged(digest="b", was="a", changes=("w",), by="ana"),
    ev.PolicyRefused(in_force="a", file="policy.yaml", line=3, column=1, why="w"),
    ev.FreezeChanged(environment="prod", stands="closed", freeze="weekend", why="w"),
    ev.HandedOver(handover="handover-7", by="ana", fields=(), digest="d", to=("luis",)),
    ev.HandoverAcknowledged(handover="handover-7", digest="d", by="luis", said="w"),
    ev.OncallAsked(ask="ask-7", op="pause", **SHOP, by="luis", reason="w", role="viewer"),
    ev.AskDeclined(ask="ask-7", **SHOP, by="ana", reason="w"),
    ev.NoticeSent(notice="7.0", via="oncall", about="shop is held", attempts=1),
    ev.NoticeFailed(notice="7.0", via="oncall", about="shop is held", why="w", attempts=3),
)
SILENT = {"terms.changed", "stage.started", "job.started", "capsule.armed", "step.entered"}


def line(event: ev.Event | ev.Unknown, kind: str = "k") -> Any:
    record = Record(
        seq=7, stream="s", version=1, kind=kind, actor="ana", epoch=1, at=2.0, cause=0, idem="",
        payload=b"", prev="", hash="",
    )  # fmt: skip
    return line_of(record, event)


def test_no_kind_is_missing_here() -> None:
    assert {type(e) for e in EVENTS} == set(get_args(ev.Event))


@pytest.mark.parametrize("event", EVENTS, ids=ev.kind_of)
def test_an_event_is_worded_or_left_out_on_purpose(event: ev.Event) -> None:
    said = line(event)
    if ev.kind_of(event) in SILENT:
        assert said is None
        return
    assert (said.seq, said.at, said.who) == (7, 2.0, "ana")
    assert said.text.strip()
    assert said.tone in get_args(Tone)
    if getattr(event, "why", "") or getattr(event, "reason", ""):
        assert "w" in said.text.split(": ", 1)[-1], "the reason is part of it"


def test_what_went_well_in_a_job_is_left_out() -> None:
    passed = ev.JobEnded(**RUN, stage="s", job="j", attempt=1, status="passed", seconds=1.0, why="")
    assert line(passed) is None
    assert line(ev.Unknown("future.kind")) is None


def test_a_stop_past_the_backend_is_told_as_such() -> None:
    direct = next(e for e in EVENTS if isinstance(e, ev.AuthorityChanged))
    assert "direct" in line(direct).text
