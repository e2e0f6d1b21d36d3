"""The hand-over's page at every width: whose duty, what to do, five fields, and nothing raw."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hatchway.edge.docs.asks import AskDoc, AsksDoc
from hatchway.edge.docs.handover import FieldDoc, HandoverDoc, WrittenDoc
from hatchway.edge.docs.plan import PlanDoc
from hatchway.edge.protocol import You
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Model
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.view import View

NAMES = ("situation", "control", "waits", "done", "watch")
TITLES = ("SITUATION NOW", "RUNNING", "WAITS", "DONE", "WATCH")
HOSTILE = "\x1b]52;c;aGk=\x07[@click=app.quit]x[/foo] \u202eabc"
FIELDS = tuple(
    FieldDoc(n, t, (f"line of {n}", HOSTILE)) for n, t in zip(NAMES, TITLES, strict=True)
)
SIZES = ((80, 24), (76, 60), (116, 60), (120, 40), (40, 12))


def model(scenes: Any, name: str, scene: str = "canary", **more: Any) -> Model:
    docs = scenes.build(scene)
    you = You(name, ("operator",), ("pause", "takeover", "rollback", "release"),
              also=("ask", "handover", "acknowledge", "readmit"))  # fmt: skip
    return Model(
        phase="live", rev=1, boot="b", you=more.pop("you", you), system=docs["system"], heard_at=60,
        skew=scenes.now - 60, runs={"r1": docs["run/r1"]}, needs=docs["needs-you"],
        authority={"shop": docs["authority/shop"]}, **more,
    )  # fmt: skip


def written(scenes: Any) -> HandoverDoc:
    one = WrittenDoc("h-7", 7, scenes.now - 1260, "ana", ("luis",), "ab" * 32, FIELDS, ("shop",), "1 stop")  # fmt: skip
    return HandoverDoc(FIELDS, waiting=one)


def screen(scenes: Any, its: Model, name: str, hands: Hands, size: tuple[int, int]) -> str:
    hands = rules.settle(hands, its, 60.0)
    return text_of(paint(View(its, hands, Rights(name=name), scenes.now, 60.0, "x"), *size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("luis", "ana hands over to YOU"),
        ("ana", "YOU handed over to luis"),
        ("mia", "ana hands over to luis"),
    ],
)
def test_the_page_says_first_whose_duty_it_is(
    scenes: Any, size: tuple[int, int], name: str, says: str
) -> None:
    its = model(scenes, name, told={"handover/": written(scenes)})
    text = screen(scenes, its, name, Hands(service="shop", page="handover"), size)
    assert says in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    if size[1] >= 60:
        for number, title in enumerate(TITLES, 1):
            assert f"{number} {title}" in text
        assert "[@click=app.quit]x[/foo]" in text
        assert "the wheel of shop" in text
        flat = " ".join(text.split())
        assert {"luis": "acknowledges exactly this text", "ana": "It is still YOUR duty"}.get(
            name, "still ana's duty"
        ) in flat


def test_without_an_answer_the_page_says_that_it_asks(scenes: Any) -> None:
    its = model(scenes, "luis")
    text = screen(scenes, its, "luis", Hands(service="shop", page="handover"), (80, 24))
    assert "asking the backend" in text


@pytest.mark.parametrize(("size", "says"), [
    ((80, 24), "hand-over not acknowledged"),
    ((120, 40), "hand-over to luis not acknowledged: still ana's duty"),
])  # fmt: skip
def test_a_hand_over_that_nobody_acknowledged_is_on_row_two_of_everybody(
    scenes: Any, size: tuple[int, int], says: str
) -> None:
    words = "hand-over to luis not acknowledged: still ana's duty"
    for name in ("ana", "luis", "mia"):
        its = model(scenes, name)
        assert its.system is not None
        its = replace(its, system=replace(its.system, handover=words))
        rows = screen(scenes, its, name, Hands(service="shop"), size).splitlines()
        assert says in rows[1]


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (None, "READ-ONLY: ask oncall to stop it"),
        (("waits for an answer", True), "READ-ONLY: asked to pause, #4471; waits for an answer"),
        (("ana paused 02:15:03Z", False), "READ-ONLY: asked to pause, #4471; ana paused 02:15:03Z"),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_asker_sees_what_became_of_it(
    scenes: Any, size: tuple[int, int], ask: tuple[str, bool] | None, says: str
) -> None:
    you = You("luis", ("viewer",), (), True, "read-only", also=("ask",))
    doc = AsksDoc()
    if ask is not None:
        became, waits = ask
        doc = AsksDoc(
            (AskDoc("ask-1", "pause", "shop", ("luis",), 4471, scenes.now - 9, waits, became),)
        )
    its = model(scenes, "luis", you=you, asks=doc)
    text = screen(scenes, its, "luis", Hands(service="shop"), size)
    assert says in text
    other = screen(scenes, replace(its, you=replace(you, name="mia")), "mia", Hands(service="shop"), size)  # fmt: skip
    assert "#4471" not in other


def test_the_keys_of_whoever_may_only_look_say_that_they_ask(scenes: Any) -> None:
    you = You("luis", ("viewer",), (), False, "viewers cannot pause", also=("ask",))
    its = model(scenes, "luis", you=you)
    text = screen(scenes, its, "luis", Hands(service="shop", page="keys"), (80, 60))
    for word in ("pause", "take over", "roll back"):
        assert f"Ask oncall to {word}: pages them" in text
    first = screen(scenes, its, "luis", Hands(service="shop"), (120, 40))
    assert first.count("ask oncall") >= 3


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (76, 24)])
def test_stop_all_is_said_on_row_one_with_the_way_out(scenes: Any, size: tuple[int, int]) -> None:
    its = model(scenes, "ana", "paused")
    stopped = replace(its.authority["shop"], stop_all="STOP ALL by ana: agents went mad")
    its = replace(its, authority={"shop": stopped})
    rows = screen(scenes, its, "ana", Hands(service="shop"), size).splitlines()
    assert "STOPPED ALL" in rows[0]
    assert "by ana" in rows[0]
    assert "No agent may do anything" in " ".join(rows)
    assert "STOPPED ALL" in rows[-3]
    assert "g let agents in" in rows[-1]


def test_the_panel_names_each_hazard_and_asks_for_the_name(scenes: Any) -> None:
    its = model(scenes, "ana")
    run = replace(its.runs["r1"], undo="NO: migration 0042 drops orders.note")
    plan = PlanDoc("shop", ("x",), ("weight 0",), ("migration 0042 drops orders.note", HOSTILE),
                   before="2 s until the traffic is back (3 times before)", pages="pages luis")  # fmt: skip
    its = replace(its, runs={"r1": run}, told={"plan/shop": plan})
    hands = rules.settle(Hands(service="shop"), its, 50.0)
    hands, _ = rules.press(hands, its, Rights(name="ana"), "r", "r", 55.0)
    for size in ((80, 24), (120, 40)):
        text = screen(scenes, its, "ana", hands, size)
        assert "HAZARD      NO: migration 0042 drops orders.note" in text
        assert text.count("HAZARD") == 2
        assert "type shop:" in text
        assert "25s left" in text
        assert "pages luis" in text
        assert "2 s until the traffic is back (3 times before)" in text
        assert "press f to fire" not in text
        assert "\x1b" not in text
