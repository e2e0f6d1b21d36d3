"""One look into the state: which bets each kind of metric makes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log, log1p

from msgspec import structs

from hatchway.core.plan import MetricSpec

from . import counts, gauges, latency, owed, scan, series
from .counts import HEALTHY_TILTS, WORSE_TILTS, Arm, Stratum
from .flapping import swung
from .look import Counts, Gauge, Latency, Look, Missing, Sample, Series
from .margins import Margins, joined
from .recent import Recent, added
from .state import (
    CountsState,
    Evidence,
    GaugeState,
    JudgeConfig,
    JudgeState,
    LatencyState,
    MetricState,
    SeriesState,
    bound,
    heard,
)
from .wealth import Wealth, bet

GUARD_RATIO = 5.0  # what a cold start may do: in warm-up only worse than this is bet against


@dataclass(frozen=True, slots=True)
class Setting:
    """What the bets of one metric need to know of a look."""

    config: JudgeConfig
    seconds: float
    warming: bool
    excludes: float
    weight: int
    margins: Margins


def span(state: MetricState, look: Look) -> float:
    """Seconds that a metric's sample covers: longer than the look where data were missing before."""
    return look.seconds if state.heard is None else max(look.seconds, look.t - state.heard)


def observed(
    config: JudgeConfig, whole: JudgeState, excludes: float, spec: MetricSpec, state: MetricState,
    look: Look,
) -> MetricState:  # fmt: skip
    """The metric's state after this look."""
    seconds = span(state, look)
    warm = warming(config, whole, look.t - seconds)
    sample = _usable(look.samples.get(spec.name) or Missing("no series"))
    if isinstance(sample, Counts | Latency) and _of_kind(state.evidence, sample):
        state = _traffic(state, look, sample)
        sample, seconds = together(state, sample, seconds)
        if not owed.whole(sample, look.weight):
            return structs.replace(state, owed=sample, owed_s=seconds)
        state = structs.replace(state, owed=None, owed_s=0.0)
    setting = Setting(
        config,
        seconds,
        warm,
        bound(spec, excludes),
        look.weight,
        joined(config.floors, state.margins),
    )
    seen: Evidence
    match state.evidence, sample:
        case CountsState() as evidence, Counts():
            seen = _counts(setting, evidence, sample, down=spec.worse == "down")
        case LatencyState() as evidence, Latency() if well_formed(sample):
            seen = _latency(setting, spec, evidence, sample)
        case GaugeState() as evidence, Gauge() if sample.canary or sample.stable:
            state = structs.replace(state, heard=look.t, busy=look.t, trouble="", arm="")
            seen = _gauge(setting, spec, evidence, sample, look.seconds)
        case SeriesState() as evidence, Series():
            state = structs.replace(state, heard=look.t, busy=look.t, trouble="", arm="")
            seen = _series(setting, spec, evidence, sample)
        case _, Missing(why=why, arm=arm):
            return structs.replace(state, trouble=why, arm=arm)
        case _:
            return structs.replace(state, trouble=f"not the data of a {spec.kind}", arm="")
    arms = _arms(spec, seen, sample)
    if arms is not None:
        canary, stable = state.swings
        swings = (
            swung(canary, arms[0], look.t, seconds, stable.usual),
            swung(stable, arms[1], look.t, seconds),
        )
        state = structs.replace(state, swings=swings)
    return structs.replace(state, evidence=seen)


def together(
    state: MetricState, sample: Counts | Latency, seconds: float
) -> tuple[Counts | Latency, float]:
    """A sample with what was owed from looks before it, and the seconds that it covers then."""
    if state.owed is None or state.owed_s + seconds > owed.MOST_S:
        return sample, seconds
    return owed.merged(state.owed, sample), state.owed_s + seconds


def _of_kind(evidence: Evidence, sample: Counts | Latency) -> bool:
    if isinstance(sample, Counts):
        return isinstance(evidence, CountsState)
    return isinstance(evidence, LatencyState) and well_formed(sample)


def _usable(sample: Sample) -> Sample:
    """Without what is no number: a gauge's such levels, a series in which an arm has none."""
    if isinstance(sample, Gauge):
        return Gauge(tuple(filter(isfinite, sample.canary)), tuple(filter(isfinite, sample.stable)))
    if not isinstance(sample, Series):
        return sample
    gone = [
        arm
        for arm, value in (("canary", sample.canary), ("stable", sample.stable))
        if not series.usable(value)
    ]
    return Missing("no number", "" if len(gone) == 2 else gone[0]) if gone else sample


def _arms(spec: MetricSpec, seen: Evidence, sample: Sample) -> tuple[Arm, Arm] | None:
    """(requests, events) of both arms, where an event is something unwelcome; None: no such."""
    if isinstance(sample, Counts) and spec.worse == "up":
        return sample.canary, sample.stable
    if isinstance(sample, Latency) and isinstance(seen, LatencyState):
        slow = latency.tail_bucket(seen.known, spec.quantile)
        if slow is not None:
            return latency.slower(sample.canary, slow), latency.slower(sample.stable, slow)
    return None


def warming(config: JudgeConfig, state: JudgeState, at: float) -> bool:
    """Whether `at` lies within the warm-up after the last raise."""
    return state.raised is not None and at < state.raised + config.warmup_s - 1e-6


def _traffic(state: MetricState, look: Look, sample: Counts | Latency) -> MetricState:
    canary, stable = owed.requests(sample)
    share = min(0.99, max(0.01, look.weight / 100))
    due = (
        0.0 if canary else state.due[0] - stable * log1p(-share),
        0.0 if stable or look.weight >= 100 else state.due[1] - canary * log(share),
    )
    busy = look.t if state.busy is None or owed.whole(sample, look.weight) else state.busy
    return structs.replace(heard(state, look.t), busy=busy, due=due)


def _counts(setting: Setting, state: CountsState, sample: Counts, *, down: bool) -> CountsState:
    canary, stable = sample.canary, sample.stable
    # Fewer conversions on the canary is more conversions on stable: the same test, arms swapped.
    suspect, other = (stable, canary) if down else (canary, stable)
    ratio = setting.margins.ratio
    worse = state.worse
    if not setting.warming:
        worse = _bet(setting, worse, counts.at_most(ratio, suspect, other), WORSE_TILTS)
    sides = _sides(setting, (state.guard, state.healthy, state.better), suspect, other, ratio)
    return CountsState(
        worse,
        *sides,
        canary=_plus(state.canary, canary),
        stable=_plus(state.stable, stable),
        recent=added(state.recent, (*canary, *stable), setting.seconds),
        scan=_scan(setting, state.scan, sample, down=down),
    )


def _scan(
    setting: Setting, known: scan.Scan | None, sample: Counts, *, down: bool
) -> scan.Scan | None:
    if known is None:
        return None
    return scan.observed(
        known, sample.parts, ratio=setting.margins.ratio, phi=setting.margins.phi,
        seconds=setting.seconds, down=down, warming=setting.warming,
    )  # fmt: skip


def _sides(
    setting: Setting,
    wealth: tuple[Wealth, Wealth, Wealth],
    suspect: Arm,
    other: Arm,
    ratio: float,
) -> tuple[Wealth, Wealth, Wealth]:
    """Guard, healthy and better after a look at two arms."""
    guard, healthy, better = wealth
    if guarding(guard, warming=setting.warming):
        guard = _bet(setting, guard, counts.at_most(GUARD_RATIO, suspect, other), WORSE_TILTS)
    if not setting.warming:
        better = _bet(setting, better, counts.at_most(ratio, other, suspect), WORSE_TILTS)
    bad = counts.at_least(setting.excludes, suspect, other)
    return guard, _bet(setting, healthy, bad, HEALTHY_TILTS), better


def guarding(guard: Wealth, *, warming: bool) -> bool:
    """Whether the guard bets: in warm-up, and after it for as long as it has gains to lose.

    Else a bad start that was no more than that would be held against the canary for ever.
    """
    return warming or guard.now > 1.0


def _bet(
    setting: Setting, wealth: Wealth, stratum: Stratum | None, tilts: tuple[float, ...]
) -> Wealth:
    if stratum is None:
        return wealth
    return bet(wealth, counts.gains(stratum, tilts, setting.margins.phi), setting.seconds)


def _latency(
    setting: Setting, spec: MetricSpec, state: LatencyState, sample: Latency
) -> LatencyState:
    margins, bounds = setting.margins, sample.bounds
    none = (0,) * (len(bounds) + 1)
    if bounds != state.bounds:  # other buckets than before: what was known does not fit them
        state = structs.replace(
            state, bounds=bounds, known=none, at_canary=Recent(), at_stable=Recent()
        )
    canary, stable, known = sample.canary, sample.stable, state.known
    shift, tails = state.shift, state.tails
    if not setting.warming:
        gains = latency.shift_gains(bounds, canary, stable, known, margins.shift, margins.phi)
        shift = shift if gains is None else bet(shift, gains, setting.seconds)
        tails = tuple(
            _tail(setting, tail, sample, known, q, tilts)
            for tail, (q, tilts) in zip(tails, latency.TAILS, strict=True)
        )
    state = structs.replace(
        state,
        shift=shift,
        tails=tails,
        known=tuple(a + b for a, b in zip(known, stable, strict=True)),
        at_canary=added(state.at_canary, canary, setting.seconds),
        at_stable=added(state.at_stable, stable, setting.seconds),
    )
    slow = latency.tail_bucket(known, spec.quantile)
    if slow is None:
        return state
    at_canary, at_stable = latency.slower(canary, slow), latency.slower(stable, slow)
    guard, healthy, better = _sides(
        setting,
        (state.guard, state.healthy, state.better),
        at_canary,
        at_stable,
        margins.tail,
    )
    return structs.replace(
        state,
        guard=guard,
        healthy=healthy,
        better=better,
        canary=_plus(state.canary, at_canary),
        stable=_plus(state.stable, at_stable),
    )


def _tail(
    setting: Setting,
    wealth: Wealth,
    sample: Latency,
    known: tuple[int, ...],
    q: float,
    tilts: tuple[float, ...],
) -> Wealth:
    index = latency.tail_bucket(known, q)
    if index is None:
        return wealth
    stratum = counts.at_most(
        setting.margins.tail,
        latency.slower(sample.canary, index),
        latency.slower(sample.stable, index),
    )
    return _bet(setting, wealth, stratum, tilts)


def _gauge(
    setting: Setting, spec: MetricSpec, state: GaugeState, sample: Gauge, seconds: float
) -> GaugeState:
    canary, stable = _worst(spec, sample.canary), _worst(spec, sample.stable)
    blocks = state.blocks
    if spec.kind == "gauge" and _comparable(setting):
        blocks = gauges.added(blocks, sample.canary, sample.stable, seconds, spec.worse)
    return GaugeState(
        canary,
        stable,
        state.canary_out + 1 if out_of_bounds(spec, canary) else 0,
        state.stable_out + 1 if out_of_bounds(spec, stable) else 0,
        blocks,
    )


def _series(setting: Setting, spec: MetricSpec, state: SeriesState, sample: Series) -> SeriesState:
    canary, stable = sample.canary, sample.stable
    state = structs.replace(
        state,
        canary=canary,
        stable=stable,
        canary_out=state.canary_out + 1 if out_of_bounds(spec, canary) else 0,
        stable_out=state.stable_out + 1 if out_of_bounds(spec, stable) else 0,
    )
    if canary is None or stable is None or not _comparable(setting):
        return state
    window = series.added(state.window, canary, stable)
    state = structs.replace(state, values=state.values + 1)
    if not series.due(window):
        return structs.replace(state, window=window)
    finding = series.read(window, spec.worse, setting.excludes)
    return structs.replace(
        state,
        window=series.kept(window, finding),
        reading=series.weighed(finding, state.readings, state.of_step),
        readings=state.readings + 1,
        of_step=state.of_step + 1,
    )


def _comparable(setting: Setting) -> bool:
    """Not in warm-up, and not when all traffic is on the canary and stable has nothing to do."""
    return not setting.warming and setting.weight < 100


def out_of_bounds(spec: MetricSpec, level: float | None) -> bool:
    """Whether a gauge is beyond its hard limit, or a state is not 1."""
    if level is None:
        return False
    if spec.kind == "state":
        return level < 1
    if spec.limit is None:
        return False
    return level > spec.limit if spec.worse == "up" else level < spec.limit


def _worst(spec: MetricSpec, levels: tuple[float, ...]) -> float | None:
    if not levels:
        return None
    return min(levels) if spec.kind == "state" or spec.worse == "down" else max(levels)


def _plus(a: Arm, b: Arm) -> Arm:
    return a[0] + b[0], a[1] + b[1]


def well_formed(sample: Latency) -> bool:
    """Whether there are buckets, and as many counts as they ask for."""
    size = len(sample.bounds) + 1
    return bool(sample.bounds) and len(sample.canary) == len(sample.stable) == size
