"""Every screen as a picture, compared exactly. `make snapshots` draws them anew.

The pictures are tests/tui/snapshots/NAME-WIDTHxHEIGHT.svg: look at what changed before committing.
Models and clock are fixed. A page that is added without a picture fails here.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import tui_answers
import tui_drawn
import tui_fleet
import tui_states as states
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway_tui.asked import DOCS
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Heard, Model, fold
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.first import paint
from hatchway_tui.view import View

HERE = Path(__file__).with_name("snapshots")
BOTH = ((80, 24), (120, 40))
RENEW = "HATCHWAY_SNAPSHOTS"
HOW = "If this is meant: make snapshots, look at the pictures, and commit them."
BAD = states.Facts(run="held", verdict="REGRESS", items=("rollback", "release"))
FIRST = {
    "idle": states.Facts(run="none"),
    "stage": states.Facts(run="stage"),
    "approval": states.Facts(run="waiting", items=("release",), risk="HIGH"),
    "canary": states.Facts(),
    "regression": BAD,
    "paused": states.Facts(mode="paused", holder="luis"),
    "taken": states.Facts(mode="person", holder="luis"),
    "stop-all": states.Facts(mode="paused", holder="luis", stop_all="STOP ALL by luis: bad night"),
    "rolled-back": states.Facts(run="rolled_back", verdict="REGRESS"),
    "promoted": states.Facts(run="promoted"),
    "failed": states.Facts(run="failed"),
    "backend-down": states.Facts(link="down", age=40.0, items=("release",)),
    "nobody": states.Facts(link="never", governor="trouble"),
    "read-only": states.Facts(read_only=True),
    "armed": states.Facts(mode="paused", holder="ana", verdict="REGRESS", armed=True),
    "reason": replace(BAD, entry="reject"),
    "notice": states.Facts(notice="o: ignored, press again"),
}
SMALL = ((20, 6), (40, 12), (60, 15))


def _answered(view: View, page: str) -> View:
    told = tui_answers.answers(states.NOW)
    hands = replace(view.hands, page=page)
    return replace(view, model=replace(view.model, told=told), hands=hands)


def _fleet(page: str) -> View:
    """Fifty services: what the board is for."""
    at = states.AT
    hello = wire.Hello(1, "x", "b", tui_fleet.YOU, 7, tui_fleet.NOW)
    snapshot = wire.Snapshot(7, tui_fleet.raw(tui_fleet.fleet(50)))
    model = fold(fold(Model(governor_known=True), Heard(hello, at)), Heard(snapshot, at))
    view = states.view_of(states.Facts())
    service = next(iter(model.authority))
    return replace(
        view, model=model, hands=Hands(service=service, page=page), now=tui_fleet.NOW, at=at
    )


def _drawings() -> dict[str, Callable[[], str]]:
    """By the name of the file, what it has to hold."""
    out: dict[str, Callable[[], str]] = {}

    def add(name: str, view: Callable[[], View], size: tuple[int, int], palette: str) -> None:
        file = f"{name}-{size[0]}x{size[1]}.svg"
        out[file] = lambda: tui_drawn.svg(paint(view(), *size), palette)

    for name, facts in FIRST.items():
        for size in BOTH:
            add(name, lambda facts=facts: states.view_of(facts), size, "dark")
    for page in PAGES:
        for size in BOTH:
            kind = _fleet if page == "board" else None
            add(
                f"page-{page}",
                lambda page=page, kind=kind: (
                    kind(page) if kind else _answered(states.view_of(BAD), page)
                ),
                size, "dark",
            )  # fmt: skip
    for name in ("canary", "regression", "armed", "backend-down"):
        for size in BOTH:
            add(f"no-color-{name}", lambda name=name: states.view_of(FIRST[name]), size, "mono")
    for palette in ("light", "blind", "blind-light", "ansi"):
        add(f"theme-{palette}", lambda: states.view_of(BAD), BOTH[0], palette)
    for size in SMALL:
        add("small", lambda: states.view_of(BAD), size, "dark")
    for size in ((160, 50), (200, 60)):
        add("large", lambda: states.view_of(BAD), size, "dark")
    return out


DRAWINGS = _drawings()


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_screen_is_as_it_was(name: str) -> None:
    file, now = HERE / name, DRAWINGS[name]()
    if os.environ.get(RENEW):
        HERE.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
        return
    if not file.exists():
        pytest.fail(f"there is no picture of this screen yet: {name}. {HOW}", pytrace=False)
    before = file.read_text(encoding="utf-8")
    if before != now:
        changed = list(difflib.unified_diff(
            tui_drawn.words(before), tui_drawn.words(now), "as it was", "as it is", n=1, lineterm=""
        ))  # fmt: skip
        only = "only colours or weights differ" if not changed else "\n".join(changed)
        pytest.fail(f"{name} is another screen:\n{only}\n{HOW}", pytrace=False)


def test_no_picture_is_left_of_a_screen_that_is_gone() -> None:
    if os.environ.get(RENEW):
        for file in HERE.glob("*.svg"):
            if file.name not in DRAWINGS:
                file.unlink()
    left = {file.name for file in HERE.glob("*.svg")} - set(DRAWINGS)
    assert not left, f"{sorted(left)}: {HOW}"


def test_a_picture_is_the_same_each_time_and_reads_as_the_screen() -> None:
    view = states.view_of(BAD)
    one, two = (tui_drawn.svg(paint(view, 80, 24), "dark") for _ in range(2))
    assert one == two
    rows = tui_drawn.words(one)
    assert len(rows) == 24
    assert "CONTROL" in rows[0]
    assert "REGRESS" in rows[3]


def test_the_answers_are_what_the_wire_carries() -> None:
    for key, doc in tui_answers.answers(states.NOW).items():
        kind = DOCS[key.partition("/")[0]]
        assert msgspec.json.decode(msgspec.json.encode(doc), type=kind) == doc, key
