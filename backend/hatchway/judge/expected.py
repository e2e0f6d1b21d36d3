"""How long until the metrics of a step can tell, together."""

from __future__ import annotations

from . import forecast, series
from .rows import Row, is_healthy
from .state import GaugeState, JudgeConfig, JudgeState, SeriesState, bound


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
        suspect, other = row.at.canary, row.at.stable
        if row.spec.worse == "down":
            suspect, other = other, suspect
        waits.append(
            forecast.seconds_to(
                suspect, other, state.step_s,
                ratio=max(bound(row.spec, state.excludes), 1.01), threshold=config.healthy_at,
                now=row.at.healthy_now, phi=row.margins.phi,
            )
        )  # fmt: skip
    known = [wait for wait in waits if wait is not None]
    if e > 3 or len(known) < len(waits):
        worst = [_to_regress(config, state, row, e) for row in rows if row.judged]
        return min((wait for wait in worst if wait is not None), default=None)
    return max(known, default=None)


def _to_reading(state: JudgeState, evidence: SeriesState) -> float | None:
    """Until the next reading of a series that can tell anything, at the pace of its values."""
    missing = series.missing(evidence.window, evidence.reading.finding)
    if missing is None or not evidence.values:
        return None
    return missing * state.step_s / evidence.values


def _to_regress(config: JudgeConfig, state: JudgeState, row: Row, e: float) -> float | None:
    if isinstance(row.state.evidence, GaugeState | SeriesState) or row.at.e < 3:
        return None
    suspect, other = row.at.canary, row.at.stable
    if row.spec.worse == "down":
        suspect, other = other, suspect
    return forecast.seconds_to(
        suspect, other, state.step_s,
        ratio=row.margins.ratio, threshold=config.rollback_at, now=e, phi=row.margins.phi,
    )  # fmt: skip
