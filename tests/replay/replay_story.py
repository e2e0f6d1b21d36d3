"""Journals with runs in them, as a backend writes them, for the replays of the tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from hatchway.core import events as ev
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
from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START
from hatchway.journal.port import Draft, Record
from hatchway.journal.sqlite_file import INSERT, open_writer, to_row
from hatchway.judge import JudgeConfig, judge, new, raised
from hatchway.judge.look import Counts, Look
from hatchway.judge.proof import sealed

BEGAN = 1_790_000_000.0
REF = SeriesRef("requests_total")
ERRORS = MetricSpec(
    name="errors", label="errors", unit="%", kind="counts", source="edge", total=REF, events=REF,
    shown_as="percent", limit=2.0, plot=True,
)  # fmt: skip


def proof(seconds: int, canary: tuple[int, int], stable: tuple[int, int]) -> tuple[bytes, str]:
    """Of a verdict after `seconds` looks of one second, with (requests, errors) in each; its word."""
    config = JudgeConfig(metrics=(ERRORS,))
    state = raised(new(config), BEGAN, 5)
    for n in range(1, seconds + 1):
        before, samples = state, {"errors": Counts(canary, stable)}
        look = Look(t=BEGAN + n, seconds=1.0, weight=5, samples=samples)
        state, verdict = judge(config, before, look, 2.0)
    return sealed(config, before, look, 2.0, state, verdict), verdict.word


PROOF, WORD = proof(40, (40, 8), (400, 4))


def plan(service: str = "shop") -> PipelinePlan:
    checks = CommandStage(
        "checks", "checks", ((JobPlan("lint", "true"), JobPlan("types", "true")),)
    )
    steps = (CanaryStep(5, 600), CanaryStep(25, 600), CanaryStep(100, 600))
    canary = CanaryStage("canary", ((JobPlan("deploy", "true"),),), steps)
    return PipelinePlan("release", service, "prod", (checks, ReleaseStage("release"), canary))


def started(run: str, service: str) -> ev.RunStarted:
    return ev.RunStarted(
        run=run, service=service, environment="prod", mode="act", pace=1.0, commit=f"c{run}" * 8,
        base="b" * 40, from_version="1.0", to_version="1.1", plan=plan(service),
        policy_digest="d" * 64,
    )  # fmt: skip


def verdict(run: str, step: int, word: str, headline: str, proof: bytes = b"") -> ev.VerdictChanged:
    text = "errors 8 of 40 on canary against 4 of 400 on stable"
    evidence = (ev.Evidence("E1", "-", text, "edge", BEGAN),)
    return ev.VerdictChanged(
        run=run, step=step, word=word, action="none", headline=headline, evidence=evidence,
        confidence=0.9, proof=proof,
    )  # type: ignore[arg-type]  # fmt: skip


def proposal(run: str, step: int, capability: str, answer: str) -> ev.ProposalMade:
    return ev.ProposalMade(
        run=run, proposal=f"{run}.{step}.{capability}", capability=capability, step=step, epoch=1,
        brain="rules", confidence=0.9, headline="as the judge says", evidence=(), digest="e" * 64,
        answer=answer, rule="r1", why="the policy says so", proof=PROOF,
    )  # type: ignore[arg-type]  # fmt: skip


def authority(
    service: str, spool: int, op: str, epoch: int, by: str = "ana"
) -> ev.AuthorityChanged:
    mode = "agent" if op == "release" else "person" if op == "takeover" else "paused"
    return ev.AuthorityChanged(
        service=service, spool=spool, op=op, command=f"{service}.{spool}", by=by, reason="a look",
        epoch=epoch, mode=mode, holder="" if mode == "agent" else by, desired=5, direct=False,
        at=BEGAN + spool,
    )  # type: ignore[arg-type]  # fmt: skip


def to_canary(run: str, service: str) -> Iterator[ev.Event]:
    """From the start of a run to its first share of the traffic."""
    yield started(run, service)
    yield ev.StageStarted(run=run, stage="checks")
    for job in ("lint", "types"):
        yield ev.JobStarted(run=run, stage="checks", job=job, attempt=1)
        tail = (f"{job}: all is well",)
        yield ev.JobEnded(run=run, stage="checks", job=job, attempt=1, status="passed", seconds=1.0, why="", exit_code=0, tail=tail)  # fmt: skip
    yield ev.StageEnded(run=run, stage="checks", status="passed")
    yield ev.StageStarted(run=run, stage="release")
    change = ev.Change("c" * 40, "bob", "Faster checkout")
    yield ev.ReleaseRequested(run=run, risk="MEDIUM", reasons=("it touches money",), attention=(), changes=(change,), files=("pay.py  +1 -1",))  # fmt: skip
    yield ev.ItemOpened(run=run, item=f"{run}.approval.1", type="approval", capability="promote", step=-1, expires_at=BEGAN + 9000, binding={"stage": "release"})  # fmt: skip
    yield ev.ItemClosed(run=run, item=f"{run}.approval.1", status="accepted", by="ana")
    yield ev.StageEnded(run=run, stage="release", status="passed")
    yield ev.StageStarted(run=run, stage="canary")
    yield ev.CapsuleArmed(run=run, checksum="f" * 64)
    yield from raised_to(run, 0, 5)


def raised_to(run: str, step: int, weight: int) -> Iterator[ev.Event]:
    agent = ev.By("agent", "agent")
    yield ev.EffectIntended(run=run, key=f"{run}.{step}", step=step, weight=weight, epoch=1, by=agent, reason="the next step")  # fmt: skip
    yield ev.EffectVerified(run=run, key=f"{run}.{step}", observed=weight)
    yield ev.StepEntered(run=run, step=step, weight=weight)


def promoted(run: str, service: str) -> Iterator[ev.Event]:
    """A run that went well."""
    yield from to_canary(run, service)
    for step, weight in ((1, 25), (2, 100)):
        yield verdict(run, step - 1, "PASS", "no difference is seen", PROOF)
        yield proposal(run, step - 1, "promote", "auto")
        yield from raised_to(run, step, weight)
    yield ev.RunEnded(run=run, outcome="promoted", why="all steps passed")


def rolled_back(run: str, service: str, spool: int) -> Iterator[ev.Event]:
    """A run that the agent took back, after a person had paused and given back."""
    yield from to_canary(run, service)
    yield verdict(run, 0, "UNSURE", "too little traffic to tell", PROOF)
    yield authority(service, spool, "pause", spool)
    yield ev.RunHeld(run=run, cause="unsure", why="nobody is sure")
    yield authority(service, spool + 1, "release", spool + 1)
    yield ev.RunResumed(run=run, why="given back")
    yield verdict(run, 0, "REGRESS", "errors are worse on the canary", PROOF)
    yield proposal(run, 0, "rollback", "auto")
    agent = ev.By("agent", "agent")
    yield ev.EffectIntended(run=run, key=f"{run}.back", step=0, weight=0, epoch=1, by=agent, reason="errors")  # fmt: skip
    yield ev.EffectVerified(run=run, key=f"{run}.back", observed=0)
    yield ev.RunEnded(run=run, outcome="rolled_back", why="errors are worse on the canary")
    yield ev.ResidueFound(run=run, left=("one pod is still there",))
    yield ev.RollbackConfirmed(run=run, seen=("the traffic is back",))


def story() -> list[ev.Event]:
    """Three runs of two services; run 2 is the one to look at."""
    others = list(promoted("3", "ledger"))
    mine = list(rolled_back("2", "shop", 1))
    mixed = [event for pair in zip(mine, others, strict=False) for event in pair]
    return [*promoted("1", "shop"), *mixed, *mine[len(others) :], *others[len(mine) :]]


def records(events: Iterable[ev.Event], every_s: float = 1.0) -> Iterator[Record]:
    """The events in a journal, one every so many seconds."""
    head, versions = START, dict[str, int]()
    for n, event in enumerate(events, 1):
        stream = ev.stream_of(event)
        draft = Draft(stream=stream, kind=ev.kind_of(event), actor="agent", payload=ev.encode(event))  # fmt: skip
        (record,) = seal_batch([draft], None, head, BEGAN + n * every_s, lambda s: versions.get(s, 0), lambda _: 0)  # fmt: skip
        versions[stream] = record.version
        head = record.seq, record.hash
        yield record


def write(path: Path, events: Iterable[ev.Event]) -> int:
    """A journal.db; how many records it has."""
    count = 0
    with closing(open_writer(path, create=True)) as conn:
        conn.execute("BEGIN")
        for record in records(events):
            conn.execute(INSERT, to_row(record))
            count += 1
        conn.execute("COMMIT")
    return count
