"""The shapes that a file of recorded data may have, and an example of each for who got it wrong."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from .recording import Above1, Kind, Worse

Count = Annotated[int, Meta(ge=0, le=10**15)]
Level = Annotated[float, Meta(ge=-1e100, le=1e100)]
Percent = Annotated[int, Meta(ge=1, le=100)]
Positive = Annotated[float, Meta(gt=0.0, le=1e12)]
Time = Annotated[float, Meta(ge=-1e12, le=1e12)]
Pair = tuple[Count, Count]


class Wrapped(Struct):
    """Whether the metrics stand in an object with options beside them."""

    kind: Raw | UnsetType = UNSET
    metrics: Raw | UnsetType = UNSET


class KindOf(Struct):
    kind: Kind


class CountsLook(Struct, forbid_unknown_fields=True):
    t: Time
    canary: Pair
    stable: Pair
    pods: dict[str, Pair] = {}
    weight: Percent | None = None


class EarlierCounts(Struct, forbid_unknown_fields=True):
    t: Time
    stable: Pair | None = None
    pods: dict[str, Pair] = {}


class LatencyLook(Struct, forbid_unknown_fields=True):
    t: Time
    bounds: tuple[Positive, ...]
    canary: tuple[Count, ...]
    stable: tuple[Count, ...]
    pods: dict[str, tuple[Count, ...]] = {}
    weight: Percent | None = None


class EarlierLatency(Struct, forbid_unknown_fields=True):
    t: Time
    bounds: tuple[Positive, ...]
    stable: tuple[Count, ...] | None = None
    pods: dict[str, tuple[Count, ...]] = {}


class GaugeLook(Struct, forbid_unknown_fields=True):
    t: Time
    canary: tuple[Level | None, ...]
    stable: tuple[Level | None, ...]
    weight: Percent | None = None


class EarlierGauge(Struct, forbid_unknown_fields=True):
    t: Time
    stable: tuple[Level | None, ...]


class Points(Struct, forbid_unknown_fields=True):
    """A whole series, or one point of it."""

    stable: Level | tuple[Level | None, ...] | None
    canary: Level | tuple[Level | None, ...] | None
    t: Time | tuple[Time, ...] | None = None


class Metric(Struct, kw_only=True, forbid_unknown_fields=True):
    metric: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Kind
    worse: Worse = "up"
    weight: Positive = 1.0
    excludes: Above1 | None = None
    limit: Level | None = None
    quantile: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.95
    every: Positive | None = None


class CountsMetric(Metric):
    looks: tuple[CountsLook, ...]
    before: tuple[EarlierCounts, ...] = ()


class LatencyMetric(Metric):
    looks: tuple[LatencyLook, ...]
    before: tuple[EarlierLatency, ...] = ()


class GaugeMetric(Metric):
    looks: tuple[GaugeLook, ...]
    before: tuple[EarlierGauge, ...] = ()


class SeriesMetric(Metric):
    """The points may stand in `looks`, as one object or one a look, or in the metric itself."""

    looks: Points | tuple[Points, ...] = ()
    stable: tuple[Level | None, ...] | None = None
    canary: tuple[Level | None, ...] | None = None
    t: tuple[Time, ...] | None = None


METRICS: dict[Kind, Any] = {
    "counts": CountsMetric,
    "latency": LatencyMetric,
    "gauge": GaugeMetric,
    "series": SeriesMetric,
}

EXAMPLES = {
    "counts": '{"metric": "errors", "kind": "counts", "worse": "up", "looks":'
    ' [{"t": 5, "canary": [50, 1], "stable": [950, 9]}, ...]} with [requests, events] of each'
    " look alone, whole numbers, events at most requests",
    "latency": '{"metric": "latency", "kind": "latency", "looks": [{"t": 5, "bounds": [0.1, 0.5],'
    ' "canary": [40, 9, 1], "stable": [760, 180, 10]}, ...]} with one count more than bounds, each'
    " bucket by itself (not cumulative)",
    "gauge": '{"metric": "memory", "kind": "gauge", "worse": "up", "looks": [{"t": 15, "canary":'
    ' [1.1], "stable": [1.0, 1.2, 0.9]}, ...]} with a level for each instance, null where missing',
    "series": '{"metric": "ratio", "kind": "series", "worse": "up", "looks": {"stable": [1.0, 1.1],'
    ' "canary": [1.0, null]}} with as many points for each arm, null where missing',
    "list": 'a metric such as {"metric": "errors", "kind": "counts", "looks": [...]}, a list of'
    ' them, or {"metrics": [...], "excludes": 2}',
    "rule": "only excludes, weight, hold_at, rollback_at, healthy_at, warmup_s, r0_floor,"
    ' phi_floor, shift_floor or tail_floor beside "metrics"',
}
