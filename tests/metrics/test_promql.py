"""Questions and answers of Prometheus' API, and servers that answer something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.metrics import promql
from hatchway.metrics.exposition import Unreadable
from hatchway.metrics.prometheus import PrometheusMetrics


def test_values_cannot_break_out_of_a_question() -> None:
    asked = promql.raw({"a_total", "b"}, "track", ('x"}or{y="', "v1.2|3\\"), 'job="shop",', 6)
    assert asked == (
        '{__name__=~"a_total|b",track=~"x\\"\\\\}or\\\\{y=\\"|v1\\\\.2\\\\|3\\\\\\\\|",job="shop"}[6s]'
    )


def test_an_address_asks_for_the_newest() -> None:
    assert promql.address("http://a/b/", "up +1") == (
        "http://a/b/api/v1/query?query=up+%2B1&nocache=1"
    )


def vector(*values: object) -> bytes:
    result = [{"metric": {}, "value": [1.5, value]} for value in values]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}}
    ).encode()


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (vector("0.25"), 0.25),
        (vector("0"), 0.0),
        (vector(), None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
        (vector(None), None),
        (b'{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}', 3.0),
        (
            b'{"status":"success","warnings":["w"],"data":{"resultType":"scalar","result":[1,"3"]}}',
            3.0,
        ),
    ],
)
def test_one_number_or_none(body: bytes, number: float | None) -> None:
    assert promql.one_number(body) == number


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (vector("1", "2"), "the query gives 2 series for one arm"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "gives a matrix"),
        (b'{"status":"success","data":{"resultType":"vector","result":7}}', "not the answer"),
        (
            b'{"status":"error","errorType":"bad_data","error":"no  such\\nthing"}',
            "bad_data: no such",
        ),
        (b'{"status":"error"}', "the server refuses the query"),
        (b"[]", "not the answer of a metrics server"),
        (b"<html>", "not the answer of a metrics server"),
        (b"\xff", "not the answer of a metrics server"),
        (b"", "not the answer of a metrics server"),
    ],
)
def test_anything_else_has_its_words(body: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        promql.one_number(body)


@pytest.mark.parametrize("body", [vector("1"), b"<html>", b'{"status":"error"}', b"{}"])
def test_samples_are_asked_for_and_nothing_else_will_do(body: bytes) -> None:
    with pytest.raises(Unreadable):
        promql.lines(body)


def service(url: str) -> ServiceSpec:
    return ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=TargetSpec(kind="haproxy", socket="s"),
        endpoints=(EndpointSpec("app", prometheus=url, arm_label="track"),),
        metrics=(
            MetricSpec(name="n", label="n", kind="counts", source="app", total=SeriesRef("n")),
            MetricSpec(
                name="q", label="q", kind="series", source="app", total=SeriesRef(""),
                query='q{a="{arm}"}',
            ),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"how": "hang"}, "no whole answer within 1 s"),
        ({"how": "half", "body": "{"}, "the answer broke off"),
        ({"how": "flood"}, "more than 4 MB"),
        ({"how": "garbage"}, "not an HTTP answer"),
        ({"how": "login"}, "not the answer of a metrics server"),
        ({"how": "unavailable", "body": "<html>busy</html>"}, "HTTP 503"),
        (
            {"how": "unavailable", "body": '{"status":"error","errorType":"timeout","error":"x"}'},
            "HTTP 503, timeout: x",
        ),
        ({"body": "{}"}, "not the answer of a metrics server"),
    ],
)
async def test_a_server_that_lies_is_trouble_on_both_arms_and_for_every_query(
    lie: dict[str, str], said: str, serve: Any
) -> None:
    endpoint = await serve(**lie)
    metrics = PrometheusMetrics(service(f"http://127.0.0.1:{endpoint.port}"), timeout_s=1.0)
    scrape = await metrics.look(1.0)
    assert {(page.arm, page.query) for page in scrape.pages} == {
        ("", ""), ("stable", "q"), ("canary", "q"),
    }  # fmt: skip
    assert all(said in page.trouble and not page.values for page in scrape.pages)
    (words,) = await metrics.about()
    assert "cannot be read: " in words


async def test_too_many_series_are_said(serve: Any) -> None:
    one = {"metric": {"__name__": "n", "track": "stable"}, "values": [[1, "1"]]}
    data = {"resultType": "matrix", "result": [one] * 2001}
    endpoint = await serve(json.dumps({"status": "success", "data": data}))
    metrics = PrometheusMetrics(service(f"http://127.0.0.1:{endpoint.port}"))
    assert (await metrics.look(1.0)).pages[0].trouble == "2001 matching series, more than 2000"
