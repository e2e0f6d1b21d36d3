"""The recording for the README: one SVG that plays by itself, and stays small."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tui_states as states

from hatchway_tui.paint.first import paint

FILE = Path(__file__).parents[1] / "system" / "film.py"


@pytest.fixture(scope="module")
def film() -> Any:
    spec = importlib.util.spec_from_file_location("film", FILE)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["film"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frames(count: int, every: float) -> list[tuple[float, Any]]:
    """A canary whose clock goes on, and a regression at the end."""
    ages = (states.Facts(metrics_age=1.0 + i) for i in range(count - 1))
    told = [*ages, states.Facts(run="held", verdict="REGRESS", items=("rollback",))]
    return [(i * every, paint(states.view_of(facts), 120, 40)) for i, facts in enumerate(told)]


def test_each_picture_has_its_time_and_rows_are_drawn_once(film: Any) -> None:
    drawing = film.animated(frames(12, 1.0), "dark")
    ElementTree.fromstring(drawing)
    assert film.frames_in(drawing) == 12
    assert drawing.count("@keyframes") == 12
    assert f"{11 * 1.0 + film.LAST:.2f}s step-end infinite" in drawing
    drawn = len(re.findall(r'<g id="r\d+">', drawing))
    assert drawn < 12 * 40 / 4, "most rows are used again"
    assert len(drawing) < 200_000


def test_long_times_are_shortened_and_flickers_left_out(film: Any) -> None:
    one, two, three = (screen for _, screen in frames(3, 1.0))
    shown = film.shortened([(0.0, one), (60.0, two), (60.05, three)])
    assert [stays for stays, _ in shown] == [film.MOST, film.LAST]
    assert [screen for _, screen in shown] == [one, three]


def test_it_needs_nothing_from_elsewhere(film: Any) -> None:
    drawing = film.animated(frames(2, 1.0), "dark")
    assert "<script" not in drawing
    assert re.findall(r"(?:href|src|url\()[^#]{0,3}https?:", drawing) == []
    assert "prefers-reduced-motion" in drawing
