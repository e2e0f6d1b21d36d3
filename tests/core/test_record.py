"""The agent's track record: counts that add up, and nothing that is not known counted as right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import PipelinePlan
from hatchway.core.record import KEPT, Label, TrackRecord, label, of_run, strip
from hatchway.core.state import State

PLAN = PipelinePlan("shop", "shop", "prod", (), "plan")
AGENT = ev.By("agent", "agent")


def start(run: str = "1", service: str = "shop") -> ev.RunStarted:
    return ev.RunStarted(
        run=run, service=service, environment="prod", mode="act", pace=1.0, commit="c1", base="c0",
        from_version="1", to_version="2", plan=PLAN, policy_digest="",
    )  # fmt: skip


def wish(
    capability: ev.Capability, number: int = 1, run: str = "1", answer: ev.Answer = "auto",
    brain: str = "rules-1",
) -> ev.ProposalMade:  # fmt: skip
    return ev.ProposalMade(
        run=run, proposal=f"run-{run}.proposal.{number}", capability=capability, step=0, epoch=1,
        brain=brain, confidence=0.9, headline="h", evidence=(), digest="", answer=answer, rule="r",
        why="w",
    )  # fmt: skip


def to_share(weight: int, key: str = "k", run: str = "1") -> ev.EffectIntended:
    return ev.EffectIntended(run=run, key=key, step=0, weight=weight, epoch=1, by=AGENT, reason="r")


def question(capability: ev.Capability, run: str = "1", number: int = 1) -> ev.ItemOpened:
    return ev.ItemOpened(
        run=run, item=f"run-{run}.proposal.{number}.item", type="recommendation",
        capability=capability, step=0, expires_at=9e9,
    )  # fmt: skip


def answered(status: str, run: str = "1", number: int = 1) -> ev.ItemClosed:
    item = f"run-{run}.proposal.{number}.item"
    return ev.ItemClosed(run=run, item=item, status=status, by="ana")  # type: ignore[arg-type]


def ended(outcome: ev.Outcome, run: str = "1") -> ev.RunEnded:
    return ev.RunEnded(run=run, outcome=outcome, why="")


def regress(run: str = "1") -> ev.VerdictChanged:
    return ev.VerdictChanged(
        run=run, step=0, word="REGRESS", action="rollback", headline="h", evidence=(),
        confidence=0.9, symptoms=(ev.Symptom("errors", 0.5, 6.0),),
    )  # fmt: skip


def pressed(op: str = "rollback", service: str = "shop") -> ev.AuthorityChanged:
    return ev.AuthorityChanged(
        service=service, spool=1, op=op, command="", by="ana", reason="", epoch=2, mode="paused",
        holder="ana", desired=0, direct=False, at=1.0,
    )  # fmt: skip


CONFIRMED = ev.RollbackConfirmed(run="1", seen=("weight 0",))
WORSE = ev.BreakerOpened(service="shop", run="1", why="errors are worse")


def labels(events: Sequence[ev.Event]) -> list[Label]:
    record = of_run(enumerate(events, 1))
    return [label(t, d) for t in record.trials.values() for d in t.decisions]


@pytest.mark.parametrize(
    ("what", "events", "said"),
    [
        ("nothing came of it yet", [wish("promote")], "unknown"),
        ("it was promoted and stands", [wish("promote"), ended("promoted")], "right"),
        ("going back came after it", [wish("promote"), to_share(0), ended("rolled_back")], "wrong"),
        ("going back came before it", [to_share(0), wish("promote"), ended("promoted")], "right"),
        ("a person pressed roll back", [wish("promote"), pressed()], "wrong"),
        ("a person only paused", [wish("promote"), pressed("pause")], "unknown"),
        ("it ended held", [wish("promote"), ended("held")], "unknown"),
        (
            "the agent gave it to everybody, and it was taken back",
            [wish("promote"), ended("promoted"), pressed()],
            "harmful",
        ),
        (
            "people gave it to everybody, and it was taken back",
            [wish("promote", answer="ask"), ended("promoted"), pressed()],
            "wrong",
        ),
        ("rolled back, not seen to be done", [regress(), wish("rollback"), to_share(0)], "unknown"),
        ("seen to be done, the symptom gone", [regress(), wish("rollback"), CONFIRMED], "right"),
        ("seen to be done, of no symptom", [wish("rollback"), CONFIRMED], "unknown"),
        (
            "a person said no",
            [regress(), wish("rollback"), question("rollback"), answered("rejected")],
            "wrong",
        ),
        (
            "a person clicked accept, which is no label",
            [regress(), wish("rollback"), question("rollback"), answered("accepted")],
            "unknown",
        ),
        ("it was worse after it", [regress(), wish("rollback"), CONFIRMED, WORSE], "harmful"),
        ("it moves no traffic", [wish("hold"), ended("promoted")], "unknown"),
    ],
)
def test_a_label_comes_from_what_happened(what: str, events: list[ev.Event], said: str) -> None:
    assert labels([start(), *events]) == [said], what


REVIEWS = [
    ([wish("promote"), ended("held")], "right", "right"),
    ([wish("promote"), ended("held")], "wrong", "wrong"),
    ([wish("promote"), ended("promoted")], "harmful", "harmful"),
    ([wish("promote"), to_share(0), ended("rolled_back")], "right", "wrong"),
    ([regress(), wish("rollback"), CONFIRMED], "wrong", "wrong"),
    ([regress(), wish("rollback"), CONFIRMED, WORSE], "right", "harmful"),
    ([wish("promote"), ended("promoted")], "", "right"),
    ([wish("hold"), ended("held")], "right", "unknown"),
]


@pytest.mark.parametrize(("events", "verdict", "said"), REVIEWS)
def test_a_review_settles_what_is_not_known_and_makes_nothing_better(
    events: list[ev.Event], verdict: ev.Verdict, said: str
) -> None:
    review = ev.RunReviewed(run="1", by="luis", reason="looked", verdict=verdict)
    assert labels([start(), *events, review]) == [said]


def test_a_review_is_about_the_last_decision_that_moves_traffic() -> None:
    told = [start(), wish("promote"), wish("rollback", 2), wish("hold", 3), ended("held")]
    review = ev.RunReviewed(run="1", by="luis", reason="looked", verdict="right")
    assert labels([*told, review]) == ["unknown", "right", "unknown"]


def test_only_the_last_of_several_steps_to_everybody_is_harmful() -> None:
    steps = [start(), wish("promote", 1), wish("promote", 2), ended("promoted"), pressed()]
    assert labels(steps) == ["wrong", "harmful"]


def test_the_services_next_run_is_what_a_rollback_is_about() -> None:
    told = [start(), wish("promote"), ended("promoted"), start("2"), wish("promote", run="2")]
    assert labels([*told, pressed()]) == ["right", "wrong"]
    assert labels([*told, pressed(service="other")]) == ["right", "unknown"]


RUNS = st.sampled_from(["1", "2", "3"])
MADE: st.SearchStrategy[ev.Event] = st.one_of(
    st.builds(start, RUNS, st.sampled_from(["shop", "cart"])),
    st.builds(
        wish, st.sampled_from(["promote", "rollback", "hold"]), st.integers(1, 4), RUNS,
        st.sampled_from(["auto", "ask", "deny"]), st.sampled_from(["rules-1", "rules-2"]),
    ),
    st.builds(to_share, st.sampled_from([0, 5]), st.sampled_from(["a", "b"]), RUNS),
    st.builds(
        lambda key, run: ev.EffectVerified(run=run, key=key, observed=0),
        st.sampled_from(["a", "b"]), RUNS,
    ),
    st.builds(question, st.sampled_from(["promote", "rollback"]), RUNS, st.integers(1, 4)),
    st.builds(answered, st.sampled_from(["accepted", "rejected"]), RUNS, st.integers(1, 4)),
    st.builds(ended, st.sampled_from(["promoted", "rolled_back", "held"]), RUNS),
    st.builds(regress, RUNS),
    st.builds(pressed, st.sampled_from(["rollback", "pause"]), st.sampled_from(["shop", "cart"])),
    st.builds(
        lambda run, said: ev.RunReviewed(run=run, by="luis", reason="w", verdict=said),
        RUNS, st.sampled_from(["", "right", "wrong", "harmful"]),
    ),
    st.builds(lambda run: ev.RollbackConfirmed(run=run, seen=()), RUNS),
    st.builds(lambda run: ev.BreakerOpened(service="shop", run=run, why=""), RUNS),
)  # fmt: skip


@given(st.lists(MADE, max_size=40))
def test_the_counts_add_up_whatever_happened(events: list[ev.Event]) -> None:
    record = of_run(enumerate(events, 1))
    counted: Counter[tuple[str, str, str]] = Counter()
    for trial in record.trials.values():
        for decision in trial.decisions:
            counted[decision.capability, decision.brain, label(trial, decision)] += 1
    for score in record.scores.values():
        for word in ("right", "wrong", "harmful", "unknown"):
            assert getattr(score, word) == counted.pop((score.capability, score.brain, word), 0)
        assert score.decided == score.auto + score.ask + score.deny
        assert 0 <= score.going <= score.unknown
        assert len(strip(record, score)) == min(score.decided, KEPT)
    assert not counted


@given(st.lists(MADE, max_size=40))
def test_what_is_not_known_is_never_right(events: list[ev.Event]) -> None:
    record = of_run(enumerate(events, 1))
    for trial in record.trials.values():
        for decision in trial.decisions:
            if label(trial, decision) == "right":
                promoted = decision.capability == "promote" and trial.outcome == "promoted"
                gone = decision.capability == "rollback" and trial.confirmed and trial.symptom
                assert promoted or gone or trial.verdict == "right"
                assert not (decision.capability == "rollback" and trial.said_no)


@given(st.lists(MADE, max_size=30))
def test_a_yes_of_somebody_changes_no_label(events: list[ev.Event]) -> None:
    accepted = [e for e in events if isinstance(e, ev.ItemClosed) and e.status == "accepted"]
    without = [(n, e) for n, e in enumerate(events, 1) if e not in accepted]
    assert of_run(without).scores == of_run(enumerate(events, 1)).scores


@given(st.lists(MADE, max_size=20))
def test_a_sealed_journal_keeps_the_record(events: list[ev.Event]) -> None:
    state = State()
    for seq, event in enumerate(events, 1):
        state = evolve(state, event, seq=seq, at=1.0, idem="")
    assert state.record == of_run(enumerate(events, 1))
    kept = msgspec.json.decode(msgspec.json.encode(state.record), type=TrackRecord)
    assert kept == state.record


def test_folding_takes_no_more_than_its_part_of_a_replay(
    bar: Callable[[str, str, str], None],
) -> None:
    """In the same run: the state with the record, and the record alone."""
    events: list[ev.Event] = []
    for run in map(str, range(100)):
        events += [start(run), *(wish("promote", n, run) for n in range(3)), ended("promoted", run)]
        events += [ev.JobStarted(run=run, stage="s", job="j", attempt=n) for n in range(10)]

    def seconds(work: Callable[[], object]) -> float:
        spent = []
        for _ in range(9):
            began = time.process_time()
            work()
            spent.append(time.process_time() - began)
        return min(spent)

    def whole() -> None:
        state = State()
        for seq, event in enumerate(events, 1):
            state = evolve(state, event, seq=seq, at=1.0, idem="")

    share = seconds(lambda: of_run(enumerate(events, 1))) / seconds(whole)
    bar("the track record's share of a replay", f"{share:.0%}", "80 %")
    assert share <= 0.8
