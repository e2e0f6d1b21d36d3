"""Evidence in words that a tired person can act on. Everything here is generated, never free."""

from __future__ import annotations

from math import floor, log10

from hatchway.core.plan import MetricSpec

from .counts import Arm
from .flapping import Swings
from .joint import Standing
from .latency import next_bucket
from .level_words import compared, meaning, where
from .margins import Margins
from .quantile import quantile
from .recent import sums
from .state import CountsState, LatencyState, MetricState, SeriesState
from .verdict import MetricWord


def duration(seconds: float) -> str:
    """40 s, 3 min, 5 h, 2 days."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    if seconds < 120 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


def spells(swings: Swings) -> str:
    """3 times in 12 min; how long a spell is."""
    first, last = swings.spells[0][0], max(max(spell) for spell in swings.spells)
    ended = [end - begin for begin, end in swings.spells if end > begin]
    each = f", about {duration(sum(ended) / len(ended))} each" if ended else ""
    return f"{len(swings.spells)} times in {duration(last - first)}{each}"


def margins(measured: Margins) -> str:
    """Where the margins come from, and what they are."""
    what = f"{measured.ratio:.2g}x, clumping {measured.phi:.2g}"
    if measured.pods:
        time = duration(measured.seconds)
        return f"margins measured on {measured.pods} instances of stable over {time}: {what}"
    if measured.seconds:
        return f"margins are configured (too few instances), clumping is measured: {what}"
    return f"margins are configured, not measured (too few instances): {what}"


def chance(e: float) -> str:
    """How rarely chance alone gives evidence `e`: "1 in 250 by chance", two figures, below."""
    if e < 2:
        return "could be chance"
    if e >= 1_000_000:
        return "less than 1 in 1,000,000 by chance"
    size = 10 ** max(0, floor(log10(e)) - 1)
    return f"1 in {floor(e / size) * size:,.0f} by chance"


def percent(arm: Arm) -> str:
    """The share of events: 0.50%, 1.2%, 14%."""
    share = 100.0 * arm[1] / arm[0] if arm[0] else 0.0
    return f"{share:.2f}%" if share < 1 else f"{share:.1f}%" if share < 10 else f"{share:.0f}%"


def times(a: Arm, b: Arm) -> str:
    """How many times more often events come in `a` than in `b`: 20x, 1.4x."""
    if not (a[0] and b[0] and b[1]):
        return "none on the other arm"
    ratio = a[1] * b[0] / (b[1] * a[0])
    return f"{ratio:.0f}x" if ratio >= 3 else f"{ratio:.1f}x"


def figures(spec: MetricSpec, metric: MetricState, at: Standing) -> str:
    """The metric on both arms in this step: "errors 2 of 122 on canary against 0.50% on stable"."""
    if isinstance(metric.evidence, LatencyState):
        slow = _latency(spec, metric.evidence, sums(metric.evidence.at_canary))
        usual = _latency(spec, metric.evidence, sums(metric.evidence.at_stable))
        return f"{spec.label} {slow} on canary against {usual} on stable"
    if isinstance(metric.evidence, SeriesState):
        return compared(spec, metric.evidence)
    (n, events), others = at.canary, at.stable
    if n == 0:
        return f"{spec.label}: no requests on canary yet"
    if spec.worse == "down" or spec.shown_as == "per_minute":
        share = 100.0 * others[1] / others[0] if others[0] else 0.0
        against = f"{share:.2g} in 100 on stable"
        return f"{spec.label} {events} in {n} requests on canary against {against}"
    return f"{spec.label} {events} of {n} on canary against {percent(others)} on stable"


def on_canary(spec: MetricSpec, metric: MetricState, at: Standing) -> str:
    """The metric on the canary, with nothing beside it: "errors 2 of 122 (1.6%) on canary"."""
    if isinstance(metric.evidence, LatencyState):
        seen = sums(metric.evidence.at_canary)
        return f"{spec.label} {_latency(spec, metric.evidence, seen)} on canary"
    if isinstance(metric.evidence, CountsState):
        n, events = at.canary
        return f"{spec.label} {events} of {n} ({percent(at.canary)}) on canary"
    return f"{spec.label} cannot be compared"


def conclusion(
    spec: MetricSpec, metric: MetricState, at: Standing, word: MetricWord, excludes: float
) -> str:
    """What the figures mean, after the colon."""
    if isinstance(metric.evidence, SeriesState):
        rare = chance(at.better if word == "better" else at.e)
        return meaning(metric.evidence.reading.finding, word, rare, excludes)
    place = where(spec, metric.evidence) if isinstance(metric.evidence, CountsState) else ""
    said = _meaning(spec, metric, at, word, excludes)
    return f"{said}; {place}" if place else said


def _meaning(
    spec: MetricSpec, metric: MetricState, at: Standing, word: MetricWord, excludes: float
) -> str:
    latency = isinstance(metric.evidence, LatencyState)
    if word == "worse" and not latency and (past := _past(spec, at)):
        return f"{past}, but it was worse, {chance(at.e)}"
    if word == "worse":
        if isinstance(evidence := metric.evidence, LatencyState):
            return f"slower, {_how_far(spec, evidence)}{chance(at.e)}"
        if spec.worse == "down":
            return f"{_fewer(at)}, {chance(at.e)}"
        return f"{times(at.canary, at.stable)}, {chance(at.e)}"
    if word == "better":
        return f"better than stable, {chance(at.better)}"
    if word == "same":
        seen = surely(spec, metric, at)
        return (
            f"{seen}, more than chance; {excludes:g}x worse is excluded"
            if seen
            else (f"{excludes:g}x worse is excluded")
        )
    if at.canary[1] + at.stable[1] == 0:
        return "nothing to compare yet"
    suspect, other = (at.stable, at.canary) if spec.worse == "down" else (at.canary, at.stable)
    if suspect[1] * other[0] > 1.2 * other[1] * suspect[0]:
        return "could be chance"
    return "no sign of harm, too little to be sure"


def surely(spec: MetricSpec, metric: MetricState, at: Standing) -> str:
    """How much worse the canary plainly is in this step, as in "1.6x"; empty when it is not.

    Plainly: a fifth at least, and four standard errors. What a step does not exclude it may let
    pass, but nobody is told that no harm was seen.
    """
    down = spec.worse == "down"
    (n, k), (others, rest) = (at.stable, at.canary) if down else (at.canary, at.stable)
    if not (n and others and rest) or k * others < 1.2 * rest * n:
        return ""
    whole, events = n + others, k + rest
    mean = events * n / whole
    phi = max(1.5, metric.margins.phi if metric.margins else 0.0)
    if (k - mean) ** 2 < 16.0 * phi * mean * (1 - n / whole) * (1 - events / whole):
        return ""
    how = times((n, k), (others, rest))
    if isinstance(metric.evidence, LatencyState):
        return f"{how} as many slow requests"
    return f"{how} fewer" if down else how


def _how_far(spec: MetricSpec, evidence: LatencyState) -> str:
    """That the buckets do not tell how much slower; empty when they do."""
    index = next_bucket(evidence.known, sums(evidence.at_canary))
    if index is None:
        return ""
    scale, unit = (1000.0, "ms") if spec.shown_as == "ms" else (1.0, "s")
    edge = f"{scale * evidence.bounds[index]:g} {unit}"
    return f"across the one bound at {edge} (how far is not known: finer buckets would), "


def _past(spec: MetricSpec, at: Standing) -> str:
    """That the figures of this step are by now as they should be; empty when they are not."""
    (n, k), (others, rest) = at.canary, at.stable
    if not (n and others and rest) or k + rest < 20:
        return ""
    if spec.worse == "down":
        return "as many by now" if k * others >= 0.9 * n * rest else ""
    return f"{times(at.canary, at.stable)} by now" if k * others <= 1.1 * n * rest else ""


def _fewer(at: Standing) -> str:
    if at.canary[1] == 0:
        return "none came"
    return f"{times(at.stable, at.canary)} fewer"


def _latency(spec: MetricSpec, evidence: LatencyState, seen: tuple[int, ...]) -> str:
    level = quantile(evidence.bounds, seen, spec.quantile)
    if level is None:
        return "unknown"
    over = "over " if level >= evidence.bounds[-1] else ""
    if spec.shown_as == "ms":
        return f"{over}{level * 1000:.0f} ms"
    return f"{over}{level:.3g}{f' {spec.unit}' if spec.unit else ''}"
