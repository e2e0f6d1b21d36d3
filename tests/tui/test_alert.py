"""Who looks elsewhere is called: the bell, the terminal's title, a notification; once, and safely."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from hatchway.edge.protocol import NeedsDoc, SystemDoc, You
from hatchway_tui.alert import LONGEST, POP, PUSH, RING_EVERY, Alert, Wanted, fitting, title
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Model
from hatchway_tui.safe_text import width
from hatchway_tui.view import View


@pytest.fixture
def view(scenes: Any) -> View:
    docs = scenes.build("unsure")
    model = Model(
        phase="live", rev=1, boot="b", you=You("ana"), system=docs["system"],
        runs={"r1": docs["run/r1"]}, authority={"shop": docs["authority/shop"]},
        needs=docs["needs-you"],
    )  # fmt: skip
    return View(model, Hands(service="shop"), Rights(name="ana"), scenes.now, 100.0)


def with_(view: View, at: float = 0.0, **model: Any) -> View:
    return replace(view, model=replace(view.model, **model), at=view.at + at)


def test_the_title_says_where_who_and_how_much_needs_you(view: View, scenes: Any) -> None:
    assert title(view) == "HATCHWAY PROD: AGENT, 2 need you"
    one = with_(view, needs=scenes.items("release"))
    assert title(one) == "HATCHWAY PROD: AGENT, 1 needs you"
    paused = with_(view, needs=NeedsDoc(), authority={"shop": scenes.authority("paused", "ana")})
    assert title(paused) == "HATCHWAY PROD: PAUSED"


@pytest.mark.parametrize(
    ("phase", "said"), [("silent", "BACKEND SILENT"), ("down", "BACKEND DOWN")]
)
def test_a_title_that_nobody_confirms_says_so(view: View, phase: Any, said: str) -> None:
    lost = with_(view, phase=phase, heard_at=90.0)
    assert title(lost) == f"HATCHWAY PROD: AGENT?, {said}, 2 need you"


def test_it_is_written_when_it_changes_and_only_then(view: View) -> None:
    alert = Alert(Wanted(bell=False))
    first = alert.due(view, away=False)
    assert first == f"{PUSH}\x1b]2;HATCHWAY PROD: AGENT, 2 need you\x1b\\"
    assert alert.due(with_(view, 1.0), away=False) == ""
    assert (
        alert.due(with_(view, 2.0, needs=NeedsDoc()), away=False)
        == "\x1b]2;HATCHWAY PROD: AGENT\x1b\\"
    )
    assert alert.left() == POP


def test_nothing_is_claimed_before_anything_is_known(view: View) -> None:
    alert = Alert(Wanted())
    assert alert.due(with_(view, phase="connecting", rev=-1), away=False) == ""
    assert alert.left() == ""


def test_the_bell_rings_for_what_is_new_and_for_a_change_of_hands(view: View, scenes: Any) -> None:
    alert = Alert(Wanted(title=False))
    quiet = with_(view, needs=NeedsDoc())
    assert alert.due(quiet, away=False) == "", "not when it is opened"
    assert alert.due(with_(view, 5.0), away=False) == "\a"
    assert alert.due(with_(view, 10.0), away=False) == ""
    taken = with_(view, 15.0, authority={"shop": scenes.authority("person", "luis", 9)})
    assert alert.due(taken, away=False) == "\a"
    low = replace(view.model.needs.items[1], id="i9", risk="LOW")
    more = with_(taken, 20.0, needs=NeedsDoc((*view.model.needs.items, low)))
    assert alert.due(more, away=False) == "", "what is of LOW risk waits quietly"


def test_a_change_of_control_rings_at_once_however_short_ago_it_rang(view: View) -> None:
    alert = Alert(Wanted(title=False))
    alert.due(with_(view, 0), away=False)
    for at, mode in ((0.1, "paused"), (0.2, "agent"), (0.3, "person")):
        authority = {n: replace(doc, mode=mode) for n, doc in view.model.authority.items()}
        assert alert.due(with_(view, at, authority=authority), away=False) == "\a", mode


def test_a_flood_of_requests_does_not_make_it_scream_and_none_is_lost(view: View) -> None:
    alert = Alert(Wanted(title=False))
    alert.due(with_(view, needs=NeedsDoc()), away=False)
    rang = 0
    for tick in range(100):  # 10 s, a new request every 0.1 s
        item = replace(view.model.needs.items[0], id=f"n{tick}")
        rang += len(alert.due(with_(view, tick / 10, needs=NeedsDoc((item,))), away=False))
    assert 3 <= rang <= 10 / RING_EVERY + 1
    assert alert.due(with_(view, 10 + RING_EVERY, needs=NeedsDoc((item,))), away=False) == "\a"


def test_a_notification_is_for_who_looks_elsewhere(view: View) -> None:
    for away in (True, False):
        alert = Alert(Wanted(bell=False, title=False))
        alert.due(with_(view, needs=NeedsDoc()), away=away)
        said = alert.due(with_(view, 5.0), away=away)
        assert said == ("\x1b]9;HATCHWAY PROD: AGENT, 2 need you\x1b\\" if away else "")


def test_each_channel_can_be_off(view: View) -> None:
    for wanted, never in (
        (Wanted(bell=False), "\a"),
        (Wanted(title=False), "\x1b]2"),
        (Wanted(notify=False), "\x1b]9"),
    ):
        alert = Alert(wanted)
        said = alert.due(with_(view, needs=NeedsDoc()), True) + alert.due(with_(view, 5.0), True)
        assert said.count("\x1b]2") + said.count("\a") + said.count("\x1b]9") > 0
        assert never not in said
    assert alert.left() != ""
    off = Alert(Wanted(False, False, False))
    assert off.due(with_(view, needs=NeedsDoc()), True) + off.due(with_(view, 5.0), True) == ""
    assert off.left() == ""


@pytest.mark.parametrize("term", ["linux", "vt100", "dumb", ""])
def test_a_terminal_that_would_print_a_title_gets_none(term: str) -> None:
    assert fitting(Wanted(), term) == Wanted(True, False, False)
    assert fitting(Wanted(), "tmux-256color") == Wanted()


def test_no_text_gets_out_of_a_title(view: View) -> None:
    import importlib.util
    from pathlib import Path

    path = Path(__file__).parents[1] / "hostile" / "corpus.py"
    spec = importlib.util.spec_from_file_location("corpus_for_titles", path)
    assert spec is not None
    assert spec.loader is not None
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    whole = re.compile(r"(\x1b\[22;0t)?\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x1b\\\a?(\x1b\]9;[^\x00-\x1f\x7f-\x9f]*\x1b\\)?")  # fmt: skip
    for text in corpus.TEXTS.values():
        for ascii_only in (False, True):
            alert = Alert(Wanted(), ascii_only)
            alert.due(with_(view, needs=NeedsDoc(), system=SystemDoc("x")), True)
            said = alert.due(with_(view, 5.0, system=SystemDoc(text)), True)
            assert whole.fullmatch(said), repr(said)
            assert width(title(with_(view, system=SystemDoc(text)))) <= LONGEST
            assert said.isascii() or not ascii_only
