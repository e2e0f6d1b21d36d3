"""What is learned from stable alone before the canary gets its first request.

How much its instances differ, its latency, whether it is well, and whether a dependency is already
down: what was so before the rollout is not the rollout's doing.
"""

from __future__ import annotations

from msgspec import structs

from hatchway.core.plan import MetricSpec

from . import calibrate, health, scan
from .bets import out_of_bounds, well_formed
from .calibrate import Calibration
from .flapping import swung
from .latency import slower, tail_bucket
from .look import Counts, Gauge, Latency, Look, Missing, Series
from .recent import Recent, added
from .state import (
    CountsState,
    GaugeState,
    JudgeConfig,
    JudgeState,
    LatencyState,
    MetricState,
    SeriesState,
    heard,
)


def before(config: JudgeConfig, state: JudgeState, look: Look) -> JudgeState:
    """Fold a look from before the first raise; what it says of the canary is not read.

    After the first raise it changes nothing: margins are settled before there is anything to gain
    from them.
    """
    if state.raised is not None:
        return state
    metrics = tuple(
        _seen(spec, metric, look)
        for spec, metric in zip(config.metrics, state.metrics, strict=True)
    )
    return structs.replace(state, metrics=metrics)


def _seen(spec: MetricSpec, metric: MetricState, look: Look) -> MetricState:
    sample = look.samples.get(spec.name) or Missing("no series")
    match metric.evidence, sample:
        case CountsState() as counts, Counts():
            metric = _counts(spec, metric, counts, sample, look)
        case LatencyState() as latency, Latency() if well_formed(sample):
            metric = _latency(spec, metric, latency, sample, look)
        case GaugeState() as gauge, Gauge() if sample.stable:
            metric = _level(spec, metric, gauge, sample.stable, look)
        case SeriesState() as series, Series(stable=float() as level):
            metric = _level(spec, metric, series, (level,), look)
        case _, Missing(why=why, arm=arm):
            return structs.replace(metric, trouble=why, arm=arm)
        case _:
            return metric
    return structs.replace(metric, ailing=health.stable_over(spec, metric) is True)


def _counts(
    spec: MetricSpec, metric: MetricState, state: CountsState, sample: Counts, look: Look
) -> MetricState:
    canary, stable = metric.swings
    if spec.worse == "up":
        stable = swung(stable, sample.stable, look.t, look.seconds)
    return structs.replace(
        heard(metric, look.t),
        evidence=structs.replace(
            state,
            recent=added(state.recent, (0, 0, *sample.stable), look.seconds),
            scan=None if state.scan is None else scan.before(state.scan, sample.parts),
        ),
        calibration=calibrate.with_counts(
            metric.calibration or Calibration(), sample.stable, sample.pods, look.seconds
        ),
        swings=(canary, stable),
    )


def _latency(
    spec: MetricSpec, metric: MetricState, state: LatencyState, sample: Latency, look: Look
) -> MetricState:
    bounds, none = sample.bounds, (0,) * len(sample.stable)
    if bounds != state.bounds:
        state = structs.replace(
            state, bounds=bounds, known=none, at_canary=Recent(), at_stable=Recent()
        )
    known = tuple(a + b for a, b in zip(state.known, sample.stable, strict=True))
    canary, stable = metric.swings
    slow = tail_bucket(known, spec.quantile)
    if slow is not None:
        stable = swung(stable, slower(sample.stable, slow), look.t, look.seconds)
    return structs.replace(
        heard(metric, look.t),
        evidence=structs.replace(
            state,
            known=known,
            at_stable=added(state.at_stable, sample.stable, look.seconds),
        ),
        calibration=calibrate.with_latency(
            metric.calibration or Calibration(), bounds, sample.stable, sample.pods, look.seconds
        ),
        swings=(canary, stable),
    )


def _level(
    spec: MetricSpec,
    metric: MetricState,
    state: GaugeState | SeriesState,
    levels: tuple[float, ...],
    look: Look,
) -> MetricState:
    worst = min if spec.kind == "state" or spec.worse == "down" else max
    level = worst(levels)
    out = state.stable_out + 1 if out_of_bounds(spec, level) else 0
    return structs.replace(
        metric,
        heard=look.t,
        trouble="",
        arm="",
        evidence=structs.replace(state, stable=level, stable_out=out),
    )
