"""Guesses what to watch of a service by looking at its pages of metrics.

Every guess says what it stands on, so that a person can see where it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge.quantile import quantile

from . import areas
from .areas import Area
from .catalogue import Catalogue, Family

Labels = dict[str, str | tuple[str, ...]]

GRPC_ERRORS = ("Unknown", "Internal", "Unavailable", "DataLoss", "DeadlineExceeded")
COMMON_5XX = ("500", "501", "502", "503", "504")
SERVER_LABELS = ("server", "arm", "track", "deployment", "variant", "role", "slot", "release")
MOST_PLACES = 50
"""With more values a label is a list of everything that was ever asked for."""

MOST_OF_AREA = 3
"""More guesses of one area than this would hide the others."""


class Guess(Struct, frozen=True):
    """One metric to watch, and what the guess stands on."""

    area: Area
    spec: MetricSpec
    why: str


def guesses(source: str, page: Catalogue, arm_label: str = "") -> list[Guess]:
    """What the page of the endpoint `source` has to offer, best of each area first.

    With `arm_label` only series count that tell the arms apart.
    """
    usable = [
        family
        for family in page.values()
        if not areas.ITSELF.search(family.name) and (not arm_label or arm_label in family.labels())
    ]
    narrow = _narrowing(usable, arm_label)
    errors = _errors(source, usable, narrow)
    total = errors.spec.total if errors else _requests_alone(usable, narrow)
    found = [errors] if errors else []
    found += _latency(source, usable)
    if total is not None:
        found += _business(source, usable, SeriesRef(total.name, total.labels))
    found += _database(source, usable)
    found += _dependencies(source, usable)
    found += _saturation(source, usable)
    return found


def arm_label(page: Catalogue) -> str:
    """The label by which one page tells the arms apart; empty when there is none.

    A load balancer's page names servers; another page must name a canary outright.
    """
    best: dict[str, int] = {}
    for family in page.values():
        for label in family.labels():
            proxy = label == "server" and family.name.startswith("haproxy_server_")
            named = any("canary" in value.lower() for value in family.label(label))
            requests = _request_counter(family) or family.kind == "histogram"
            if proxy or (named and requests):
                good = 2 * named + (label in SERVER_LABELS)
                best[label] = max(best.get(label, 0), good)
    return max(best, key=lambda label: best[label]) if best else ""


# --- errors -----------------------------------------------------------------------------------


def _errors(source: str, families: list[Family], narrow: Labels) -> Guess | None:
    """Requests by how they ended, or two counters of requests and of failures."""
    ranked = sorted(
        (f for f in families if _request_counter(f) and _code_label(f)),
        key=lambda family: -_rank(family),
    )
    for family in ranked:
        label = _code_label(family)
        wanted, form = _bad(label, family.label(label))
        own = _kept(narrow, family)
        by, scanned = _by(family)
        if wanted:
            return Guess(
                "errors",
                _counts(
                    "errors", "errors", source, SeriesRef(family.name, own),
                    SeriesRef(family.name, {**own, label: wanted}),
                    shown_as="percent", limit=_error_limit(family, label, wanted), weight=4,
                    plot=True, by=by,
                ),
                f"{family.name} has the label {label}; {form} are errors{scanned}",
            )  # fmt: skip
    total = _requests_alone(families, narrow)
    failures = [
        family
        for family in families
        if family.kind == "counter"
        and areas.FAILED.search(family.name)
        and not areas.OUTGOING.search(family.name)
        and not areas.BUSINESS.search(family.name)
    ]
    if total is None or not failures:
        return None
    best = max(failures, key=_rank)
    return Guess(
        "errors",
        _counts("errors", "errors", source, total, SeriesRef(best.name, _kept(narrow, best)),
                shown_as="percent", weight=4, plot=True),
        f"{best.name} counts failures of {total.name}, by their names",
    )  # fmt: skip


def _bad(label: str, values: tuple[str, ...]) -> tuple[str | tuple[str, ...], str]:
    """The values of a code label that mean a failure of the service, and how they look."""
    by_class = [value for value in values if re.fullmatch(r"[1-5][xX]{2}", value)]
    if by_class:
        return ("5XX" if "2XX" in by_class or "5XX" in by_class else "5xx"), "responses 5xx"
    if any(re.fullmatch(r"[1-5][0-9]{2}", value) for value in values):
        seen = [value for value in values if re.fullmatch(r"5[0-9]{2}", value)]
        return tuple(sorted({*COMMON_5XX, *seen})), "codes 5.. (a code not listed is not counted)"
    grpc = {value.lower(): value for value in values}
    if "ok" in grpc and (label == "grpc_code" or len(grpc) > 2):
        return GRPC_ERRORS, "these gRPC codes"
    bad = [value for value in values if re.search(r"err|fail|exception", value, re.IGNORECASE)]
    return (bad[0] if len(bad) == 1 else tuple(bad)), "these values"


def _error_limit(family: Family, label: str, wanted: str | tuple[str, ...]) -> float:
    """Twice as bad as ever so far, at least 2 %: beyond it stable itself is not well."""
    whole = family.sum()
    bad = sum(v for labels, v in family.values if labels.get(label, "") in _any_of(wanted))
    return max(2.0, _round(200.0 * bad / whole)) if whole else 2.0


def _request_counter(family: Family) -> bool:
    counted = family.kind == "counter" or (family.kind == "part" and family.name.endswith("_count"))
    return counted and bool(areas.REQUESTS.search(family.name) or areas.LATENCY.search(family.name))


def _requests_alone(families: list[Family], narrow: Labels) -> SeriesRef | None:
    """What counts all requests, whatever became of them."""
    ranked = [f for f in families if _request_counter(f) and not areas.FAILED.search(f.name)]
    ranked = [f for f in ranked if not areas.OUTGOING.search(f.name) or "server" in f.name]
    if not ranked:
        return None
    best = max(ranked, key=_rank)
    return SeriesRef(best.name, _kept(narrow, best))


def _rank(family: Family) -> float:
    """How likely a counter is the one of all user requests."""
    name = family.name
    good = 0.0
    good += 4.0 * (name == "http_requests_total")
    good += 2.0 * ("http" in name) + 1.0 * ("request" in name) + 1.0 * ("server" in name)
    good += 1.0 * (family.kind == "counter") + 1.0 * ("responses" in name)
    good -= 5.0 * (bool(areas.OUTGOING.search(name)) and "server" not in name)
    good -= 2.0 * bool(areas.BUSINESS.search(name)) + 1.0 * bool(areas.DATABASE.search(name))
    return good + 0.5 * (family.sum() > 0)


def _by(family: Family) -> tuple[str, str]:
    """A label of places whose values can be looked at one by one, and why."""
    for label in areas.PLACE_LABELS:
        values = len(family.label(label))
        if 2 <= values <= MOST_PLACES:
            return label, f"; each of the {values} values of {label} is looked at as well"
    return "", ""


def _code_label(family: Family) -> str:
    """The label that tells how requests ended, whatever its letter case."""
    known = {label.lower(): label for label in family.labels()}
    return next((known[label] for label in areas.CODE_LABELS if label in known), "")


# --- latency ----------------------------------------------------------------------------------


def _latency(source: str, families: list[Family]) -> list[Guess]:
    histograms = [
        f for f in families
        if f.kind == "histogram" and f.bounds and areas.LATENCY.search(f.name)
        and not areas.DATABASE.search(f.name)
    ]  # fmt: skip
    if not histograms:
        return []
    best = max(histograms, key=_rank)
    if areas.OUTGOING.search(best.name) and "server" not in best.name:
        return []
    milli = bool(re.search(r"_(ms|millis|milliseconds)(_|$)", best.name))
    now = quantile(best.bounds, best.buckets, 0.95)
    scale = 1.0 if milli else 1000.0
    said = f"; p95 is {scale * now:.3g} ms so far" if now is not None else ""
    return [
        Guess(
            "latency",
            MetricSpec(
                name="latency", label="latency p95", kind="latency", source=source,
                total=SeriesRef(best.name), quantile=0.95, weight=3, plot=True,
                unit="ms" if milli else "", shown_as="plain" if milli else "ms",
                limit=_round(3 * scale * now) if now else None,
            ),
            f"{best.name} is a histogram with {len(best.bounds)} bounds in "
            f"{'milliseconds' if milli else 'seconds'}{said}",
        )
    ]  # fmt: skip


# --- business, database, dependencies, saturation ---------------------------------------------


def _business(source: str, families: list[Family], total: SeriesRef) -> list[Guess]:
    found = []
    for family in families:
        if family.kind != "counter" or not areas.BUSINESS.search(family.name):
            continue
        if family.name == total.name or areas.LATENCY.search(family.name):
            continue
        failed = bool(areas.FAILED.search(family.name))
        if areas.REQUESTS.search(family.name) and not failed:
            continue
        name = _short(family.name)
        found.append(
            Guess(
                "business",
                _counts(name, name.replace("_", " "), source, total, SeriesRef(family.name),
                        shown_as="per_minute", weight=2, plot=not failed,
                        worse="up" if failed else "down"),
                f"{family.name} sounds like {'failures of ' if failed else ''}business: "
                f"{'more' if failed else 'fewer'} per request are worse",
            )
        )  # fmt: skip
    return found[:MOST_OF_AREA]


def _database(source: str, families: list[Family]) -> list[Guess]:
    found = []
    for family in families:
        gauge = family.kind in ("gauge", "unknown")
        if not gauge or not areas.DATABASE.search(family.name):
            continue
        if family.name.endswith("_up"):
            found.append(_state(source, family, {}, shared=True, area="database"))
        elif areas.CONNECTIONS.search(family.name) and not areas.MOST.search(family.name):
            most = _most(family, families)
            why = f"{family.name} counts connections"
            why += f"; {most.name} says at most {most.sum():g}" if most else ""
            limit = _round(0.9 * most.sum()) if most else None
            found.append(_gauge(source, family, "database", why, limit))
    return found[:MOST_OF_AREA]


def _dependencies(source: str, families: list[Family]) -> list[Guess]:
    found = []
    for family in families:
        if family.kind not in ("gauge", "unknown") or areas.DATABASE.search(family.name):
            continue
        if not family.name.endswith("_up") or not all(v in (0.0, 1.0) for _, v in family.values):
            continue
        label = next((name for name in family.labels() if len(family.label(name)) >= 1), "")
        for value in family.label(label) if label else ("",):
            labels: Labels = {label: value} if label else {}
            found.append(_state(source, family, labels, shared=True, area="dependency"))
    return found[: 2 * MOST_OF_AREA]


def _saturation(source: str, families: list[Family]) -> list[Guess]:
    by_name = {family.name: family for family in families}
    found = []
    memory = by_name.get("process_resident_memory_bytes")
    if memory is not None:
        why = "the memory of the process; set a limit where it must not go"
        found.append(_gauge(source, memory, "saturation", why, None, "memory"))
    files, most = by_name.get("process_open_fds"), by_name.get("process_max_fds")
    if files is not None:
        limit = _round(0.9 * most.sum()) if most and 0 < most.sum() < 1e9 else None
        why = "open files" + (f"; process_max_fds says at most {most.sum():g}" if most else "")
        found.append(_gauge(source, files, "saturation", why, limit, "open files"))
    for family in families:
        if family.kind == "gauge" and areas.SATURATION.search(family.name):
            if areas.DATABASE.search(family.name) or re.search(r"_(max|limit)(_|$)", family.name):
                continue
            why = f"{family.name} sounds like something that fills up"
            found.append(_gauge(source, family, "saturation", why, None))
    return found[: MOST_OF_AREA + 1]


# --- building ---------------------------------------------------------------------------------


def _counts(
    name: str,
    label: str,
    source: str,
    total: SeriesRef,
    events: SeriesRef,
    **options: object,
) -> MetricSpec:
    return MetricSpec(
        name=name, label=label, kind="counts", source=source, total=total, events=events,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


def _gauge(
    source: str, family: Family, area: Area, why: str, limit: float | None, label: str = ""
) -> Guess:
    name = _short(family.name)
    spec = MetricSpec(
        name=name, label=label or name.replace("_", " "), kind="gauge", source=source,
        total=SeriesRef(family.name), judged=False, limit=limit,
    )  # fmt: skip
    return Guess(area, spec, why)


def _state(source: str, family: Family, labels: Labels, *, shared: bool, area: Area) -> Guess:
    value = "".join(str(v) for v in labels.values())
    name = _short(value or family.name.removesuffix("_up"))
    spec = MetricSpec(
        name=name, label=f"{name.replace('_', ' ')} up", kind="state", source=source,
        total=SeriesRef(family.name, labels), judged=False, shared=shared,
    )  # fmt: skip
    return Guess(area, spec, f"{family.name} is 1 while it is well; down on both arms is not ours")


def _narrowing(families: Iterable[Family], label: str) -> Labels:
    """Labels that pick one proxy out of several on a page that holds both arms."""
    if not label:
        return {}
    proxies = {
        labels["proxy"]
        for family in families
        for labels, _ in family.values
        if "proxy" in labels and label in labels
    }
    with_canary = {
        labels["proxy"]
        for family in families
        for labels, _ in family.values
        if "proxy" in labels and "canary" in labels.get(label, "").lower()
    }
    chosen = sorted(with_canary or proxies)
    return {"proxy": chosen[0]} if len(proxies) > 1 else {}


def _kept(narrow: Labels, family: Family) -> Labels:
    return {label: value for label, value in narrow.items() if label in family.labels()}


def _most(family: Family, families: list[Family]) -> Family | None:
    """A gauge of the same thing that says how much there can be."""
    words = {w for w in family.name.split("_") if w not in ("active", "in", "use", "open", "total")}
    close = [
        f for f in families
        if re.search(r"(^|_)(max|limit|maximum|capacity)(_|$)", f.name) and f.sum() > 0
        and len(words & set(f.name.split("_"))) >= min(2, len(words))
        and "seconds" not in f.name
    ]  # fmt: skip
    return max(close, key=lambda f: len(words & set(f.name.split("_"))), default=None)


def _short(name: str) -> str:
    """A metric's name for people's use: without the unit, at most 40 characters."""
    bare = re.sub(r"_(total|count|bytes|seconds|current)$", "", name)
    bare = re.sub(r"[^A-Za-z0-9_-]", "_", bare).lstrip("_-")
    return bare[:40] or "metric"


def _any_of(wanted: str | tuple[str, ...]) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else wanted


def _round(value: float) -> float:
    """Two figures."""
    return float(f"{value:.2g}")
