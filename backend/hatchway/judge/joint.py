"""From metrics to one figure, and which metric carries it.

The joint evidence is the weighted mean of the metrics' evidence: a fair bet again, whatever hangs
together between them, and above each one's own share of it. Being healthy needs every metric.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from . import latency, scan
from .counts import Arm
from .state import CountsState, Evidence, GaugeState, JudgeConfig, LatencyState, SeriesState

GUARD_SHARE = 0.15  # of the wealth bets in warm-up


class Standing(Struct, frozen=True):
    """Where one metric stands: evidence now, the highest for healthy, and this step's sums."""

    e: float
    healthy_now: float
    healthy_peak: float
    better: float
    canary: Arm
    stable: Arm


def standing(evidence: Evidence) -> Standing:
    """The figures of one metric; a gauge has no evidence, only limits and advice."""
    match evidence:
        case CountsState():
            main = evidence.worse.now
            if evidence.scan is not None:
                main = (1 - scan.SHARE) * main + scan.SHARE * evidence.scan.e
        case LatencyState():
            tails = zip(evidence.tails, latency.TAIL_SHARE, strict=True)
            main = latency.SHIFT_SHARE * evidence.shift.now
            main += sum(share * tail.now for tail, share in tails)
        case GaugeState():
            return Standing(1.0, 1.0, 1.0, 1.0, (0, 0), (0, 0))
        case SeriesState(reading=reading, window=window):
            # Chances, not bets: they stand beside the joint evidence and never enter it.
            n = (window.n, 0)
            return Standing(
                reading.worse, reading.healthy_now, reading.healthy, reading.better, n, n
            )
    return Standing(
        (1 - GUARD_SHARE) * main + GUARD_SHARE * evidence.guard.now,
        evidence.healthy.now,
        evidence.healthy.peak,
        evidence.better.now,
        evidence.canary,
        evidence.stable,
    )


def weights(config: JudgeConfig) -> tuple[float, ...]:
    """Each metric's share of the joint evidence; 0 for gauges, series and what is only watched."""
    raw = [
        spec.weight if spec.judged and spec.kind in ("counts", "latency") else 0.0
        for spec in config.metrics
    ]
    whole = sum(raw)
    return tuple(weight / whole if whole else 0.0 for weight in raw)


def joint(config: JudgeConfig, standings: Sequence[Standing]) -> tuple[float, int]:
    """The joint evidence now, and the index of the metric that adds most to it (-1: none)."""
    shares = weights(config)
    parts = [share * at.e for share, at in zip(shares, standings, strict=True)]
    if not any(shares):
        return 1.0, -1
    return sum(parts), max(range(len(parts)), key=parts.__getitem__)
