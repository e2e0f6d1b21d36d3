"""What the judge sees at one look: the difference of counters between two aligned scrapes."""

from __future__ import annotations

from msgspec import Struct

STALE = "stale: the sample times stand still"
"""Why a look is `Missing` that came between two scrapes of a metrics server."""


class Counts(Struct, frozen=True, tag="counts"):
    """Requests and events in this look for each arm: (n, events).

    `pods` has stable's instances one by one, by name, where there are several; `parts` has
    (canary, stable) by the value of the label that the metric is scanned by (an endpoint).
    """

    canary: tuple[int, int]
    stable: tuple[int, int]
    pods: dict[str, tuple[int, int]] = {}
    parts: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}


class Latency(Struct, frozen=True, tag="latency"):
    """Requests in this look by latency bucket (not cumulative); `bounds` are upper, seconds.

    There is one count more than bounds: the last is above every bound.
    """

    bounds: tuple[float, ...]
    canary: tuple[int, ...]
    stable: tuple[int, ...]
    pods: dict[str, tuple[int, ...]] = {}  # stable's instances one by one, by name


class Gauge(Struct, frozen=True, tag="gauge"):
    """A level per instance, as read, in an order that stays the same."""

    canary: tuple[float, ...]
    stable: tuple[float, ...]


class Series(Struct, frozen=True, tag="series"):
    """One precomputed number an arm, such as a ratio from a metrics server; None: missing."""

    canary: float | None
    stable: float | None


class Missing(Struct, frozen=True, tag="missing"):
    """Nothing to judge in this look, and why: "no series", "zero traffic", "scrape failed"..."""

    why: str
    arm: str = ""  # canary, stable, or empty for both


Sample = Counts | Latency | Gauge | Series | Missing


class Look(Struct, frozen=True, kw_only=True):
    """One evaluation. `samples` by metric name; `weight` is the canary's share in percent."""

    t: float
    seconds: float
    weight: int
    samples: dict[str, Sample]
