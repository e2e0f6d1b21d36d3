"""What is proposed for a page can be pasted, loads, and watches what matters."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from hatchway.core.plan import MetricSpec, ServiceSpec
from hatchway.metrics.catalogue import NotMetrics, catalogue
from hatchway.metrics.discover import arm_label
from hatchway.metrics.suggestion import NO_CANARY, Looked, Suggestion, as_yaml, suggestion
from hatchway.settings.load import load_installation

URL = "http://127.0.0.1:9100/metrics"

SERVICE = """\
environment: prod
services:
  store:
    repo: repo
    pipeline: pipelines/store.yaml
    target: {kind: haproxy, socket: admin.sock}
"""

HAPROXY = """\
# TYPE haproxy_process_nbthread gauge
haproxy_process_nbthread 1
# TYPE haproxy_frontend_http_responses_total counter
haproxy_frontend_http_responses_total{proxy="web",code="2xx"} 9000
haproxy_frontend_http_responses_total{proxy="web",code="5xx"} 7
# TYPE haproxy_server_current_queue gauge
haproxy_server_current_queue{proxy="be",server="stable"} 0
haproxy_server_current_queue{proxy="be",server="canary"} 0
# TYPE haproxy_server_limit_sessions gauge
haproxy_server_limit_sessions{proxy="be",server="stable"} NaN
haproxy_server_limit_sessions{proxy="be",server="canary"} NaN
# TYPE haproxy_server_connection_errors_total counter
haproxy_server_connection_errors_total{proxy="be",server="stable"} 0
haproxy_server_connection_errors_total{proxy="be",server="canary"} 0
# TYPE haproxy_server_http_responses_total counter
haproxy_server_http_responses_total{proxy="be",server="stable",code="2xx"} 8600
haproxy_server_http_responses_total{proxy="be",server="stable",code="5xx"} 6
haproxy_server_http_responses_total{proxy="be",server="canary",code="2xx"} 400
haproxy_server_http_responses_total{proxy="be",server="canary",code="5xx"} 1
# TYPE haproxy_server_total_time_average_seconds gauge
haproxy_server_total_time_average_seconds{proxy="be",server="stable"} 0.02
haproxy_server_total_time_average_seconds{proxy="be",server="canary"} 0.02
"""

GO = """\
# HELP go_gc_duration_seconds Pauses
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0.5"} 0.0001
go_gc_duration_seconds_sum 0.2
go_gc_duration_seconds_count 90
# TYPE go_goroutines gauge
go_goroutines 41
# TYPE go_sql_in_use_connections gauge
go_sql_in_use_connections{db_name="store"} 3
# TYPE go_sql_max_open_connections gauge
go_sql_max_open_connections{db_name="store"} 40
# TYPE promhttp_metric_handler_requests_total counter
promhttp_metric_handler_requests_total{code="200"} 999311
promhttp_metric_handler_requests_total{code="500"} 0
# TYPE http_client_requests_total counter
http_client_requests_total{code="200",target="mail"} 120000
http_client_requests_total{code="500",target="mail"} 60000
# TYPE store_http_requests_total counter
store_http_requests_total{path="/",status="200"} 90210
store_http_requests_total{path="/",status="404"} 12
store_http_requests_total{path="/buy",status="521"} 31
# TYPE store_http_request_duration_milliseconds histogram
store_http_request_duration_milliseconds_bucket{path="/",le="10"} 60000
store_http_request_duration_milliseconds_bucket{path="/",le="50"} 89000
store_http_request_duration_milliseconds_bucket{path="/",le="+Inf"} 90253
store_http_request_duration_milliseconds_sum{path="/"} 1.1e+06
store_http_request_duration_milliseconds_count{path="/"} 90253
# TYPE store_checkouts_total counter
store_checkouts_total 4120
# TYPE store_payment_failures_total counter
store_payment_failures_total{provider="a"} 40
# TYPE redis_up gauge
redis_up 1
# TYPE process_open_fds gauge
process_open_fds 19
# TYPE process_max_fds gauge
process_max_fds 1024
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 3.1e+07
"""

BARE = """\
# TYPE python_gc_collections_total counter
python_gc_collections_total{generation="0"} 39
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 0.1
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2.3e+07
"""

TIMER = """\
# TYPE http_server_requests_seconds summary
http_server_requests_seconds_count{outcome="SUCCESS",status="200",uri="/a"} 500
http_server_requests_seconds_count{outcome="SERVER_ERROR",status="500",uri="/b"} 3
http_server_requests_seconds_sum{outcome="SUCCESS",status="200",uri="/a"} 9
# TYPE hikaricp_connections_active gauge
hikaricp_connections_active{pool="main"} 2
# TYPE hikaricp_connections_max gauge
hikaricp_connections_max{pool="main"} 10
"""


def python_shop(*, openmetrics: bool = False) -> bytes:
    """A shop that is instrumented with prometheus-client, as its documentation shows."""
    registry = CollectorRegistry()
    requests = Counter("http_requests", "Answered", ["code"], registry=registry)
    for code, count in (("200", 420), ("404", 3), ("500", 0)):
        requests.labels(code).inc(count)
    seconds = Histogram("http_request_duration_seconds", "Time", registry=registry)
    for _ in range(400):
        seconds.observe(0.03)
    Counter("shop_orders", "Orders", registry=registry).inc(90)
    Gauge("shop_db_connections", "In use", registry=registry).set(22)
    Gauge("shop_db_up", "Answers", registry=registry).set(1)
    up = Gauge("shop_dependency_up", "Answers", ["dependency"], registry=registry)
    up.labels("payments").set(1)
    up.labels("search").set(0)
    Gauge("build_info", "Always 1", ["version"], registry=registry).labels("1.4.0").set(1)
    return generate_openmetrics(registry) if openmetrics else generate_latest(registry)


def proposed(*pages: str | bytes) -> Suggestion:
    looked = []
    for number, page in enumerate(pages):
        body = page.encode() if isinstance(page, str) else page
        looked.append(Looked(f"http://127.0.0.1:{9100 + number}/metrics", catalogue(body)))
    return suggestion(looked)


def loaded(found: Suggestion, tmp_path: Path) -> ServiceSpec:
    """The service after the suggestion was pasted below it."""
    file = tmp_path / "hatchway.yaml"
    file.write_text(SERVICE + as_yaml(found))
    (service,) = load_installation(file).services
    return service


def by_name(service: ServiceSpec) -> dict[str, MetricSpec]:
    return {spec.name: spec for spec in service.metrics}


@pytest.mark.parametrize(
    "page", [python_shop(), HAPROXY, GO, TIMER], ids=["python", "haproxy", "go", "timer"]
)
def test_what_is_proposed_can_be_pasted_and_loads(page: str | bytes, tmp_path: Path) -> None:
    found = proposed(page)
    service = loaded(found, tmp_path)
    assert service.metrics == tuple(guess.spec for guess in found.guesses)
    assert service.endpoints == found.endpoints
    assert all(len(line) <= 80 for line in as_yaml(found).splitlines() if "#" in line)


def test_a_python_shop_is_watched_in_every_area_that_it_shows(tmp_path: Path) -> None:
    found = proposed(python_shop())
    metrics = by_name(loaded(found, tmp_path))
    assert metrics["errors"].total.name == "http_requests_total"
    assert metrics["errors"].events is not None
    assert "500" in metrics["errors"].events.labels["code"]
    assert metrics["latency"].shown_as == "ms"
    assert metrics["shop_orders"].worse == "down"
    assert metrics["shop_orders"].total.name == "http_requests_total"
    assert metrics["shop_db_connections"].kind == "gauge"
    assert metrics["payments"].kind == "state"
    assert metrics["payments"].shared
    assert metrics["payments"].total.labels == {"dependency": "payments"}
    assert "search" in metrics
    assert "build_info" not in {spec.total.name for spec in metrics.values()}
    assert found.without() == ["saturation"]


def test_openmetrics_gives_the_same_proposal() -> None:
    content_type = "application/openmetrics-text; version=1.0.0"
    plain = catalogue(python_shop())
    other = catalogue(python_shop(openmetrics=True), content_type)
    assert as_yaml(suggestion([Looked(URL, plain)])) == as_yaml(suggestion([Looked(URL, other)]))


def test_a_load_balancers_page_holds_both_arms(tmp_path: Path) -> None:
    service = loaded(proposed(HAPROXY), tmp_path)
    (endpoint,) = service.endpoints
    assert (endpoint.both, endpoint.arm_label) == (URL, "server")
    errors = by_name(service)["errors"]
    assert errors.total.name == "haproxy_server_http_responses_total"
    assert errors.events is not None
    assert errors.events.labels == {"code": "5xx"}


def test_of_several_proxies_one_is_asked_for(tmp_path: Path) -> None:
    other = HAPROXY + 'haproxy_server_current_queue{proxy="admin",server="one"} 0\n'
    errors = by_name(loaded(proposed(other), tmp_path))["errors"]
    assert errors.total.labels == {"proxy": "be"}
    assert errors.events is not None
    assert errors.events.labels == {"proxy": "be", "code": "5xx"}


def test_servers_with_other_names_are_told_to_be_the_arms(tmp_path: Path) -> None:
    renamed = HAPROXY.replace('"stable"', '"web1"').replace('"canary"', '"web-canary"')
    (endpoint,) = loaded(proposed(renamed), tmp_path).endpoints
    assert endpoint.arms == {"stable": "web1", "canary": "web-canary"}
    unknown = proposed(HAPROXY.replace('"stable"', '"web1"').replace('"canary"', '"web2"'))
    assert unknown.endpoints[0].arms == {}
    assert "web1, web2" in as_yaml(unknown)


def test_a_go_service_is_not_mistaken_for_its_own_metrics_page(tmp_path: Path) -> None:
    metrics = by_name(loaded(proposed(GO), tmp_path))
    errors = metrics["errors"]
    assert errors.total.name == "store_http_requests_total"
    assert errors.events is not None
    assert "521" in errors.events.labels["status"]
    assert "404" not in errors.events.labels["status"]
    assert errors.by == "path"
    assert metrics["latency"].total.name == "store_http_request_duration_milliseconds"
    assert (metrics["latency"].shown_as, metrics["latency"].unit) == ("plain", "ms")
    assert metrics["store_checkouts"].worse == "down"
    assert metrics["store_payment_failures"].worse == "up"
    assert metrics["go_sql_in_use_connections"].limit == 36
    assert metrics["process_open_fds"].limit == 920
    assert metrics["redis"].shared
    names = {spec.total.name for spec in metrics.values()}
    assert not {name for name in names if name.startswith(("promhttp_", "http_client", "go_g"))}


def test_a_timer_without_buckets_counts_requests_but_is_no_latency(tmp_path: Path) -> None:
    found = proposed(TIMER)
    metrics = by_name(loaded(found, tmp_path))
    assert metrics["errors"].total.name == "http_server_requests_seconds_count"
    assert metrics["hikaricp_connections_active"].limit == 9
    assert "latency" in found.without()


def test_a_page_with_nothing_to_judge_says_so() -> None:
    found = proposed(BARE)
    assert not found.judged
    assert "errors" in found.without()
    assert "process_resident_memory_bytes" in as_yaml(found)


def test_two_pages_of_one_kind_are_instances_and_the_balancer_counts_the_errors(
    tmp_path: Path,
) -> None:
    service = loaded(proposed(python_shop(), python_shop(), HAPROXY), tmp_path)
    endpoints = {endpoint.name: endpoint for endpoint in service.endpoints}
    assert len(endpoints["app"].stable) == 2
    assert endpoints["app"].canary == (NO_CANARY,)
    metrics = by_name(service)
    assert metrics["errors"].source == "edge"
    assert metrics["latency"].source == "app"


def test_the_canarys_address_is_taken_when_given(tmp_path: Path) -> None:
    page = catalogue(python_shop())
    other = "http://127.0.0.1:9200/metrics"
    found = suggestion([Looked(URL, page), Looked(other, page, canary=True)])
    (endpoint,) = loaded(found, tmp_path).endpoints
    assert (endpoint.stable, endpoint.canary) == ((URL,), (other,))


def test_failures_beside_requests_are_errors_without_codes(tmp_path: Path) -> None:
    page = (
        "# TYPE api_requests_total counter\napi_requests_total 900\n"
        "# TYPE api_errors_total counter\napi_errors_total 4\n"
    )
    errors = by_name(loaded(proposed(page), tmp_path))["errors"]
    assert errors.total.name == "api_requests_total"
    assert errors.events is not None
    assert errors.events.name == "api_errors_total"


def test_a_label_with_odd_text_survives_the_file(tmp_path: Path) -> None:
    odd = 'pay "now" \\\\ #1: x'.replace('"', '\\"')
    page = python_shop().decode() + f'thing_up{{dependency="{odd}"}} 1\n'
    found = proposed(page)
    assert loaded(found, tmp_path).metrics == tuple(guess.spec for guess in found.guesses)


def test_an_arm_is_found_by_a_label_that_names_a_canary_and_not_by_one_in_a_database() -> None:
    tracks = (
        "# TYPE http_requests_total counter\n"
        'http_requests_total{track="prod",code="200"} 9\n'
        'http_requests_total{track="canary",code="200"} 1\n'
    )
    assert arm_label(catalogue(tracks.encode())) == "track"
    replicas = '# TYPE db_lag gauge\ndb_lag{role="primary"} 0\ndb_lag{role="canary"} 0\n'
    assert arm_label(catalogue(replicas.encode())) == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>hello</html>", "a web page"),
        (b'{"a": 1}', "JSON"),
        (b"", "an empty page"),
        (b"\x00\x01\xff nothing\n", "a page without metrics"),
    ],
)
def test_what_is_no_page_of_metrics_is_called_what_it_is(body: bytes, said: str) -> None:
    with pytest.raises(NotMetrics, match=said):
        catalogue(body)


def test_one_bad_line_does_not_hide_the_others() -> None:
    page = python_shop() + b'http_requests_total{code="broken\n' + b"half_a_line{\n"
    assert "http_requests_total" in catalogue(page)
    assert "http_request_duration_seconds" in catalogue(page)


def test_a_hostile_page_cannot_write_to_the_terminal_or_break_the_file(tmp_path: Path) -> None:
    page = python_shop().decode() + (
        'evil_up{dependency="\x1b[2Jgone"} 1\n'
        'evil_up{dependency="' + "x" * 5000 + '"} 1\n'
        'http_requests_total{code="5\x07\x1b]0;x"} 1\n'
        'weird_duration_seconds_bucket{le="soon"} 3\n'
        '{"dotted.requests_total", code="500"} 3\n'
    )
    found = proposed(page)
    assert loaded(found, tmp_path).metrics == tuple(guess.spec for guess in found.guesses)
    assert all(line.isprintable() for line in as_yaml(found).splitlines())
    assert "dotted" not in as_yaml(found)
