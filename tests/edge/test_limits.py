from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.edge.limits import STOPS, Allowance, Bucket, Seats


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(1, 20),
    st.floats(0.1, 50),
    st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_never_more_goes_through_than_burst_and_rate_allow(
    burst: int, rate: float, gaps: list[float]
) -> None:
    bucket, now, through = Bucket(burst, rate), 0.0, 0
    for gap in gaps:
        now += gap
        through += bucket.take(now)
    assert through <= burst + rate * (now - gaps[0]) + 1e-6


def test_what_was_used_comes_back_with_time() -> None:
    bucket = Bucket(burst=2, rate=1.0)
    assert [bucket.take(0), bucket.take(0), bucket.take(0)] == [True, True, False]
    assert [bucket.take(1.0), bucket.take(1.0)] == [True, False]
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


def test_stops_have_an_allowance_of_their_own() -> None:
    allowance = Allowance()
    while not allowance.begin("accept", 0.0):
        pass
    while allowance.ask(0.0):
        pass
    while allowance.bad(0.0):
        pass
    for kind in STOPS:
        assert allowance.begin(kind, 0.0) == ""


def test_what_is_answered_is_no_longer_in_flight() -> None:
    allowance = Allowance()
    for now in range(1000):
        assert allowance.begin("accept", float(now)) == ""
        allowance.end("accept")
    for now in range(1000, 1000 + Allowance.IN_FLIGHT):
        assert allowance.begin("accept", float(now)) == ""
    assert "not answered yet" in allowance.begin("accept", 2000.0)


def test_seats_are_counted_for_each_and_for_all() -> None:
    seats = Seats(total=3, each=2)
    with seats.taken("ana"), seats.taken("ana"):
        assert seats.why_full("ana") == "ana has 2 connections open already"
        assert seats.why_full("luis") == ""
        with seats.taken("luis"):
            assert seats.why_full("luis") == "3 connections are open already"
    assert seats.why_full("ana") == ""
