"""Instances say which version they run; one that does not is there all the same."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.core.fleet import means, named, not_yet
from hatchway.core.plan import Attests, EndpointSpec, ServiceSpec, TargetSpec
from hatchway.core.undo import Instance
from hatchway.metrics.attest import attested
from hatchway.metrics.exposition import parse, wanted_of
from hatchway.metrics.port import Page, Scrape


def service(endpoint: EndpointSpec, **more: Any) -> ServiceSpec:
    return ServiceSpec(
        name="shop", repo="r", pipeline="p", target=TargetSpec("haproxy", "s"),
        endpoints=(endpoint,), metrics=(), attests=Attests("app", **more),
    )  # fmt: skip


PAGES = service(EndpointSpec("app", stable=("a", "b"), canary=("c",)))


def build(version: str, value: float = 1.0, **labels: str) -> dict[Any, float]:
    return {("build_info", tuple(sorted({"version": version, **labels}.items()))): value}


def test_each_instance_has_its_own_word() -> None:
    scrape = Scrape(
        1.0,
        (
            Page("app", "stable", "a", build("1.4.0")),
            Page("app", "stable", "b", trouble="scrape failed: refused"),
            Page("app", "canary", "c", build("1.5.0")),
            Page("other", "stable", "x", build("9")),
        ),
    )
    assert attested(PAGES, scrape, "stable") == (Instance("a", "1.4.0"), Instance("b", ""))
    assert attested(PAGES, scrape, "canary") == (Instance("c", "1.5.0"),)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ""),
        ({("other", ()): 1.0}, ""),
        (build("1.4.0") | build("1.3.0", 0.0), "1.4.0"),  # of an earlier process
        (build("1.4.0") | build("1.3.0"), "1.3.0 and 1.4.0"),  # nobody knows which
        ({("build_info", (("revision", "x"),)): 1.0}, ""),
    ],
)
def test_what_is_not_said_once_is_not_said(values: dict[Any, float], said: str) -> None:
    scrape = Scrape(1.0, (Page("app", "stable", "a", values),))
    assert attested(PAGES, scrape, "stable") == (Instance("a", said),)


def test_on_one_page_for_both_the_label_tells_the_arms_apart() -> None:
    both = service(EndpointSpec("app", both="u", arm_label="track"))
    values = build("1.4.0", track="stable") | build("1.5.0", track="canary")
    scrape = Scrape(1.0, (Page("app", "", "u", values),))
    assert attested(both, scrape, "stable") == (Instance("u", "1.4.0"),)
    assert attested(both, scrape, "canary") == (Instance("u", "1.5.0"),)


def test_an_instance_behind_a_metrics_server_has_its_own_name() -> None:
    server = service(EndpointSpec("app", prometheus="http://p", arm_label="track"))
    page = Page("app", "stable", "http://p#stable/10.0.0.1:80", build("1.4.0", track="stable"))
    assert attested(server, Scrape(1.0, (page,)), "stable") == (
        Instance("stable/10.0.0.1:80", "1.4.0"),
    )


def test_the_series_is_read_although_no_metric_asks_for_it() -> None:
    names = wanted_of(PAGES, "app")
    read = parse(b'build_info{version="1.4.0"} 1\nother 2\n', "text/plain", names)
    assert read.values == build("1.4.0")
    assert wanted_of(PAGES, "other").gauges == frozenset()


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        ("1.5.0", True), ("v1.5.0", True), ("abcdef1", True), ("abcdef1234", True),
        ("abcdef", False), ("", False), ("1.5", False), ("1.5.0-rc1", False), ("abcdef9", False),
    ],
)  # fmt: skip
def test_a_version_is_known_by_its_name_or_its_commit(said: str, is_it: bool) -> None:
    assert means(said, "1.5.0", "abcdef1234") == is_it


def test_no_instance_at_all_is_not_all_instances() -> None:
    assert "no instance" in not_yet((), "1.5.0")
    fleet = named([Instance("a", "v1.5.0"), Instance("b", "")], "1.5.0", "")
    assert not_yet(fleet, "1.5.0") == (
        "1 of 2 instances say that they run 1.5.0: b does not say what it runs"
    )
    assert not_yet(fleet[:1], "1.5.0") == ""
