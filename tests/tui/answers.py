"""What the backend would answer to the pages' queries about the run of `states.py`, at its time."""

from __future__ import annotations

from msgspec import Struct

from hatchway.edge.docs.changes import ChangesDoc, Dependency, ScanResult, UndoReason
from hatchway.edge.docs.handover import FieldDoc, HandoverDoc
from hatchway.edge.docs.log import JobLog
from hatchway.edge.docs.plan import PlanDoc
from hatchway.edge.docs.policy import BarDoc, ConditionDoc, PolicyDoc, RuleDoc
from hatchway.edge.docs.record import RecordDoc, ScoreDoc
from hatchway.edge.docs.run import JobSpan, Moment, RunStory, Span, Wait
from hatchway.edge.docs.why import Fact, MetricWhy, WhyDoc


def answers(now: float) -> dict[str, Struct]:
    """By KIND/ABOUT, as the mirror keeps them."""
    return {
        "run/r1": _run(now - 660), "why/r1": _why(now), "changes/r1": _changes(),
        "log/r1/checks/compile": JobLog("r1", "checks", "compile", 1, ("one", "two")),
        "policy/shop": _policy(now), "record/": _record(now), "handover/": _handover(now),
        "plan/shop": PlanDoc(
            "shop", ("canary from 5 % to 0 %, all traffic to 1.4.0",), ("weight 0, read back",),
            (), ("migration 0042 stays applied",), "3 earlier ones took 2 to 9 s", "pages luis",
        ),
    }  # fmt: skip


def _run(at: float) -> RunStory:
    spans = (
        Span("checks", "checks", "passed", at, at + 20, jobs=(
            JobSpan("lint", "passed", at, at + 5), JobSpan("types", "passed", at, at + 19),
        )),
        Span("integration", "tests", "passed", at + 20, at + 392, usual_s=120.0, jobs=(
            JobSpan("api", "passed", at + 20, at + 390, attempt=2),
        )),
        Span("release", "release", "passed", at + 392, at + 572),
        Span("canary 5%", "canary", "running", at + 580),
        Span("canary 100%", "canary", "pending", usual_s=30.0),
    )  # fmt: skip
    moments = (
        Moment(1, at, "rita", "run r1: shop 1.4.0 -> 1.5.0, agent acts within policy"),
        Moment(9, at + 572, "ana", "approval accepted: looks good"),
        Moment(12, at + 573, "governor", "canary at 5 %, read back"),
    )
    waits = (Wait("person", at + 392, at + 572, "i1", "promote", "ana"),)
    return RunStory(
        run="r1", started_at=at, requested_by="rita", moments=moments, spans=spans, waits=waits,
        usual_of=4,
    )  # fmt: skip


def _why(now: float) -> WhyDoc:
    errors = MetricWhy(
        "errors", "errors", "counts", "worse", True, True, (260, 14), (4939, 50), 1.5,
        "margins are configured", 0.5, 44.0, 0.4, 2.0,
    )  # fmt: skip
    gauge = MetricWhy("db", "connections", "gauge", "same", False, False, facts=(Fact("canary in the last block", "31.2"),))  # fmt: skip
    return WhyDoc(
        run="r1", seq=51, at=now - 1, step=0, word="UNSURE", action="hold", headline="looks worse",
        same=True, e=22.3, peak=22.3, lead="errors", since_raise_s=52.0, forecast_s=120.0,
        metrics=(errors, gauge),
    )  # fmt: skip


def _changes() -> ChangesDoc:
    return ChangesDoc(
        "r1", True, "no",
        (
            UndoReason("+", "schema", "the old version reads schema 118"),
            UndoReason("-", "migrations", "migration 0042 drops the column orders.note"),
        ),
        ("migration 0042 stays applied and has no way back",),
        (Dependency("web/package-lock.json  +900 -3", "lock file", "npm"),),
        (ScanResult("security", "secrets", "passed", "", ()),),
        True, True, ("ana",), ("luis",), "sha256:77", "c0", "v1.5", "rita",
    )  # fmt: skip


def _policy(now: float) -> PolicyDoc:
    rule = RuleDoc(
        "promote", "ask", "a condition does not hold", "prod.promote", 14, "one approver",
        (
            ConditionDoc("met", "control: agent", "control is agent, 1 s old, says governor", 18),
            ConditionDoc("unmet", "verdict: [PASS]", "verdict is UNSURE, 1 s old, says judge", 15),
        ),
    )  # fmt: skip
    barred = (BarDoc("quarantine", "1.5.0 (c1) was rolled back by ana"),)
    return PolicyDoc(
        "shop", "prod", now, mode="act", mode_line=3, digest="9f31", run="r1", control="agent",
        level="acts within policy", next="stays at 5%", bars=barred, rules=(rule,),
    )  # fmt: skip


def _record(now: float) -> RecordDoc:
    promote = ScoreDoc(
        "prod", "promote", "rules-1", 9, 1, 1, 3, 2, 4, 10, 0, 2 / 14, 5 / 14, 0.71, 300, "RRRWRRH???",
    )  # fmt: skip
    hold = ScoreDoc("prod", "hold", "rules-1", 0, 0, 0, 4, 0, 4, 0, 0, labelled=False)
    return RecordDoc(now, (promote, hold), from_nothing=93, runs=3)


def _handover(now: float) -> HandoverDoc:
    fields = (
        FieldDoc("state", "HOW IT IS", ("shop 1.5.0 at 5 %, PASS",)),
        FieldDoc("done", "WHAT HAPPENED", ("2 releases, no rollback",)),
        FieldDoc("waits", "WHAT WAITS", ("1 approval",)),
    )
    return HandoverDoc(fields, 40, now - 3600, "2 releases", ("luis",))
