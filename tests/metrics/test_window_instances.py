"""Windows over several instances: by instance, by part, and one that is taken for two."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.judge.look import Counts, Look, Missing
from hatchway.metrics.exposition import wanted
from hatchway.metrics.port import Page, Scrape
from hatchway.metrics.window import MOST_PARTS, SAME, Window, before, look


def counting(**more: Any) -> ServiceSpec:
    return ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=TargetSpec(kind="haproxy", socket="s"),
        endpoints=(EndpointSpec("app", stable=("s",), canary=("c",)),),
        metrics=(
            MetricSpec(
                name="n",
                label="n",
                kind="counts",
                source="app",
                total=SeriesRef("n_total"),
                events=SeriesRef("bad_total"),
                **more,
            ),
        ),
    )


def numbers(arm: str, url: str, stamp: float = 0.0, **values: float) -> Page:
    """A page of n_total and bad_total: `n=3, bad=1`, or by path: `n_a=3`."""
    found: dict[Any, float] = {}
    for name, value in values.items():
        series, _, path = name.partition("_")
        found[f"{series}_total", (("path", path),) if path else ()] = value
    return Page("app", arm, url, found, dict.fromkeys(found, stamp) if stamp else {})


def seen_of(service: ServiceSpec, *scrapes: tuple[Page, ...]) -> tuple[Window, Look]:
    window, seen = Window(), Look(t=0, seconds=1, weight=0, samples={})
    for t, pages in enumerate(scrapes):
        window, seen = look(service, window, Scrape(float(t), pages), 5)
    return window, seen


def test_before_a_rollout_no_canary_is_needed() -> None:
    service = counting(by="path")
    window = Window()
    for t, n in enumerate((10.0, 30.0)):
        pages = (
            numbers("stable", "s1", n_a=n, bad_a=1),
            numbers("stable", "s2", n_a=5, bad_a=n),
            Page("app", "canary", "c", trouble="connection refused"),
        )
        window, seen = before(service, window, Scrape(float(t), pages))
    assert seen.weight == 0
    assert seen.samples["n"] == Counts(
        (0, 0), (20, 20), pods={"s1": (20, 0), "s2": (0, 20)}, parts={"a": ((0, 0), (20, 20))}
    )
    _, seen = before(service, window, Scrape(2.0, ()))
    assert seen.samples["n"] == Missing("no series: no endpoint", "stable")


def test_an_arm_that_was_not_sampled_anew_leaves_all_to_the_next_look() -> None:
    def pages(stable: float, canary: float, at: float) -> tuple[Page, ...]:
        return (
            numbers("stable", "s", 10 + stable, n=stable),
            numbers("canary", "c", at, n=canary),
        )

    first, between, after = pages(10, 1, 1), pages(20, 1, 1), pages(35, 4, 2)
    _, seen = seen_of(counting(), first, between)
    assert seen.samples["n"] == Missing("stale: the sample times stand still", "canary")
    _, seen = seen_of(counting(), first, between, after)
    assert seen.samples["n"] == Counts((3, 0), (25, 0))


def test_stable_is_seen_by_instance_where_there_are_several() -> None:
    then = (
        *(numbers("stable", f"s{i}", n=0, bad=0) for i in range(3)),
        numbers("canary", "c", n=0),
    )
    now = (
        *(numbers("stable", f"s{i}", n=10 + i, bad=i) for i in range(3)),
        numbers("canary", "c", n=4),
    )
    _, seen = seen_of(counting(), then, now)
    assert seen.samples["n"] == Counts(
        (4, 0), (33, 3), pods={"s0": (10, 0), "s1": (11, 1), "s2": (12, 2)}
    )


def test_parts_are_those_with_the_most_requests_ever() -> None:
    many = {f"n_{i:03}": 1000.0 - i for i in range(MOST_PARTS + 30)}
    then = (numbers("stable", "s", **many, n=1), numbers("canary", "c", n_000=1, n_079=0))
    grown = {name: value + 2 for name, value in many.items()}
    grown["n_079"] += 15  # the busiest of this look, and not of all time
    now = (numbers("stable", "s", **grown, bad_001=5, n=9), numbers("canary", "c", n_000=2))
    sample = seen_of(counting(by="path"), then, now)[1].samples["n"]
    assert isinstance(sample, Counts)
    assert len(sample.parts) == MOST_PARTS
    assert sample.parts["000"] == ((1, 0), (2, 0))
    assert "079" not in sample.parts
    assert "" not in sample.parts


def test_one_instance_under_two_addresses_is_not_two_arms() -> None:
    def pages(n: float, canary: float) -> tuple[Page, ...]:
        return numbers("stable", "http://localhost/", n=n), numbers(
            "canary", "http://[::1]/", n=canary
        )

    window, seen = seen_of(counting(), pages(300, 300), pages(310, 310))
    assert seen.samples["n"] == SAME
    _, seen = look(counting(), window, Scrape(2.0, pages(330, 315)), 5)
    assert seen.samples["n"] == Counts((15, 0), (30, 0))  # they were two: nothing is lost
    for by_chance in (pages(70, 70), pages(50, 50)):  # few, or nothing happened
        _, seen = seen_of(counting(), pages(50, 50), by_chance)
        assert isinstance(seen.samples["n"], Counts)
    _, seen = seen_of(counting(), pages(300, 299), pages(310, 310))
    assert isinstance(seen.samples["n"], Counts)


def test_one_instance_under_two_label_values_is_not_two_arms() -> None:
    """A target listed twice in the metrics server's configuration."""
    base = counting()
    service = ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=base.target,
        endpoints=(EndpointSpec("app", prometheus="http://p", arm_label="track"),),
        metrics=base.metrics,
    )

    def pages(n: float) -> tuple[Page, ...]:
        return tuple(
            Page("app", arm, arm, {("n_total", (("instance", "a"), ("track", arm))): n})
            for arm in ("stable", "canary")
        )

    _, seen = seen_of(service, pages(300), pages(305))
    assert seen.samples["n"] == SAME


def test_an_instance_that_is_gone_is_forgotten_and_one_that_comes_back_starts_anew() -> None:
    def pages(*stable: Page) -> tuple[Page, ...]:
        return (*stable, numbers("canary", "c", n=1))

    one, two = numbers("stable", "s1", n=10), numbers("stable", "s2", n=500)
    window, _ = seen_of(counting(), pages(one, two), pages(one))
    assert set(window.base["app"]) == {"s1", "c"}
    _, seen = look(counting(), window, Scrape(2.0, pages(one, numbers("stable", "s2", n=900))), 5)
    assert seen.samples["n"] == Counts((0, 0), (0, 0))


def test_series_that_are_counted_together_add_up() -> None:
    """A proxy's own answers are in no server's responses: without them a hung arm has no errors."""
    own = SeriesRef("own_total")
    service = counting()
    spec = structs.replace(
        service.metrics[0],
        total=SeriesRef("n_total", {}, (own,)),
        events=SeriesRef("bad_total", {}, (own,)),
    )
    service = structs.replace(service, metrics=(spec,))
    assert wanted(service.metrics).counters == {"n_total", "bad_total", "own_total"}
    window = Window()
    for at, n in ((0.0, 0), (1.0, 1)):
        pages = tuple(
            numbers(arm, url, n=100 + 10 * n, bad=n, own=5 + 3 * n)
            for arm, url in (("stable", "s"), ("canary", "c"))
        )
        window, seen = look(service, window, Scrape(at, pages), 50)
    assert seen.samples["n"] == Counts((13, 4), (13, 4))
