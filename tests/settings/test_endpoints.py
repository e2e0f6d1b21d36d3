"""Where metrics are read: the four kinds of endpoint, and what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.core.plan import EndpointSpec
from hatchway.settings import ConfigError, load_all

Edit = Callable[[str, str, str], int]
MAIN = "hatchway.yaml"
PAGES = """\
        stable: [http://127.0.0.1:8101/metrics]
        canary: [http://127.0.0.1:8102/metrics]
"""
SERVER = "        prometheus: http://127.0.0.1:9090/\n        arm_label: track\n"
METRIC = "      db:\n        label: database connections\n        kind: gauge\n        source: app\n        total: shop_db_connections\n"


def app(home: Path) -> EndpointSpec:
    (service,) = load_all(home).installation.services
    return next(endpoint for endpoint in service.endpoints if endpoint.name == "app")


def test_a_metrics_server_is_an_endpoint(home: Path, edit: Edit) -> None:
    more = '        select: job="shop",zone!~"x.*"\n        arms: {stable: v1, canary: \'v2\'}\n'
    edit(MAIN, PAGES, SERVER + more)
    assert app(home) == EndpointSpec(
        "app",
        prometheus="http://127.0.0.1:9090",
        arm_label="track",
        select='job="shop",zone!~"x.*"',
        arms={"stable": "v1", "canary": "v2"},
    )


def test_a_command_is_an_endpoint(home: Path, edit: Edit) -> None:
    edit(MAIN, PAGES, '        command: [bin/metrics, -v, -v, "--of={arm}"]\n')
    assert app(home) == EndpointSpec("app", command=("bin/metrics", "-v", "-v", "--of={arm}"))


def test_a_series_is_a_query_to_a_server(home: Path, edit: Edit) -> None:
    edit(MAIN, PAGES, SERVER)
    query = """sum(rate(bad[10s])) / sum(rate(all{track="{arm}"}[10s]))"""
    edit(
        MAIN,
        METRIC,
        f"      db:\n        kind: series\n        source: app\n        query: '{query}'\n",
    )
    (service,) = load_all(home).installation.services
    db = next(metric for metric in service.metrics if metric.name == "db")
    assert (db.kind, db.query, db.total.name) == ("series", query, "")


def test_counts_may_be_looked_at_by_a_label(home: Path, edit: Edit) -> None:
    edit(
        MAIN,
        "        events: shop_orders_total\n",
        "        events: shop_orders_total\n        by: path\n",
    )
    (service,) = load_all(home).installation.services
    assert [metric.by for metric in service.metrics if metric.by] == ["path"]


# (what the endpoint is, words of the message, words of the remedy)
MISTAKES = [
    ("", "names stable and canary, or both, or prometheus, or a command", "stable: [http"),
    ("        stable: [http://a/]\n", "names stable and canary", "stable: [http"),
    (PAGES + SERVER, '"prometheus" beside "stable" or "canary"', "one or the other"),
    (SERVER + "        both: http://a/\n", '"prometheus" beside "both"', "one or the other"),
    (SERVER + '        command: ["{arm}"]\n', '"command" beside "prometheus"', "one or the"),
    ("        prometheus: http://a/\n", '"prometheus" needs the label', "arm_label: server"),
    (SERVER.replace("track", "a-b"), '"a-b" is not the name of a label', "arm_label: server"),
    (SERVER.replace("http", "grpc"), "is not an http address", "prometheus: http://"),
    (SERVER.replace("9090/", "9090/api/v1/query"), "is a query's address, not the server's", "prometheus: http://127.0.0.1:9090"),
    (SERVER + "        select: job=shop\n", '"job=shop" is not label="value"', 'job="shop"'),
    (SERVER + "        select: '{job=\"shop\"}'\n", "is in braces", 'job="shop"'),
    (SERVER + "        select: 'job=\"a\"} or vector(1) or {x=\"\"'\n", 'is not label="value"', "select"),
    (SERVER + "        slect: 'job=\"a\"'\n", 'did you mean "select"?', "select: "),
    (PAGES + "        select: 'job=\"shop\"'\n", '"select" belongs to prometheus', "no select"),
    (PAGES + "        arms: {stable: a, canary: b}\n", "no names to tell them by", "no arms"),
    (SERVER + "        arms: {stable: v1}\n", '"canary" is missing in the arms', "canary: v2"),
    (SERVER + "        arms: {stable: v1, canary: v1}\n", 'stable and canary are both "v1"', "each arm"),
    ("        command: bin/metrics {arm}\n", '"command" takes a list', "command: [bin/metrics"),
    ("        command: [bin/metrics, stable]\n", "the command is the same for both arms", '"{arm}"'),
    ("        command: [[a], '{arm}']\n", "lists the words of a command, found a list", "[bin/metrics"),
    (PAGES.replace("8102", "8101"), "http://127.0.0.1:8101/metrics is stable and canary", "each arm"),
]  # fmt: skip
SERIES = "      db:\n        kind: series\n        source: app\n"
QUERIES = [
    ("", '"query" is missing', "query: sum("),
    ("        query: sum(x)\n", "the query is the same for both arms", "{arm}"),
    ("        query: 'x{a=\"{arm}\"}'\n        total: x\n", '"total" beside "query"', "no total"),
    (
        "        query: 'x{a=\"{arm}\"}'\n        by: path\n",
        '"by" belongs to kind: counts',
        "no by",
    ),
    ("        query: 'x{a=\"{arm}\"}'\n        source2: x\n", 'unknown key "source2"', ""),
]


@pytest.mark.parametrize(("new", "what", "write"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_a_mistake_in_an_endpoint_has_a_remedy(
    home: Path, edit: Edit, new: str, what: str, write: str
) -> None:
    edit(MAIN, PAGES, new)
    assert_said(home, what, write)


@pytest.mark.parametrize(("more", "what", "write"), QUERIES, ids=[q[1] for q in QUERIES])
def test_a_mistake_in_a_series_has_a_remedy(
    home: Path, edit: Edit, more: str, what: str, write: str
) -> None:
    edit(MAIN, PAGES, SERVER)
    edit(MAIN, METRIC, SERIES + more)
    assert_said(home, what, write)


def test_a_series_is_not_asked_of_an_instance(home: Path, edit: Edit) -> None:
    edit(MAIN, METRIC, SERIES + "        query: 'x{a=\"{arm}\"}'\n")
    assert_said(home, 'asked of a metrics server, and "app" is none', "an endpoint with prometheus")


def test_a_query_belongs_to_a_series(home: Path, edit: Edit) -> None:
    edit(MAIN, METRIC, METRIC + "        query: 'x{a=\"{arm}\"}'\n")
    assert_said(home, '"query" belongs to kind: series, not to gauge', "total: and events:")


def assert_said(home: Path, what: str, write: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_all(home)
    named = [trouble for trouble in caught.value.troubles if what in trouble.what]
    assert named, str(caught.value)
    assert write in named[0].write
    assert named[0].line
