"""A calendar is open, closed, or not known, and not known is never open."""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.oncall import Roster, on_call
from hatchway.core.windows import (
    Calendar,
    CalendarKind,
    CalendarReading,
    Span,
    any_closed,
    any_open,
    edges,
    joined,
    read,
    read_named,
)


def calendar(kind: CalendarKind = "freeze", **more: Any) -> Calendar:
    given = {"spans": (Span(100.0, 200.0, "to Mon"),), **more}
    return Calendar(name="c", kind=kind, source="t", **given)


@pytest.mark.parametrize(
    ("now", "freeze", "window"),
    [
        (99.999, "open", "closed"),
        (100.0, "closed", "open"),
        (199.999, "closed", "open"),
        (200.0, "open", "closed"),
    ],
)
def test_a_span_holds_from_its_begin_until_before_its_end(
    now: float, freeze: str, window: str
) -> None:
    assert read(calendar("freeze"), now).stands == freeze
    assert read(calendar("window"), now).stands == window


@pytest.mark.parametrize("kind", get_args(CalendarKind))
@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        ({"trouble": "it was emptied"}, "it was emptied"),
        ({"stale_at": 150.0}, "too long ago"),
        ({"until": 150.0}, "beyond what was worked out"),
        ({"since": 151.0}, "beyond what was worked out"),
    ],
)
def test_doubt_is_unknown_with_its_reason(
    kind: CalendarKind, doubt: dict[str, Any], words: str
) -> None:
    found = read(calendar(kind, **doubt), 150.0)
    assert found.stands == "unknown"
    assert words in found.words


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_without_a_time_nothing_is_known(now: float) -> None:
    assert read(calendar(), now).stands == "unknown"


def test_a_calendar_of_another_kind_or_none_is_unknown() -> None:
    known = {"c": calendar("window")}
    assert read_named("c", "freeze", known, 150.0).stands == "unknown"
    assert read_named("other", "window", known, 150.0).stands == "unknown"


def test_it_says_until_when_it_stands_so() -> None:
    assert read(calendar(), 50.0).until == 100.0
    assert read(calendar(), 150.0).until == 200.0
    assert read(calendar(stale_at=160.0), 150.0).until == 160.0
    assert read(calendar(until=90.0), 50.0).until == 90.0


def reading(stands: Any, until: float = 1.0) -> CalendarReading:
    return CalendarReading(stands, stands, stands, until)


@pytest.mark.parametrize(
    ("each", "opened", "closed"),
    [
        ([], "closed", "open"),
        (["open"], "open", "open"),
        (["closed"], "closed", "closed"),
        (["unknown"], "unknown", "unknown"),
        (["open", "unknown"], "open", "unknown"),
        (["closed", "unknown"], "unknown", "closed"),
        (["open", "closed"], "open", "closed"),
    ],
)
def test_several_together(each: list[str], opened: str, closed: str) -> None:
    for order in (each, each[::-1]):
        assert any_open([reading(s) for s in order]).stands == opened
        assert any_closed([reading(s) for s in order]).stands == closed


spans = st.lists(
    st.builds(lambda a, b: Span(float(a), float(a + b)), st.integers(0, 99), st.integers(-2, 30)),
    max_size=8,
)


@given(spans, st.floats(-5, 150))
def test_joining_changes_no_moment(some: list[Span], now: float) -> None:
    whole = joined(some)
    assert any(s.start <= now < s.end for s in some) == any(s.start <= now < s.end for s in whole)
    assert all(a.end < b.start for a, b in itertools.pairwise(whole))


@given(spans, st.floats(-5, 150), st.sampled_from(get_args(CalendarKind)))
def test_it_stands_so_until_the_next_edge(some: list[Span], now: float, kind: CalendarKind) -> None:
    known = calendar(kind, spans=joined(some), since=-10.0, until=140.0)
    found = read(known, now)
    for later in (now, (now + min(found.until, now + 5)) / 2, math.nextafter(found.until, 0)):
        if now <= later < found.until and found.stands != "unknown":
            assert read(known, later).stands == found.stands
    if found.stands != "unknown":
        assert found.until in edges([known], now)


# --- who is on call -------------------------------------------------------------------------------


def roster(**more: Any) -> Roster:
    shifts = (Span(100.0, 200.0, "ana"), Span(200.0, 300.0, "ben"))
    return Roster(people=("ana", "ben"), **{"source": "t", "shifts": shifts, **more})


@pytest.mark.parametrize(("now", "who"), [(100.0, "ana"), (199.9, "ana"), (200.0, "ben")])
def test_who_is_on_call_at_a_moment(now: float, who: str) -> None:
    duty = on_call(roster(), now)
    assert (duty.people, duty.known) == ((who,), True)


@pytest.mark.parametrize(
    ("doubt", "now", "words"),
    [
        ({}, 50.0, "names nobody"),
        ({}, 300.0, "names nobody"),
        ({"trouble": "unreadable"}, 150.0, "unreadable"),
        ({"stale_at": 120.0}, 150.0, "too long ago"),
        ({"until": 120.0}, 150.0, "beyond what was worked out"),
        ({"shifts": (Span(0.0, 999.0, "eve"),)}, 150.0, "who is not listed"),
        ({}, math.nan, "the time is not known"),
    ],
)
def test_when_nobody_knows_who_is_on_call_everybody_is(
    doubt: dict[str, Any], now: float, words: str
) -> None:
    duty = on_call(roster(**doubt), now)
    assert (duty.people, duty.known) == (("ana", "ben"), False)
    assert words in duty.why


def test_two_people_may_be_on_call_together() -> None:
    both = (Span(0.0, 200.0, "ana"), Span(100.0, 300.0, "ben"))
    duty = on_call(roster(shifts=both), 150.0)
    assert (duty.people, duty.until) == (("ana", "ben"), 200.0)


def test_without_a_roster_nobody_is_called() -> None:
    assert on_call(None, 1.0).people == ()
    assert not on_call(None, 1.0).known
