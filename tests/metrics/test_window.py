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
from hatchway.metrics.window import Window, before, look

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


def test_the_first_error_of_each_route_on_a_new_canary_is_counted(
    watch: Watch, app_page: PageText
) -> None:
    """A client makes a series with its first error; stable has had all of them for long."""

    def route(number: int, value: int) -> str:
        return f'http_requests_total{{code="500",route="/{number}"}} {value}\n'

    page = app_page(10)
    watch.see(stable=app_page(10), canary=page)
    for number in range(5):
        page += route(number, 1)
        seen = watch.see(stable=app_page(10 + number), canary=page)
        assert isinstance(sample := seen.samples["orders"], Counts)
        assert sample.canary == (1, 0)


def test_series_under_other_labels_than_before_only_set_their_base(
    watch: Watch, app_page: PageText
) -> None:
    """Labels that are changed are no requests: what was there under the old ones is gone."""
    watch.see(stable=app_page(10), canary=app_page(5))
    other = app_page(6).replace("http_requests_total{", 'http_requests_total{zone="a",')
    assert other != app_page(6)
    seen = watch.see(stable=app_page(20), canary=other)
    assert seen.samples["orders"] == Counts((0, 0), (10, 0))


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
