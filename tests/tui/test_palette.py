"""The command palette: it reaches everything, says why not, and acts only as the keys would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui import palette
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Leave, Send
from hatchway_tui.keys import ACTIONS
from hatchway_tui.mirror import Lost, Model, fold
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.palette import score
from hatchway_tui.view import View

sys.path.insert(0, str(Path(__file__).parent))
from fleet import NOW, changed, fleet, model_of

ME = Rights(name="ana")


class Person:
    """Presses keys a second apart."""

    def __init__(self, model: Model, service: str, rights: Rights = ME) -> None:
        self.model, self.rights, self.at = model, rights, 60.0
        self.hands = rules.settle(Hands(service=service), model, self.at)
        self.left = False

    def press(self, *keys: str, after: float = 1.0) -> list[str]:
        sent: list[str] = []
        for key in keys:
            self.at += after
            self.hands = rules.settle(self.hands, self.model, self.at)
            char = {"colon": ":", "space": " "}.get(key, key if len(key) == 1 else None)
            self.hands, intents = rules.press(
                self.hands, self.model, self.rights, key, char, self.at
            )
            sent += [f"{each.kind} {each.service}" for each in intents if isinstance(each, Send)]
            self.left = self.left or any(isinstance(each, Leave) for each in intents)
        return sent

    def find(self, text: str) -> None:
        self.press("colon", *("space" if char == " " else char for char in text))

    @property
    def marked(self) -> palette.Choice:
        found = palette.chosen(self.hands, self.model, self.rights)
        assert found is not None
        return found

    @property
    def notice(self) -> str:
        return self.hands.notice.text if self.hands.notice else ""

    def text(self, width: int = 80, height: int = 24) -> str:
        return text_of(
            paint(View(self.model, self.hands, self.rights, NOW, self.at), width, height)
        )


@pytest.fixture(scope="module")
def many() -> Model:
    return model_of(fleet())


@pytest.fixture
def ana(many: Model) -> Person:
    return Person(many, "mail-001")


def test_every_action_page_service_and_item_is_found_by_its_name(ana: Person) -> None:
    ana.press("colon")
    for choice in palette.choices(ana.hands, ana.model, ana.rights):
        hands = replace(ana.hands, entry=replace(ana.hands.entry, text=choice.label))
        best = palette.chosen(hands, ana.model, ana.rights)
        assert best is not None
        assert (best.kind, best.id) == (choice.kind, choice.id)
    ids = {each.id for each in palette.choices(ana.hands, ana.model, ana.rights)}
    assert ids >= set(PAGES) - {"palette"}
    assert {each.id for each in ACTIONS if each.rule != "free"} - {"fire", "write"} <= ids


@pytest.mark.parametrize(
    ("text", "kind", "id"),
    [("boa", "action", "board"), ("changes", "action", "changes"), ("chg", "action", "changes"),
     ("go mail", "service", "mail-"), ("m001", "service", "mail-001"), ("rb s0", "item", "i0"),
     ("pau", "action", "pause"), ("tk ov", "action", "takeover"), ("Why", "action", "why")],
)  # fmt: skip
def test_a_few_letters_are_enough(ana: Person, text: str, kind: str, id: str) -> None:
    ana.find(text)
    assert ana.marked.kind == kind
    assert ana.marked.id.startswith(id)


def test_what_acts_is_never_the_first_answer_to_nothing_or_to_one_letter(ana: Person) -> None:
    ana.press("colon")
    assert not ana.marked.acts
    for letter in "abcdefghijklmnopqrstuvwxyz":
        ana.press("ctrl+u", letter)
        found = palette.matching(ana.hands, ana.model, ana.rights)
        assert not found or not found[0].acts or all(each.acts for each in found)


def test_enter_opens_a_page_and_a_service(ana: Person) -> None:
    ana.find("why")
    ana.press("enter")
    assert (ana.hands.page, ana.hands.entry) == ("why", None)
    ana.find("mail-050")
    ana.press("enter")
    assert (ana.hands.page, ana.hands.service) == ("first", "mail-050")


def test_an_open_item_is_gone_to_and_not_answered(ana: Person) -> None:
    ana.find("item roll back auth-075")
    assert ana.press("enter") == []
    assert (ana.hands.page, ana.hands.focus, ana.hands.service) == ("first", "i75", "auth-075")
    assert ana.press("a", after=0.5) == []  # it was marked just now
    assert "look, then press again" in ana.notice


def test_pause_and_take_over_go_out_for_the_service_on_the_screen(ana: Person) -> None:
    ana.find("pause")
    assert "mail-001" in ana.marked.label
    assert ana.press("enter") == ["pause mail-001"]
    ana.find("take over")
    assert ana.press("enter") == ["takeover mail-001"]


def test_a_roll_back_from_the_palette_is_only_armed(ana: Person) -> None:
    ana.find("roll back mail-001")
    assert ana.marked.id == "rollback"
    assert ana.press("enter") == ["pause mail-001"]
    assert ana.hands.armed is not None
    assert ana.press("f") == ["rollback mail-001"]


def test_fire_is_not_in_the_palette(ana: Person) -> None:
    ana.find("fire")
    assert all(each.id != "fire" for each in palette.matching(ana.hands, ana.model, ana.rights))


def test_giving_back_still_asks_why(ana: Person) -> None:
    ana.model = changed(
        ana.model, [("authority/mail-001", wire.AuthorityDoc("mail-001", "paused", 5, "ana"))]
    )
    ana.find("give back")
    assert ana.press("enter") == []
    assert ana.hands.entry is not None
    assert ana.hands.entry.kind == "release"


def test_enter_right_after_another_key_is_ignored_and_said(ana: Person) -> None:
    ana.find("take over")
    assert ana.press("enter", after=0.001) == []
    assert ana.notice == "Enter: ignored, press again"
    assert ana.press("enter") == ["takeover mail-001"]


@pytest.mark.parametrize("stray", ["escape", "left_square_bracket", "upper_o"])
def test_a_late_piece_of_a_sequence_does_not_open_the_palette(ana: Person, stray: str) -> None:
    ana.press(stray)
    ana.press("colon", after=0.3)
    assert ana.hands.entry is None
    assert ana.press("p", after=0.001) == ["pause mail-001"]


def test_ctrl_p_pauses_in_the_palette_and_p_is_text(ana: Person) -> None:
    ana.press("colon")
    assert ana.press("p") == []
    assert ana.hands.entry is not None
    assert ana.hands.entry.text == "p"
    assert ana.press("ctrl+p") == ["pause mail-001"]


def test_escape_goes_back_to_where_it_was_opened(ana: Person) -> None:
    ana.press("b", "down", "slash", *"mail", "enter", "down")
    before = ana.hands
    ana.press("colon", *"xyz", "escape")
    for name in ("page", "service", "filter", "sort", "came_from", "entry", "scroll"):
        assert getattr(ana.hands, name) == getattr(before, name), name
    ana.press("colon", "backspace")
    assert ana.hands.page == "board"


def test_opening_the_palette_disarms(ana: Person) -> None:
    ana.press("r")
    assert ana.hands.armed is not None
    ana.press("colon")
    assert ana.hands.armed is None


def test_up_and_down_mark_and_the_mark_stays_on_its_line_while_others_come(ana: Person) -> None:
    ana.find("auth")
    ana.press("down", "down", "down", "up")
    marked = ana.marked.id
    ana.model = changed(
        ana.model, [("authority/auth-000", wire.AuthorityDoc("auth-000", "agent", 1))]
    )
    assert ana.marked.id == marked
    assert marked in next(line for line in ana.text().splitlines() if line.startswith("▶"))


def test_a_disabled_action_is_there_with_its_reason_and_does_nothing(many: Model) -> None:
    ana = Person(fold(many, Lost("down", 61.0)), "mail-001")
    ana.find("accept")
    assert ana.marked.why_not == "needs the backend, which does not answer"
    assert "NOT NOW: needs the backend" in ana.text(120)
    assert ana.press("enter") == []
    assert "not done: needs the backend" in ana.notice


def test_whoever_may_not_stop_asks_oncall_from_the_palette_too(many: Model) -> None:
    you = wire.You("eve", ("viewer",), (), also=("ask",))
    eve = Person(replace(many, you=you), "mail-001")
    eve.find("take over")
    assert eve.marked.label == "take over: ask oncall"
    assert eve.press("enter") == []
    assert eve.hands.entry is not None
    assert eve.hands.entry.kind == "ask"


def test_stop_all_is_done_once_chosen_and_never_the_first_answer_to_nothing(ana: Person) -> None:
    ana.press("colon")
    assert ana.marked.id != "stop_all"
    ana.press(*"stop", "space", *"all")
    assert ana.marked.id == "stop_all"
    assert ana.press("enter") == ["stop_all mail-001"]


def test_the_stop_bar_and_what_is_typed_are_always_on_the_screen(ana: Person) -> None:
    ana.find("mail")
    for size in ((80, 24), (120, 40), (60, 15)):
        rows = ana.text(*size).splitlines()
        text = "\n".join(rows[-4:])
        for word in ("PAUSE", "TAKE OVER", "ROLL BACK"):
            assert word in text
        assert rows[-1].strip().startswith(":mail")


def test_each_line_has_its_key_and_what_it_does(ana: Person) -> None:
    ana.find("changes")
    (row,) = [line for line in ana.text(120).splitlines() if line.startswith("▶")]
    assert row.split()[1:3] == ["changes", "d"]
    assert "What ships" in row


@settings(max_examples=40)
@given(st.text(max_size=12), st.text(max_size=12))
def test_what_matches_has_the_letters_in_this_order(text: str, label: str) -> None:
    rest = iter(label.lower())
    inside = all(char in rest for char in text.lower() if char != " ")
    assert (score(text, label) is not None) <= inside


KEYS = (
    "colon",
    "enter",
    "escape",
    "down",
    "up",
    "p",
    "o",
    "r",
    "f",
    "a",
    "b",
    "slash",
    "t",
    "ctrl+p",
)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from((0.001, 1.0))), max_size=25))
def test_no_keys_through_the_palette_roll_back_without_arming(
    presses: list[tuple[str, float]],
) -> None:
    ana = Person(model_of(fleet(12)), "mail-001")
    for key, after in presses:
        armed = ana.hands.armed
        sent = ana.press(key, after=after)
        assert not any(each.startswith("rollback") for each in sent) or (armed and key == "f")
