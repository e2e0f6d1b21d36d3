"""Drills of the stops: not run is not passed, unknown is overdue, overdue takes autonomy away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import events as ev
from hatchway.core.drills import (
    NEEDED_FAULTS,
    OFF,
    STOPS,
    Cell,
    Drill,
    Evidence,
    answer_as_drilled,
    as_drill,
    last_passed,
    mode_as_drilled,
    newest,
    overdue,
    why_not_passed,
    with_drill,
)
from hatchway.core.evolve import evolve
from hatchway.core.policy import PolicyAnswer
from hatchway.core.state import State

DAY = 86400.0
EVERY = 30 * DAY


def cells(status: str = "passed", **changed: str) -> tuple[Cell, ...]:
    return tuple(
        Cell(fault=f, stop=s, status=changed.get(f"{f}/{s}", status))  # type: ignore[arg-type]
        for f in NEEDED_FAULTS
        for s in STOPS
    )


def evidence(**changes: object) -> Evidence:
    known: dict[str, object] = {
        "drill": "d1", "environment": "staging", "service": "shop", "began": 1.0, "ended": 9.0,
        "cells": cells(),
    }  # fmt: skip
    return Evidence(**{**known, **changes})  # type: ignore[arg-type]


def drill(
    at: float, *, passed: bool = True, scratch: bool = False, where: str = "staging"
) -> Drill:
    return Drill("d", where, at, "ana", scratch, passed)


def test_every_cell_passed_is_passed() -> None:
    assert why_not_passed(evidence()) == ()


@pytest.mark.parametrize("left_out", [f"{f}/{s}" for f in NEEDED_FAULTS for s in STOPS])
@pytest.mark.parametrize("status", ["failed", "not_run"])
def test_one_cell_that_failed_or_was_not_run_is_not_passed(left_out: str, status: str) -> None:
    fault, stop = left_out.split("/")
    (why,) = why_not_passed(evidence(cells=cells(**{left_out: status})))
    assert fault in why
    assert stop in why
    without = tuple(c for c in cells() if f"{c.fault}/{c.stop}" != left_out)
    assert why_not_passed(evidence(cells=without)) != ()


def test_a_drill_that_was_cut_off_has_not_passed_and_says_what_it_left() -> None:
    (why,) = why_not_passed(evidence(ended=0.0, left="shop is paused"))
    assert why == "it was cut off: shop is paused"


def test_without_a_drill_one_is_overdue_unless_switched_off() -> None:
    assert "has ever passed" in overdue({}, EVERY, 0.0)
    assert overdue({}, OFF, 0.0) == ""


def test_a_drill_counts_for_as_long_as_the_setting_says() -> None:
    known = with_drill({}, drill(100.0))
    assert overdue(known, EVERY, 100.0 + EVERY) == ""
    assert "31 days ago" in overdue(known, EVERY, 100.0 + 31 * DAY)
    assert "future" in overdue(known, EVERY, 99.0), "a clock that is not right proves nothing"


def test_a_failed_drill_or_one_of_a_scratch_demo_does_not_count() -> None:
    known = with_drill({}, drill(100.0, passed=False))
    known = with_drill(known, drill(100.0, scratch=True, where="demo"))
    assert "has ever passed" in overdue(known, EVERY, 101.0)
    known = with_drill(known, drill(50.0))
    assert overdue(known, EVERY, 101.0) == "", "a later one that failed takes nothing away"
    assert [d.passed for d in newest(known)] == [True, False], "but it is the one that is shown"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans(), st.booleans(), st.sampled_from("ab"))))
def test_what_is_kept_is_enough_to_tell_the_newest_that_passed(
    seen: list[tuple[float, bool, bool, str]],
) -> None:
    known: dict[str, Drill] = {}
    every = [drill(at, passed=p, scratch=s, where=w) for at, p, s, w in seen]
    for one in every:
        known = with_drill(known, one)
    mine, all_of_them = last_passed(known.values()), last_passed(every)
    assert (mine and mine.at) == (all_of_them and all_of_them.at)


def test_act_counts_as_recommend_while_a_drill_is_due_and_the_reason_is_the_drill() -> None:
    def policy(mode: str) -> PolicyAnswer:
        word = "auto" if mode == "act" else "ask"
        return PolicyAnswer(word, "prod.rollback", "as the policy says")  # type: ignore[arg-type]

    assert mode_as_drilled("act", "") == "act"
    assert mode_as_drilled("act", "too old") == "recommend"
    assert answer_as_drilled(policy, "act", "").answer == "auto"
    said = answer_as_drilled(policy, "act", "too old")
    assert (said.answer, said.why) == ("ask", "act counts as recommend: too old")
    assert answer_as_drilled(policy, "recommend", "too old").why == "as the policy says"


def test_the_journal_keeps_a_drill_and_the_state_knows_it() -> None:
    event = ev.DrillRecorded(evidence=evidence(), digest="abc")
    read = ev.decode(ev.kind_of(event), ev.encode(event))
    assert read == event
    state = evolve(State(), event, seq=1, at=20.0, idem="one")
    (known,) = state.drills.values()
    assert (known.at, known.passed) == (9.0, True)
    assert state.answers["one"].what == "drill"


def test_evidence_that_claims_to_be_newer_than_its_record_is_as_old_as_the_record() -> None:
    assert as_drill(evidence(ended=1e9), now=20.0).at == 20.0
