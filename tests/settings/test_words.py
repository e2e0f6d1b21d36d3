"""Durations and series: what is read, and what is said about the rest."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.plan import SeriesRef
from hatchway.settings.words import NotUnderstood, duration_words, seconds, series, series_sum


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30),
        ("2m", 120),
        ("4h", 14400),
        ("1m30s", 90),
        ("1d", 86400),
        ("1h0m1s", 3601),
        ("0.5s", 0.5),
        ("90m", 5400),
    ],
)
def test_durations_have_units(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("5", "5s, 5m or 5h"),
        ("5 mins", "5m"),
        ("5 minutes", "5m"),
        ("5M", "5m"),
        ("10 sec", "10s"),
        ("2 hours", "2h"),
        ("3 days", "3d"),
        ("2.5m", "150s"),
        ("250ms", "0.25s"),
        ("30s2m", "a number and a unit, like 30s, 2m or 1m30s"),
        ("", "a number and a unit, like 30s, 2m or 1m30s"),
        ("-1s", "a number and a unit, like 30s, 2m or 1m30s"),
        ("5w", "a number and a unit, like 30s, 2m or 1m30s"),
        ("٣s", "a number and a unit, like 30s, 2m or 1m30s"),
    ],
)
def test_a_wrong_duration_says_what_to_write(text: str, write: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        seconds(text)
    assert caught.value.write == write


@given(st.integers(0, 30 * 86400))
def test_a_duration_in_words_is_read_back_as_the_same(value: int) -> None:
    assert seconds(duration_words(value)) == value


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        assert seconds(text) >= 0


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("up", SeriesRef("up")),
        ("up{}", SeriesRef("up", {})),
        ('a{b="c"}', SeriesRef("a", {"b": "c"})),
        ('a { b = "c" , d=~"x|y", }', SeriesRef("a", {"b": "c", "d": ("x", "y")})),
        ('a{b="x,y={}"}', SeriesRef("a", {"b": "x,y={}"})),
        (r'a{b="q\"uo\\te"}', SeriesRef("a", {"b": 'q"uo\\te'})),
        ('a{v=~"1.4.0|1.5.0"}', SeriesRef("a", {"v": ("1.4.0", "1.5.0")})),
        ('a{b=""}', SeriesRef("a", {"b": ""})),
    ],
)
def test_series_are_a_name_and_labels(text: str, ref: SeriesRef) -> None:
    assert series(text) == ref


def test_series_with_a_plus_between_them_are_counted_together() -> None:
    found = series_sum('a_total{code="5xx"} + b_total + c{x="y + z"}')
    others = (SeriesRef("b_total"), SeriesRef("c", {"x": "y + z"}))
    assert found == SeriesRef("a_total", {"code": "5xx"}, others)
    assert series_sum("up") == series("up")
    for text in ("a +", "a + 1", "a+b", "a + b - c"):
        with pytest.raises(NotUnderstood):
            series_sum(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1up",
        "sum(up)",
        "up[5m]",
        "up{",
        "up}",
        "up{a}",
        'up{a="b" c="d"}',
        'up{a="b",a="c"}',
        'up{a!="b"}',
        'up{a=~"b.*"}',
        'up{a=~"b||c"}',
        'up{a=~"^b$"}',
        'up{a="b"} + 1',
        'up{a="b\\q"}',
    ],
)
def test_everything_else_of_promql_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        series(text)
    assert caught.value.write


@given(st.text(alphabet='ab{}="~|,!\\ \n', max_size=20))
def test_any_text_is_a_series_or_is_refused(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        assert series(text).name
