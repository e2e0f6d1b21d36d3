"""`hatchway.yaml` -> `Installation`."""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

from hatchway.core.drills import OFF
from hatchway.core.plan import (
    Attests,
    EndpointSpec,
    Installation,
    MetricSpec,
    SeriesRef,
    ServiceSpec,
)
from hatchway.settings.checkpoints import checkpoints_of
from hatchway.settings.document import Entry, Node, Page, Scalar, Table
from hatchway.settings.endpoints import endpoint_of, label_name
from hatchway.settings.errors import quoted, unknown
from hatchway.settings.fields import NAME, REQUIRED, Fields, check_name, clean
from hatchway.settings.notify import notifiers_of
from hatchway.settings.people import ROLES, people_of
from hatchway.settings.targets import target_of
from hatchway.settings.words import NotUnderstood

MetricKind = Literal["counts", "latency", "gauge", "state", "series"]
ShownAs = Literal["percent", "per_minute", "ms", "plain"]
METRIC_KEYS = (
    "label",
    "unit",
    "kind",
    "source",
    "total",
    "events",
    "query",
    "by",
    "worse",
    "judged",
    "weight",
    "excludes",
    "limit",
    "shown_as",
    "quantile",
    "plot",
    "shared",
    "protected",
)


def installation_of(page: Page) -> Installation:
    """The installation in a page; mistakes are reported to the page."""
    keys = (
        "environment",
        "name",
        "services",
        "people",
        "everyone",
        "listen",
        "token_file",
        "tls",
        "allowed_signers",
        "drill_every",
        "checkpoints",
        "notify",
    )
    fields = Fields(page, page.root, "the installation", keys)
    table = fields.table("services", required=True, example="shop: ...")
    cert, key = _tls(fields)
    return Installation(
        environment=fields.text("environment", pattern=NAME, example="prod"),
        name=fields.text("name", "", pattern=NAME, example="demo"),
        services=tuple(_service(page, name, e) for name, e in _named(page, table, "a service")),
        people=people_of(page, fields.table("people"), _named),
        everyone=fields.words("everyone", ROLES, example="[viewer]", default=("viewer",)),
        listen=_listen(fields),
        token_file=fields.text("token_file", "", example="token"),
        tls_cert=cert,
        tls_key=key,
        allowed_signers=fields.text("allowed_signers", "", example="allowed_signers"),
        drill_every_s=_drill_every(fields),
        checkpoints=checkpoints_of(fields),
        notify=notifiers_of(fields),
    )


def _drill_every(fields: Fields) -> float:
    """How old the last drill may be; `off` has to be written, so that nobody forgets it."""
    node = fields.value("drill_every")
    if isinstance(node, Scalar) and node.text == "off":
        return OFF
    month = 30 * 86400.0
    return fields.duration("drill_every", month, example="30d", low=60.0, high=12 * month)


def _named(page: Page, table: Table | None, what: str) -> list[tuple[str, Entry]]:
    """The entries of a mapping whose keys are names."""
    if table is None:
        return []
    for name, entry in table.entries.items():
        try:
            check_name(name)
        except NotUnderstood as error:
            page.report(entry.key, f"{what}: {error.what}", error.write)
    return list(table.entries.items())


def _listen(fields: Fields) -> str:
    listen = fields.text("listen", "", example="127.0.0.1:8643")
    if not listen:
        return ""
    host, _, port = listen.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        fields.report("listen", f"{quoted(listen)} is not address:port", "listen: 127.0.0.1:8643")
    elif not _is_loopback(host) and not fields.has("tls"):
        fields.report(
            "listen",
            f"{quoted(host)} can be reached from other machines, and this port has no TLS",
            "listen: 127.0.0.1:8643, and reach it through ssh -L; or tls: {cert: ..., key: ...}",
        )
    elif not fields.has("token_file"):
        fields.report(
            "listen", "every account of this machine can open this port", "token_file: token"
        )
    return listen


def _tls(fields: Fields) -> tuple[str, str]:
    """The files of the certificate (with its chain) and of its private key."""
    table = fields.table("tls", example="cert: tls/cert.pem, key: tls/key.pem")
    if table is None:
        return "", ""
    tls = Fields(fields.page, table, "tls", ("cert", "key"))
    cert = tls.text("cert", example="tls/cert.pem")
    key = tls.text("key", example="tls/key.pem")
    if not fields.has("listen"):
        fields.report("tls", "tls without listen protects nothing", "listen: 0.0.0.0:8643")
    return cert, key


def _is_loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - only where an address is given

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _service(page: Page, name: str, entry: Entry) -> ServiceSpec:
    what = f"the service {quoted(name)}"
    keys = ("repo", "pipeline", "target", "endpoints", "metrics", "scrape", "attests")
    fields = Fields(page, entry.value, what, keys)
    endpoints = tuple(
        endpoint_of(page, key, e.value)
        for key, e in _named(
            page, fields.table("endpoints", required=True, example="app: ..."), "an endpoint"
        )
    )
    metrics = tuple(
        _metric(page, key, e.value, endpoints)
        for key, e in _named(page, _metrics(fields, endpoints), "a metric")
    )
    if metrics and not any(metric.judged for metric in metrics):
        fields.report(
            "metrics", f"{what} has no metric to judge a canary by", "judged: true on one"
        )
    return ServiceSpec(
        name=name,
        repo=fields.text("repo", example="repo"),
        pipeline=fields.text("pipeline", example=f"pipelines/{name}.yaml"),
        target=target_of(fields),
        endpoints=endpoints,
        metrics=metrics,
        scrape_s=fields.duration("scrape", 1.0, example="1s", low=0.2, high=300.0),
        attests=_attests(fields, endpoints),
    )


def _attests(service: Fields, endpoints: tuple[EndpointSpec, ...]) -> Attests | None:
    """Where instances say which version they run; None where the service has no such thing."""
    table = service.table("attests")
    if table is None:
        return None
    keys = ("source", "series", "label")
    fields = Fields(service.page, table, "where instances attest their version", keys)
    series = fields.take(
        "series", "build_info", "build_info", "build_info", lambda text, _: label_name(text)
    )
    label = fields.take("label", "version", "version", "version", lambda text, _: label_name(text))
    return Attests(_source(fields, "gauge", endpoints), series, label)


def _metrics(service: Fields, endpoints: tuple[EndpointSpec, ...]) -> Table | None:
    """The mapping of metrics. Where there is none: what would propose some is said."""
    table = service.table("metrics")
    written = service.has("metrics") or "metrics" in service.misspelt
    if not isinstance(service.node, Table):
        return None
    if not written or (table is not None and not table.entries):
        pages = [url for e in endpoints for url in (e.both, *e.stable) if url]
        service.report(
            "metrics",
            f"{service.what} has no metrics: nothing could tell a bad canary",
            f"what this proposes: hatchway metrics suggest {' '.join(pages) or 'URL'}",
        )
    return table


def _metric(page: Page, name: str, node: Node, endpoints: tuple[EndpointSpec, ...]) -> MetricSpec:
    fields = Fields(page, node, f"the metric {quoted(name)}", METRIC_KEYS)
    kind = fields.choice("kind", get_args(MetricKind))
    source = _source(fields, kind, endpoints)
    shown = fields.choice("shown_as", ("percent", "per_minute", "ms", "plain"), "plain")
    return MetricSpec(
        name=name,
        label=fields.text("label", name, example=name),
        unit=fields.text("unit", "", example="ms"),
        kind=cast(MetricKind, kind),
        source=source,
        total=_total(fields, kind),
        events=_events(fields, kind),
        query=_query(fields, kind),
        by=_by(fields, kind),
        worse="down" if fields.choice("worse", ("up", "down"), "up") == "down" else "up",
        judged=_judged(fields, kind),
        weight=fields.number("weight", 1.0, low=0.001, high=1000, example="1"),
        excludes=(
            fields.number("excludes", low=1.01, high=1000, example="2")
            if fields.has("excludes")
            else None
        ),
        limit=(
            fields.number("limit", low=-1e12, high=1e12, example="300")
            if fields.has("limit")
            else None
        ),
        shown_as=cast(ShownAs, shown),
        quantile=_quantile(fields, kind),
        plot=fields.flag("plot", False),
        shared=fields.flag("shared", False),
        protected=fields.flag("protected", False) if fields.has("protected") else None,
    )


def _source(fields: Fields, kind: str, endpoints: tuple[EndpointSpec, ...]) -> str:
    names = tuple(endpoint.name for endpoint in endpoints)
    source = fields.text("source", example=names[0] if names else "app")
    if source and names and source not in names:
        fields.report("source", *unknown("there is no endpoint", source, names))
    elif kind == "series" and source and names:
        servers = [endpoint.name for endpoint in endpoints if endpoint.prometheus]
        if source not in servers:
            fields.report(
                "source",
                f"a series is asked of a metrics server, and {quoted(source)} is none",
                f"source: {servers[0]}" if servers else "an endpoint with prometheus: http://...",
            )
    return source


def _query(fields: Fields, kind: str) -> str:
    if kind != "series":
        if fields.has("query") and kind:
            said = f'"query" belongs to kind: series, not to {kind}'
            fields.report("query", said, "total: and events:, which are read raw")
        return ""
    example = 'sum(rate(errors_total{server="{arm}"}[10s]))'
    query = fields.take(
        "query", REQUIRED, "", example, lambda text, _: clean(text, example, lines=True, most=2000)
    )
    if query and "{arm}" not in query:
        fields.report("query", "the query is the same for both arms", f"query: {example}")
    for key in ("total", "events"):
        if fields.has(key):
            fields.report(key, f'"{key}" beside "query": a series is its query', f"no {key}")
    return query


def _by(fields: Fields, kind: str) -> str:
    if fields.has("by") and kind not in {"", "counts"}:
        fields.report("by", f'"by" belongs to kind: counts, not to {kind}', "no by")
    return fields.take("by", "", "", "path", lambda text, _: label_name(text))


def _total(fields: Fields, kind: str) -> SeriesRef:
    match kind:
        case "series":
            return SeriesRef("")
        case "counts":
            return fields.series_sum("total")
        case _:
            return fields.series("total")


def _events(fields: Fields, kind: str) -> SeriesRef | None:
    if kind == "counts":
        return fields.series_sum("events")
    if fields.has("events") and kind not in {"", "series"}:
        fields.report("events", f'"events" belongs to kind: counts, not to {kind}', "no events")
    return None


def _judged(fields: Fields, kind: str) -> bool:
    judged = fields.flag("judged", kind != "state")
    if judged and kind == "state":
        fields.report("judged", "a state is watched, not judged", "judged: false")
    return judged


def _quantile(fields: Fields, kind: str) -> float:
    if fields.has("quantile") and kind not in {"", "latency"}:
        fields.report("quantile", '"quantile" belongs to kind: latency', "no quantile")
    return fields.number("quantile", 0.95, low=0.5, high=0.999, example="0.95")
