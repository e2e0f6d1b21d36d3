"""The queries about a run: what happened and how long it took, out of its events and nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.actions import job_key
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
)
from hatchway.core.state import State
from hatchway.core.undo import Reason, Undo
from hatchway.edge import chronicle as chronicles
from hatchway.edge.chronicle import Chronicle
from hatchway.edge.docs.run import RunStory, Span, Wait
from hatchway.edge.docs.why import WhyDoc
from hatchway.edge.queries import log as logs
from hatchway.edge.queries.answer import NotKnown
from hatchway.edge.queries.changes import changes, dependencies
from hatchway.edge.queries.log import log_of
from hatchway.edge.queries.run import story
from hatchway.edge.queries.why import why_of
from hatchway.journal.port import Record
from hatchway.judge.fold import judge
from hatchway.judge.look import Counts, Look
from hatchway.judge.proof import sealed
from hatchway.judge.state import JudgeConfig, new
from hatchway.runners.jobdir import JobDirectory

JOBS = ((JobPlan("lint", "x"), JobPlan("types", "x")), (JobPlan("pack", "x"),))
PLAN = PipelinePlan(
    "shop",
    "shop",
    "prod",
    (
        CommandStage("checks", "checks", JOBS),
        CommandStage("scan", "scan", ((JobPlan("secrets", "x"),),)),
        ReleaseStage("release"),
        CanaryStage("canary", (), (CanaryStep(5, 100.0), CanaryStep(100, 1.0, 5))),
    ),
)


class Journal:
    """Events as they are appended: state and chronicle go along."""

    def __init__(self) -> None:
        self.state, self.chronicle, self.at = State(), Chronicle(), 1000.0
        self.runs = 0

    def tell(
        self, *events: ev.Event | ev.Unknown, actor: str = "agent", after: float = 1.0
    ) -> None:
        for event in events:
            self.at += after
            seq = self.state.seq + 1
            self.state = evolve(self.state, event, seq=seq, at=self.at, idem="")
            record = Record(
                seq=seq, stream="", version=1, kind="k", actor=actor, epoch=0, at=self.at,
                cause=0, idem="", payload=b"", prev="", hash="",
            )  # fmt: skip
            self.chronicle.take(record, event, self.state)

    def start(self, service: str = "shop") -> str:
        self.runs += 1
        run = str(self.runs)
        self.tell(
            ev.RunStarted(
                run=run, service=service, environment="prod", mode="act", pace=1.0, commit="c1",
                base="c0", from_version="1.4.0", to_version="1.5.0", plan=PLAN, policy_digest="",
                requester="rita",
            )
        )  # fmt: skip
        return run

    def checks(self, run: str, lint: float = 4.0) -> None:
        self.tell(ev.StageStarted(run=run, stage="checks"))
        self.tell(ev.JobStarted(run=run, stage="checks", job="lint", attempt=1))
        self.tell(
            ev.JobEnded(run=run, stage="checks", job="lint", attempt=1, status="passed", seconds=lint, why=""),
            after=lint,
        )  # fmt: skip
        self.tell(ev.StageEnded(run=run, stage="checks", status="passed"), after=0)

    def told(self, run: str) -> RunStory:
        return story(self.state, self.chronicle, run)


@pytest.fixture
def journal() -> Journal:
    return Journal()


def test_who_decided_what_and_when_is_told_with_how_long_it_took(journal: Journal) -> None:
    run = journal.start()
    journal.tell(
        ev.ItemOpened(run=run, item=f"{run}.approval.1", type="approval", capability="promote", step=-1, expires_at=9e9)
    )  # fmt: skip
    journal.tell(
        ev.ItemClosed(run=run, item=f"{run}.approval.1", status="accepted", by="ana", reason="looks good", roles=("oncall",), how="uid 1000"),
        actor="ana", after=65,
    )  # fmt: skip
    told = journal.told(run)
    asked, said = told.moments[-2:]
    assert asked.text == "asks a person to approve the release"
    assert (said.who, said.text) == ("ana", "approval accepted: looks good")
    assert said.note == "65 s after it was asked, as oncall, uid 1000"
    assert told.waits == (
        Wait("person", asked.at, said.at, f"{run}.approval.1", "approve the release", "ana"),
    )


def test_a_decision_of_policy_names_its_rule_and_its_answer(journal: Journal) -> None:
    run = journal.start()
    journal.tell(
        ev.ProposalMade(
            run=run, proposal="p", capability="rollback", step=0, epoch=1, brain="rules", confidence=0.97,
            headline="errors are worse", evidence=(), digest="", answer="ask", rule="bad-canary",
            why="somebody must look", fired="policies/prod.yaml:7",
        )
    )  # fmt: skip
    moment = journal.told(run).moments[-1]
    assert moment.text == "asks to roll back: errors are worse (somebody must look)"
    assert moment.note == (
        "policy rule bad-canary, line policies/prod.yaml:7 says ask; rules 97% sure"
    )


def test_holds_are_waits_for_data_or_for_what_holds_it(journal: Journal) -> None:
    run = journal.start()
    journal.tell(ev.RunHeld(run=run, cause="no_data", why="no series"))
    journal.tell(ev.RunHeld(run=run, cause="freeze", why="friday"), after=10)
    journal.tell(ev.RunResumed(run=run, why="monday"), after=20)
    kinds = [(w.kind, w.ended_at - w.began_at) for w in journal.told(run).waits]
    assert kinds == [("data", 10.0), ("held", 20.0)]


def test_what_is_still_waited_for_has_no_end_until_the_run_ends(journal: Journal) -> None:
    run = journal.start()
    journal.tell(ev.RunHeld(run=run, cause="freeze", why="friday"))
    assert journal.told(run).waits[0].ended_at == 0.0
    journal.tell(ev.RunEnded(run=run, outcome="held", why="x"))
    assert journal.told(run).waits[0].ended_at == journal.at


def test_stops_of_the_service_are_told_in_the_run_that_they_hit(journal: Journal) -> None:
    first = journal.start()
    second = journal.start()
    journal.start("ledger")
    journal.tell(
        ev.AuthorityChanged(
            service="shop", spool=1, op="pause", command="", by="ana", reason="smoke", epoch=2,
            mode="paused", holder="ana", desired=0, direct=False, at=journal.at,
        ),
        actor="ana",
    )  # fmt: skip
    assert "smoke" in journal.told(second).moments[-1].text
    assert not any("smoke" in moment.text for moment in journal.told(first).moments)


def test_a_stage_has_its_jobs_in_the_groups_that_run_side_by_side(journal: Journal) -> None:
    run = journal.start()
    journal.tell(ev.StageStarted(run=run, stage="checks"))
    for name in ("lint", "types", "pack"):
        journal.tell(ev.JobStarted(run=run, stage="checks", job=name, attempt=1))
    span = journal.told(run).spans[0]
    assert [(job.name, job.group) for job in span.jobs] == [("lint", 0), ("types", 0), ("pack", 1)]
    assert span.jobs[0].status == "running"


def test_a_canary_is_its_deployment_and_its_steps_end_to_end(journal: Journal) -> None:
    run = journal.start()
    journal.tell(ev.StageStarted(run=run, stage="canary"))
    journal.tell(ev.StepEntered(run=run, step=0, weight=5), after=7)
    journal.tell(ev.StepEntered(run=run, step=1, weight=100), after=50)
    journal.tell(ev.StageEnded(run=run, stage="canary", status="passed"), after=3)
    canary = journal.told(run).spans[3:]
    assert [(s.name, s.status, s.ended_at - s.started_at) for s in canary] == [
        ("canary deploy", "passed", 7.0),
        ("canary 5%", "passed", 50.0),
        ("canary 100%", "passed", 3.0),
    ]


def test_the_usual_time_is_the_median_of_this_services_earlier_runs(journal: Journal) -> None:
    journal.checks(journal.start("ledger"), lint=500)
    for lint in (4, 6, 20):
        run = journal.start()
        journal.checks(run, lint)
        journal.tell(ev.RunEnded(run=run, outcome="promoted", why=""))
    run = journal.start()
    told = journal.told(run)
    assert told.usual_of == 3
    assert told.spans[0].usual_s == 7.0  # the job began a second after its stage
    assert told.spans[1].usual_s is None


def test_a_story_among_thousands_of_runs_holds_up_no_stop(journal: Journal, bar: Any) -> None:
    for _ in range(30):
        journal.checks(journal.start())
    journal.state = replace(
        journal.state,
        runs={f"old-{n}": replace(journal.state.runs["1"], id=f"old-{n}", service=f"s{n % 200}") for n in range(5000)}
        | journal.state.runs,
    )  # fmt: skip
    took = []
    for _ in range(5):
        began = time.thread_time()
        assert journal.told("30").usual_of == 20
        took.append((time.thread_time() - began) * 1000)
    bar("the query `run` among 5,000 runs", f"{min(took):.1f} ms", "50 ms")
    assert min(took) < 50


def test_of_very_many_events_the_first_and_the_newest_are_kept_and_the_rest_counted(
    journal: Journal,
) -> None:
    run = journal.start()
    for index in range(1000):
        journal.tell(ev.RunResumed(run=run, why=f"no {index}"))
    told = journal.told(run)
    assert len(told.moments) == chronicles.FIRST + chronicles.NEWEST
    assert told.left_out == 1001 - len(told.moments)
    assert "no 999" in told.moments[-1].text
    assert not told.sealed
    for _ in range(chronicles.RUNS + 5):
        journal.start()
    assert journal.told(run).moments == ()
    assert journal.told(run).sealed


def test_no_story_is_longer_than_a_slow_link_can_carry(journal: Journal) -> None:
    run = journal.start()
    for index in range(1000):
        journal.tell(ev.RunHeld(run=run, cause="freeze", why=f"{index} " + "w" * 60))
    assert len(msgspec.json.encode(journal.told(run))) < 64_000


def test_what_is_not_known_is_said(journal: Journal) -> None:
    with pytest.raises(NotKnown, match="there is no run 'nope"):
        journal.told("nope" * 40)


EVENTS = st.sampled_from(
    [
        ev.StageStarted(run="1", stage="checks"),
        ev.JobStarted(run="1", stage="checks", job="lint", attempt=1),
        ev.JobEnded(run="1", stage="checks", job="lint", attempt=1, status="failed", seconds=1, why="w"),
        ev.StageEnded(run="1", stage="checks", status="passed"),
        ev.StageStarted(run="1", stage="canary"),
        ev.StepEntered(run="1", step=0, weight=5),
        ev.StepEntered(run="1", step=2, weight=100),
        ev.ItemOpened(run="1", item="i", type="approval", capability="promote", step=-1, expires_at=0),
        ev.ItemClosed(run="1", item="i", status="rejected", by="ana"),
        ev.RunHeld(run="1", cause="unsure", why="w"),
        ev.RunResumed(run="1", why="w"),
        ev.RunEnded(run="1", outcome="failed", why="w"),
        ev.Unknown("new.kind"),
    ]
)  # fmt: skip


@given(st.lists(EVENTS, max_size=25))
def test_in_no_order_of_events_does_anything_end_before_it_began(events: list[ev.Event]) -> None:
    journal = Journal()
    journal.start()
    journal.tell(*events)
    told = msgspec.json.decode(msgspec.json.encode(journal.told("1")), type=RunStory)
    spans: list[Any] = [*told.spans, *(job for span in told.spans for job in span.jobs)]
    for span in spans:
        assert not span.ended_at or span.ended_at >= span.started_at > 0
    for wait in told.waits:
        assert not wait.ended_at or wait.ended_at >= wait.began_at
    open_ = [wait for wait in told.waits if not wait.ended_at]
    assert len({wait.about for wait in open_}) <= 2
    assert isinstance(told.spans[0], Span)


# --- why --------------------------------------------------------------------------------------

ERRORS = MetricSpec(
    name="errors", label="errors", kind="counts", source="e", total=SeriesRef("t"),
    events=SeriesRef("x"), judged=True,
)  # fmt: skip


def proof(canary: tuple[int, int], stable: tuple[int, int]) -> bytes:
    config = JudgeConfig(metrics=(ERRORS,), warmup_s=0.0)
    state = new(config)
    for t in range(1, 40):
        look = Look(t=float(t), seconds=1.0, weight=20, samples={"errors": Counts(canary, stable)})
        before = state
        state, verdict = judge(config, before, look, 2.0)
    return sealed(config, before, look, 2.0, state, verdict)


def judged(journal: Journal, run: str, canary: tuple[int, int] = (20, 3)) -> None:
    journal.tell(
        ev.VerdictChanged(
            run=run, step=0, word="REGRESS", action="rollback", headline="errors 20x", evidence=(),
            confidence=0.99, proof=proof(canary, (80, 1)),
        )
    )  # fmt: skip


def test_the_figures_are_those_of_the_newest_journaled_verdict(journal: Journal) -> None:
    run = journal.start()
    judged(journal, run)
    doc = why_of(lambda: journal.state, journal.chronicle, Live())(run)
    doc = msgspec.json.decode(msgspec.json.encode(doc), type=WhyDoc)
    assert (doc.word, doc.seq, doc.same) == ("REGRESS", journal.state.seq, True)
    (metric,) = doc.metrics
    assert metric.compared
    assert metric.canary[0] / metric.stable[0] == pytest.approx(0.25)
    assert doc.e == pytest.approx(metric.share * metric.e)
    assert doc.e >= doc.hold_at
    assert "configured" in metric.measured


def test_what_the_judge_says_now_stands_beside_it(journal: Journal) -> None:
    run, live = journal.start(), Live()
    judged(journal, run)
    watched = live.watch(run)
    watched.word, watched.e, watched.at, watched.forecast_s = "UNSURE", float("inf"), 5000.0, 60.0
    doc = why_of(lambda: journal.state, journal.chronicle, live)(run)
    assert (doc.live_word, doc.live_at, doc.live_forecast_s) == ("UNSURE", 5000.0, 60.0)
    assert msgspec.json.decode(msgspec.json.encode(doc), type=WhyDoc).live_e is not None


def test_without_a_proof_there_are_no_figures_and_that_is_said(journal: Journal) -> None:
    run = journal.start()
    ask = why_of(lambda: journal.state, journal.chronicle, Live())
    with pytest.raises(NotKnown, match="no canary was judged yet"):
        ask(run)
    journal.tell(
        ev.VerdictChanged(
            run=run, step=0, word="PASS", action="none", headline="h", evidence=(), confidence=1,
            proof=b"9 of a version to come",
        )
    )  # fmt: skip
    with pytest.raises(NotKnown, match="a format that this version does not know"):
        ask(run)


def test_a_proof_is_worked_out_once_and_holds_up_no_stop(journal: Journal, bar: Any) -> None:
    run = journal.start()
    judged(journal, run)
    ask = why_of(lambda: journal.state, journal.chronicle, Live())
    began = time.thread_time()
    first = ask(run)
    spent = (time.thread_time() - began) * 1000
    bar("the query `why`, first time", f"{spent:.1f} ms", "50 ms")
    assert ask(run) is first
    assert spent < 50


# --- changes ------------------------------------------------------------------------------------


def test_what_ships_is_told_with_what_going_back_would_meet(journal: Journal) -> None:
    run = journal.start()
    reason = Reason("-", "migrations", "migration 0042 drops the column orders.note")
    files = (
        "web/package-lock.json  +900 -3",
        "migrations/0042.sql  +1 -0",
        ".hatchway.yaml  +1 -1",
    )
    journal.tell(ev.StageStarted(run=run, stage="scan"))
    journal.tell(ev.JobStarted(run=run, stage="scan", job="secrets", attempt=1))
    journal.tell(
        ev.JobEnded(run=run, stage="scan", job="secrets", attempt=1, status="passed", seconds=1, why="", tail=("a", "none found")),
        ev.ReleaseRequested(
            run=run, risk="HIGH", reasons=("HIGH: x",), attention=(), changes=(), files=files,
            undo=Undo("no", (reason,), ("migration 0042 stays applied",)), authors=("Ana <a>",),
        ),
    )  # fmt: skip
    doc = changes(journal.state.runs[run])
    assert doc.safe == "no"
    assert (doc.reasons[0].sign, doc.reasons[0].rule, doc.reasons[0].text) == (
        "-",
        "migrations",
        reason.text,
    )
    assert [(d.kind, d.of) for d in doc.dependencies] == [("lock file", "npm")]
    assert doc.declares
    assert (doc.scans[0].job, doc.scans[0].said) == ("secrets", ("a", "none found"))


def test_before_the_release_request_nobody_has_looked(journal: Journal) -> None:
    run = journal.start()
    doc = changes(journal.state.runs[run])
    assert (doc.requested, doc.safe, doc.has_scans) == (False, "", True)


@pytest.mark.parametrize(
    ("file", "kind", "of"),
    [
        ("uv.lock  +1 -1", "lock file", "Python"),
        ("a/b/requirements-dev.txt  +1 -1", "lock file", "Python"),
        ("go.mod  +1 -1", "manifest", "Go"),
        ("Dockerfile.arm  binary", "manifest", "container image"),
        ("docs/uv.lock.md  +1 -1", None, None),
        ("src/lock.py  +1 -1", None, None),
    ],
)
def test_files_that_name_dependencies_are_known_by_name(
    file: str, kind: str | None, of: str | None
) -> None:
    found = [(d.kind, d.of) for d in dependencies((file,))]
    assert found == ([(kind, of)] if kind else [])


# --- log ------------------------------------------------------------------------------------------


def printed(journal: Journal, jobs: Path, text: bytes) -> str:
    run = journal.start()
    journal.tell(ev.StageStarted(run=run, stage="checks"))
    journal.tell(ev.JobStarted(run=run, stage="checks", job="lint", attempt=1))
    directory = JobDirectory(jobs, job_key(run, "checks", "lint", 1)).path
    directory.mkdir(parents=True)
    (directory / "output").write_bytes(text)
    return run


async def test_a_job_that_has_ended_is_still_read(journal: Journal, tmp_path: Path) -> None:
    run = printed(journal, tmp_path, b"one\ntwo \x1b[31mred\nprogress 1\rprogress 2\n")
    doc = await log_of(lambda: journal.state, tmp_path)(f"{run}/checks/lint")
    assert doc.lines[0] == "one"
    assert "\x1b" not in doc.lines[1]
    assert doc.lines[2] == "progress 2"
    assert (doc.first, doc.running, doc.missing) == (0, True, "")


async def test_of_a_long_log_the_end_is_read_and_its_lines_keep_their_numbers(
    journal: Journal, tmp_path: Path
) -> None:
    run = printed(journal, tmp_path, b"".join(b"line %d of many\n" % n for n in range(100_000)))
    doc = await log_of(lambda: journal.state, tmp_path)(f"{run}/checks/lint")
    assert len(doc.lines) == logs.MOST_LINES
    assert doc.lines == tuple(f"line {doc.first + i} of many" for i in range(logs.MOST_LINES))
    assert doc.first + len(doc.lines) == 100_000
    assert len(msgspec.json.encode(doc)) < 64_000


async def test_one_endless_line_is_no_flood(journal: Journal, tmp_path: Path) -> None:
    run = printed(journal, tmp_path, b"x" * 3_000_000)
    doc = await log_of(lambda: journal.state, tmp_path)(f"{run}/checks/lint")
    assert len(msgspec.json.encode(doc)) < 64_000


@pytest.mark.parametrize(
    "about",
    ["1/checks/../../../etc/passwd", "1/../lint", "../1/checks/lint", "1/checks/pack", "1", "", "1//",
     "1/checks/lint/", "1/checks/lint\0"],
)  # fmt: skip
async def test_only_a_job_that_the_run_has_is_looked_for(
    journal: Journal, tmp_path: Path, about: str
) -> None:
    printed(journal, tmp_path, b"secret")
    with pytest.raises(NotKnown):
        await log_of(lambda: journal.state, tmp_path)(about)


async def test_what_is_not_kept_is_said(journal: Journal, tmp_path: Path) -> None:
    run = journal.start()
    journal.tell(ev.StageStarted(run=run, stage="checks"))
    journal.tell(ev.JobStarted(run=run, stage="checks", job="lint", attempt=1))
    doc = await log_of(lambda: journal.state, tmp_path)(f"{run}/checks/lint")
    assert doc.missing == "nothing is kept of what it printed"


async def test_a_disk_that_hangs_is_said_and_holds_up_nothing(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hangs = threading.Event()
    run = printed(journal, tmp_path, b"one\n")
    monkeypatch.setattr(logs, "WITHIN_S", 0.05)
    real = logs._lines
    monkeypatch.setattr(logs, "_lines", lambda job, bare: (hangs.wait(20), real(job, bare))[1])
    read = log_of(lambda: journal.state, tmp_path)
    before = threading.active_count()
    for _ in range(5):  # and no thread for each that asks
        with pytest.raises(NotKnown, match="disk"):
            await read(f"{run}/checks/lint")
        assert threading.active_count() <= before + 1
    hangs.set()
    for _ in range(200):
        try:
            assert (await read(f"{run}/checks/lint")).lines == ("one",)
            break
        except NotKnown:
            await asyncio.sleep(0.02)
    else:
        pytest.fail("it was never read again")
