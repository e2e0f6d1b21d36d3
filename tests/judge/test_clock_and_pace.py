"""Looks more often than samples come, and a machine whose clock is put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatchway.core.plan import MetricSpec
from hatchway.judge import Counts, Look, Missing, judge
from hatchway.judge.arithmetic import arithmetic
from hatchway.judge.look import STALE
from hatchway.judge.proof import replayed, sealed

Make = Callable[..., Any]


def test_a_server_that_scrapes_every_15_s_is_waited_for_and_not_called_blind(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    for second in range(1, 181):
        new = {"errors": Counts((75, 1), (1425, 14))} if second % 15 == 0 else None
        sim.look(new or {"errors": Missing(STALE)})
    assert "NO_DATA" not in {verdict.word for verdict in sim.verdicts[45:]}
    assert sim.verdicts[-1].word == "PASS"


def test_a_slow_server_that_stops_is_blind_within_half_a_minute(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    for second in range(1, 91):
        new = {"errors": Counts((75, 1), (1425, 14))} if second % 15 == 0 else None
        sim.look(new or {"errors": Missing(STALE)})
    words = [sim.look({"errors": Missing(STALE)}).word for _ in range(30)]
    assert words[-1] == "NO_DATA"


def test_a_failed_scrape_is_not_waited_for_however_seldom_data_come(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    for second in range(1, 91):
        new = {"errors": Counts((75, 1), (1425, 14))} if second % 15 == 0 else None
        sim.look(new or {"errors": Missing(STALE)})
    words = [sim.look({"errors": Missing("scrape failed: refused")}).word for _ in range(3)]
    assert words[-1] == "NO_DATA"


def test_an_outage_that_is_over_does_not_make_the_judge_patient(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    sim.run(20)
    for _ in range(20):
        sim.look({"errors": Missing(STALE)})
    sim.run(2)
    words = [sim.look({"errors": Missing(STALE)}).word for _ in range(3)]
    assert words[-1] == "NO_DATA"


def test_a_clock_put_back_by_an_hour_costs_one_warm_up(make_sim: Make, errors: MetricSpec) -> None:
    sim = make_sim(errors)
    sim.t = 10_000.0
    sim.raise_to(5)
    sim.run(60)
    sim.t -= 3600.0
    assert sim.run(12).headline.find("warming up") < 0
    assert sim.run(60, until=("REGRESS",), errors=0.2).word == "REGRESS"


def test_data_that_end_as_the_clock_is_put_back_are_missed_at_once(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    sim.t = 10_000.0
    sim.raise_to(5)
    assert sim.run(120, until=("PASS",)).word == "PASS"
    sim.t -= 3600.0
    words = [sim.look({"errors": Missing("scrape failed: refused")}).word for _ in range(4)]
    assert words[-1] == "NO_DATA"


def test_the_account_of_a_look_agrees_with_it_after_warm_up_and_after_a_clock_put_back(
    make_sim: Make, errors: MetricSpec
) -> None:
    sim = make_sim(errors)
    sim.t = 10_000.0
    sim.raise_to(5)
    sim.run(9, errors=0.3)
    assert sim.run(6).e > 1
    for back in (0.0, 3600.0):
        sim.t += 1.0 - back
        look = Look(t=sim.t, seconds=1.0, weight=5, samples=sim.samples())
        after, verdict = judge(sim.config, sim.state, look, sim.excludes)
        proof = sealed(sim.config, sim.state, look, sim.excludes, after, verdict)
        (account,) = arithmetic(replayed(proof)).metrics
        assert account.bets
        assert all(bet.as_judged for bet in account.bets), back
        sim.state = after
