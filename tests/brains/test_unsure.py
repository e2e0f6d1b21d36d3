"""What is said when nothing is certain, whichever brain there is."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.brains.port import Sight, Situation, Wish
from hatchway.brains.rules import wishes
from hatchway.brains.unsure import doubts, held_because, owed, unsaid
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.monitoring import Action, Word, at_most_s
from hatchway.core.plan import CanaryStage, CanaryStep, PipelinePlan
from hatchway.core.state import Run, State

STEPS = (CanaryStep(5, 100.0), CanaryStep(100, 100.0))


def run(step: int = 0) -> Run:
    plan = PipelinePlan("shop", "shop", "prod", (CanaryStage("canary", (), STEPS),))
    given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
    started = ev.RunStarted(
        run="1", service="shop", environment="prod", mode="act", pace=1.0, plan=plan,
        policy_digest="", **given,
    )  # fmt: skip
    state = evolve(State(), started, seq=1, at=0.0, idem="")
    entered = ev.StepEntered(run="1", step=step, weight=5)
    return evolve(state, entered, seq=2, at=0.0, idem="").runs["1"]


def situation(
    word: str = "UNSURE",
    action: str = "none",
    at: float = 120.0,
    *,
    step: CanaryStep = STEPS[0],
    index: int = 0,
    **more: Any,
) -> Situation:
    given = {"forecast_s": None, "requests": 0, "stable_healthy": True, **more}
    sight = Sight(
        word=word,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        headline="too little to tell yet",
        evidence=(ev.Evidence("E1", "?", "errors 2 of 122", "edge", 1.0),),
        confidence=0.6,
        blind_for_s=0.0,
        **given,
    )
    return Situation(
        topic="canary", run=run(index), now=9.0, sight=sight, step=step, monitored_s=at
    )


def capabilities(said: tuple[Wish, ...]) -> list[str]:
    return [wish.capability for wish in said]


@given(
    st.sampled_from(get_args(Word)),
    st.sampled_from(get_args(Action)),
    st.sampled_from(["early", "timed"]),
    st.sampled_from(["extend", "ask", "hold"]),
    st.sampled_from([(5, 0), (100, 5), (100, 0)]),
    st.none() | st.floats(101, 2000),
    st.floats(0, 5000),
)
def test_after_the_longest_time_it_is_held_and_somebody_is_paged_with_any_brain(
    word: str,
    action: str,
    advance: Any,
    on_unsure: Any,
    weight: tuple[int, int],
    at_most: float | None,
    more: float,
) -> None:
    step = CanaryStep(
        weight[0], 100.0, weight[1], advance=advance, on_unsure=on_unsure, at_most_s=at_most
    )
    late = situation(word, action, at_most_s(step) + more, step=step)
    for said in ((), wishes(late)):
        spoken = capabilities((*said, *unsaid(said, late)))
        assert {"hold", "page"} <= set(spoken)
        assert len(spoken) == len(set(spoken))
        asked = word in ("PASS", "UNSURE") and action == "none"
        assert ("promote" in spoken) is asked, "a person can go on unless something speaks against"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (situation(step=CanaryStep(5, 100.0, on_unsure="ask")), ["promote"]),
        (situation(step=CanaryStep(5, 100.0, on_unsure="hold")), ["hold", "page", "promote"]),
        (situation(step=CanaryStep(5, 100.0, on_unsure="ask"), at=99.0), []),
        (situation(step=CanaryStep(100, 100.0)), ["hold", "page", "promote"]),
        (situation("PASS", step=CanaryStep(100, 100.0)), ["hold", "page", "promote"]),
        (situation("NO_DATA", "hold", step=CanaryStep(100, 100.0)), ["hold", "page"]),
        (situation("UNSURE", "hold", step=CanaryStep(100, 100.0)), ["hold", "page"]),
        (situation(stable_healthy=False, at=500.0), ["hold", "page"]),
        (situation(), []),
        (situation("PASS"), []),
        (situation("REGRESS", "rollback"), []),
        (Situation(topic="failed", run=run(), now=1.0), []),
    ],
)
def test_what_is_owed(what: Situation, said: list[str]) -> None:
    assert capabilities(owed(what)) == said


def test_a_pass_that_comes_early_is_promoted_early() -> None:
    early = CanaryStep(5, 100.0, advance="early")
    assert capabilities(wishes(situation("PASS", at=1.0, step=early))) == ["promote"]
    assert capabilities(wishes(situation("UNSURE", at=1.0, step=early))) == []
    assert capabilities(wishes(situation("PASS", at=1.0))) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"requests": 1220, "forecast_s": 3780.0},
            "NOT SURE: 1,220 of about 40,000 requests on canary, enough data in about 63 min",
        ),
        ({"forecast_s": 3780.0}, "NOT SURE: enough data in about 63 min"),
        (
            {"requests": 122},
            "NOT SURE: 122 requests on canary in 2 min; "
            "how many it takes cannot be told at this traffic",
        ),
        ({"requests": 7, "forecast_s": 12.0}, "NOT SURE: 7 of about 8 requests on canary, "),
    ],
)
def test_the_first_line_says_that_it_is_not_sure_with_n_of_n_and_the_time_left(
    more: dict[str, Any], says: str
) -> None:
    line = doubts(situation(**more))
    assert line is not None
    assert (line.id, line.sign) == ("E0", "?")
    assert line.text.startswith(says)


def test_why_it_is_held_is_said_as_it_is() -> None:
    assert held_because(situation(at=300.0)) == "not sure after 5 min: too little to tell yet"
    assert held_because(situation("PASS", at=300.0)).startswith(
        "PASS, but the longest time for this step, 5 min, is over"
    )
    alone = situation(step=STEPS[1], index=1)
    assert held_because(alone).startswith("without hold_back only a person can finish")
    assert owed(alone)[-1].headline == "finish without a comparison?"
    assert held_because(situation("NO_DATA", "hold")) == "too little to tell yet"
    asking = situation(step=CanaryStep(5, 100.0, on_unsure="ask"))
    assert owed(asking)[-1].headline == "go on to 100% all the same?"
