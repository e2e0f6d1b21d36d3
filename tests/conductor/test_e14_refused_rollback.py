"""E14: only something physical keeps the agent from going back, and then it offers something else.

A person's rollback is a stop: nothing at all refuses it (E6).
"""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.brains.port import Wish
from hatchway.conductor.undoing import guarded, instead
from hatchway.core import events as ev
from hatchway.core.policy import PolicyAnswer
from hatchway.core.undo import Reason, Undo

EVIDENCE = (ev.Evidence("E1", "-", "5xx 4 %", "edge", 1.0),)
BACK = Wish(capability="rollback", confidence=0.9, headline="worse", evidence=EVIDENCE)
AUTO = PolicyAnswer("auto", "prod.rollback", "the policy allows rollback")
PHYSICAL = {
    "a one-way migration": Reason("-", "schema", "migration 0042 drops the column orders.note"),
    "nobody knows what it reads": Reason("?", "schema", "what 1.4.0 reads is not declared"),
    "stable is less healthy": Reason("-", "target", "1.4.0 is not healthy itself"),
    "a mixed fleet": Reason("-", "fleet", "shop-8 runs 1.3.9"),
}


@pytest.mark.parametrize("what", list(PHYSICAL))
def test_e14_what_is_physical_refuses_it_and_offers_hold_flag_and_forward(what: str) -> None:
    reason = PHYSICAL[what]
    undo = Undo("no" if reason.sign == "-" else "unknown", (reason,))
    wish, said = guarded(BACK, AUTO, undo)
    assert said.answer == "ask", "not by itself; a person may say yes"
    assert reason.text in said.why
    assert any(reason.text in e.text for e in wish.evidence)
    rather = instead(wish, undo, 9.0)
    assert [w.capability for w in rather] == ["hold", "page"]
    (offer,) = [e.text for e in rather[0].evidence if e.text.startswith("instead:")]
    for way in ("stay held", "switch the feature off", "fix it forward", "a person may still"):
        assert way in offer


def test_e14_without_such_a_reason_it_is_not_refused() -> None:
    undo = Undo("yes", (Reason("+", "schema", "no migration"),))
    assert guarded(BACK, AUTO, undo) == (BACK, AUTO)
    assert instead(BACK, undo, 9.0) == ()


async def test_e14_a_persons_rollback_is_refused_for_none_of_it(house: Any) -> None:
    """Nobody has declared anything in this house: going back is not known to be safe."""
    await house.to_canary()
    answer = await house.ask("rollback")
    assert answer.said.startswith("ROLL"), answer
    assert await house.ended() == "rolled_back"
