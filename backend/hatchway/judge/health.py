"""Is stable itself well, and are the data there to tell anything?"""

from __future__ import annotations

from math import log, sqrt

from hatchway.core.plan import MetricSpec

from .bets import out_of_bounds
from .look import STALE, Look
from .quantile import quantile
from .recent import Recent, seconds, sums
from .state import (
    CountsState,
    GaugeState,
    JudgeConfig,
    JudgeState,
    LatencyState,
    MetricState,
    SeriesState,
)

STREAK = 3  # looks in a row beyond a limit before a gauge counts as out
MISSED = 8.0  # an arm that had no request where there is one chance in 3,000 of it has no traffic
PATIENCE_S = 30.0  # the longest that samples which stand still are waited for
ENOUGH = 30  # recent requests of an arm before its level is known


def stable_over(spec: MetricSpec, metric: MetricState) -> bool | None:
    """Whether stable is beyond the metric's limit, by more than chance; None: not known."""
    match metric.evidence:
        case CountsState(recent=recent):
            if not recent.now:
                return None
            canary, _, requests, events = sums(recent)
            return _rate_over(
                spec, requests, events, (canary + requests) / max(1.0, seconds(recent))
            )
        case LatencyState(bounds=bounds, at_stable=recent):
            return _latency_over(spec, bounds, recent)
        case (
            GaugeState(stable=level, stable_out=streak)
            | SeriesState(stable=level, stable_out=streak)
        ):
            return None if level is None else streak >= STREAK


def canary_over(spec: MetricSpec, metric: MetricState) -> bool:
    """Whether the canary is beyond the metric's limit lately, by more than chance."""
    match metric.evidence:
        case CountsState(recent=recent):
            if not recent.now:
                return False
            requests, events, stable, _ = sums(recent)
            return bool(
                _rate_over(spec, requests, events, (stable + requests) / max(1.0, seconds(recent)))
            )
        case LatencyState(bounds=bounds, at_canary=recent):
            return bool(_latency_over(spec, bounds, recent))
        case (
            GaugeState(canary=level, canary_out=streak)
            | SeriesState(canary=level, canary_out=streak)
        ):
            return out_of_bounds(spec, level) and streak >= STREAK


def _rate_over(spec: MetricSpec, requests: int, events: int, rate: float) -> bool | None:
    """Events beyond the limit, by two standard errors; per minute as if with all traffic."""
    if requests < ENOUGH or spec.limit is None:
        return None
    unit = 60.0 * rate if spec.shown_as == "per_minute" else 100.0
    noise = 2.0 * sqrt(max(events, 1))
    if spec.worse == "down":
        return unit * (events + noise) / requests < spec.limit
    return unit * (events - noise) / requests > spec.limit


def _latency_over(spec: MetricSpec, bounds: tuple[float, ...], recent: Recent) -> bool | None:
    counts = sums(recent)
    if sum(counts) < ENOUGH or spec.limit is None:
        return None
    level = quantile(bounds, counts, spec.quantile)
    limit = spec.limit / 1000.0 if spec.shown_as == "ms" else spec.limit
    return None if level is None else level > limit


def blind_for(metric: MetricState, state: JudgeState, look: Look) -> float:
    """Seconds without data of this metric; 0 when this look had some."""
    since = metric.heard if metric.heard is not None else state.began
    return max(0.0, look.t - since) if since is not None else 0.0


def trouble(
    config: JudgeConfig, metric: MetricState, look: Look, age: float
) -> tuple[str, float] | None:
    """Why this metric cannot be judged, in words, and for how long; None when it can.

    `age` is how long it has had no data, in seconds.
    """
    patience = max(config.blind_after_s, 3 * look.seconds)
    if metric.trouble == STALE:  # between two scrapes of a server that is known to scrape so seldom
        patience = max(patience, min(PATIENCE_S, 2 * min(metric.gaps)))
    if age >= patience - 1e-6:
        where = f" on {metric.arm}" if metric.arm else ""
        return f"{metric.trouble or 'no series'}{where}", age
    if metric.busy is None:
        return None
    quiet = look.t - metric.busy
    due_canary, due_stable = metric.due
    if quiet >= config.blind_after_s and due_canary >= MISSED:
        return f"zero traffic on canary, {due_canary:.0f} requests were due", quiet
    if quiet >= config.blind_after_s and due_stable >= MISSED:
        share = min(0.99, max(0.01, look.weight / 100))
        requests = due_stable / -log(share) * (1 - share) / share
        return f"zero traffic on stable, {requests:.0f} requests were due", quiet
    if quiet >= config.quiet_after_s and max(metric.due) == 0:
        return "zero traffic", quiet
    return None
