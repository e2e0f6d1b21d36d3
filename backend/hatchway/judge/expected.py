"""How long until the metrics of a step can tell, together."""

from __future__ import annotations

from . import forecast, series
from .counts import Arm
from .look import Counts
from .owed import plus
from .rows import Row, is_healthy
from .state import GaugeState, JudgeConfig, JudgeState, SeriesState, bound

LEANING = 3.0  # evidence from which on an answer is expected to be a regression


def expected(
    config: JudgeConfig, state: JudgeState, rows: tuple[Row, ...], e: float
) -> float | None:
    """Expected seconds to an answer: until all is healthy, or until a regression is certain."""
    waits: list[float | None] = []
    for row in rows:
        if not (row.judged and row.statistical) or is_healthy(config, row.at):
            continue
        if isinstance(row.state.evidence, SeriesState):
            waits.append(_to_reading(state, row.state.evidence))
            continue
        suspect, other, planned = _arms(state, row)
        waits.append(
            forecast.seconds_to(
                suspect, other, state.step_s,
                ratio=max(bound(row.spec, state.excludes), 1.01), threshold=config.healthy_at,
                now=row.at.healthy_now, phi=row.margins.phi, planned=planned,
            )
        )  # fmt: skip
    known = [wait for wait in waits if wait is not None]
    clear = max(known) if known and len(known) == len(waits) else None
    if e > LEANING or clear is None:
        worst = [_to_regress(config, state, row, e) for row in rows if row.judged]
        return min((wait for wait in worst if wait is not None), default=clear)
    return clear


def _to_reading(state: JudgeState, evidence: SeriesState) -> float | None:
    """Until the next reading of a series that can tell anything, at the pace of its values."""
    missing = series.missing(evidence.window, evidence.reading.finding)
    if missing is None or not evidence.values:
        return None
    return missing * state.step_s / evidence.values


def _to_regress(config: JudgeConfig, state: JudgeState, row: Row, e: float) -> float | None:
    if isinstance(row.state.evidence, GaugeState | SeriesState) or row.at.e < LEANING:
        return None
    suspect, other, planned = _arms(state, row)
    return forecast.seconds_to(
        suspect, other, state.step_s, ratio=row.margins.ratio, threshold=config.rollback_at,
        now=e, phi=row.margins.phi, planned=planned,
    )  # fmt: skip


def _arms(state: JudgeState, row: Row) -> tuple[Arm, Arm, float]:
    """What the suspect and the other arm had in this step, and the suspect's planned share."""
    canary, stable = row.at.canary, row.at.stable
    if isinstance(row.state.owed, Counts):
        canary, stable = plus(canary, row.state.owed.canary), plus(stable, row.state.owed.stable)
    share = min(0.99, max(0.01, state.weight / 100))
    return (stable, canary, 1 - share) if row.spec.worse == "down" else (canary, stable, share)
