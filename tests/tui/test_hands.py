"""The rules of the keys, without a terminal: what acts, what is ignored, what disarms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.edge.protocol import AuthorityDoc, You
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Leave, Send
from hatchway_tui.keys import ACTIONS, BY_KEY
from hatchway_tui.mirror import Model

ME = Rights(name="ana")


@pytest.fixture
def model(scenes: Any) -> Model:
    return made(scenes)


def made(scenes: Any, name: str = "unsure") -> Model:
    docs = scenes.build(name)
    runs = {"r1": docs["run/r1"]}
    you = You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
    return Model(
        phase="live", rev=1, boot="b", you=you, system=docs["system"], runs=runs,
        authority={"shop": docs["authority/shop"]}, needs=docs["needs-you"], governor_known=True,
    )  # fmt: skip


class Fingers:
    """Presses keys at given times."""

    def __init__(self, model: Model, rights: Rights = ME) -> None:
        self.model, self.rights, self.hands = model, rights, Hands(service="shop")
        self.hands = rules.settle(self.hands, model, 0.0)

    def press(self, key: str, at: float, char: str | None = None) -> list[str]:
        self.hands = rules.settle(self.hands, self.model, at)
        char = key if char is None and len(key) == 1 else char
        self.hands, intents = rules.press(self.hands, self.model, self.rights, key, char, at)
        return [each.kind if isinstance(each, Send) else type(each).__name__ for each in intents]

    def authority(self, **more: object) -> None:
        doc = replace(self.model.authority["shop"], **more)
        self.model = replace(self.model, authority={"shop": doc})

    @property
    def notice(self) -> str:
        return self.hands.notice.text if self.hands.notice else ""


@pytest.fixture
def fingers(model: Model) -> Fingers:
    return Fingers(model)


def test_pause_is_one_key(fingers: Fingers) -> None:
    assert fingers.press("p", 10) == ["pause"]


def test_pause_works_right_after_anything(fingers: Fingers) -> None:
    fingers.press("escape", 10, "\x1b")
    assert fingers.press("p", 10.001) == ["pause"]


def test_pause_works_while_typing(fingers: Fingers) -> None:
    fingers.authority(mode="paused")
    fingers.press("g", 10)
    assert fingers.press("p", 11) == []
    assert fingers.hands.entry is not None
    assert fingers.hands.entry.text == "p"
    assert fingers.press("ctrl+p", 12, "\x10") == ["pause"]


@pytest.mark.parametrize("page", ["w", "d", "l", "question_mark"])
def test_pause_works_on_every_page(fingers: Fingers, page: str) -> None:
    fingers.press(page, 10)
    assert fingers.hands.page != "first"
    assert fingers.press("p", 11) == ["pause"]


@pytest.mark.parametrize("key", ["o", "r", "g", "a", "x"])
@pytest.mark.parametrize(
    "stray", ["escape", "left_square_bracket", "upper_o", "alt+left_square_bracket"]
)
def test_a_guarded_key_after_a_stray_is_ignored_and_said(
    fingers: Fingers, key: str, stray: str
) -> None:
    fingers.authority(mode="paused")
    fingers.press(stray, 10, "\x1b" if stray == "escape" else "[")
    for wait in (0.9,) if stray == "escape" else (0.9, 2.4):
        assert fingers.press(key, 10 + wait) == []
        assert "ignored, press again" in fingers.notice
    assert fingers.press(key, 11.5 if stray == "escape" else 13) != [] or fingers.hands.entry


def test_two_keys_in_one_read_do_not_act(fingers: Fingers) -> None:
    fingers.press("w", 10)
    assert fingers.press("o", 10.001) == []
    assert fingers.press("o", 10.5) == ["takeover"]


def test_r_pauses_and_f_fires(fingers: Fingers) -> None:
    assert fingers.press("r", 10) == ["pause"]
    assert fingers.hands.armed is not None
    assert fingers.press("f", 11) == ["rollback"]
    assert fingers.hands.armed is None


def test_f_right_after_r_is_too_soon(fingers: Fingers) -> None:
    fingers.press("r", 10)
    assert fingers.press("f", 10.14) == []
    assert fingers.hands.armed is not None
    assert fingers.press("f", 10.3) == ["rollback"]


def test_f_after_ten_seconds_does_nothing(fingers: Fingers) -> None:
    fingers.press("r", 10)
    assert fingers.press("f", 20.1) == []
    assert fingers.press("f", 21) == []


def test_f_alone_does_nothing(fingers: Fingers) -> None:
    assert fingers.press("f", 10) == []
    assert "press r first" in fingers.notice


@pytest.mark.parametrize("key", ["w", "z", "a", "escape", "o", "down", "7"])
def test_any_other_key_disarms(fingers: Fingers, key: str) -> None:
    fingers.press("r", 10)
    fingers.press(key, 12)
    assert fingers.hands.armed is None
    assert "rollback" not in fingers.press("f", 14)


def test_our_own_pause_does_not_disarm(fingers: Fingers) -> None:
    fingers.press("r", 10)
    fingers.authority(mode="paused", holder="ana", epoch=5)
    assert fingers.press("f", 11) == ["rollback"]


@pytest.mark.parametrize(
    "change", [{"mode": "person", "epoch": 5}, {"mode": "paused", "epoch": 6}, {"epoch": 5}]
)
def test_a_change_of_authority_disarms(fingers: Fingers, change: dict[str, object]) -> None:
    fingers.press("r", 10)
    fingers.authority(**change)
    assert fingers.press("f", 11) == []
    assert "disarmed" in fingers.notice or "press r first" in fingers.notice


@pytest.mark.parametrize(
    "change", [{"to_version": "9"}, {"outcome": "promoted"}, {"weight": 25}, {"step": None}]
)
def test_a_change_of_the_run_disarms(fingers: Fingers, change: dict[str, object]) -> None:
    fingers.press("r", 10)
    run = replace(fingers.model.runs["r1"], **change)
    fingers.model = replace(fingers.model, runs={"r1": run})
    assert fingers.press("f", 11) == []


@pytest.mark.parametrize("change", [{"phase": "down"}, {"boot": "another"}])
def test_a_change_of_the_connection_disarms(fingers: Fingers, change: dict[str, object]) -> None:
    fingers.press("r", 10)
    fingers.model = replace(fingers.model, **change)
    assert fingers.press("f", 11) == []


def test_the_other_persons_wheel_needs_two_presses(fingers: Fingers) -> None:
    fingers.authority(mode="person", holder="luis")
    assert fingers.press("o", 10) == []
    assert "luis has the wheel" in fingers.notice
    assert fingers.press("o", 12) == ["takeover"]


def test_the_second_press_counts_only_against_the_same_person(fingers: Fingers) -> None:
    fingers.authority(mode="person", holder="luis", epoch=7)
    fingers.press("o", 10)
    fingers.authority(mode="person", holder="mia", epoch=8)
    assert fingers.press("o", 12) == []
    assert "mia" in fingers.notice


def test_giving_back_needs_a_reason(fingers: Fingers) -> None:
    fingers.authority(mode="paused", holder="ana")
    assert fingers.press("g", 10) == []
    assert fingers.press("enter", 11) == []
    assert "needs a reason" in fingers.notice
    for i, key in enumerate("ok go"):
        fingers.press("space" if key == " " else key, 12 + i, key)
    fingers.hands, intents = rules.press(fingers.hands, fingers.model, ME, "enter", None, 20)
    assert intents == [Send("release", "shop", reason="ok go", expect_epoch=4)]


def test_escape_leaves_the_reason_without_sending(fingers: Fingers) -> None:
    fingers.authority(mode="paused", holder="ana")
    fingers.press("g", 10)
    assert fingers.press("escape", 11, "\x1b") == []
    assert fingers.hands.entry is None


def test_giving_back_what_the_agent_has_is_said(fingers: Fingers) -> None:
    assert fingers.press("g", 10) == []
    assert "the agent has control already" in fingers.notice


def test_accept_needs_a_second_of_looking(fingers: Fingers) -> None:
    assert fingers.press("a", 0.5) == []
    assert fingers.press("a", 5) == ["accept"]
    fingers.press("down", 6)
    assert fingers.press("a", 6.5) == []
    hands, intents = rules.press(fingers.hands, fingers.model, ME, "a", "a", 8)
    assert intents == [Send("accept", "shop", "i2", "", 4, 17)]
    assert hands.notice is None


def test_reject_asks_for_a_reason_that_may_be_empty(fingers: Fingers) -> None:
    assert fingers.press("x", 5) == []
    assert fingers.press("enter", 7) == ["reject"]


def test_an_item_that_went_away_is_not_answered(fingers: Fingers) -> None:
    fingers.press("x", 5)
    fingers.model = replace(fingers.model, needs=type(fingers.model.needs)())
    assert fingers.press("enter", 7) == []
    assert "gone" in fingers.notice


def test_read_only_sends_nothing(model: Model) -> None:
    fingers = Fingers(model, Rights(True, "ana"))
    sent: list[str] = []
    for i, key in enumerate(BY_KEY):
        sent += [each for each in fingers.press(key, 10 + 3 * i) if each not in {"Leave", "Redraw"}]
    assert sent == []


def test_read_only_says_whom_to_ask(model: Model) -> None:
    fingers = Fingers(model, Rights(True, "ana"))
    fingers.press("p", 10)
    assert "ask oncall (ana till 06:00)" in fingers.notice


def test_a_missing_right_is_said_in_the_servers_words(model: Model) -> None:
    you = You("eve", ("viewer",), (), False, "viewers may only look")
    fingers = Fingers(replace(model, you=you))
    fingers.press("p", 10)
    assert "viewers may only look" in fingers.notice


def test_without_the_backend_only_stops_are_possible(model: Model) -> None:
    fingers = Fingers(replace(model, phase="down"))
    assert fingers.press("p", 10) == ["pause"]
    assert fingers.press("a", 12) == []
    assert "needs the backend" in fingers.notice


def test_leaving_only_leaves(fingers: Fingers) -> None:
    _, intents = rules.press(fingers.hands, fingers.model, ME, "q", "q", 10)
    assert intents == [Leave()]


KEYS = st.sampled_from([*BY_KEY, "escape", "left_square_bracket", "upper_o", "z", "7"])


@given(st.lists(st.tuples(KEYS, st.floats(0.001, 3)), max_size=40))
def test_no_sequence_of_keys_rolls_back_without_r_before_f(
    presses: list[tuple[str, float]],
) -> None:
    from hatchway.edge.protocol import NeedsDoc, SystemDoc

    you = You("ana", (), ("pause", "takeover", "rollback", "release", "approve"))
    authority = AuthorityDoc("shop", "agent", 4)
    model = Model(
        phase="live", rev=1, you=you, system=SystemDoc("prod"), authority={"shop": authority},
        needs=NeedsDoc(),
    )  # fmt: skip
    fingers = Fingers(model)
    at, armed_at, before = 100.0, -1e9, ""
    for key, wait in presses:
        at += wait
        sent = fingers.press(key, at)
        if "rollback" in sent:
            assert key == "f"
            assert before in {"r", "p", "ctrl+p", "f"}
            assert rules.FIRE_FROM <= at - armed_at <= rules.FIRE_UNTIL
        if key == "r" and "pause" in sent:
            armed_at = at
        before = key


def test_every_key_has_one_meaning_and_a_help() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys)) == len(BY_KEY)
    assert all(action.help for action in ACTIONS)
    acting = {key for action in ACTIONS if action.rule != "free" for key in action.keys}
    assert not acting & set("ytcmnu0123456789")
    assert not [key for key in acting if key.isupper()]


# --- where going back may not be safe --------------------------------------------------------------


def hazardous(model: Model, undo: str = "NO: migration 0042 drops orders.note") -> Fingers:
    run = replace(model.runs["r1"], undo=undo)
    return Fingers(replace(model, runs={"r1": run}, needs=type(model.needs)()))


def typing(fingers: Fingers, text: str, at: float) -> list[str]:
    sent = []
    for index, char in enumerate(text):
        sent += fingers.press(char, at + 0.2 * index, char)
    return sent


def test_with_a_hazard_only_the_typed_name_and_enter_roll_back(model: Model) -> None:
    fingers = hazardous(model)
    assert fingers.press("r", 10) == ["pause"]
    assert typing(fingers, "f", 11) == []
    assert fingers.press("enter", 12) == []
    assert "type shop" in fingers.notice
    fingers.press("ctrl+u", 13)
    assert typing(fingers, "shop", 14) == []
    assert fingers.press("enter", 16) == ["rollback"]
    assert fingers.hands.armed is None


@pytest.mark.parametrize("undo", ["NO: x", "NOT SURE: 1.5.0 migrates the database", ""])
def test_what_is_not_known_to_be_safe_counts_as_a_hazard(model: Model, undo: str) -> None:
    fingers = hazardous(model, undo)
    fingers.press("r", 10)
    assert fingers.press("f", 11) == []
    assert fingers.hands.armed is not None
    assert fingers.hands.armed.hazard


def test_typing_the_name_has_thirty_seconds_and_then_stays_paused(model: Model) -> None:
    fingers = hazardous(model)
    fingers.press("r", 10)
    typing(fingers, "shop", 38)
    assert fingers.press("enter", 39.9) == ["rollback"]
    fingers.press("r", 50)
    typing(fingers, "shop", 79)
    fingers.hands = rules.settle(fingers.hands, fingers.model, 80.1)
    assert "30 s passed" in fingers.notice
    assert fingers.press("enter", 80.2) == []


def test_the_rest_of_a_name_typed_too_late_takes_nothing_over(model: Model) -> None:
    fingers = hazardous(model)
    fingers.press("r", 10)
    typing(fingers, "sh", 39.5)
    assert fingers.press("o", 40.1) == []
    assert "ignored, press again" in fingers.notice


def test_pause_works_while_the_name_is_typed_and_escape_leaves(model: Model) -> None:
    fingers = hazardous(model)
    fingers.press("r", 10)
    typing(fingers, "sh", 11)
    assert fingers.press("ctrl+p", 12, "\x10") == ["pause"]
    fingers.press("r", 20)
    typing(fingers, "p", 21)
    assert fingers.hands.armed is not None
    assert fingers.press("escape", 22, "\x1b") == []
    assert fingers.hands.armed is None


def test_a_pasted_name_with_its_enter_does_not_fire(model: Model) -> None:
    fingers = hazardous(model)
    fingers.press("r", 10)
    at = 12.0
    for key in "shop":
        fingers.hands, _ = rules.press(fingers.hands, fingers.model, ME, key, key, at, True)
    fingers.hands, sent = rules.press(fingers.hands, fingers.model, ME, "enter", None, at, True)
    assert sent == []


def test_a_hazard_that_comes_up_after_arming_disarms(fingers: Fingers) -> None:
    fingers.press("r", 10)
    run = replace(fingers.model.runs["r1"], undo="NO: found out just now")
    fingers.model = replace(fingers.model, runs={"r1": run})
    fingers.hands = rules.settle(fingers.hands, fingers.model, 10.9)
    assert "safe to go back has changed" in fingers.notice
    assert fingers.press("f", 11) == []


# --- people who may not stop -----------------------------------------------------------------------

VIEWER = You("luis", ("viewer",), (), False, "viewers cannot pause", also=("ask",))


@pytest.mark.parametrize(("key", "op"), [("p", "pause"), ("o", "takeover"), ("r", "rollback")])
def test_the_key_of_a_stop_asks_oncall_with_a_why_and_enter(
    model: Model, key: str, op: str
) -> None:
    fingers = Fingers(replace(model, you=VIEWER), Rights(name="luis"))
    assert fingers.press(key, 10) == []
    assert fingers.hands.entry == rules.Entry("ask", item=op)
    typing(fingers, "it burns", 11)
    fingers.hands, sent = rules.press(
        fingers.hands, fingers.model, fingers.rights, "enter", None, 20
    )
    assert sent == [Send("ask", "shop", item=op, reason="it burns")]
    assert fingers.hands.armed is None


def test_ctrl_p_asks_at_once_while_the_why_is_typed(model: Model) -> None:
    fingers = Fingers(replace(model, you=VIEWER), Rights(name="luis"))
    fingers.press("p", 10)
    assert fingers.press("ctrl+p", 11, "\x10") == ["ask"]


def test_whoever_may_stop_but_looks_on_read_only_asks_and_never_stops(model: Model) -> None:
    you = replace(VIEWER, name="ana", can=("pause", "takeover", "rollback"))
    for fingers in (
        Fingers(replace(model, you=you), Rights(True, "ana")),
        Fingers(replace(model, you=replace(you, read_only=True)), Rights(name="ana")),
    ):
        for index, key in enumerate(("p", "o", "r")):
            fingers.press(key, 10 + 5 * index)
            assert fingers.press("enter", 12 + 5 * index) == ["ask"]


def test_without_any_right_or_without_the_backend_it_is_said_why(model: Model) -> None:
    nobody = replace(VIEWER, roles=(), also=(), why_not="people without a role cannot pause")
    fingers = Fingers(replace(model, you=nobody), Rights(name="x"))
    assert fingers.press("p", 10) == []
    assert "people without a role cannot pause" in fingers.notice
    fingers = Fingers(replace(model, you=VIEWER, phase="down"), Rights(True, "luis"))
    assert fingers.press("p", 10) == []
    assert "ask oncall (ana till 06:00)" in fingers.notice


def test_an_ask_waits_only_for_those_who_may_and_a_hand_over_only_for_its_reader(
    model: Model,
) -> None:
    from hatchway.edge.protocol import ItemDoc, NeedsDoc
    from hatchway_tui.mirror import items

    ask = ItemDoc("pause.ask-1", "ask", "pause", "t", "shop", "", 1, 0, requires="pause")  # fmt: skip
    over = ItemDoc("h", "handover", "acknowledge", "t", "", "", 1, 0, requires="acknowledge",
                   only_for=("ana",), not_for=("luis",))  # fmt: skip
    both = replace(model, needs=NeedsDoc((ask, over)))
    ana = You("ana", can=("pause",), also=("acknowledge",))
    for you, seen in (
        (ana, [ask, over]), (VIEWER, []), (replace(ana, name="mia"), [ask]),
        (replace(ana, read_only=True), []), (replace(ana, can=()), [over]),
    ):  # fmt: skip
        assert list(items(replace(both, you=you))) == seen, you


# --- stop all, and back ----------------------------------------------------------------------------


def test_stop_all_takes_two_presses_or_its_name(fingers: Fingers) -> None:
    assert fingers.press("ctrl+x", 10, "\x18") == []
    assert "Press Ctrl+X again" in fingers.notice
    assert fingers.press("ctrl+x", 12, "\x18") == ["stop_all"]
    assert fingers.press("ctrl+x", 30, "\x18") == []
    fingers.press("p", 31)
    assert fingers.press("ctrl+x", 32, "\x18") == []
    _, sent = rules.perform(fingers.hands, fingers.model, ME, BY_KEY["ctrl+x"], "", 60)
    assert [each.kind for each in sent if isinstance(each, Send)] == ["stop_all"]


def test_one_press_for_the_other_persons_wheel_is_none_for_stop_all(fingers: Fingers) -> None:
    fingers.authority(mode="person", holder="luis")
    fingers.press("o", 10)
    assert fingers.press("ctrl+x", 12, "\x18") == []
    assert fingers.press("o", 14) == []


def test_giving_back_after_stop_all_lets_the_agents_in_first(fingers: Fingers) -> None:
    fingers.authority(mode="paused", holder="ana", stop_all="STOP ALL by ana: mad")
    you = replace(fingers.model.you, also=("readmit",))
    fingers.model = replace(fingers.model, you=you)
    fingers.press("g", 10)
    assert fingers.press("enter", 11) == []
    assert "needs a reason" in fingers.notice
    typing(fingers, "new brain", 12)
    fingers.hands, sent = rules.press(fingers.hands, fingers.model, ME, "enter", None, 20)
    assert sent == [Send("readmit", "", reason="new brain")]


def test_stop_all_goes_to_the_governor_when_the_backend_is_silent(fingers: Fingers) -> None:
    fingers.model = replace(fingers.model, phase="down")
    fingers.press("ctrl+x", 10, "\x18")
    assert fingers.press("ctrl+x", 12, "\x18") == ["stop_all"]


# --- hand-over -------------------------------------------------------------------------------------


def handed(model: Model, to: tuple[str, ...] = ("ana",), by: str = "luis") -> Fingers:
    from hatchway.edge.docs.handover import HandoverDoc, WrittenDoc

    written = WrittenDoc("handover-7", 7, 1.0, by, to, "d" * 64, ())
    you = replace(model.you, also=("handover", "acknowledge"))
    told = {"handover/": HandoverDoc((), waiting=written)}
    return Fingers(replace(model, you=you, told=told))


def test_a_on_the_hand_overs_page_acknowledges_exactly_the_text_shown(model: Model) -> None:
    fingers = handed(model)
    fingers.press("h", 10)
    assert fingers.press("a", 12) == []
    typing(fingers, "I watch it", 13)
    fingers.hands, sent = rules.press(fingers.hands, fingers.model, ME, "enter", None, 30)
    assert sent == [
        Send("acknowledge", "", item="handover-7", reason="I watch it", signed="d" * 64)
    ]


def test_a_text_that_changes_while_one_types_is_not_the_one_that_is_acknowledged(
    model: Model,
) -> None:
    fingers = handed(model)
    fingers.press("h", 10)
    fingers.press("a", 12)
    doc = fingers.model.told["handover/"]
    anew = replace(doc, waiting=replace(doc.waiting, id="handover-9", digest="e" * 64))
    fingers.model = replace(fingers.model, told={"handover/": anew})
    fingers.hands, sent = rules.press(fingers.hands, fingers.model, ME, "enter", None, 30)
    assert [(each.item, each.signed) for each in sent] == [("handover-7", "d" * 64)]


def test_a_text_that_goes_on_below_is_read_to_its_end_first(model: Model) -> None:
    from hatchway_tui.reading import Extent

    fingers = handed(model)
    fingers.press("h", 10)
    fingers.hands = replace(fingers.hands, extent=Extent(0, 40, 16, 0))
    assert fingers.press("a", 12) == []
    assert fingers.hands.entry is None
    assert "read it to its end first (End)" in fingers.notice
    fingers.hands = replace(fingers.hands, extent=Extent(0, 40, 16, 24))
    fingers.press("a", 14)
    assert fingers.hands.entry is not None


@pytest.mark.parametrize(("to", "by"), [(("mia",), "luis"), ((), "ana")])
def test_nobody_acknowledges_what_is_not_for_them(
    model: Model, to: tuple[str, ...], by: str
) -> None:
    fingers = handed(model, to, by)
    fingers.press("h", 10)
    assert fingers.press("a", 12) == []
    assert fingers.hands.entry is None
    assert "it is for" in fingers.notice


def test_a_hand_over_is_written_on_its_page_with_a_note_and_nowhere_else(model: Model) -> None:
    fingers = handed(model)
    assert fingers.press("ctrl+e", 10, "\x05") == []
    assert fingers.hands.page == "handover"
    assert fingers.hands.entry is None
    fingers.press("ctrl+e", 12, "\x05")
    assert fingers.press("enter", 14) == []
    assert "what would you do" in fingers.notice
    typing(fingers, "@luis the queue", 15)
    fingers.hands, sent = rules.press(fingers.hands, fingers.model, ME, "enter", None, 30)
    assert sent == [Send("handover", "", item="luis", reason="the queue")]
