"""From one cell to a wall: painting never fails, and what goes first is what matters least."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
import tui_states as states
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.safe_text import width as cells

BAD = states.Facts(run="held", verdict="REGRESS", items=("rollback", "release"))
KINDS = (
    states.Facts(), BAD, states.Facts(run="stage"), states.Facts(run="none"),
    states.Facts(run="promoted"), states.Facts(link="down", age=40.0, items=("release",)),
    states.Facts(mode="paused", holder="ana", armed=True), replace(BAD, entry="reject"),
    states.Facts(link="connecting"), states.Facts(link="never", governor="trouble"),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 200), st.integers(1, 60), st.sampled_from(KINDS),
    st.sampled_from(["first", *PAGES]),
)  # fmt: skip
def test_every_size_is_painted_exactly(
    width: int, height: int, facts: states.Facts, page: str
) -> None:
    view = states.view_of(facts)
    view = replace(view, hands=replace(view.hands, page=page))
    lines = paint(view, width, height)
    assert [sum(cells(text) for text, _ in line) for line in lines] == [width] * height


PANELS = {
    "stops": "PAUSE", "header": "CONTROL", "run": r"1\.4\.0", "verdict": "REGRESS",
    "needs": "─ NEEDS YOU", "table": r"errors %", "last": r"\d\d:\d\d:\d\d  ",
}  # fmt: skip


def shown(height: int, width: int = 80) -> set[str]:
    text = text_of(paint(states.view_of(BAD), width, height))
    return {panel for panel, pattern in PANELS.items() if re.search(pattern, text)}


def test_panels_go_by_what_they_are_worth_and_the_stops_go_last() -> None:
    first = {
        panel: min(height for height in range(1, 25) if panel in shown(height)) for panel in PANELS
    }
    assert list(first) == sorted(first, key=lambda panel: first[panel]), first
    assert shown(1) == {"stops"}
    assert shown(24) == set(PANELS)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_panel_that_fits_also_fits_a_higher_screen(width: int) -> None:
    """Nobody makes a window larger and sees less."""
    before: set[str] = set()
    for height in range(1, 61):
        now = shown(height, width)
        lost = before - now - ({"table"} if width >= 120 else set())  # there its rows are plots
        assert not lost, f"{lost} at {width}x{height}"
        before = now


def rows_of(facts: states.Facts, width: int) -> list[str]:
    return text_of(paint(states.view_of(facts), width, 24)).split("\n")


def links() -> Iterable[states.Facts]:
    for link, age in (("live", 1.0), ("silent", 40.0), ("down", 400.0)):
        for mode in states.VALUES["mode"]:
            for metrics_age in (1.0, 60.0):
                yield states.Facts(
                    link=link, age=age, mode=mode, holder="ana", metrics_age=metrics_age
                )


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_row_one_has_control_and_liveness_however_narrow(width: int) -> None:
    for facts in links():
        row = rows_of(facts, width)[0]
        assert facts.mode.upper() in row, row
        old = facts.metrics_age > 10
        alive = {"live": "OLD" if old else "LIVE", "silent": "SILENT", "down": "DOWN"}[facts.link]
        assert alive in row, row


@pytest.mark.parametrize(("width", "height"), [(160, 50), (200, 60)])
def test_a_wall_is_filled_with_plots_and_not_with_air(width: int, height: int) -> None:
    """On a canary the plots get the room; before it the log and what happened do."""
    plots = sum(
        any(0x2800 < ord(char) < 0x2900 or char in "┈╎" for char in row)
        for row in text_of(paint(states.view_of(states.Facts()), width, height)).split("\n")
    )
    assert plots >= height * (0.4 if height >= 60 else 0.3)
    view = states.view_of(states.Facts(run="stage"))
    audit = replace(view.model.audit, lines=view.model.audit.lines * 25)
    (name, log), *_ = view.model.logs.items()
    logs = {name: replace(log, lines=log.lines * 60)}
    view = replace(view, model=replace(view.model, audit=audit, logs=logs))
    rows = text_of(paint(view, width, height)).split("\n")
    empty = sum(not row.strip() for row in rows)
    assert empty <= 6, "\n".join(rows)
