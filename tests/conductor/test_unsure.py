"""A step that is not sure: a person is asked, or it is held, as its options say; nothing guesses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.brains.port import Sight, Situation, Wish
from hatchway.conductor.proposals import digest, nonsense, propose
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.facts import Facts
from hatchway.core.monitoring import Action, Word
from hatchway.core.plan import CanaryStage, CanaryStep, PipelinePlan
from hatchway.core.policy import EnvironmentPolicy, Policy, Rule
from hatchway.core.state import State

LAX = Policy(
    1,
    {
        "prod": EnvironmentPolicy(
            "act",
            {"promote": Rule("auto"), "rollback": Rule("auto"), "open_release": Rule("auto")},
        )
    },
)
ASKING = CanaryStep(5, 0.01, on_unsure="ask", at_most_s=3600.0)
LAST = CanaryStep(100, 0.01, hold_back=5, at_most_s=3600.0)
ALONE = CanaryStep(100, 0.01)


@pytest.fixture
def stepped(houses: Callable[..., Any]) -> Callable[..., Any]:
    """A house whose canary has these steps, at its first share."""

    async def make(*steps: CanaryStep, mode: str = "act", brain: Any = None, **more: Any) -> Any:
        house = houses(**more)
        plan = house.plans["shop"]
        canary = msgspec.structs.replace(plan.stages[2], steps=steps)
        house.plans["shop"] = msgspec.structs.replace(plan, stages=(*plan.stages[:2], canary))
        if brain is not None:
            house.brain = brain
        await house.start()
        return await house.to_canary(mode=mode)

    return make


async def looking(house: Any, until: Callable[[], Any], word: str, action: str = "none") -> Any:
    """The judge looks at whatever step it is, and says the same, until something is true."""
    for _ in range(4000):
        if found := until():
            return found
        if house.run.active and 0 <= house.run.step < len(house.run.canary.steps):
            await house.look(word, action)
        if found := until():
            return found
        await house.still(0.005)
    raise AssertionError(f"never true while {word}: {house.run}")


def said(house: Any) -> list[tuple[str, str]]:
    return [(e.capability, e.answer) for e in house.of(ev.ProposalMade) if e.step >= 0]


# --- advance ---------------------------------------------------------------------------------------


async def test_early_goes_on_at_pass_and_timed_does_not(stepped: Any) -> None:
    long = CanaryStep(5, 3000.0, advance="early")
    house = await stepped(long, LAST)
    await house.look("UNSURE")
    await house.still()
    assert house.run.step == 0, "early is not before PASS"
    await looking(house, lambda: house.run.step == 1, "PASS")
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"
    house = await stepped(CanaryStep(5, 3000.0), LAST)
    for _ in range(3):
        await house.look("PASS")
    await house.still()
    assert house.run.step == 0


async def test_no_brain_shortens_a_timed_step(stepped: Any) -> None:
    house = await stepped(CanaryStep(5, 3000.0), LAST, brain=Eager(), policy=LAX)
    for word in ("PASS", "UNSURE"):
        await house.look(word)
    await house.still()
    assert house.run.step == 0
    assert not [e for e in house.of(ev.ProposalMade) if e.capability == "promote"]


# --- ask -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["act", "recommend"])
async def test_not_sure_is_a_question_with_its_doubts_and_a_yes_goes_on(
    stepped: Any, mode: str
) -> None:
    house = await stepped(ASKING, LAST, mode=mode, policy=LAX)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    assert house.run.hold is None, "it goes on watching"
    assert item.lines[0].startswith("NOT SURE: ")
    assert item.confidence is None
    made = house.of(ev.ProposalMade)[-1]
    assert (made.answer, item.binding["verdict"]) == ("ask", "UNSURE")
    assert item.binding["evidence"] == made.digest == digest(made.evidence)
    for _ in range(5):
        await house.look("UNSURE")
    await house.still()
    assert house.run.step == 0, "asking does nothing by itself"
    assert said(house).count(("promote", "ask")) == 1
    await house.ask("accept", by="luis", item=item.id)
    await house.until(lambda: house.run.step == 1, "the next share")
    assert house.of(ev.EffectIntended)[-1].by == ev.By("person", "luis")


async def test_a_pass_that_comes_later_takes_the_question_back_and_goes_on(stepped: Any) -> None:
    house = await stepped(ASKING, LAST)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await looking(house, lambda: house.run.step == 1, "PASS")
    assert house.run.items[item.id].status == "superseded"
    assert [e.reason for e in house.of(ev.ItemClosed)][-1] == "the verdict is now PASS"
    assert house.of(ev.EffectIntended)[-1].by.kind == "agent"


async def test_in_recommend_mode_a_later_pass_asks_anew(stepped: Any) -> None:
    house = await stepped(ASKING, LAST, mode="recommend")
    first = await looking(house, lambda: house.open_item("promote"), "UNSURE")

    def second() -> Any:
        item = house.open_item("promote")
        return item if item is not None and item.id != first.id else None

    item = await looking(house, second, "PASS")
    assert house.run.items[first.id].status == "superseded"
    assert item.asked_on == "PASS"
    assert (await house.ask("accept", item=first.id)).code == "closed"


@pytest.mark.parametrize(
    ("word", "action"), [("REGRESS", "rollback"), ("UNSURE", "hold"), ("NO_DATA", "hold")]
)
async def test_anything_worse_takes_the_question_back(stepped: Any, word: str, action: str) -> None:
    house = await stepped(ASKING, LAST)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await house.look(word, action)
    await house.until(lambda: house.run.items[item.id].status == "superseded", "it is taken back")
    answer = await house.ask("accept", item=item.id)
    assert answer.code == "closed"
    if word == "REGRESS":
        assert await house.ended() == "rolled_back"
    else:
        assert house.run.hold is not None
    assert [w for _, w in house.governor.raises] == [5]


async def test_a_no_leaves_it_where_it_is(stepped: Any) -> None:
    house = await stepped(ASKING, LAST)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await house.ask("reject", item=item.id)
    for _ in range(5):
        await house.look("UNSURE")
    await house.still()
    assert house.open_item() is None
    assert house.run.step == 0


async def test_a_question_outlives_the_backend(stepped: Any) -> None:
    house = await stepped(ASKING, LAST)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await house.again()
    assert house.open_item("promote") == item
    await house.ask("accept", item=item.id)
    await house.until(lambda: house.run.step == 1, "the next share")


async def test_who_takes_over_is_asked_and_decides_alone(stepped: Any) -> None:
    house = await stepped(ASKING, LAST)
    before = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await house.ask("takeover", by="luis")
    await house.until(lambda: house.open_item() is None, "control changed hands")
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    assert item.id != before.id
    assert (await house.ask("accept", by="ana", item=item.id)).code == "not_holder"
    await house.ask("accept", by="luis", item=item.id)
    await house.until(lambda: house.run.step == 1, "the next share")


async def test_a_policy_that_denies_promotion_is_not_asked_around(stepped: Any) -> None:
    denies = Policy(
        1,
        {"prod": EnvironmentPolicy("act", {"promote": Rule("deny"), "open_release": Rule("auto")})},
    )
    house = await stepped(ASKING, LAST, policy=denies)
    await looking(house, lambda: ("promote", "deny") in said(house), "UNSURE")
    await house.still()
    assert house.open_item() is None


# --- hold, extend, at_most -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        CanaryStep(5, 0.01, on_unsure="hold", at_most_s=3600.0),
        CanaryStep(5, 0.01, extends=1, at_most_s=3600.0),
        CanaryStep(5, 0.01, on_unsure="ask", at_most_s=0.02),
    ],
    ids=["hold", "extend", "ask"],
)
async def test_when_patience_is_over_it_is_held_somebody_is_paged_and_a_person_can_go_on(
    stepped: Any, step: CanaryStep
) -> None:
    house = await stepped(step, LAST, policy=LAX)
    await looking(house, lambda: house.run.hold, "UNSURE")
    assert house.run.hold.cause == "unsure"
    assert house.run.hold.why.startswith("not sure after ")
    assert {("hold", "auto"), ("page", "auto"), ("promote", "ask")} <= set(said(house))
    await house.still()
    assert house.run.step == 0
    await house.accept("promote", by="luis")
    await house.until(lambda: house.run.step == 1, "the next share")
    assert house.run.hold is None


async def test_a_hold_for_doubt_ends_with_the_doubt(stepped: Any) -> None:
    house = await stepped(CanaryStep(5, 0.01, on_unsure="hold", at_most_s=3600.0), LAST)
    await looking(house, lambda: house.run.hold, "UNSURE")
    await looking(house, lambda: house.run.step == 1, "PASS")


async def test_after_the_longest_time_the_agent_does_not_go_on_by_itself_even_at_pass(
    stepped: Any,
) -> None:
    house = await stepped(CanaryStep(5, 0.01, at_most_s=0.02), LAST, policy=LAX)
    await house.still(0.05)
    await looking(house, lambda: house.run.hold, "PASS")
    assert "longest time" in house.run.hold.why
    assert {("hold", "auto"), ("page", "auto"), ("promote", "ask")} == set(said(house))
    await house.still()
    assert house.run.step == 0
    await house.accept("promote", by="luis")
    await house.until(lambda: house.run.step == 1, "the next share")


class Silent:
    name = "silent-1"

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        return ()


class Broken:
    name = "broken-1"

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        raise RuntimeError("status 503")


class Eager:
    """Wants to go on whatever the judge says, with evidence of its own making."""

    name = "eager-1"

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        what = {"canary": "promote", "release": "open_release", "failed": "block_deploy"}
        return (
            Wish(
                capability=what[situation.topic],  # type: ignore[arg-type]
                confidence=1.0,
                headline="trust me",
                evidence=(ev.Evidence("E1", "+", "it is certain", "eager", 1.0),),
            ),
        )


class Certain(Eager):
    """The same, without making evidence up: it is heard."""

    name = "certain-1"

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        (wish,) = await super().propose(situation)
        return (msgspec.structs.replace(wish, evidence=()),)


@pytest.mark.parametrize("brain", [Silent, Broken, Eager])
async def test_no_brain_can_keep_the_page_or_the_question_back_or_answer_it(
    stepped: Any, brain: Any
) -> None:
    step = CanaryStep(5, 0.01, on_unsure="hold", at_most_s=3600.0)
    house = await stepped(step, LAST, brain=brain(), policy=LAX)
    item = await looking(house, lambda: house.open_item("promote"), "UNSURE")
    await house.look("UNSURE")
    assert {("hold", "auto"), ("page", "auto"), ("promote", "ask")} == set(said(house))
    assert item.lines[0].startswith("NOT SURE: ")
    await house.still()
    assert house.run.step == 0
    assert house.run.hold.cause == "unsure"


# --- nothing held back -----------------------------------------------------------------------------


async def test_without_a_hold_back_the_last_step_is_held_and_a_person_finishes_it(
    stepped: Any,
) -> None:
    house = await stepped(CanaryStep(5, 0.01, at_most_s=3600.0), ALONE, policy=LAX)
    await looking(house, lambda: house.run.step == 1, "PASS")
    assert house.governor.weight["shop"] == 100
    await looking(house, lambda: house.run.hold, "UNSURE")
    assert "without hold_back" in house.run.hold.why
    assert {("hold", "auto"), ("page", "auto")} <= {
        (e.capability, e.answer) for e in house.of(ev.ProposalMade) if e.step == 1
    }
    assert house.of(ev.ProposalMade)[-1].headline == "finish without a comparison?"
    await house.still()
    assert house.run.active
    await house.accept("promote", by="luis")
    assert await house.ended() == "promoted"
    assert house.of(ev.EffectIntended)[-1].by == ev.By("person", "luis")


async def test_without_a_hold_back_even_pass_does_not_finish_by_itself(stepped: Any) -> None:
    """A judge that says PASS with nothing to compare with is wrong, and is not believed."""
    brain = Certain()
    house = await stepped(CanaryStep(5, 0.01, at_most_s=3600.0), ALONE, brain=brain, policy=LAX)
    await looking(house, lambda: house.run.step == 1, "PASS")
    await looking(house, lambda: house.open_item("promote"), "PASS")
    await house.still()
    assert house.run.active
    assert house.run.hold.cause == "unsure"


@pytest.mark.parametrize(("word", "action"), [("NO_DATA", "hold"), ("UNSURE", "hold")])
async def test_without_a_hold_back_trouble_of_the_canary_itself_is_held_paged_and_not_asked_about(
    stepped: Any, word: str, action: str
) -> None:
    house = await stepped(CanaryStep(5, 0.01, at_most_s=3600.0), ALONE, policy=LAX)
    await looking(house, lambda: house.run.step == 1, "PASS")

    def here() -> set[str]:
        return {e.capability for e in house.of(ev.ProposalMade) if e.step == 1}

    await looking(house, lambda: {"hold", "page"} <= here(), word, action)
    await house.still()
    assert here() == {"hold", "page"}
    assert house.open_item() is None
    assert house.run.hold.cause in ("no_data", "evidence")
    assert house.governor.weight["shop"] == 100, "nothing rolls back by itself"
    await house.ask("rollback", by="ana")
    assert await house.ended() == "rolled_back"


# --- every word, action, time and option -----------------------------------------------------------


def at_step(step: CanaryStep, word: str, action: str) -> State:
    """A run in its first step, with this verdict in the journal."""
    plan = PipelinePlan("shop", "shop", "prod", (CanaryStage("canary", (), (step, LAST)),))
    given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
    state = State()
    for event in (
        ev.RunStarted(
            run="1", service="shop", environment="prod", mode="act", pace=1.0, plan=plan,
            policy_digest="", **given,
        ),
        ev.StepEntered(run="1", step=0, weight=5),
        ev.VerdictChanged(
            run="1", step=0, word=word, action=action, headline="h", evidence=(), confidence=0.5,  # type: ignore[arg-type]
        ),
    ):  # fmt: skip
        state = evolve(state, event, seq=state.seq + 1, at=0.0, idem="")
    return state


def test_a_question_that_is_asked_anew_takes_the_old_one_back_in_the_same_breath() -> None:
    recommends = msgspec.structs.replace(LAX.environments["prod"], mode="recommend")
    policy = Policy(1, {"prod": recommends})
    step = CanaryStep(5, 10.0, on_unsure="ask")
    state = at_step(step, "UNSURE", "none")
    kinds = []
    for word, at in (("UNSURE", 11.0), ("UNSURE", 12.0), ("PASS", 13.0), ("PASS", 14.0)):
        sight = Sight(
            word=word, action="none", headline="h", evidence=(), confidence=0.5,  # type: ignore[arg-type]
            stable_healthy=True, blind_for_s=0.0, forecast_s=None,
        )  # fmt: skip
        run = state.runs["1"]
        where = Situation(topic="canary", run=run, now=at, sight=sight, step=step, monitored_s=at)
        wish = Wish(capability="promote", confidence=1.0, headline="h", evidence=())
        events = propose(state, run, where, wish, Facts(), policy, "b", at)
        kinds.append([type(e) for e in events])
        for event in events:
            state = evolve(state, event, seq=state.seq + 1, at=at, idem="")
    asked = [ev.ProposalMade, ev.ItemOpened]
    assert kinds == [asked, [], [ev.ItemClosed, *asked], []]
    assert [i.status for i in state.runs["1"].items.values()] == ["superseded", "open"]


@given(
    st.builds(
        CanaryStep,
        weight=st.sampled_from([5, 100]),
        monitor_s=st.floats(1, 1000),
        hold_back=st.sampled_from([0, 3]),
        advance=st.sampled_from(["early", "timed"]),
        on_unsure=st.sampled_from(["extend", "ask", "hold"]),
        extends=st.integers(0, 3),
        at_most_s=st.none() | st.floats(1, 4000),
    ),
    st.floats(0, 6000),
    st.sampled_from([True, False, None]),
)
def test_whatever_a_brain_wishes_under_whatever_policy_only_a_clean_pass_is_done_by_the_agent(
    step: CanaryStep, at: float, healthy: bool | None
) -> None:
    for word, action in product(get_args(Word), get_args(Action)):
        state = at_step(step, word, action)
        run = state.runs["1"]
        sight = Sight(
            word=word, action=action, headline="h", evidence=(), confidence=0.5,
            stable_healthy=healthy, blind_for_s=0.0, forecast_s=None,
        )  # fmt: skip
        where = Situation(
            topic="canary", run=run, now=at, stage="canary", sight=sight, step=step, monitored_s=at
        )
        wish = Wish(capability="promote", confidence=1.0, headline="trust me", evidence=())
        if nonsense(wish, where):
            continue
        made, *opened = propose(state, run, where, wish, Facts(), LAX, "eager", at)
        assert isinstance(made, ev.ProposalMade)
        assert (word, action) in (("PASS", "none"), ("UNSURE", "none"))
        if made.answer == "auto":
            assert (word, healthy is False) == ("PASS", False)
            assert step.weight - step.hold_back < 100
            assert step.advance == "early" or at >= step.monitor_s
        else:
            assert made.answer == "ask"
            assert at >= min(step.monitor_s, step.at_most_s or step.monitor_s)
            assert [type(e) for e in opened] == [ev.ItemOpened]
