"""Plots hold for any data, and change little when a little is new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatchway_tui.mirror import Series
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.plot import axis_of, extent, nice_range, plot, sparkline
from hatchway_tui.safe_text import width as cells

VALUE = st.none() | st.floats(allow_nan=True, allow_infinity=True)
TIMES = st.lists(st.floats(0, 1e9), max_size=40, unique=True).map(sorted)


@st.composite
def series(draw: st.DrawFn) -> Series:
    return Series(tuple((at, draw(VALUE), draw(VALUE)) for at in draw(TIMES)))


@given(series(), st.integers(0, 60), st.integers(0, 12), VALUE, st.floats(0, 2e9))
def test_any_data_fit_in_any_box(
    data: Series, width: int, height: int, limit: float | None, until: float
) -> None:
    lines = plot(data, width, height, limit, (5.0, 1e8), until).lines()
    assert len(lines) == height
    assert all(sum(cells(text) for text, _ in line) == width for line in lines)


@given(series(), st.integers(0, 60), VALUE)
def test_any_data_make_a_sparkline_of_its_width(
    data: Series, width: int, limit: float | None
) -> None:
    assert len(sparkline(data, width, limit, 0.0)) == width


@given(st.floats(-1e14, 1e14), st.floats(0, 1e12))
def test_the_value_axis_holds_the_values(low: float, spread: float) -> None:
    base, top = nice_range(low, low + spread)
    assert base < top
    assert base <= low + abs(low) * 1e-9
    assert top >= (low + spread) - abs(low + spread) * 1e-9


@given(series())
def test_the_time_axis_holds_the_points(data: Series) -> None:
    axis = axis_of(data.points)
    for point in data.points:
        assert axis.start <= point[0] + 1e-6
        assert point[0] <= axis.start + axis.span + 1e-6


def test_a_new_point_touches_only_the_end() -> None:
    points = tuple((1000.0 + i, 1.0 + i % 3, 2.0) for i in range(64))
    before = text_of(plot(Series(points), 40, 6, 5.0, (), 0.0).lines()).split("\n")
    after = text_of(plot(Series((*points, (1064.0, 2.0, 2.5))), 40, 6, 5.0, (), 0.0).lines())
    for old, new in zip(before, after.split("\n"), strict=True):
        assert old.ljust(40)[:24] == new.ljust(40)[:24]


def test_a_hole_is_marked_and_not_drawn_over() -> None:
    points = tuple((1000.0 + i, 1.0, 1.0) for i in [*range(20), *range(45, 60)])
    drawn = text_of(plot(Series(points), 60, 4, None, (), 0.0).lines())
    last = drawn.split("\n")[-1]
    assert "????" in last
    assert "?" not in last[:15]


def test_silence_until_now_is_marked() -> None:
    points = tuple((1000.0 + i, 1.0, 1.0) for i in range(20))
    assert "?" not in text_of(plot(Series(points), 60, 4, None, (), 0.0).lines())
    assert "?" in text_of(plot(Series(points), 60, 4, None, (), 1028.0).lines())


def test_limit_and_canary_are_both_there() -> None:
    points = tuple((1000.0 + i, 1.0, 1.0 + i / 10) for i in range(30))
    drawn = text_of(plot(Series(points), 50, 6, 3.0, (1015.0,), 0.0).lines())
    assert "limit" in drawn
    assert "╎" in drawn
    assert extent(Series(points), 3.0)[1] > 3.9
