"""Levels: what people see is comparable between the arms, recent, and says when it is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hatchway.core.plan import MetricSpec, SeriesRef, ServiceSpec
from hatchway.metrics.exposition import parse, wanted
from hatchway.metrics.levels import Level, Levels, levels
from hatchway.metrics.port import Page, Scrape, SeriesKey

PageText = Callable[..., str]


class Screen:
    def __init__(self, service: ServiceSpec) -> None:
        self.service, self.window, self.t = service, Levels(), 100.0

    def page(self, endpoint: str, arm: str, text: str | None) -> Page:
        url = f"http://{arm or endpoint}/"
        if text is None:
            return Page(endpoint, arm, url, trouble="connection refused")
        read = parse(text.encode(), "text/plain", wanted(self.service.metrics))
        return Page(endpoint, arm, url, read.values, read.stamps)

    def see(self, stable: str | None, canary: str | None, edge: str | None) -> dict[str, Level]:
        self.t += 1.0
        pages = (
            self.page("app", "stable", stable),
            self.page("app", "canary", canary),
            self.page("edge", "", edge),
        )
        self.window, shown = levels(self.service, self.window, Scrape(self.t, pages))
        return {level.name: level for level in shown}


@pytest.fixture
def screen(make_service: Any) -> Screen:
    return Screen(make_service())


def steady(screen: Screen, app_page: PageText, edge_page: PageText, seconds: int) -> Any:
    """95 and 5 requests a second, 2 % and 20 % errors, 10 % orders on both, 1 in 10 slow."""
    shown = None
    for i in range(seconds + 1):
        shown = screen.see(
            app_page(86 * i, 9 * i, 19 * i // 2),
            app_page(4 * i, i, i // 2),
            edge_page((93 * i, 2 * i), (4 * i, i)),
        )
    return shown


def test_each_level_is_in_its_own_unit(
    screen: Screen, app_page: PageText, edge_page: PageText
) -> None:
    shown = steady(screen, app_page, edge_page, 10)
    errors, latency, db, payments = (
        shown[name] for name in ("errors", "latency", "db", "payments")
    )
    assert errors.stable == pytest.approx(100 * 2 / 95)
    assert errors.canary == pytest.approx(20)
    assert errors.n == 50
    assert 100 < latency.canary < 500
    assert (db.stable, db.canary, db.n) == (41, 41, None)
    assert (payments.text_stable, payments.text_canary) == ("ok", "ok")
    assert all(level.trouble == "" for level in shown.values())
    assert all(level.at == screen.t for level in shown.values())


def test_orders_per_minute_mean_the_same_on_both_arms(
    screen: Screen, app_page: PageText, edge_page: PageText
) -> None:
    """Both arms sell once in ten requests; the canary has a twentieth of the traffic."""
    orders = steady(screen, app_page, edge_page, 10)["orders"]
    assert orders.stable == pytest.approx(600, rel=0.02)
    assert orders.canary == pytest.approx(600, rel=0.02)


def test_old_data_leave_the_window(screen: Screen, app_page: PageText, edge_page: PageText) -> None:
    steady(screen, app_page, edge_page, 5)
    for i in range(10):
        shown = screen.see(None, None, edge_page((465 + 95 * i, 10), (20 + 5 * i, 5)))
    assert shown["errors"].canary == pytest.approx(0, abs=2.5)
    assert shown["latency"].canary is None
    assert shown["latency"].trouble == (
        "stable: scrape failed: connection refused; canary: scrape failed: connection refused"
    )
    assert screen.t - shown["latency"].at == pytest.approx(10)


def test_stable_is_shown_before_there_is_a_canary(
    screen: Screen, app_page: PageText, edge_page: PageText
) -> None:
    for i in range(5):
        shown = screen.see(app_page(95 * i), None, edge_page((95 * i, 0), (0, 0)))
    assert shown["latency"].stable is not None
    assert shown["latency"].canary is None
    assert shown["errors"].stable == 0
    assert shown["errors"].canary is None
    assert shown["errors"].n == 0
    assert shown["latency"].at == 0


def test_a_dependency_that_is_down_is_shown_in_words(
    screen: Screen, app_page: PageText, edge_page: PageText
) -> None:
    shown = screen.see(app_page(payments=0), app_page(payments=1), edge_page((0, 0), (0, 0)))
    assert shown["payments"].text_stable == "DOWN"
    assert shown["payments"].text_canary == "ok"


def test_a_latency_is_said_as_the_bucket_that_holds_it(
    screen: Screen, app_page: PageText, edge_page: PageText
) -> None:
    """Buckets end at 0.1 and 0.5 s: whatever is interpolated, no more than that is known."""
    screen.see(app_page(0, 0), app_page(0, 0), None)
    latency = screen.see(app_page(100, 0), app_page(50, 50), None)["latency"]
    assert (latency.text_stable, latency.text_canary) == ("below 100 ms", "between 100 and 500 ms")
    above = 'http_request_duration_seconds_bucket{le="+Inf"} '
    page = app_page(0, 0).replace(f"{above}0", f"{above}9000")
    assert screen.see(app_page(100, 0), page, None)["latency"].text_canary == "above 500 ms"


def test_samples_that_are_not_new_yet_are_no_trouble_until_it_lasts(screen: Screen) -> None:
    def page(n: int, stamp: int) -> str:
        return f"http_requests_total {n} {stamp}\nshop_orders_total {n} {stamp}\n"

    for i in range(10):
        screen.see(page(10 * i, i), page(10 * i, i), None)
    for _ in range(4):
        shown = screen.see(page(90, 9), page(90, 9), None)["orders"]
        assert shown.trouble == ""
    for _ in range(2):
        shown = screen.see(page(90, 9), page(90, 9), None)["orders"]
    assert "stable: stale: the sample times stand still" in shown.trouble
    assert shown.at == screen.t - 6
    shown = screen.see(page(160, 16), page(160, 16), None)["orders"]
    assert shown.trouble == ""
    assert shown.stable == pytest.approx(1200)  # 20 a second of both arms, also over the gap


def test_a_series_is_shown_as_its_query_gives_it(make_service: Any) -> None:
    service = make_service()
    ratio = MetricSpec(
        name="ratio", label="ratio", kind="series", source="app", total=SeriesRef(""), query="{arm}"
    )
    screen = Screen(msgspec.structs.replace(service, metrics=(*service.metrics, ratio)))

    def answer(arm: str, value: float | None) -> Page:
        values: dict[SeriesKey, float] = {} if value is None else {("ratio", ()): value}
        return Page("app", arm, f"{arm}?", values, query="ratio")

    pages = (answer("stable", 0.25), answer("canary", None))
    _, shown = levels(screen.service, screen.window, Scrape(1.0, pages))
    (level,) = [level for level in shown if level.name == "ratio"]
    assert (level.stable, level.canary, level.n, level.trouble) == (0.25, None, None, "")
