"""Is stable itself well, and are the data there to tell anything?"""

from __future__ import annotations

from math import sqrt

from hatchway.core.plan import MetricSpec

from .bets import out_of_bounds
from .look import Look
from .quantile import quantile
from .state import CountsState, GaugeState, JudgeConfig, JudgeState, LatencyState, MetricState

STREAK = 3  # looks in a row beyond a limit before a gauge counts as out
ENOUGH = 30.0  # recent requests of stable before its level is known


def stable_healthy(config: JudgeConfig, state: JudgeState, look: Look) -> bool | None:
    """Whether stable is within its own hard limits lately; None when that is not known."""
    known: list[bool] = []
    unknown = False
    for spec, metric in zip(config.metrics, state.metrics, strict=True):
        if spec.shared or (spec.limit is None and spec.kind != "state"):
            continue
        over = stable_over(spec, metric) if blind_for(metric, state, look) == 0 else None
        if over is not None:
            known.append(not over)
        elif spec.judged:
            unknown = True
    if not all(known):
        return False
    return True if known and not unknown else None


def stable_over(spec: MetricSpec, metric: MetricState) -> bool | None:
    """Whether stable is beyond the metric's limit, by more than chance; None: not known."""
    match metric.evidence:
        case CountsState(recent=(seconds, requests, events)):
            if requests < ENOUGH or spec.limit is None:
                return None
            unit = 100.0 / requests if spec.shown_as != "per_minute" else 60.0 / max(seconds, 1.0)
            noise = 2.0 * sqrt(events)
            if spec.worse == "down":
                return (events + noise) * unit < spec.limit
            return (events - noise) * unit > spec.limit
        case LatencyState(bounds=bounds, recent=recent):
            if sum(recent) < ENOUGH or spec.limit is None:
                return None
            level = quantile(bounds, recent, spec.quantile)
            return None if level is None else level > limit_seconds(spec)
        case GaugeState(stable=level, stable_out=streak):
            return None if level is None else streak >= STREAK


def limit_seconds(spec: MetricSpec) -> float:
    """A latency's limit in seconds, however it is shown."""
    limit = spec.limit if spec.limit is not None else float("inf")
    return limit / 1000.0 if spec.shown_as == "ms" else limit


def canary_over(spec: MetricSpec, metric: MetricState) -> bool:
    """Whether the canary is beyond the metric's limit in this step, by more than chance."""
    if spec.limit is None and spec.kind != "state":
        return False
    match metric.evidence:
        case CountsState(canary=(requests, events)):
            # Below a limit per minute says little of an arm with a share of the traffic.
            if requests < ENOUGH or spec.worse == "down" or spec.shown_as == "per_minute":
                return False
            return 100.0 * (events - 2.0 * sqrt(events)) / requests > (spec.limit or 0.0)
        case LatencyState(bounds=bounds, at_canary=seen):
            level = quantile(bounds, seen, spec.quantile) if sum(seen) >= ENOUGH else None
            return level is not None and level > limit_seconds(spec)
        case GaugeState(canary=level, canary_out=streak):
            return out_of_bounds(spec, level) and streak >= STREAK


def blind_for(metric: MetricState, state: JudgeState, look: Look) -> float:
    """Seconds without data of this metric; 0 when this look had some."""
    since = metric.heard if metric.heard is not None else state.began
    return max(0.0, look.t - since) if since is not None else 0.0


def trouble(
    config: JudgeConfig, state: JudgeState, metric: MetricState, look: Look
) -> tuple[str, float] | None:
    """Why this metric cannot be judged, in words, and for how long; None when it can."""
    age = blind_for(metric, state, look)
    if age >= max(config.blind_after_s, 3 * look.seconds) - 1e-6:
        where = f" on {metric.arm}" if metric.arm else ""
        return f"{metric.trouble or 'no series'}{where}", age
    if metric.busy is None:
        return None
    quiet = look.t - metric.busy
    due_canary, due_stable = metric.due
    if quiet >= config.blind_after_s and due_canary >= 8:
        return f"zero traffic on canary, {due_canary:.0f} requests were due", quiet
    if quiet >= config.blind_after_s and due_stable >= 8:
        return f"zero traffic on stable, {due_stable:.0f} requests were due", quiet
    if quiet >= config.quiet_after_s and max(metric.due) < 1:
        return "zero traffic", quiet
    return None
