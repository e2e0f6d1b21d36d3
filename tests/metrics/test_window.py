"""Windows: what goes missing is counted later, once, and nothing is made up."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.judge.look import Counts, Gauge, Latency, Look, Missing
from hatchway.metrics.exposition import parse, wanted
from hatchway.metrics.port import Page, Scrape
from hatchway.metrics.window import MOST_PARTS, SAME, Window, before, look

PageText = Callable[..., str]


class Watch:
    """Feeds pages, given as text, into a window; None is a page that could not be read."""

    def __init__(self, service: ServiceSpec) -> None:
        self.service = service
        self.names = wanted(service.metrics)
        self.window = Window()
        self.t = 0.0

    def page(self, endpoint: str, arm: str, url: str, text: str | None) -> Page:
        if text is None:
            return Page(endpoint, arm, url, trouble="connection refused")
        read = parse(text.encode(), "text/plain", self.names)
        return Page(endpoint, arm, url, read.values, read.stamps, read.dropped)

    def see(
        self, *, stable: str | None = None, canary: str | None = None, edge: str | None = None
    ) -> Look:
        self.t += 1.0
        pages = (
            self.page("app", "stable", "http://stable/", stable),
            self.page("app", "canary", "http://canary/", canary),
            self.page("edge", "", "http://edge/", edge),
        )
        self.window, seen = look(self.service, self.window, Scrape(self.t, pages), 5)
        return seen


@pytest.fixture
def watch(make_service: Any) -> Watch:
    return Watch(make_service())


def test_the_first_scrape_is_only_the_base(
    watch: Watch, app_page: PageText, edge_page: PageText
) -> None:
    pages = {"stable": app_page(1000), "canary": app_page(50), "edge": edge_page((9, 9), (9, 9))}
    first = watch.see(**pages)
    assert first.samples["errors"] == Missing("first scrape: counters need two")
    assert first.samples["db"] == Gauge((41.0,), (41.0,))
    again = watch.see(**pages)
    assert again.samples["errors"] == Counts((0, 0), (0, 0))
    assert again.samples["latency"] == Latency((0.1, 0.5), (0, 0, 0), (0, 0, 0))


def test_a_look_is_the_difference(watch: Watch, app_page: PageText, edge_page: PageText) -> None:
    watch.see(
        stable=app_page(100, 5, 10), canary=app_page(7, 1, 1), edge=edge_page((90, 1), (5, 0))
    )
    seen = watch.see(
        stable=app_page(190, 10, 19), canary=app_page(10, 3, 1), edge=edge_page((184, 2), (9, 1))
    )
    assert (seen.t, seen.seconds, seen.weight) == (2.0, 1.0, 5)
    assert seen.samples == {
        "errors": Counts(canary=(5, 1), stable=(95, 1)),
        "latency": Latency((0.1, 0.5), canary=(3, 2, 0), stable=(90, 5, 0)),
        "orders": Counts(canary=(5, 0), stable=(95, 9)),
        "db": Gauge((41.0,), (41.0,)),
        "payments": Gauge((1.0,), (1.0,)),
    }


def test_a_restarted_instance_counts_from_zero(watch: Watch, app_page: PageText) -> None:
    watch.see(stable=app_page(100), canary=app_page(1000, 50, 100))
    seen = watch.see(stable=app_page(110), canary=app_page(3, 2, 1))
    assert seen.samples["orders"] == Counts((5, 1), (10, 0))
    assert seen.samples["latency"] == Latency((0.1, 0.5), (3, 2, 0), (10, 0, 0))


def test_a_histogram_is_reset_as_a_whole(watch: Watch, app_page: PageText) -> None:
    """After a restart the fast bucket may be below, the slow one above what it was."""
    watch.see(stable=app_page(10), canary=app_page(10, 2))
    seen = watch.see(stable=app_page(20), canary=app_page(5, 20))
    assert seen.samples["latency"] == Latency((0.1, 0.5), (5, 20, 0), (10, 0, 0))


def test_a_new_series_only_sets_its_base(watch: Watch, app_page: PageText) -> None:
    new = 'http_requests_total{code="500"}'
    watch.see(stable=app_page(10), canary=app_page(10))
    seen = watch.see(stable=app_page(20), canary=app_page(20) + f"{new} 7000\n")
    assert seen.samples["orders"] == Counts((10, 0), (10, 0))
    seen = watch.see(stable=app_page(30), canary=app_page(30) + f"{new} 7002\n")
    assert seen.samples["orders"] == Counts((12, 0), (10, 0))


def test_an_arm_that_cannot_be_read_is_named_with_the_reason(
    watch: Watch, app_page: PageText, edge_page: PageText
) -> None:
    watch.see(stable=app_page(1), canary=app_page(1), edge=edge_page((1, 0), (1, 0)))
    seen = watch.see(stable=app_page(2), canary=None, edge=None)
    refused = "scrape failed: connection refused"
    assert seen.samples["latency"] == Missing(refused, "canary")
    assert seen.samples["errors"] == Missing(refused)
    assert seen.samples["db"] == Gauge((), (41.0,))


def test_no_series_is_not_a_failed_scrape(watch: Watch, app_page: PageText) -> None:
    watch.see(stable=app_page(1), canary="", edge="")
    seen = watch.see(stable=app_page(1), canary="", edge="")
    assert seen.samples["orders"] == Missing("no series http_requests_total", "canary")
    assert seen.samples["errors"] == Missing("no series haproxy_server_http_responses_total")
    assert seen.samples["latency"] == Missing(
        "no series http_request_duration_seconds_bucket", "canary"
    )


def test_different_buckets_cannot_be_compared(watch: Watch, app_page: PageText) -> None:
    other = app_page(5).replace('le="0.5"', 'le="0.25"')
    watch.see(stable=app_page(5), canary=other)
    seen = watch.see(stable=app_page(6), canary=other)
    assert seen.samples["latency"] == Missing("the arms have different latency buckets")


def test_sample_times_that_stand_still_are_stale_not_zero(watch: Watch) -> None:
    def page(n: int, stamp: int) -> str:
        return f"http_requests_total {n} {stamp}\nshop_orders_total 1 {stamp}\n"

    watch.see(stable=page(1, 1000), canary=page(1, 1000))
    watch.see(stable=page(96, 2000), canary=page(6, 2000))
    seen = watch.see(stable=page(191, 3000), canary=page(6, 2000))
    assert seen.samples["orders"] == Missing("stale: the sample times stand still", "canary")


def test_a_gap_is_made_up_for_exactly(watch: Watch, app_page: PageText) -> None:
    watch.see(stable=app_page(100), canary=app_page(5))
    watch.see(stable=app_page(195), canary=None)
    watch.see(stable=None, canary=app_page(17))
    seen = watch.see(stable=app_page(385, 1), canary=app_page(19, 1))
    assert seen.samples["orders"] == Counts((15, 0), (286, 0))


def test_one_of_two_instances_missing_does_not_blind(make_service: Any, app_page: PageText) -> None:
    watch = Watch(make_service(stable=("http://a/", "http://b/")))

    def see(a: str | None, b: str | None, canary: str) -> Look:
        watch.t += 1
        pages = (
            watch.page("app", "stable", "http://a/", a),
            watch.page("app", "stable", "http://b/", b),
            watch.page("app", "canary", "http://canary/", canary),
        )
        watch.window, seen = look(watch.service, watch.window, Scrape(watch.t, pages), 5)
        return seen

    see(app_page(10), app_page(1000), app_page(1))
    assert see(app_page(20), None, app_page(2)).samples["orders"] == Counts((1, 0), (10, 0))
    assert see(app_page(30), app_page(1007), app_page(3)).samples["orders"] == Counts(
        (1, 0), (17, 0), pods={"http://a/": (10, 0), "http://b/": (7, 0)}
    )


def test_a_metric_without_an_endpoint_says_so(make_service: Any) -> None:
    service = make_service()
    lost = MetricSpec(name="x", label="x", kind="counts", source="nowhere", total=SeriesRef("x"))
    service = ServiceSpec(
        name="s", repo="r", pipeline="p", target=service.target, endpoints=(), metrics=(lost,)
    )
    _, seen = look(service, Window(), Scrape(1.0, ()), 5)
    assert seen.samples["x"] == Missing("no series: no endpoint nowhere")


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


def test_before_a_rollout_every_kind_has_an_empty_canary(
    watch: Watch, app_page: PageText, edge_page: PageText
) -> None:
    for n in (10, 20):
        pages = (
            watch.page("app", "stable", "http://stable/", app_page(n)),
            watch.page("edge", "", "http://edge/", edge_page((n, 1), (7, 0))),
        )
        watch.t += 1
        watch.window, seen = before(watch.service, watch.window, Scrape(watch.t, pages))
    assert seen.samples == {
        "errors": Counts((0, 0), (10, 0)),
        "latency": Latency((0.1, 0.5), (0, 0, 0), (10, 0, 0)),
        "orders": Counts((0, 0), (10, 0)),
        "db": Gauge((), (41.0,)),
        "payments": Gauge((), (1.0,)),
    }


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


steps = st.lists(
    st.tuples(
        st.integers(0, 200),  # requests of stable
        st.integers(0, 20),  # requests of the canary
        st.booleans(),  # stable can be read
        st.booleans(),  # canary can be read
    ),
    min_size=1,
    max_size=40,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_whatever_goes_missing_the_looks_add_up(
    plan: list[tuple[int, int, bool, bool]],
) -> None:
    service = ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=TargetSpec(kind="haproxy", socket="s"),
        endpoints=(EndpointSpec("app", stable=("s",), canary=("c",)),),
        metrics=(
            MetricSpec(
                name="n", label="n", kind="counts", source="app", total=SeriesRef("n_total")
            ),
        ),
    )

    def page(arm: str, n: float, readable: bool) -> Page:
        if not readable:
            return Page("app", arm, arm, trouble="refused")
        return Page("app", arm, arm, {("n_total", ()): n})

    window, stable, canary, seen_stable, seen_canary = Window(), 0, 0, 0, 0
    whole = [(0, 0, True, True), *plan, (0, 0, True, True)]
    for t, (more_stable, more_canary, stable_ok, canary_ok) in enumerate(whole):
        stable, canary = stable + more_stable, canary + more_canary
        pages = (page("stable", stable, stable_ok), page("canary", canary, canary_ok))
        window, seen = look(service, window, Scrape(float(t), pages), 5)
        sample = seen.samples["n"]
        if isinstance(sample, Counts):
            seen_stable += sample.stable[0]
            seen_canary += sample.canary[0]
    assert (seen_stable, seen_canary) == (stable, canary)


values = st.one_of(st.floats(), st.sampled_from([inf, -inf, -1.0, 0.0, 1e18]))


@given(st.lists(values, min_size=2, max_size=20))
@settings(max_examples=150, deadline=None)
def test_no_values_make_negative_counts(seen: list[float]) -> None:
    spec = MetricSpec(name="n", label="n", kind="counts", source="app", total=SeriesRef("n_total"))
    service = ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=TargetSpec(kind="haproxy", socket="s"),
        endpoints=(EndpointSpec("app", both="u", arm_label="arm"),),
        metrics=(spec,),
    )
    window = Window()
    for t, value in enumerate(seen):
        text = f'n_total{{arm="canary"}} {value}\n' + "".join(
            f'n_total{{arm="stable",i="{i}"}} {i}\n' for i in range(8)
        )
        read = parse(text.encode(), "", wanted((spec,)))
        page = Page("app", "", "u", read.values, read.stamps, read.dropped)
        window, got = look(service, window, Scrape(float(t), (page,)), 5)
        sample = got.samples["n"]
        assert isinstance(sample, Counts | Missing)
        if isinstance(sample, Counts):
            assert sample.canary[0] >= 0
            assert sample.stable == (0, 0)


def test_a_window_survives_as_bytes(watch: Watch, app_page: PageText, edge_page: PageText) -> None:
    """A restarted backend goes on from the last look: what came meanwhile is in the next one."""
    watch.see(stable=app_page(10), canary=app_page(1), edge=edge_page((10, 0), (1, 0)))
    kept = msgspec.msgpack.encode(watch.window)
    watch.window = msgspec.msgpack.decode(kept, type=Window)
    seen = watch.see(stable=app_page(105), canary=app_page(6), edge=edge_page((105, 0), (6, 0)))
    assert seen.samples["errors"] == Counts((5, 0), (95, 0))
    assert seen.samples["orders"] == Counts((5, 0), (95, 0))
