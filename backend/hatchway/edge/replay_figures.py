"""The figures that the judge saw at a decision, out of the proof that was journaled with it.

What was measured between two decisions was never journaled, and is not made up here.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from hatchway.conductor.live import Reading, Watched
from hatchway.core.plan import MetricSpec
from hatchway.judge.look import Gauge, Latency, Series
from hatchway.judge.proof import ProofError, Replay, replayed
from hatchway.judge.quantile import quantile
from hatchway.judge.recent import sums
from hatchway.judge.state import LatencyState
from hatchway.judge.verdict import MetricVerdict


class Seen(Struct, frozen=True):
    """What a decision at `at` stood on. `why`: why there are no figures, in words."""

    at: float
    watched: Watched | None = None
    specs: tuple[MetricSpec, ...] = ()
    why: str = ""


def seen(proof: bytes, at: float) -> Seen:
    """The figures in a proof."""
    try:
        replay = replayed(proof)
    except ProofError as error:
        return Seen(at, why=str(error))
    specs = tuple(replace(spec, plot=False) for spec in replay.config.metrics)
    known = {spec.name: spec for spec in specs}
    readings = tuple(
        _reading(known[one.name], one, replay, at)
        for one in replay.verdict.metrics
        if one.name in known
    )
    return Seen(at, Watched(at, readings), specs)


def _reading(spec: MetricSpec, one: MetricVerdict, replay: Replay, at: float) -> Reading:
    stable, canary = _levels(spec, one, replay)
    return Reading(spec.name, stable, canary, one.n, at, one.trouble, one.word)


def _levels(
    spec: MetricSpec, one: MetricVerdict, replay: Replay
) -> tuple[float | None, float | None]:
    """Of stable and of canary, as they are shown; None where the proof has no such figure."""
    if spec.kind == "latency":
        return _latency(spec, replay)
    match replay.look.samples.get(spec.name):
        case Gauge(canary, stable):
            worst = max if spec.worse == "up" else min
            return worst(stable, default=None), worst(canary, default=None)
        case Series(canary, stable):
            return stable, canary
    if spec.kind == "counts" and spec.events is not None and spec.shown_as != "per_minute":
        unit = 100.0 if spec.shown_as == "percent" else 1.0
        arms = [unit * events / n if n else None for n, events in (one.stable, one.canary)]
        return arms[0], arms[1]
    return None, None


def _latency(spec: MetricSpec, replay: Replay) -> tuple[float | None, float | None]:
    index = next(i for i, each in enumerate(replay.config.metrics) if each.name == spec.name)
    state, sample = replay.after.metrics[index].evidence, replay.look.samples.get(spec.name)
    if not isinstance(state, LatencyState) or not isinstance(sample, Latency):
        return None, None
    unit = 1000.0 if spec.shown_as == "ms" else 1.0
    levels = [
        quantile(sample.bounds, counts, spec.quantile)
        for counts in (sums(state.at_stable), sums(state.at_canary))
        if len(counts) == len(sample.bounds) + 1
    ]
    if len(levels) != 2:
        return None, None
    stable, canary = (None if level is None else unit * level for level in levels)
    return stable, canary
