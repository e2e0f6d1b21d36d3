"""Weights: exact shares, smooth turns, and what 0 means."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.demo.arms import Pool, Server


def pool(stable: int = 95, canary: int = 5) -> Pool:
    return Pool(
        "be",
        [
            Server("stable", 1, "127.0.0.1", 1, initial_weight=stable),
            Server("canary", 2, "127.0.0.1", 2, initial_weight=canary),
        ],
    )


def turns(of: Pool, n: int) -> list[str]:
    picked = [of.pick() for _ in range(n)]
    return [server.name for server in picked if server is not None]


def test_5_percent_of_2000_requests_are_exactly_100():
    assert Counter(turns(pool(), 2000)) == {"stable": 1900, "canary": 100}


def test_turns_are_spread_and_not_in_a_row():
    at = [i for i, name in enumerate(turns(pool(), 200)) if name == "canary"]
    gaps = {b - a for a, b in pairwise(at)}
    assert gaps == {20}


@given(st.integers(0, 256), st.integers(0, 256), st.integers(1, 3))
def test_every_round_of_the_weights_sum_is_exact(stable: int, canary: int, rounds: int):
    of = pool(stable, canary)
    counted = Counter(turns(of, (stable + canary) * rounds))
    assert counted["stable"] == stable * rounds
    assert counted["canary"] == canary * rounds


@given(st.lists(st.tuples(st.integers(0, 256), st.integers(1, 40)), max_size=8))
def test_a_server_of_weight_0_gets_nothing_whatever_was_before(changes: list[tuple[int, int]]):
    of = pool()
    for weight, requests in changes:
        of.weigh(of.servers[1], weight)
        turns(of, requests)
    of.weigh(of.servers[1], 0)
    assert "canary" not in turns(of, 500)


def test_a_share_is_exact_from_the_change_on():
    of = pool(100, 0)
    turns(of, 37)
    of.weigh(of.servers[1], 25)
    of.weigh(of.servers[0], 75)
    assert Counter(turns(of, 400)) == {"stable": 300, "canary": 100}


def test_without_any_weight_nobody_is_picked_and_it_is_counted():
    of = pool(0, 0)
    assert of.pick() is None
    assert of.unserved == 1


def test_drain_and_maintenance_keep_requests_away_but_not_the_weight():
    of = pool(50, 50)
    for state in ("drain", "maint"):
        of.set_state(of.servers[1], state)  # type: ignore[arg-type]
        assert set(turns(of, 10)) == {"stable"}
        assert of.servers[1].weight == 50
    of.set_state(of.servers[1], "ready")
    assert Counter(turns(of, 10)) == {"stable": 5, "canary": 5}


def test_statuses_are_counted_by_their_class():
    server = pool().servers[0]
    for status in (100, 200, 204, 301, 404, 500, 504, 999):
        server.answered(status)
    assert server.responses == [1, 2, 1, 1, 2, 1]


def test_a_server_moves_only_to_an_ip_address():
    server = pool().servers[0]
    server.move("127.0.0.2", 99)
    with pytest.raises(ValueError, match="localhost"):
        server.move("localhost", 1)
    assert (server.host, server.port) == ("127.0.0.2", 99)
