"""From scrapes to what can be judged: pure, with every way in which it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    EndpointSpec,
    MetricSpec,
    SeriesRef,
    ServiceSpec,
    TargetSpec,
)
from hatchway.judge.planning import Counted, Timed
from hatchway.metrics.areas import area_of
from hatchway.metrics.catalogue import catalogue
from hatchway.metrics.port import Page, Scrape, SeriesKey
from hatchway.metrics.prospects import Prospect, prospects
from hatchway.metrics.survey import survey

STAGE = CanaryStage(
    "canary",
    (),
    (
        CanaryStep(5, 120.0, excludes=10),
        CanaryStep(25, 120.0, excludes=5),
        CanaryStep(100, 300.0, hold_back=5, excludes=10),
    ),
)


def spec(kind: str, **more: Any) -> MetricSpec:
    values: dict[str, Any] = {"name": "m", "label": "m", "source": "app", "total": SeriesRef("n")}
    if kind == "counts":
        values["events"] = SeriesRef("bad")
    return MetricSpec(kind=kind, **{**values, **more})  # type: ignore[arg-type]


def service(metric: MetricSpec, instances: int = 1) -> ServiceSpec:
    stable = tuple(f"http://s{number}/" for number in range(instances))
    return ServiceSpec(
        name="store",
        repo="repo",
        pipeline="p.yaml",
        target=TargetSpec("haproxy", "a.sock"),
        endpoints=(EndpointSpec("app", stable, ("http://c/",)),),
        metrics=(metric,),
    )


def key(name: str, **labels: str) -> SeriesKey:
    return name, tuple(sorted(labels.items()))


def scrapes(*stable: dict[SeriesKey, float], instances: int = 1) -> list[Scrape]:
    """Stable's values at one scrape a second, the same on every instance; no canary."""
    gone = Page("app", "canary", "http://c/", trouble="connection refused")
    return [
        Scrape(
            float(t),
            (*(Page("app", "stable", f"http://s{i}/", values) for i in range(instances)), gone),
        )
        for t, values in enumerate(stable)
    ]


def prospect(
    metric: MetricSpec, *stable: dict[SeriesKey, float], instances: int = 1, page: str = ""
) -> Prospect:
    of = service(metric, instances)
    listed = {"app": catalogue(page.encode())} if page else None
    found = survey(of, scrapes(*stable, instances=instances))
    return prospects(of, found, STAGE, listed)[0]


def counting(per_s: float, bad: float, looks: int = 4) -> list[dict[SeriesKey, float]]:
    return [{key("n"): 1000 + per_s * t, key("bad"): 10 + bad * t} for t in range(looks)]


def histogram(*shares: float) -> list[dict[SeriesKey, float]]:
    bounds = ("0.01", "0.05", "0.25", "+Inf")
    return [
        {
            key("n_bucket", le=bound): 1000.0 * t * sum(shares[: index + 1])
            for index, bound in enumerate(bounds)
        }
        for t in range(3)
    ]


def test_counters_become_rates_of_the_looks_and_of_all_time() -> None:
    found = prospect(spec("counts"), *counting(100, 2))
    assert found.ok
    assert found.stable.rate == pytest.approx(100)
    assert (found.stable.requests, found.stable.events) == (300, 6)
    assert found.stable.ever == (1300, 16)
    assert found.canary.trouble == "scrape failed: connection refused"


def test_few_events_are_reckoned_from_all_time_and_many_from_now() -> None:
    few = prospect(spec("counts"), *counting(100, 2))
    assert few.subject == Counted(16 / 1300)
    many = prospect(spec("counts"), *counting(100, 20))
    assert many.subject == Counted(60 / 300)


def test_a_restart_while_looking_loses_nothing() -> None:
    before = {key("n"): 5000.0, key("bad"): 50.0}
    after = {key("n"): 100.0, key("bad"): 1.0}
    later = {key("n"): 200.0, key("bad"): 2.0}
    found = prospect(spec("counts"), before, after, later)
    assert (found.stable.requests, found.stable.events) == (200, 2)


def test_a_scrape_that_failed_in_between_is_counted_by_the_next() -> None:
    metric = spec("counts")
    seen = scrapes(*counting(100, 2, looks=4))
    broken = (Page("app", "stable", "http://s0/", trouble="no answer"), seen[1].pages[-1])
    seen[1] = Scrape(1.0, broken)
    (found,) = survey(service(metric), seen)
    assert (found.stable.requests, found.stable.seconds) == (300, 3.0)


def test_a_server_that_has_not_scraped_again_at_the_last_look_is_no_trouble() -> None:
    def stamped(count: float, at: float) -> Page:
        values = {key("n"): count, key("bad"): count / 50}
        return Page("app", "stable", "http://s0/", values, dict.fromkeys(values, at))

    metric = spec("counts")
    samples = [(1000.0, 0.0), (1000.0, 0.0), (1500.0, 5.0), (1500.0, 5.0), (1500.0, 5.0)]
    seen = [Scrape(float(t), (stamped(*sample),)) for t, sample in enumerate(samples)]
    (found,) = survey(service(metric), seen)
    assert (found.stable.trouble, found.stable.requests) == ("", 500)
    (early,) = prospects(service(metric), survey(service(metric), seen[:2]), STAGE)
    assert "look longer" in early.problems[0]


def test_the_real_shares_of_the_steps_are_planned_for() -> None:
    found = prospect(spec("counts"), *counting(100, 2))
    assert [step.weight for step in found.steps] == [5, 25, 95]
    assert [step.most_s for step in found.steps] == [360, 360, 900]
    assert found.double == 2.0
    assert found.double_s is not None


def test_a_metrics_own_bound_is_what_pass_excludes() -> None:
    found = prospect(spec("counts", excludes=2.0), *counting(100, 2))
    assert [step.excludes for step in found.steps] == [2, 2, 2]


def test_a_last_step_with_nothing_held_back_has_nothing_to_compare() -> None:
    of = service(spec("counts"))
    stage = CanaryStage("canary", (), (CanaryStep(100, 300.0),))
    (found,) = prospects(of, survey(of, scrapes(*counting(100, 2))), stage)
    assert found.steps[0].found is None
    assert found.steps[0].pass_s is None


def test_a_metric_that_is_only_watched_is_not_planned_for() -> None:
    found = prospect(spec("counts", judged=False), *counting(100, 2))
    assert (found.ok, found.steps) == (True, ())


def test_events_that_were_never_seen_are_guessed_at_most() -> None:
    found = prospect(spec("counts"), *[{key("n"): 100.0 * t, key("bad"): 0.0} for t in range(4)])
    assert found.guessed
    assert found.subject == Counted(1 / 300)


def test_a_series_of_events_that_is_not_there_yet_is_a_note() -> None:
    found = prospect(spec("counts"), *[{key("n"): 100.0 * t} for t in range(4)], page="n 1\n")
    assert not found.stable.counted
    assert any("there is no series bad" in note for note in found.notes)


def test_a_missing_series_is_a_problem_with_the_nearest_name() -> None:
    page = "# TYPE shop_requests_total counter\nshop_requests_total 1\n"
    metric = spec("counts", total=SeriesRef("shop_request_total"))
    found = prospect(metric, {}, {}, page=page)
    assert found.problems == (
        "there is no series shop_request_total; did you mean shop_requests_total?",
    )


def test_a_label_that_nothing_has_is_a_problem_with_what_there_is() -> None:
    page = 'n{code="200"} 1\nn{code="500"} 1\n'
    found = prospect(spec("counts", total=SeriesRef("n", {"kode": "200"})), {}, {}, page=page)
    assert found.problems == ("n has no label kode (its labels: code)",)


def test_five_instances_are_told_that_margins_will_be_measured() -> None:
    one = prospect(spec("counts"), *counting(100, 2))
    five = prospect(spec("counts"), *counting(100, 2), instances=5)
    assert any("one instance: margins are configured" in note for note in one.notes)
    assert any("5 instances: margins are measured" in note for note in five.notes)
    assert five.rate == pytest.approx(500)


def test_latency_is_planned_by_its_buckets() -> None:
    found = prospect(spec("latency"), *histogram(0.5, 0.4, 0.07, 0.03))
    assert found.ok
    assert found.subject == Timed((0.01, 0.05, 0.25), pytest.approx((0.5, 0.4, 0.07, 0.03)))  # type: ignore[arg-type]
    assert found.double == 1.5
    assert any("p95 is in the bucket 0.05 to 0.25" in note for note in found.notes)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.97, 0.02, 0.01, 0.0), "97 % of the requests are in one bucket, up to 0.01"),
        ((0.0, 0.0, 0.05, 0.95), "95 % of the requests are in one bucket, above 0.25"),
        ((0.2, 0.3, 0.3, 0.2), "p95 lies above the last bound, 0.25"),
    ],
)
def test_buckets_in_which_nothing_would_show_are_a_problem(
    shares: tuple[float, ...], said: str
) -> None:
    found = prospect(spec("latency"), *histogram(*shares))
    assert any(said in problem for problem in found.problems)


def test_a_label_that_is_looked_at_value_by_value_takes_its_part_of_the_evidence() -> None:
    page = 'n{path="/a"} 1\nn{path="/b"} 1\n'
    plain = prospect(spec("counts"), *counting(100, 2))
    scanned = prospect(spec("counts", by="path"), *counting(100, 2), page=page)
    assert plain.double_s is not None
    assert scanned.double_s is not None
    assert scanned.double_s > plain.double_s
    assert "looked at by path as well (2 values)" in scanned.notes
    wrong = prospect(spec("counts", by="route"), *counting(100, 2), page=page)
    assert any("has no label route" in note for note in wrong.notes)


def test_a_judged_gauge_without_a_limit_and_without_company_cannot_be_judged() -> None:
    alone = prospect(spec("gauge"), {key("n"): 5.0}, {key("n"): 6.0})
    assert "judged by its limit, and it has none" in alone.problems[0]
    limited = prospect(spec("gauge", limit=10.0), {key("n"): 5.0}, {key("n"): 6.0})
    assert limited.ok
    many = prospect(spec("gauge"), {key("n"): 5.0}, {key("n"): 6.0}, instances=4)
    assert many.ok


def test_what_is_bad_on_stable_already_is_noted() -> None:
    over = prospect(spec("gauge", limit=5.0, judged=False), {key("n"): 9.0})
    assert "stable is beyond its limit of 5 now" in over.notes
    down = prospect(spec("state", judged=False), {key("n"): 0.0})
    assert "it is DOWN on stable now" in down.notes


@pytest.mark.parametrize(
    ("metric", "area"),
    [
        (spec("counts"), "errors"),
        (spec("counts", worse="down"), "business"),
        (spec("latency"), "latency"),
        (spec("gauge", total=SeriesRef("shop_db_connections")), "database"),
        (spec("gauge", total=SeriesRef("process_open_fds")), "saturation"),
        (spec("state", total=SeriesRef("payments_up"), shared=True), "dependency"),
        (spec("state", total=SeriesRef("shop_db_up")), "database"),
        (spec("series", query="rate(http_errors_total[1m])"), "errors"),
        (spec("series", query="x", label="cpu"), "saturation"),
    ],
)
def test_every_metric_watches_an_area(metric: MetricSpec, area: str) -> None:
    assert area_of(metric) == area
