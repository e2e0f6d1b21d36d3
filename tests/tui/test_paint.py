"""Every state at every size: the words are there, nothing overflows, nothing depends on colour."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Armed, Entry, Hands
from hatchway_tui.held import Notice
from hatchway_tui.mirror import GovernorSaid, GovernorStatus, Heard, Lost, Model, fold
from hatchway_tui.paint.canvas import Look, text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.paint.ink import ASCII, PALETTES, palette_for, style_of
from hatchway_tui.safe_text import safe
from hatchway_tui.safe_text import width as cells
from hatchway_tui.view import View

SIZES = [(80, 24), (120, 40), (60, 15), (200, 60), (100, 30), (40, 8), (20, 4), (1, 1), (130, 20)]
NAMES = (
    "idle", "checks", "approval", "canary", "unsure", "paused", "taken", "held", "rolled_back",
    "promoted", "failed", "hostile",
)  # fmt: skip


def view_of(scenes: Any, name: str, rights: Rights = Rights(False, "ana")) -> View:  # noqa: B008
    docs = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in scenes.build(name).items()}
    you = wire.You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
    model = Model(governor_known=True, skew=scenes.now - 50.0)
    model = fold(model, Heard(wire.Hello(1, "x", "b", you, 7, scenes.now), 50.0))
    model = fold(model, Heard(wire.Snapshot(7, docs), 50.0))
    hands = rules.settle(Hands(service="shop"), model, 50.0)
    return View(model, hands, rights, scenes.now, 50.0, "/run/backend.sock")


def lost(view: View, phase: Any = "down", answers: bool = True) -> View:
    model = fold(view.model, Lost(phase, 51.0, "the backend went away", 54.0))
    if answers:
        said = GovernorStatus("shop", 4, "agent", desired={"canary": 5}, observed={"canary": 5})
        model = fold(model, GovernorSaid(53.0, (said,)))
    else:
        model = fold(model, GovernorSaid(53.0, (), "the governor cannot be reached"))
    return msgspec.structs.replace(view, model=model, at=53.5, now=view.now + 3.5)


def words(view: View, width: int = 80, height: int = 24) -> str:
    return text_of(paint(view, width, height))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_every_state_fits_every_size(scenes: Any, name: str, size: tuple[int, int]) -> None:
    view = view_of(scenes, name)
    hands = view.hands
    armed = Armed(50.0, "shop", rules.ground_of(view.model, "shop"), "agent", 4)
    for variant in (
        view,
        lost(view),
        lost(view, "silent", answers=False),
        msgspec.structs.replace(view, hands=msgspec.structs.replace(hands, armed=armed)),
        msgspec.structs.replace(
            view, hands=msgspec.structs.replace(hands, entry=Entry("release", "w" * 190))
        ),
        *(
            msgspec.structs.replace(view, hands=msgspec.structs.replace(hands, page=page, scroll=3))
            for page in ("why", "changes", "log", "keys")
        ),
    ):
        lines = paint(variant, *size)
        assert len(lines) == size[1]
        for line in lines:
            assert sum(cells(text) for text, _ in line) == size[0]
            for text, look in line:
                assert safe(text) == text
                for palette in PALETTES:
                    style_of(palette, look)


@given(st.integers(1, 220), st.integers(1, 70), st.sampled_from(NAMES))
def test_any_size_is_painted(width: int, height: int, name: str) -> None:
    import sys

    scenes = sys.modules[test_any_size_is_painted.__module__].scenes_at()
    lines = paint(view_of(scenes, name), width, height)
    assert [sum(cells(text) for text, _ in line) for line in lines] == [width] * height


SCENES: list[Any] = []


@pytest.fixture(autouse=True)
def _remember(scenes: Any) -> None:
    SCENES[:] = [scenes]


def scenes_at() -> Any:
    return SCENES[0]


EXPECTED = {
    "idle": ["IDLE", "Nothing is being released", "hatchway run"],
    "checks": ["RUNNING", "TESTS", "cart", "pending", "12 passed in 0.41s"],
    "approval": ["WAITING", "one yes is needed", "RELEASE shop 1.5.0", "RELEASE WAITS FOR A PERSON", "a accept"],
    "canary": ["PASS", "CANARY 5%", "25%, 100%", "errors 2 of 1220", "errors %", "0.61", "STALE"],
    "unsure": ["REGRESS", "HELD: recommendation waits", "NEEDS YOU 2", "ROLL BACK shop to 1.4.0", "undo safe YES"],
    "paused": ["PAUSED", "by ana", "g give back", "no new step"],
    "taken": ["PERSON", "luis since"],
    "held": ["UNSURE", "evidence 122 of 3,679"],
    "rolled_back": ["ROLLED BACK", "Back on 1.4.0", "judged REGRESS"],
    "promoted": ["PROMOTED", "1.5.0 has all the traffic"],
    "failed": ["FAILED", "1 failed: test_total", "cart"],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_the_state_is_in_words_at_80x24(scenes: Any, name: str) -> None:
    text = words(view_of(scenes, name))
    for part in [
        *EXPECTED[name],
        "PROD",
        "CONTROL",
        "DATA LIVE",
        "PAUSE",
        "TAKE OVER",
        "ROLL BACK",
    ]:
        assert part in text


def test_no_two_states_read_the_same(scenes: Any) -> None:
    texts = {words(view_of(scenes, name)) for name in NAMES}
    assert len(texts) == len(NAMES)


def test_wide_screens_have_plots_stages_and_what_ships(scenes: Any) -> None:
    text = words(view_of(scenes, "unsure"), 120, 40)
    for part in (
        "latency p95 ms",
        "limit",
        "ALSO WATCHED",
        "NEEDS YOU 2",
        "WHAT SHIPS",
        "chain verified to #44",
        "POST /orders",
    ):
        assert part in text
    assert any(0x2801 <= ord(char) <= 0x28FF for char in text)


def test_on_a_tiny_screen_control_and_stops_are_last_to_go(scenes: Any) -> None:
    text = words(view_of(scenes, "unsure"), 40, 5)
    assert "AGENT" in text
    assert "REGRESS" in text
    assert "PAUSE" in text


def test_a_dead_backend_is_said_on_row_one_with_the_age_of_the_data(scenes: Any) -> None:
    rows = words(lost(view_of(scenes, "canary"))).split("\n")
    assert "BACKEND DOWN, data 4s old" in rows[0]
    assert "DIRECT to the governor" in rows[1]
    assert "trying again in 0.5s" in rows[1]
    assert "direct" in "".join(rows[20:])


def test_a_silent_backend_is_said_too(scenes: Any) -> None:
    rows = words(lost(view_of(scenes, "canary"), "silent")).split("\n")
    assert "BACKEND SILENT, data 4s old" in rows[0]


def test_with_nobody_to_reach_the_mode_is_not_claimed(scenes: Any) -> None:
    text = words(lost(view_of(scenes, "canary"), answers=False))
    assert "AGENT?" in text
    assert "as last heard" in text


def test_the_governor_alone_still_tells_mode_and_weight() -> None:
    model = Model(phase="connecting", governor_known=True)
    model = fold(model, Lost("down", 1.0, "there is no socket at /x", 2.0))
    said = GovernorStatus("shop", 4, "paused", "ana", observed={"canary": 5})
    model = fold(model, GovernorSaid(1.5, (said,)))
    text = words(View(model, Hands(service="shop"), Rights(False, "ana"), 1e9, 2.0, "/x"))
    for part in (
        "NO BACKEND",
        "PAUSED",
        "by ana",
        "canary 5 % of the traffic",
        "there is no socket at /x",
    ):
        assert part in text


def test_before_anything_is_known_it_says_connecting() -> None:
    text = words(View(Model(), Hands(), Rights(False, "ana"), 1e9, 0.1, "/run/b.sock"))
    assert "CONNECTING" in text
    assert "/run/b.sock" in text


def test_read_only_reads_ask_oncall(scenes: Any) -> None:
    text = words(view_of(scenes, "canary", Rights(True, "ana")), 120, 40)
    assert "READ-ONLY" in text
    assert "ask oncall to pause" in text


def test_the_armed_panel_tells_what_will_be_done(scenes: Any) -> None:
    view = view_of(scenes, "unsure")
    armed = Armed(48.0, "shop", rules.ground_of(view.model, "shop"), "agent", 4)
    view = msgspec.structs.replace(view, hands=msgspec.structs.replace(view.hands, armed=armed))
    text = words(view)
    for part in ("Nothing has been rolled back yet", "ROLL BACK shop 1.5.0 → 1.4.0 in PROD", "press f to fire",
                 "8s left", "canary from 5 % to 0 %", "undo safe   YES"):  # fmt: skip
        assert part in text


def test_recommendation_mode_is_on_row_one(scenes: Any) -> None:
    docs = scenes.build("unsure")
    docs["authority/shop"] = msgspec.structs.replace(
        docs["authority/shop"], level="recommends only"
    )
    scenes.build = lambda name: docs
    assert "recommends only" in words(view_of(scenes, "unsure")).split("\n")[0]


def test_governor_trouble_and_drift_are_said(scenes: Any) -> None:
    docs = scenes.build("canary")
    docs["system"] = msgspec.structs.replace(
        docs["system"], governor_trouble="the governor is silent for 9 s"
    )
    scenes.build = lambda name: docs
    assert "the governor is silent for 9 s" in words(view_of(scenes, "canary"))
    docs["system"] = msgspec.structs.replace(docs["system"], governor_trouble="")
    docs["authority/shop"] = msgspec.structs.replace(
        docs["authority/shop"], drift="target has 9 %, wanted 5 %"
    )
    assert "DRIFT target has 9 %, wanted 5 %" in words(view_of(scenes, "canary"))


def test_without_colour_the_words_are_all_there(scenes: Any) -> None:
    for look in {look for line in paint(view_of(scenes, "unsure"), 120, 40) for _, look in line}:
        style = style_of("mono", look)
        assert style.color is None
        assert style.bgcolor is None
    assert style_of("mono", Look("ink", "acc")).reverse


def test_ascii_has_a_mark_for_every_mark(scenes: Any) -> None:
    for name in NAMES[:-1]:
        assert words(view_of(scenes, name), 120, 40).translate(ASCII).isascii()


@pytest.mark.parametrize(
    ("environ", "palette"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "dark"),
        ({"TERM": "xterm-256color"}, "dark"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "light"),
        ({"TERM": "xterm"}, "ansi"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "mono"),
        ({"TERM": "vt100"}, "mono"),
        ({}, "mono"),
    ],
)
def test_the_palette_fits_the_terminal(environ: dict[str, str], palette: str) -> None:
    assert palette_for(environ) == palette


def test_the_plan_shows_the_weight_of_now_not_what_the_governor_said_at_the_start(
    scenes: Any,
) -> None:
    """Before the backend answers the governor is asked; its answer is old once the backend does."""
    view = view_of(scenes, "canary")
    run = view.run
    assert run is not None
    assert run.weight
    old = GovernorStatus("shop", 4, "agent", desired={"canary": 0}, observed={"canary": 0})
    model = fold(view.model, GovernorSaid(49.0, (old,)))
    armed = Armed(50.0, "shop", rules.ground_of(model, "shop"), "agent", 4)
    hands = msgspec.structs.replace(view.hands, armed=armed)
    text = words(msgspec.structs.replace(view, model=model, hands=hands), 120, 40)
    assert f"canary from {run.weight} % to 0 %" in text


def test_row_two_says_what_waits_what_i_may_and_which_key_stops(scenes: Any) -> None:
    rows = words(view_of(scenes, "unsure")).split("\n")
    assert "you ana" in rows[1]
    assert "may act: p pauses" in rows[1]
    assert "NEEDS YOU 2" in rows[1]
    assert "nothing waits" in words(view_of(scenes, "canary")).split("\n")[1]
    assert "r f rolls back" in words(view_of(scenes, "paused")).split("\n")[1]
    assert "NEEDS YOU 2 as heard" in words(lost(view_of(scenes, "unsure"))).split("\n")[1]
    looks = words(view_of(scenes, "unsure", Rights(True, "ana"))).split("\n")[1]
    assert "READ-ONLY: ask oncall to stop it" in looks


def test_a_long_trouble_is_cut_and_ousts_neither_rights_nor_what_waits(scenes: Any) -> None:
    docs = scenes.build("unsure")
    trouble = "the journal cannot be written: no space left on device /var/lib/hatchway/journal.db"
    docs["system"] = msgspec.structs.replace(docs["system"], journal_trouble=trouble)
    scenes.build = lambda name: docs
    row = words(view_of(scenes, "unsure")).split("\n")[1]
    for part in ("may act: p pauses", "NEEDS YOU 2", "the journal cannot be written", "…"):
        assert part in row


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_while_a_text_is_typed_the_buttons_name_the_keys_that_work_then(
    scenes: Any, size: tuple[int, int]
) -> None:
    view = view_of(scenes, "unsure")
    typing = msgspec.structs.replace(
        view, hands=msgspec.structs.replace(view.hands, entry=Entry("reject", "no"))
    )
    stops = words(typing, *size).splitlines()[-3]
    assert "Ctrl+P" in stops
    assert " p " not in stops
    assert stops.count("not now") == 2
    assert "Ctrl+P pauses" in words(typing, *size).splitlines()[1]
    assert "not now" not in words(view, *size)


def test_a_notice_leaves_room_for_what_is_typed(scenes: Any) -> None:
    view = view_of(scenes, "unsure")
    notice = Notice("n" * 200, "warn", 1e12)
    hands = msgspec.structs.replace(
        view.hands, entry=Entry("reject", "canary is bad"), notice=notice
    )
    last = words(msgspec.structs.replace(view, hands=hands)).splitlines()[-1]
    assert "reject, why? canary is bad" in last
