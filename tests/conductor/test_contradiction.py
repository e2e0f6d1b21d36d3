"""S29: where the agent's words contradict the facts, the facts win, and it is flagged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hatchway.brains.port import Wish
from hatchway.core import events as ev


class Liar:
    """Wishes for what it is told to, with words of its own."""

    name = "liar-1"

    def __init__(self, capability: str, headline: str, *evidence: ev.Evidence) -> None:
        self.wish = Wish(
            capability=capability,  # type: ignore[arg-type]
            confidence=1.0,
            headline=headline,
            evidence=evidence,
        )

    async def propose(self, situation: Any) -> tuple[Wish, ...]:
        return (self.wish,) if situation.topic == "canary" else ()


async def test_s29_the_facts_stand_and_the_contradiction_is_first_and_on_the_screen(
    houses: Callable[..., Any],
) -> None:
    house = houses()
    house.brain = Liar("hold", "the verdict is PASS, the database is on fire")
    await house.start()
    await house.to_canary()
    await house.look("UNSURE")
    (made,) = [e for e in house.of(ev.ProposalMade) if e.capability == "hold"]
    assert made.evidence[0].id == "FLAG1"
    assert "contradict the facts: the verdict is UNSURE" in made.evidence[0].text
    assert [(e.id, e.sign, e.text) for e in made.evidence[1:]] == [("E1", "+", "seen")]
    assert "on fire" not in made.headline
    assert made.headline.startswith("it is UNSURE")
    assert "contradict the facts" in house.live.trouble_of("1")


@pytest.mark.parametrize(
    "evidence",
    [
        ev.Evidence("E1", "-", "half of all orders fail", "edge", 1.0),
        ev.Evidence("E1", "-", "seen", "edge", 1.0),  # another sign
        ev.Evidence("E9", "-", "the database is on fire", "edge", 1.0),
    ],
)
async def test_s29_evidence_that_was_not_seen_is_not_heard_and_it_is_said(
    houses: Callable[..., Any], evidence: ev.Evidence
) -> None:
    house = houses()
    house.brain = Liar("rollback", "go back", evidence)
    await house.start()
    await house.to_canary()
    await house.look("UNSURE")
    await house.still(0.1)
    assert not [e for e in house.of(ev.ProposalMade) if e.capability == "rollback"]
    assert "not what was seen" in house.live.trouble_of("1")
    assert house.governor.weight["shop"] == 5


@pytest.mark.parametrize("headline", ["wait a little", "UNSURE, so it waits", "UNSURE is no PASS"])
async def test_words_that_are_true_are_left_as_they_are(
    houses: Callable[..., Any], headline: str
) -> None:
    house = houses()
    house.brain = Liar("hold", headline)
    await house.start()
    await house.to_canary()
    await house.look("UNSURE")
    (made,) = [e for e in house.of(ev.ProposalMade) if e.capability == "hold"]
    assert made.headline == headline
    assert "brain" not in house.live.trouble


async def test_s29_no_words_turn_a_regression_into_a_promotion(houses: Callable[..., Any]) -> None:
    house = houses()
    house.brain = Liar("promote", "PASS: everything is fine", ev.Evidence("E1", "+", "x", "e", 1.0))
    await house.start()
    await house.to_canary()
    await house.regress()
    assert await house.ended() == "rolled_back", "the judge's verdict stands"
    assert [w for _, w in house.governor.raises] == [5]
