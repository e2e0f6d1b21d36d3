"""S19: a person says what is to be expected; bounded, expiring, and never of what users get."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core import expectations as ex
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.decide_services import MOST_EXPECTED
from hatchway.core.plan import MetricSpec, SeriesRef


def metric(name: str, **more: Any) -> MetricSpec:
    given = {"kind": "gauge", "source": "app", "total": SeriesRef("x"), "label": name, **more}
    return MetricSpec(name=name, **given)


METRICS = (
    metric("logs", kind="series"),
    metric("errors", kind="counts"),
    metric("latency", kind="latency"),
    metric("orders", kind="series", worse="down"),
    metric("memory"),
    metric("ready", kind="state"),
    metric("seen", kind="counts", judged=False),
    metric("guarded", protected=True),
    metric("loose", kind="counts", protected=False),
    metric("fallen", kind="series", worse="down", protected=False),
)


def expect(world: Any, **more: Any) -> Accepted | Refused:
    given = {
        "id": "e", "by": "ana", "service": "shop", "metric": "logs", "at_most": 400.0,
        "for_s": 1200.0, "ticket": "T-7", "reason": "a new log line", "metrics": METRICS, **more,
    }  # fmt: skip
    return decide(world.state, cmd.Expect(**given), world.now)


def declare(world: Any, **more: Any) -> ex.Expectation:
    outcome = expect(world, **more)
    assert isinstance(outcome, Accepted), outcome
    world.record(*outcome.events)
    return list(world.state.expectations["shop"].values())[-1]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("logs", ""), ("memory", ""), ("seen", ""), ("loose", ""),
        ("errors", "protected"), ("latency", "protected"), ("orders", "protected"),
        ("ready", "protected"), ("guarded", "protected"), ("fallen", "wrong_way"),
        ("nothing", "no_such_metric"),
    ],
)  # fmt: skip
def test_s19_what_users_get_is_protected_where_the_configuration_does_not_say(
    world: Any, name: str, code: str
) -> None:
    outcome = expect(world, metric=name)
    assert (outcome.code if isinstance(outcome, Refused) else "") == code


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"by": "agent"}, "not_a_person"),
        ({"by": "A\u200bgent"}, "not_a_person"),
        ({"reason": " "}, "reason_missing"),
        ({"ticket": ""}, "ticket_missing"),
        ({"for_s": 24 * 3600.0 + 1}, "bad_duration"),
        ({"for_s": math.nan}, "bad_duration"),
        ({"for_s": math.inf}, "bad_duration"),
        ({"for_s": 0.0}, "bad_duration"),
        ({"at_most": math.nan}, "no_bound"),
        ({"at_most": math.inf}, "no_bound"),
    ],
)
def test_s19_it_is_a_persons_with_a_reason_a_ticket_a_bound_and_an_end(
    world: Any, wrong: dict[str, Any], code: str
) -> None:
    outcome = expect(world, **wrong)
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_s19_it_is_in_force_until_it_expires_and_not_before_it_was_said(world: Any) -> None:
    said = declare(world)
    assert said.expires_at == world.now + 1200.0
    known = world.state.expectations

    def there(at: float, name: str = "logs") -> bool:
        return ex.in_force(known, "shop", name, at) is not None

    assert there(world.now)
    assert there(world.now + 1199.0)
    assert not there(world.now + 1200.0)
    assert not there(world.now - 1.0), "the clock was put back: it is not stretched"
    assert not there(world.now, "memory"), "it speaks of one metric"
    assert ex.in_force(known, "cart", "logs", world.now) is None


def test_the_newest_of_two_counts_and_withdrawing_ends_it(world: Any) -> None:
    declare(world)
    world.now += 1
    newer = declare(world, at_most=40.0)
    found = ex.in_force(world.state.expectations, "shop", "logs", world.now)
    assert found is not None
    assert found.at_most == 40.0
    take = cmd.Withdraw(id="w", by="ana", service="shop", expectation=newer.id, reason="done")
    outcome = decide(world.state, take, world.now)
    assert isinstance(outcome, Accepted)
    world.record(*outcome.events)
    found = ex.in_force(world.state.expectations, "shop", "logs", world.now)
    assert found is not None
    assert found.at_most == 400.0
    assert isinstance(decide(world.state, take, world.now), Refused), "it is gone"
    agent = cmd.Withdraw(id="w", by="agent", service="shop", expectation=found.id)
    assert isinstance(decide(world.state, agent, world.now), Refused)


def test_there_are_only_so_many_at_a_time_and_expired_ones_are_forgotten(world: Any) -> None:
    for _ in range(MOST_EXPECTED):
        declare(world, for_s=60.0)
    refused = expect(world)
    assert isinstance(refused, Refused)
    assert refused.code == "too_many"
    world.now += 60.0
    declare(world)
    assert len(world.state.expectations["shop"]) == 1


@given(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), st.floats(-1e9, 1e9))
def test_what_is_not_known_or_above_the_bound_is_never_covered(
    level: float | None, bound: float
) -> None:
    said = ex.Expectation("e", "shop", "logs", bound, 0.0, 1.0, "T", "ana", "r")
    if ex.covers(said, level):
        assert level is not None
        assert -math.inf < level <= bound


def test_an_old_journal_has_the_event_as_it_was_written() -> None:
    event = ev.ExpectationDeclared(
        service="shop", expectation="expect-1", metric="logs", at_most=4.0, expires_at=9.0,
        ticket="T", by="ana", reason="r",
    )  # fmt: skip
    assert ev.decode("expectation.declared", ev.encode(event)) == event
    assert ev.stream_of(event) == "service/shop"
