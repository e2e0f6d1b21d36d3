"""The arithmetic of one look, step by step, as the judge did it: for people who check it.

arithmetic_bets.py works out the bets again; here they are put together with what was seen and decided.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hatchway.core.plan import MetricSpec

from . import owed
from .arithmetic_bets import Bet, Table
from .bets import span, together, warming
from .counts import Arm
from .joint import standing, weights
from .look import Counts, Latency, Sample
from .margins import Margins, joined
from .mismatch import mismatched
from .proof import Replay
from .state import (
    CountsState,
    Evidence,
    GaugeState,
    JudgeState,
    LatencyState,
    MetricState,
    SeriesState,
    at_look,
    bound,
)


class MetricArithmetic(Struct, frozen=True, kw_only=True):
    """One metric: what was seen, its bets, and its part of the joint evidence."""

    name: str
    label: str
    kind: str
    worse: str
    judged: bool
    share: float
    sample: Sample | None
    canary: Arm
    stable: Arm
    margins: Margins
    bets: tuple[Bet, ...]
    e: float
    healthy_now: float
    healthy_peak: float
    seconds: float  # that the sample covers: longer than the look after data were missing
    word: str
    excludes: float
    trouble: str = ""
    state: dict[str, object] = {}  # of a metric without bets, as it is


class Arithmetic(Struct, frozen=True, kw_only=True):
    """One look. `e` is the joint evidence, `lead` the metric that adds most to it."""

    t: float
    seconds: float
    weight: int
    since_raise_s: float
    warming: bool
    excludes: float
    metrics: tuple[MetricArithmetic, ...]
    e: float
    peak: float
    lead: str
    hold_at: float
    rollback_at: float
    healthy_at: float
    word: str
    action: str
    headline: str
    stable_healthy: bool | None
    blind_for_s: float
    split_off: float | None
    certain: bool
    healthy_restarted: bool


def arithmetic(replay: Replay) -> Arithmetic:
    """How the look of a proof became its verdict."""
    config, look, verdict, after = replay.config, replay.look, replay.verdict, replay.after
    before = _as_bet_on(replay)
    shares = weights(config)
    restarted = after.held and not before.held
    metrics = tuple(
        _metric(replay, spec, old, new, share)
        for spec, old, new, share in zip(
            config.metrics, before.metrics, after.metrics, shares, strict=True
        )
    )
    began = look.t - look.seconds
    parts = [metric.share * metric.e for metric in metrics]
    lead = max(range(len(parts)), key=parts.__getitem__) if any(shares) else -1
    return Arithmetic(
        t=look.t,
        seconds=look.seconds,
        weight=look.weight,
        since_raise_s=look.t - (before.raised if before.raised is not None else began),
        warming=warming(config, before, began),
        excludes=replay.excludes,
        metrics=metrics,
        e=verdict.e,
        peak=after.peak,
        lead=config.metrics[lead].name if lead >= 0 else "",
        hold_at=config.hold_at,
        rollback_at=config.rollback_at,
        healthy_at=config.healthy_at,
        word=verdict.word,
        action=verdict.action,
        headline=verdict.headline,
        stable_healthy=verdict.stable_healthy,
        blind_for_s=verdict.blind_for_s,
        split_off=mismatched(after.split),
        certain=after.certain,
        healthy_restarted=restarted,
    )


def _as_bet_on(replay: Replay) -> JudgeState:
    """The state before the look, after what the judge does to it before any bet."""
    look = replay.look
    return at_look(replay.before, look.t, look.seconds, look.weight, replay.excludes)


def _metric(
    replay: Replay, spec: MetricSpec, old: MetricState, new: MetricState, share: float
) -> MetricArithmetic:
    sample = replay.look.samples.get(spec.name)
    if isinstance(sample, Latency) and len(sample.canary) != len(sample.bounds) + 1:
        sample = None  # the judge does not look at it either
    margins = joined(replay.config.floors, old.margins)
    at = standing(new.evidence)
    seconds = span(old, replay.look)
    warm = warming(replay.config, _as_bet_on(replay), replay.look.t - seconds)
    if isinstance(sample, Counts | Latency):
        sample, seconds = together(old, sample, seconds)
        if not owed.whole(sample, replay.look.weight):
            sample = None
    table = Table(
        margins=margins,
        excludes=bound(spec, replay.excludes),
        quantile=spec.quantile,
        down=spec.worse == "down",
        seconds=seconds,
        warming=warm,
        restarted=replay.after.held and not replay.before.held,
        trouble=new.trouble,
    )
    bets: tuple[Bet, ...] = ()
    match old.evidence, new.evidence:
        case CountsState() as a, CountsState() as b:
            bets = tuple(table.of_counts(a, b, sample if isinstance(sample, Counts) else None))
        case LatencyState() as a, LatencyState() as b:
            bets = tuple(table.of_latency(a, b, sample if isinstance(sample, Latency) else None))
    said = next(m for m in replay.verdict.metrics if m.name == spec.name)
    return MetricArithmetic(
        name=spec.name,
        label=spec.label,
        kind=spec.kind,
        worse=spec.worse,
        judged=spec.judged,
        share=share,
        sample=sample,
        canary=at.canary,
        stable=at.stable,
        margins=margins,
        bets=bets,
        e=at.e,
        healthy_now=at.healthy_now,
        healthy_peak=at.healthy_peak,
        word=said.word,
        excludes=bound(spec, replay.excludes),
        trouble=said.trouble,
        state=_state(new.evidence),
        seconds=seconds,
    )


def _state(evidence: Evidence) -> dict[str, object]:
    """What is known of a metric that nothing is bet on, by name."""
    match evidence:
        case GaugeState():
            known: dict[str, object] = {"looks beyond the limit on canary": evidence.canary_out,
                "looks beyond the limit on stable": evidence.stable_out}  # fmt: skip
            last = evidence.blocks.last
            if last is not None:
                known["blocks compared"] = evidence.blocks.compared
                known["out in the last blocks"] = sum(evidence.blocks.out)
                known["canary in the last block"] = last.canary
                known["stable in the last block"] = last.stable
                known["standard errors apart"] = last.z
            return known
        case SeriesState():
            reading, finding = evidence.reading, evidence.reading.finding
            known = {"values an arm": evidence.window.n, "readings": evidence.readings}
            if finding is not None:
                known["mean of canary"] = finding.canary
                known["mean of stable"] = finding.stable
                known["worth as many independent values"] = min(finding.sizes)
                known["chance of so much if nothing were wrong"] = finding.worse
                known["1 / chance, after its share was paid"] = reading.worse
                known["trouble"] = finding.trouble or "none"
            return known
        case _:
            return {}


def to_json(arithmetic: Arithmetic) -> dict[str, object]:
    """The same as plain data."""
    plain: dict[str, object] = msgspec.to_builtins(arithmetic)
    return plain
