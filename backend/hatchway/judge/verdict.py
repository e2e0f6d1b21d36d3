"""What the judge says, as data and in words that need no statistics to read."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Word = Literal["PASS", "REGRESS", "UNSURE", "NO_DATA"]
MetricWord = Literal["same", "worse", "better", "UNSURE", "no data"]
Action = Literal["none", "hold", "rollback"]


class Why(Struct, frozen=True):
    """One reason. `sign`: + not worrying, - worrying, ? not known. `metric` may be empty."""

    sign: Literal["+", "-", "?"]
    text: str
    metric: str = ""
    numbers: dict[str, float] = {}


class MetricVerdict(Struct, frozen=True):
    """One metric in this step.

    `e` is the evidence that the canary is worse (1: none; 100: at most 1 in 100 by chance);
    `healthy_e` that it is not worse than the step excludes. `stable` and `canary` are
    (requests, events) since the step began; for latency an event is a request slower than
    stable's quantile. `trouble` is why there is no data.
    """

    name: str
    word: MetricWord
    e: float
    healthy_e: float
    n: int
    stable: tuple[int, int]
    canary: tuple[int, int]
    trouble: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    """The judge's word after one look at `at`.

    `e` is the joint evidence that decides: `hold` from `hold_at` on, `rollback` from
    `rollback_at` on. `forecast_s` is the expected time to an answer at this traffic, None when
    it cannot be told. `confidence` is in the word; for UNSURE in the side that it leans to.
    `stable_healthy` is None while it is not known. `blind_for_s` is the age of the oldest newest
    data of a judged metric.
    """

    word: Word
    action: Action
    at: float
    headline: str
    why: tuple[Why, ...]
    metrics: tuple[MetricVerdict, ...]
    e: float
    forecast_s: float | None
    confidence: float
    stable_healthy: bool | None
    blind_for_s: float
