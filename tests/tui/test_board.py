"""The board of all pipelines: which row is meant, what is said of it, and that it stays calm."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Send
from hatchway_tui.mirror import Lost, Model, fold
from hatchway_tui.pages import board
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import extent, paint
from hatchway_tui.pipelines import SORTS, pipelines
from hatchway_tui.safe_text import safe
from hatchway_tui.safe_text import width as cells
from hatchway_tui.view import View

sys.path.insert(0, str(Path(__file__).parent))
from fleet import NOW, changed, fleet, model_of

ME = Rights(name="ana")


class Person:
    """Presses keys a second apart, on a screen of 80x24."""

    def __init__(self, model: Model, service: str = "") -> None:
        self.model, self.at = model, 50.0
        service = service or pipelines(model, "service")[0].service
        self.hands = rules.settle(Hands(service=service), model, self.at)

    def view(self) -> View:
        return View(self.model, self.hands, ME, NOW + self.at - 50, self.at)

    def press(self, *keys: str) -> list[str]:
        sent: list[str] = []
        for key in keys:
            self.at += 1.0
            self.hands = rules.settle(self.hands, self.model, self.at)
            self.hands = replace(self.hands, extent=extent(self.view(), 80, 24))
            char = {"slash": "/", "space": " "}.get(key, key if len(key) == 1 else None)
            self.hands, intents = rules.press(self.hands, self.model, ME, key, char, self.at)
            sent += [f"{each.kind} {each.service}" for each in intents if isinstance(each, Send)]
        return sent

    def text(self, width: int = 80, height: int = 24) -> str:
        return text_of(paint(self.view(), width, height))

    def hear(self, **docs: msgspec.Struct) -> None:
        named = [(key.replace("__", "/", 1), doc) for key, doc in docs.items()]
        self.model = changed(self.model, named, self.at)

    @property
    def marked(self) -> list[str]:
        return [line.split()[1] for line in self.text().splitlines() if line.startswith("▶")]


@pytest.fixture(scope="module")
def many() -> Model:
    return fold(model_of(fleet()), _beat())


def _beat() -> Any:
    from hatchway_tui.mirror import Heard

    return Heard(wire.Beat(7, NOW), 50.0)


@pytest.fixture
def ana(many: Model) -> Person:
    person = Person(many)
    person.press("b")
    return person


def test_every_service_has_one_row_and_those_that_need_a_person_come_first(ana: Person) -> None:
    rows = board.PAGE.rows(ana.view(), 116)
    assert len(rows) == 200
    asked = [each.service for each in pipelines(ana.model) if each.asks]
    assert len(asked) == 8
    assert [row[0].text.split()[0] for row in rows[:8]] == asked


def test_the_counts_are_on_top_and_add_up(ana: Person) -> None:
    text = " ".join(ana.text().split())
    assert "200 services: 8 need you, 1 rolling back, 23 in canary, 8 on the way, 160 idle" in text
    assert "7 paused" in text


def test_a_row_says_everything_in_words(ana: Person) -> None:
    ana.press("home")
    row = next(line for line in ana.text(130, 40).splitlines() if "search-000" in line)
    for word in ("ROLL BACK? 1m", "CANARY 5% HELD", "UNSURE", "AGENT", "4.0.0 → 4.0.1", "MEDIUM", "live"):  # fmt: skip
        assert word in row
    ana.press("slash", "0", "2", "9", "enter")
    row = next(line for line in ana.text(130, 40).splitlines() if line.startswith("▶"))
    assert "PAUSED luis" in row
    assert "STOPPED" in row


@pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (60, 15), (40, 12), (20, 8), (1, 1), (220, 60)]
)
def test_the_board_fits_every_size(ana: Person, size: tuple[int, int]) -> None:
    lines = paint(ana.view(), *size)
    assert [sum(cells(text) for text, _ in line) for line in lines] == [size[0]] * size[1]


def test_header_and_buttons_are_about_the_marked_row(ana: Person) -> None:
    ana.press("home", "down", "down")
    (marked,) = ana.marked
    assert ana.hands.service == marked
    text = ana.text()
    bar = text.splitlines()[-4:-1]
    assert bar[2].count(f" of {marked} ") == 3
    for word in ("PAUSE", "TAKE OVER", "ROLL BACK"):
        assert word in bar[1]
    assert f"PAUSE AGENT {marked}" in ana.text(120, 12)  # where a button has one row
    assert text.splitlines()[2].startswith(marked)
    assert ana.press("p") == [f"pause {marked}"]
    assert ana.press("o") == [f"takeover {marked}"]


def test_the_mark_stays_with_its_service_while_rows_come_and_go(ana: Person) -> None:
    ana.press("end", "up", "up", "up")
    (marked,) = ana.marked
    for index in range(30):  # thirty services begin to need a person: every row below moves
        item = wire.ItemDoc(
            f"n{index}", "approval", "release", "RELEASE", f"new-{index}", "r", NOW, NOW + 9
        )
        ana.hear(needs_you=wire.NeedsDoc(), **{
            "needs-you": wire.NeedsDoc((*ana.model.needs.items, item)),
            f"authority__new-{index}": wire.AuthorityDoc(f"new-{index}", "agent", 1, read_at=NOW),
        })  # fmt: skip
        assert ana.marked == [marked]
    assert ana.press("p") == [f"pause {marked}"]


def test_down_goes_through_all_services_once(ana: Person) -> None:
    ana.press("home")
    seen = [ana.hands.service]
    for index in range(199):
        ana.press("down")
        if index % 20 == 0:
            assert ana.marked == [ana.hands.service]
        seen.append(ana.hands.service)
    assert len(set(seen)) == 200
    ana.press("down")
    assert ana.hands.service == seen[-1]


def test_enter_opens_the_marked_service_and_escape_goes_back_to_the_one_before(many: Model) -> None:
    person = Person(many, "mail-001")
    person.press("b", "down")
    marked = person.hands.service
    assert marked != "mail-001"
    person.press("enter")
    assert (person.hands.page, person.hands.service) == ("first", marked)
    person = Person(many, "mail-001")
    person.press("b", "down", "escape")
    assert (person.hands.page, person.hands.service) == ("first", "mail-001")
    person.press("b", "down", "b")
    assert (person.hands.page, person.hands.service) == ("first", "mail-001")


@pytest.mark.parametrize("key", ["down", "comma", "full_stop", "b"])
def test_switching_the_service_disarms(many: Model, key: str) -> None:
    person = Person(many, "mail-001")
    assert person.press("r") == ["pause mail-001"]
    assert person.hands.armed is not None
    person.press(key)
    assert person.hands.armed is None
    assert person.press("f") == []


def test_taking_over_twice_does_not_count_across_services(many: Model) -> None:
    docs = {
        f"authority/{name}": wire.AuthorityDoc(name, "person", 4, "luis", NOW, read_at=NOW)
        for name in ("zoo-1", "zoo-2")
    }
    person = Person(changed(many, docs.items()), "zoo-1")
    assert person.press("o") == []
    person.press("full_stop")
    assert person.hands.service == "zoo-2"
    assert person.press("o") == []  # the press against zoo-1 says nothing of zoo-2
    assert person.press("o") == ["takeover zoo-2"]


def test_comma_and_full_stop_go_through_the_services_by_name_and_round(many: Model) -> None:
    first, *_, last = sorted(each.service for each in pipelines(many))
    person = Person(many, first)
    person.press("comma")
    assert person.hands.service == last
    person.press("full_stop")
    assert person.hands.service == first
    assert person.hands.page == "first"


def test_the_filter_looks_at_service_state_and_person_and_the_mark_follows_it(ana: Person) -> None:
    ana.press("slash", *"luis")
    assert len(pipelines(ana.model, ana.hands.sort, ana.hands.filter)) == 7
    assert ana.marked == [ana.hands.service]
    assert "PAUSED" in next(line for line in ana.text().splitlines() if line.startswith("▶"))
    assert "only luis" in ana.text()
    ana.press("ctrl+u", *"held", "space", *"auth")
    found = pipelines(ana.model, ana.hands.sort, ana.hands.filter)
    assert found
    assert all("HELD" in each.where and "auth" in each.service for each in found)
    ana.press("ctrl+u", *"nonesuch")
    assert "no service matches" in ana.text()
    ana.press("escape")
    assert len(board.PAGE.rows(ana.view(), 76)) == 200


def test_pause_while_the_filter_is_typed_is_about_the_marked_service(ana: Person) -> None:
    ana.press("slash", *"luis")
    assert ana.press("ctrl+p") == [f"pause {ana.hands.service}"]


def test_a_service_that_leaves_the_filter_stays_on_the_screen_and_that_is_said(ana: Person) -> None:
    ana.press("slash", *"luis", "enter")
    service = ana.hands.service
    ana.hear(**{f"authority__{service}": wire.AuthorityDoc(service, "agent", 9, read_at=NOW)})
    assert ana.hands.service == service
    assert ana.marked == []
    assert f"on the screen: {service}, which is not in this list" in ana.text()
    assert ana.press("p") == [f"pause {service}"]


def test_z_sorts_in_every_way_and_says_which(ana: Person) -> None:
    ana.press("down", "down", "down")
    marked = ana.hands.service
    orders = []
    for sort in [*SORTS[1:], SORTS[0]]:
        ana.press("z")
        assert f"by {sort} (z)" in ana.text()
        assert ana.hands.service == marked
        orders.append([each.service for each in pipelines(ana.model, ana.hands.sort)])
    assert len({tuple(order) for order in orders}) == 5
    assert orders[0] == sorted(orders[0])


def test_an_item_is_never_answered_from_the_board(ana: Person) -> None:
    assert ana.press("a", "x") == []
    assert ana.hands.notice is not None
    assert "opens the service first" in ana.hands.notice.text
    assert "a accept" not in ana.text().splitlines()[-1]


def test_without_the_backend_every_row_says_that_it_is_old(ana: Person) -> None:
    ana.model = fold(ana.model, Lost("down", 62.0, "gone", 66.0))
    ana.at += 300
    rows = [line for line in ana.text().splitlines() if "CANARY" in line][1:]
    assert rows
    assert all("OLD" in row and ("AGENT?" in row or "PAUSED?" in row) for row in rows)


@settings(max_examples=25)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=12, unique=True))
def test_no_name_of_a_service_breaks_the_board(names: list[str]) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\u202e漢字👍🏽[@click=app.quit]x[/]\n"
    docs: dict[str, msgspec.Struct] = {}
    for name in [*names, evil]:
        docs[f"authority/{name}"] = wire.AuthorityDoc(
            name, "person", 1, evil, NOW, evil, read_at=NOW
        )
        docs[f"run/{name}"] = wire.RunDoc(
            name, name, evil, evil, "act", 1, evil, evil, evil, "held", NOW, risk=evil, held=evil
        )
    person = Person(model_of(docs))
    person.press("b", "down")
    for size in ((80, 24), (130, 40)):
        for line in paint(person.view(), *size):
            assert sum(cells(text) for text, _ in line) == size[0]
            assert all(safe(text) == text for text, _ in line)
    person.press("colon", *"goto")
    assert all(safe(text) == text for line in paint(person.view(), 80, 24) for text, _ in line)


def test_nothing_on_the_board_ticks(ana: Person) -> None:
    before = ana.text(130, 40).splitlines()[3:]
    ana.at += 5
    ana.model = fold(ana.model, type(_beat())(wire.Beat(7, NOW + ana.at - 50), ana.at))
    assert ana.text(130, 40).splitlines()[3:] == before


def test_a_change_of_one_service_changes_its_row_alone(ana: Person) -> None:
    ana.press("slash", *"canary", "enter")
    before = ana.text(130, 60).splitlines()[3:]
    run = ana.model.runs["r1"]
    ana.hear(run__r1=replace(run, verdict=wire.VerdictDoc("REGRESS", "worse", at=NOW)))
    after = ana.text(130, 60).splitlines()[3:]
    different = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(different) == 1
    assert "REGRESS" in different[0]


def test_what_was_made_before_is_what_would_be_made_anew(many: Model) -> None:
    from hatchway_tui import pipelines as module

    model = many
    for index in range(0, 60, 7):
        run = model.runs.get(f"r{index}")
        if run is None:
            continue
        model = changed(model, [(f"run/{run.id}", replace(run, status="held", held="x"))])
        kept = pipelines(model)
        module._memo.by_service, module._memo.of = {}, ()
        assert pipelines(model) == kept


def test_the_board_of_200_services_is_painted_in_time(
    ana: Person, bar: Callable[[str, str, str], None]
) -> None:
    spent = []
    for index in range(20):  # a document changes before each frame, as at 4 Hz
        run = replace(ana.model.runs["r1"], version=index)
        ana.hear(run__r1=run)
        view = ana.view()
        begun = time.process_time()
        paint(view, 80, 24)
        spent.append(time.process_time() - begun)
    best = min(spent) * 1000
    bar("board of 200 services at 80x24, CPU of a frame", f"{best:.1f} ms", "5 ms")
    assert best < 15  # the bar is for a machine with nothing else to do


def test_a_wide_first_screen_has_a_panel_of_all_pipelines_when_there_are_several(
    many: Model,
) -> None:
    person = Person(many, "mail-001")
    text = person.text(130, 44)
    assert "PIPELINES" in text
    assert "200: 8 need you, 32 busy" in text
    assert "b shows them all" in text
    assert "needs you" in next(line for line in text.splitlines() if "auth-175" in line)
    assert "PIPELINES" not in person.text(80, 24)
    alone = {key: doc for key, doc in fleet(1).items() if not key.startswith("needs")}
    one = Person(model_of(alone))
    assert "PIPELINES" not in one.text(130, 44)
    assert "b board" not in one.text(130, 44)
    assert "b board" in person.text(160, 44)
