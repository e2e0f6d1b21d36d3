"""What people see is true in every state, and making it never fails."""

from __future__ import annotations

from collections import deque
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.conductor.live import Live, Reading
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    CommandStage,
    JobPlan,
    MetricSpec,
    PipelinePlan,
    ReleaseStage,
    SeriesRef,
    ServiceSpec,
    TargetSpec,
)
from hatchway.core.state import Run, State
from hatchway.edge import protocol as p
from hatchway.edge import views
from hatchway.edge.waiting import needs_doc
from hatchway.targets.port import Observed, Standing

PLAN = PipelinePlan(
    "shop",
    "shop",
    "prod",
    (
        CommandStage("checks", "checks", ((JobPlan("lint", "x"),),)),
        ReleaseStage("release"),
        CanaryStage("canary", (), (CanaryStep(5, 100.0), CanaryStep(100, 1.0, 5))),
    ),
)


class Told:
    """A state, and what happens to it."""

    def __init__(self) -> None:
        self.state = State()
        self.live = Live()
        self.now = 1000.0
        self.tell(
            ev.RunStarted(
                run="1",
                service="shop",
                environment="prod",
                mode="act",
                pace=1.0,
                commit="c1",
                base="c0",
                from_version="1.4.0",
                to_version="1.5.0",
                plan=PLAN,
                policy_digest="",
            )
        )

    @property
    def run(self) -> Run:
        return self.state.runs["1"]

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            seq = self.state.seq + 1
            self.state = evolve(self.state, event, seq=seq, at=self.now, idem="")

    def doc(self) -> p.RunDoc:
        authority = self.state.authority_of("shop")
        doc = views.run_doc(self.run, authority, self.live, self.now)
        return msgspec.json.decode(msgspec.json.encode(doc), type=p.RunDoc)

    def authority(self, op: str, mode: str, by: str = "ana", spool: int = 1) -> None:
        self.tell(
            ev.AuthorityChanged(
                service="shop",
                spool=spool,
                op=op,
                command="",
                by=by,
                reason="",
                epoch=spool + 1,
                mode=mode,  # type: ignore[arg-type]
                holder=by,
                desired=0,
                direct=False,
                at=self.now,
            )
        )

    def at_canary(self, step: int = 0) -> Told:
        for stage in ("checks", "release"):
            self.tell(
                ev.StageStarted(run="1", stage=stage),
                ev.StageEnded(run="1", stage=stage, status="passed"),
            )
        self.tell(ev.StageStarted(run="1", stage="canary"), ev.CapsuleArmed(run="1", checksum="c"))
        for each in range(step + 1):
            self.effect(f"s{each}", 5, each)
            self.tell(ev.EffectVerified(run="1", key=f"s{each}", observed=5))
            self.tell(ev.StepEntered(run="1", step=each, weight=5))
        return self

    def effect(self, key: str, weight: int, step: int = 0) -> None:
        by = ev.By("agent", "agent")
        self.tell(
            ev.EffectIntended(
                run="1", key=key, step=step, weight=weight, epoch=1, by=by, reason="r"
            )
        )

    def item(self, capability: str, type: str = "recommendation", **binding: str) -> None:
        self.tell(
            ev.ItemOpened(
                run="1",
                item=f"i{len(self.run.items)}",
                type=type,  # type: ignore[arg-type]
                capability=capability,  # type: ignore[arg-type]
                step=self.run.step,
                expires_at=self.now + 9,
                binding=binding,
            )
        )


@pytest.fixture
def told() -> Told:
    return Told()


def test_running(told: Told) -> None:
    doc = told.doc()
    assert (doc.status, doc.step, doc.verdict, doc.risk) == ("running", None, None, "")
    assert doc.next == "then checks, release, canary"
    assert [s.label for s in doc.stages] == ["checks", "you", "5%", "100%"]


def test_waiting_for_an_approval(told: Told) -> None:
    told.tell(ev.StageStarted(run="1", stage="release"))
    told.item("open_release", "approval", stage="release")
    doc = told.doc()
    assert doc.status == "waiting"
    assert "never promoted" in doc.next
    assert doc.stages[1].status == "waiting"
    (item,) = needs_doc(told.state).items
    assert (item.kind, item.title) == ("approval", "APPROVE shop 1.5.0 for prod")


def test_in_a_step(told: Told) -> None:
    told.at_canary()
    doc = told.doc()
    assert (doc.status, doc.weight) == ("running", 5)
    assert doc.step is not None
    assert (doc.step.label, doc.step.until) == ("CANARY 5%", 1100.0)
    assert "raises to 100%" in doc.next
    assert "not before" in doc.next
    told.at_canary(1)
    assert told.doc().step.label == "CANARY 100%, 5% held back"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (CanaryStep(5, 100.0), "not before 00:18:20Z; not sure at 00:21:40Z: held"),
        (
            CanaryStep(5, 100.0, on_unsure="hold"),
            "not before 00:18:20Z; not sure at 00:18:20Z: held",
        ),
        (
            CanaryStep(5, 100.0, on_unsure="ask", advance="early"),
            "as soon as the verdict is PASS; not sure at 00:18:20Z: asks you",
        ),
        (CanaryStep(100, 100.0), "asks you whether to finish at 00:18:20Z: nothing is held back"),
    ],
)
def test_what_a_steps_options_come_to_is_said(told: Told, step: CanaryStep, says: str) -> None:
    stages = (*PLAN.stages[:2], CanaryStage("canary", (), (step, CanaryStep(100, 1.0, 5))))
    told.at_canary()
    plan = msgspec.structs.replace(PLAN, stages=stages)
    run = msgspec.structs.replace(told.run, plan=plan)
    assert says in views.next_words(run, told.state.authority_of("shop"), None, told.now)


def test_a_question_without_being_sure_says_so(told: Told) -> None:
    told.at_canary()
    told.item("promote", verdict="UNSURE")
    assert needs_doc(told.state).items[0].title == "PROMOTE shop 1.5.0 to 100%, NOT SURE"
    assert told.doc().next.endswith("it is not sure yet, and goes on watching")
    told.item("promote", verdict="PASS")
    assert needs_doc(told.state).items[1].title == "PROMOTE shop 1.5.0 to 100%"


def test_held_and_recommended(told: Told) -> None:
    told.at_canary()
    told.tell(ev.RunHeld(run="1", cause="no_data", why="the feed stopped"))
    assert (told.doc().status, told.doc().held) == ("held", "the feed stopped")
    told.item("rollback")
    assert "nothing is rolled back until you accept" in told.doc().next
    told.item("promote")
    items = needs_doc(told.state).items
    assert [i.capability for i in items] == ["rollback", "promote"], "rollbacks come first"


def test_paused_and_taken_over(told: Told) -> None:
    told.at_canary()
    told.authority("pause", "paused")
    assert told.doc().status == "paused"
    assert "until ana" in told.doc().next
    told.authority("takeover", "person", spool=2)
    assert told.doc().status == "running"
    assert "asks you" in told.doc().next


@pytest.mark.parametrize("how", ["intended", "diverged", "person"])
def test_rolling_back(told: Told, how: str) -> None:
    told.at_canary()
    if how == "person":
        told.authority("rollback", "paused")
    else:
        told.effect("back", 0)
    if how == "diverged":
        told.tell(ev.EffectDiverged(run="1", key="back", observed=5, why="w"))
    assert told.doc().status == "rolling_back"
    assert "1.4.0" in told.doc().next


@pytest.mark.parametrize("outcome", get_args(ev.Outcome))
def test_ended(told: Told, outcome: Any) -> None:
    told.at_canary()
    told.item("promote")
    told.tell(ev.RunEnded(run="1", outcome=outcome, why="because"))
    doc = told.doc()
    assert (doc.status, doc.outcome) == ("ended", outcome)
    assert doc.next.startswith("nothing: the run has ended")
    assert needs_doc(told.state).items == ()
    assert doc.held == ("because" if outcome == "failed" else "")


def test_promoted_and_undone_says_so(told: Told) -> None:
    told.at_canary()
    told.tell(ev.RunEnded(run="1", outcome="promoted", why=""))
    told.authority("rollback", "paused", by="luis")
    assert "rolled back since by luis" in told.doc().next


def test_a_canary_that_failed_before_its_first_share_is_shown_as_failed(told: Told) -> None:
    told.tell(ev.StageStarted(run="1", stage="canary"))
    told.tell(ev.StageEnded(run="1", stage="canary", status="failed", why="start: exit 1"))
    stage = told.doc().stages[2]
    assert (stage.label, stage.status, stage.detail) == ("5%", "failed", "start: exit 1")


def test_after_a_no_nobody_is_told_that_it_goes_on_by_itself(told: Told) -> None:
    told.at_canary()
    told.item("promote", epoch="0")
    told.tell(ev.ItemClosed(run="1", item="i0", status="rejected", by="luis"))
    assert "luis said no" in told.doc().next


def test_what_fails_and_is_tried_again_is_seen_in_its_run(told: Told) -> None:
    told.live.tell("run-1.checks.lint.1", "no room on the disk", "1")
    told.live.tell("run-2.checks.lint.1", "another run's", "2")
    told.live.tell("brain", "rules-1: no answer")
    assert told.doc().held == "no room on the disk; rules-1: no answer"
    told.live.tell("brain", "")
    assert told.doc().held == "no room on the disk"


def test_control_is_what_the_governor_said_last(told: Told) -> None:
    doc = views.authority_doc(told.state, told.live, "shop")
    assert (doc.mode, doc.read_at) == ("unknown", 0.0)
    seen = Observed(canary=5, stable=95, inflight=0, total=1, at=1.0)
    for mode in ("agent", "paused", "person", "strange"):
        standing = Standing("shop", 4, mode, "ana", 1, 5, seen, "t", "", 0, 0)
        told.live.standing["shop"] = standing, 1000.7
        doc = views.authority_doc(told.state, told.live, "shop")
        assert doc.mode == (mode if mode != "strange" else "agent")
        assert (doc.epoch, doc.read_at, doc.drift) == (4, 1000.0, "t")
    assert told.doc().weight == 5


def test_a_migration_makes_undoing_unsure(told: Told) -> None:
    told.item("open_release", "approval")
    assert needs_doc(told.state).items[0].undo.startswith("YES")
    told.tell(
        ev.ReleaseRequested(
            run="1",
            risk="HIGH",
            reasons=("r",),
            attention=(),
            changes=(),
            files=("migrations/119.sql  +1 -0",),
        )
    )
    assert needs_doc(told.state).items[0].undo.startswith("NOT SURE")


def test_metrics_are_worded_by_what_they_are(told: Told) -> None:
    ref = SeriesRef("x")
    specs = (
        MetricSpec(name="e", label="errors", kind="counts", source="a", total=ref, limit=2.0),
        MetricSpec(name="s", label="state", kind="state", source="a", total=ref),
    )
    service = ServiceSpec("shop", "r", "p", TargetSpec("haproxy", "s"), (), specs)
    watched = told.live.watch("1")
    watched.readings = tuple(
        Reading(name, 1.0, None, 3, 9.0, "", says)
        for name, says in (("e", "worse"), ("s", "DOWN"), ("unknown", "ok"))
    )
    watched.points["e"] = deque((float(i), None, 1.0) for i in range(99))
    doc = views.metrics_doc(told.run, service, watched)
    assert [(m.name, m.tone) for m in doc.metrics] == [("e", "bad"), ("s", "bad")]
    assert (doc.metrics[0].limit_is, len(doc.metrics[0].points)) == ("max", views.MOST_POINTS)
    assert (doc.metrics[1].text_stable, doc.metrics[1].text_canary) == ("ok", "--")
    assert len(views.history_doc("1", watched).points["e"]) == 99


TEXT = st.text(max_size=8)
NUMBER = st.integers(-3, 300)
ANY_EVENT = st.one_of(
    st.builds(
        ev.StageEnded,
        run=st.just("1"),
        stage=st.sampled_from(["checks", "release", "canary", "?"]),
        status=st.sampled_from(["passed", "failed", "cancelled"]),
    ),
    st.builds(ev.StageStarted, run=st.just("1"), stage=st.sampled_from(["checks", "canary", "?"])),
    st.builds(ev.StepEntered, run=st.just("1"), step=NUMBER, weight=NUMBER),
    st.builds(
        ev.ItemOpened,
        run=st.just("1"),
        item=TEXT,
        type=st.sampled_from(["approval", "recommendation"]),
        capability=st.sampled_from(get_args(ev.Capability)),
        step=NUMBER,
        expires_at=st.floats(0, 9e9),
        binding=st.dictionaries(st.sampled_from(["stage", "epoch"]), TEXT),
    ),
    st.builds(
        ev.ItemClosed,
        run=st.just("1"),
        item=TEXT,
        status=st.sampled_from(["accepted", "rejected", "expired", "superseded"]),
        by=TEXT,
    ),
    st.builds(
        ev.EffectIntended,
        run=st.just("1"),
        key=TEXT,
        step=NUMBER,
        weight=NUMBER,
        epoch=NUMBER,
        by=st.just(ev.By("agent", "agent")),
        reason=TEXT,
    ),
    st.builds(ev.EffectVerified, run=st.just("1"), key=TEXT, observed=NUMBER),
    st.builds(ev.RunHeld, run=st.just("1"), cause=st.just("target"), why=TEXT),
    st.builds(
        ev.RunEnded, run=st.just("1"), outcome=st.sampled_from(get_args(ev.Outcome)), why=TEXT
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_EVENT, max_size=12))
def test_no_order_of_events_makes_a_run_impossible_to_show(events: list[ev.Event]) -> None:
    told = Told()
    told.tell(*events)
    assert told.doc().status in get_args(p.RunStatus)
    needs_doc(told.state)
