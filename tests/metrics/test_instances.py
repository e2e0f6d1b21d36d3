"""From raw samples to pages: every instance's state, by what its server knows of it."""

from __future__ import annotations

import pytest

from hatchway.core.plan import EndpointSpec
from hatchway.metrics.exposition import Wanted
from hatchway.metrics.freshness import Freshness, gap_of, said
from hatchway.metrics.instances import FORGOTTEN_S, Asked, Place, Seen, pages
from hatchway.metrics.port import Page
from hatchway.metrics.promql import Line

ENDPOINT = EndpointSpec("app", prometheus="http://p", arm_label="track")
ASKED = Asked(
    ENDPOINT, Wanted(frozenset({"n_total"}), frozenset({"g"})), {"v1": "stable", "v2": "canary"}
)
NOW = 1000.0


def line(
    name: str,
    instance: str,
    track: str = "",
    value: str | None = "1",
    age: float = 0.5,
    **more: str,
) -> Line:
    labels = {"__name__": name, "instance": instance, "job": "shop", **more}
    if track:
        labels["track"] = track
    return Line(labels, [(NOW - age - 1, "0"), (NOW - age, value)])


def both(instance: str, track: str, value: str = "5", **more: str) -> list[Line]:
    return [line("up", instance, track, **more), line("n_total", instance, track, value, **more)]


class Watch:
    """Looks that remember."""

    def __init__(self, asked: Asked = ASKED) -> None:
        self.asked = asked
        self.known: dict[Place, Seen] = {}
        self.now = NOW

    def see(self, *lines: Line) -> dict[str, Page]:
        self.known, made = pages(self.asked, lines, self.known, self.now, 5.0)
        assert len({page.url for page in made}) == len(made)
        return {page.url.removeprefix("http://p#"): page for page in made}


def test_an_instance_is_a_page_of_its_arm() -> None:
    made = Watch().see(*both("a", "v1"), *both("b", "v1"), *both("c", "v2", "7"))
    assert {url: (page.arm, page.trouble) for url, page in made.items()} == {
        "stable/a": ("stable", ""),
        "stable/b": ("stable", ""),
        "canary/c": ("canary", ""),
    }
    labels = (("instance", "c"), ("job", "shop"), ("track", "v2"))
    assert made["canary/c"].values == {("n_total", labels): 7.0}
    assert made["canary/c"].stamps == {("n_total", labels): NOW - 0.5}


def test_one_instance_may_speak_of_both_arms() -> None:
    """A proxy's exporter: one instance, whose up has no arm."""
    of = [line("n_total", "proxy", arm, n) for arm, n in (("v1", "95"), ("v2", "5"))]
    made = Watch().see(line("up", "proxy"), *of)
    assert sorted(made) == ["canary/proxy", "stable/proxy"]
    down = Watch()
    down.see(line("up", "proxy"), *of)
    made = down.see(line("up", "proxy", value="0"))
    assert [page.trouble for page in made.values()] == ["up is 0: the server cannot scrape it"] * 2


def test_other_label_values_are_of_no_arm() -> None:
    made = Watch().see(*both("a", "v1"), *both("x", "v3"), *both("c", "v2"))
    assert sorted(made) == ["canary/c", "stable/a"]


def test_down_is_told_from_old_and_old_from_gone() -> None:
    watch = Watch()
    watch.see(*both("a", "v1"), *both("c", "v2"))
    made = watch.see(*both("a", "v1"), line("up", "c", "v2", "0"), line("n_total", "c", "v2"))
    assert made["canary/c"].trouble == "up is 0: the server cannot scrape it"
    watch.now += 7
    made = watch.see(line("up", "c", "v2"), line("n_total", "c", "v2"))
    assert made["canary/c"].trouble == "the newest sample is 8 s old"
    made = watch.see()
    assert made["canary/c"].trouble == "the newest sample is 8 s old"
    watch.now += FORGOTTEN_S
    assert {page.trouble for page in watch.see().values()} == {
        'no series with track="v1" at http://p',
        'no series with track="v2" at http://p',
    }


def test_an_instance_without_any_sample_yet_has_no_series() -> None:
    made = Watch().see(line("up", "a", "v1"), *both("c", "v2"))
    assert made["stable/a"].trouble == "no series of a yet"


def test_an_up_that_is_asked_of_nothing_else_is_enough_for_queries() -> None:
    asked = Asked(ENDPOINT, Wanted(frozenset(), frozenset()), ASKED.arms)
    made = Watch(asked).see(line("up", "a", "v1"), line("up", "c", "v2", "0"))
    assert [page.trouble for page in made.values()] == ["", "up is 0: the server cannot scrape it"]
    old = Watch(asked).see(line("up", "a", "v1", age=9.0))
    assert old["stable/a"].trouble == "the newest sample is 9 s old"
    (page,) = Watch(asked).see(line("up", "a", value="0"), line("up", "b", value="0")).values()
    assert (page.arm, page.trouble) == ("", "up is 0: the server cannot scrape it")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", None, "", "five"])
def test_what_is_no_number_is_dropped_and_counted(value: str | None) -> None:
    good = [line("n_total", "a", "v1", str(n), code=str(n)) for n in range(9)]
    bad = line("n_total", "a", "v1", value, code="x")
    page = Watch().see(*good, bad)["stable/a"]
    assert (len(page.values), page.dropped, page.trouble) == (9, 1, "")
    page = Watch().see(*good[:1], bad)["stable/a"]
    assert (page.values, page.trouble) == ({}, "1 of 2 values are not numbers")


def test_a_gauge_may_be_negative() -> None:
    assert set(Watch().see(line("g", "a", "v1", "-3"))["stable/a"].values.values()) == {-3.0}


def test_what_is_scraped_twice_is_counted_once_and_said() -> None:
    watch = Watch()
    twice = [*both("a", "v1", "5"), *both("a", "v1", "6", job="again")]
    made = watch.see(*twice)
    assert list(made["stable/a"].values.values()) == [6.0]  # the first by name
    assert made["stable/a (job=shop)"].trouble == "the same instance as job=again: counted once"


def test_the_other_scraper_steps_in_and_stays() -> None:
    watch = Watch()
    mine, other = both("a", "v1", "5"), both("a", "v1", "6", job="x")
    watch.see(*mine, *other)
    down = [line("up", "a", "v1", "0"), line("n_total", "a", "v1", "5")]
    assert list(watch.see(*down, *other)["stable/a"].values.values()) == [6.0]
    assert list(watch.see(*mine, *other)["stable/a"].values.values()) == [6.0]


def test_two_replicas_of_the_server_are_not_two_instances() -> None:
    made = Watch().see(*both("a", "v1", "5", replica="0"), *both("a", "v1", "6", replica="1"))
    assert list(made["stable/a"].values.values()) == [5.0]
    assert len(made) == 3  # the note, and that there is no canary


def test_jobs_with_different_series_complement_each_other() -> None:
    made = Watch().see(*both("a", "v1"), line("g", "a", "v1", "3", job="node"))
    assert sorted(made["stable/a"].values.values()) == [3.0, 5.0]


def test_the_time_between_scrapes_is_that_of_the_slowest() -> None:
    def up(instance: str, gap: float) -> Line:
        return Line({"__name__": "up", "instance": instance}, [(i * gap, "1") for i in range(5)])

    assert gap_of([up("a", 1), up("b", 15)]) == 15
    assert gap_of([up("a", 1), Line({"__name__": "up"}, [(0, "1")])]) == 1
    assert gap_of([Line({"__name__": "up"}, [(0, "1")])]) is None
    assert gap_of([]) is None


def freshness(**known: float) -> Freshness:
    ups = [Line({"__name__": "up", "track": "v1"}, [(NOW - 16, "1"), (NOW - 1, "1")])]
    at = known.get("exact", NOW)
    return Freshness.of(ups, known.get("plain", at), at, NOW, "track")


def test_a_slow_server_is_said_to_be_slow() -> None:
    of_samples, of_pace = said(ENDPOINT, freshness(), 60.0)
    assert "time between scrapes: 15 s; its newest sample is 1 s old; older than 60 s" in of_samples
    assert "is seen 15 s later at worst: scrape_interval: 1s" in of_pace


def test_a_server_whose_samples_are_hidden_too_makes_the_judge_blind() -> None:
    words = said(ENDPOINT, Freshness(1.0, 30.4, 30.0), 5.0)
    assert words[1].endswith("start it with -search.latencyOffset=0s; or expect a blind judge")


def test_a_clock_that_is_off_is_reckoned_with() -> None:
    ahead = freshness(exact=NOW + 60)
    assert (ahead.ahead_s, ahead.age_s) == (60, 61)
    assert "clock is 60 s ahead of ours" in said(ENDPOINT, ahead, 60.0)[-1]
    assert "clock is 60 s behind ours" in said(ENDPOINT, freshness(exact=NOW - 60), 60.0)[-1]
    assert freshness(exact=NOW - 1).ahead_s == 0


def test_an_up_without_the_arms_label_is_said() -> None:
    ups = [Line({"__name__": "up"}, [(NOW - 2, "1"), (NOW - 1, "1")])]
    words = said(ENDPOINT, Freshness.of(ups, NOW, NOW, NOW, "track"), 5.0)
    assert 'its up does not have the label "track"' in words[-1]
