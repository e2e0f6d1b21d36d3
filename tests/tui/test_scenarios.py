"""S32 and S36 at the keys: forty small things and a grave one; production said in words."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hatchway.edge.protocol import ItemDoc, NeedsDoc, You
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Send
from hatchway_tui.mirror import Model, interrupts
from hatchway_tui.paint.bottom import hints
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.needs import needs
from hatchway_tui.view import View

ME = Rights(name="ana")


@pytest.fixture
def model(scenes: Any) -> Model:
    """One grave release and forty small ones, in the order in which the backend gives them."""
    docs = scenes.build("approval")
    asked = docs["needs-you"].items[0]
    small = [replace(asked, id=f"small-{n}", risk="LOW", lines=()) for n in range(40)]
    grave = replace(asked, id="grave", risk="HIGH", lines=("HIGH: drops a column",))
    you = You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
    return Model(
        phase="live", rev=1, boot="b", you=you, system=docs["system"],
        runs={"r1": docs["run/r1"]}, authority={"shop": docs["authority/shop"]},
        needs=NeedsDoc((grave, *small)), governor_known=True,
    )  # fmt: skip


def press(model: Model, hands: Hands, keys: str, at: float) -> tuple[Hands, list[Any]]:
    done: list[Any] = []
    for key in keys:
        at += 2.0
        name = {"\n": "enter", "\t": "tab"}.get(key, key)
        char = key if key.isprintable() else None
        hands, intents = rules.press(hands, model, ME, name, char, at)
        done += intents
    return hands, done


def painted(model: Model, scenes: Any, part: Any, hands: Hands | None = None) -> list[str]:
    hands = hands or rules.settle(Hands(service="shop"), model, 0.0)
    view = View(model, hands, ME, scenes.now, 50.0, "/run/backend.sock")
    return text_of(part(view, 80, 12).lines()).splitlines()


def test_s32_low_items_never_ring_and_a_high_one_does(model: Model) -> None:
    grave, *small = model.needs.items
    assert interrupts(grave)
    assert not any(interrupts(item) for item in small)
    assert interrupts(replace(small[0], capability="rollback")), "going back always does"


def test_s32_a_high_item_has_another_shape_and_is_the_first_of_forty_one(
    model: Model, scenes: Any
) -> None:
    rows = painted(model, scenes, needs)
    assert "NEEDS YOU 41" in rows[0]
    marks = [row for row in rows if row[1:2] == "!"]
    assert len(marks) == 1
    assert rows.index(marks[0]) == 1, "under the heading"
    assert "HIGH" in marks[0]


def test_s32_a_yes_to_high_risk_has_a_way_of_its_own_and_low_keeps_its_one_key(
    model: Model, scenes: Any
) -> None:
    hands = rules.settle(Hands(service="shop"), model, 0.0)
    assert hands.focus == "grave"
    hands, done = press(model, hands, "a", 10.0)
    assert done == [], "the key that says yes to small things says nothing here"
    hands, done = press(model, hands, "\n", 20.0)
    assert done == []
    assert hands.notice is not None
    assert "needs a reason" in hands.notice.text
    hands, done = press(model, hands, "seen\n", 30.0)
    assert [(s.kind, s.item, s.reason) for s in done if isinstance(s, Send)] == [
        ("accept", "grave", "seen")
    ]
    hands, done = press(model, hands, "\ta", 50.0)
    assert [(s.kind, s.item) for s in done if isinstance(s, Send)] == [("accept", "small-0")]


def test_s36_a_yes_to_high_risk_names_production_in_words(model: Model, scenes: Any) -> None:
    hands = rules.settle(Hands(service="shop"), model, 0.0)
    hands, _ = press(model, hands, "a", 10.0)
    rows = painted(model, scenes, lambda view, width, height: hints(view, width), hands)
    assert "HIGH risk in PROD: yes, why?" in rows[0]


@pytest.mark.parametrize("kind", ["rollback"])
def test_s32_going_back_is_never_slowed_down_by_its_risk(model: Model, kind: Any) -> None:
    item: ItemDoc = replace(model.needs.items[0], id="back", capability=kind, kind="recommendation")
    back = replace(model, needs=NeedsDoc((item,)))
    hands = rules.settle(Hands(service="shop"), back, 0.0)
    _, done = press(back, hands, "a", 10.0)
    assert [s.item for s in done if isinstance(s, Send)] == ["back"]
