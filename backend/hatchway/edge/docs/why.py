"""The figures that the newest journaled verdict of a run stands on. Query `why`."""

from __future__ import annotations

from msgspec import Struct


class Fact(Struct, frozen=True):
    """Something that was read, by name: "canary in the last block", "31.2"."""

    name: str
    value: str


class MetricWhy(Struct, frozen=True):
    """One metric. Counts are (requests, events) of this step; of a latency an event is slow.

    `ratio` is how many times stable's odds are not called worse. `e` is the evidence of harm,
    `healthy` that `excludes` times worse is excluded. `facts` are of a metric without bets.
    """

    name: str
    label: str
    kind: str
    word: str
    judged: bool
    compared: bool  # there are counts of both arms
    canary: tuple[int, int] = (0, 0)
    stable: tuple[int, int] = (0, 0)
    ratio: float = 1.0
    measured: str = ""  # where the margins come from, in words
    share: float = 0.0
    e: float = 1.0
    healthy: float = 1.0
    excludes: float = 2.0
    worse: str = "up"
    trouble: str = ""
    facts: tuple[Fact, ...] = ()


class WhyDoc(Struct, frozen=True):
    """A verdict in figures, computed again from its proof. `e` decides: hold, roll back.

    `later`: the judge has said more since, which is not journaled (`live_e` and `live_at`).
    """

    run: str
    seq: int
    at: float
    step: int
    word: str
    action: str
    headline: str
    same: bool  # this version comes to the very bytes that were journaled
    e: float = 1.0
    peak: float = 1.0
    lead: str = ""
    hold_at: float = 20.0
    rollback_at: float = 100.0
    healthy_at: float = 20.0
    weight: int = 0
    since_raise_s: float = 0.0
    warming: bool = False
    stable_healthy: bool | None = None
    forecast_s: float | None = None
    metrics: tuple[MetricWhy, ...] = ()
    live_at: float = 0.0
    live_word: str = ""
    live_e: float | None = None
    live_forecast_s: float | None = None
