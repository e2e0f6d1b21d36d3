"""The proof of a verdict reaches the journal, once for what is journaled, and replays there."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.brains.port import Sight
from hatchway.core import events as ev


def sight(house: Any, word: str, action: str) -> Sight:
    return Sight(
        word=word,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        headline=f"it is {word}",
        evidence=(ev.Evidence("E1", "-", "seen", "edge", house.clock()),),
        confidence=0.99,
        stable_healthy=True,
        blind_for_s=0.0,
        forecast_s=None,
    )


async def test_a_verdict_and_what_was_proposed_on_it_carry_the_same_proof(house: Any) -> None:
    await house.to_canary()
    made: list[int] = []

    def proof() -> bytes:
        made.append(1)
        return b"what was seen"

    now = house.clock()
    regress = sight(house, "REGRESS", "rollback")
    await house.agent.look(house.run.id, regress, now, proof)
    assert [e.proof for e in house.of(ev.VerdictChanged)] == [b"what was seen"]
    rollback = [e for e in house.of(ev.ProposalMade) if e.capability == "rollback"]
    assert [e.proof for e in rollback] == [b"what was seen"]
    assert made == [1]
    released = [e for e in house.of(ev.ProposalMade) if e.capability == "open_release"]
    assert [e.proof for e in released] == [b""]


async def test_a_look_that_changes_nothing_makes_no_proof(house: Any) -> None:
    await house.to_canary()
    unsure = sight(house, "UNSURE", "none")
    await house.agent.look(house.run.id, unsure, house.clock(), lambda: b"first")

    def proof() -> bytes:
        raise AssertionError("nothing was journaled")

    await house.agent.look(house.run.id, unsure, house.clock(), proof)
    assert [e.proof for e in house.of(ev.VerdictChanged)] == [b"first"]


async def test_a_proof_that_cannot_be_made_stops_no_rollback(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await house.to_canary()

    def proof() -> bytes:
        raise OverflowError("a count beyond 64 bits")

    regress = sight(house, "REGRESS", "rollback")
    await house.agent.look(house.run.id, regress, house.clock(), proof)
    assert [(e.word, e.proof) for e in house.of(ev.VerdictChanged)] == [("REGRESS", b"")]
    assert "journaled without one" in caplog.text
    assert await house.ended() == "rolled_back"
