"""One metric with everything that a conclusion needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from hatchway.core.plan import MetricSpec

from . import flapping, health, level_words, words
from .joint import Standing
from .look import Look
from .margins import Margins, joined
from .state import GaugeState, JudgeConfig, JudgeState, MetricState, SeriesState, bound
from .verdict import MetricWord


@dataclass(frozen=True, slots=True)
class Row:
    """One metric after a look: its evidence, what it comes to, and what is wrong with its data."""

    spec: MetricSpec
    state: MetricState
    at: Standing
    word: MetricWord
    trouble: str
    blind_s: float
    over: bool  # the canary is beyond its limit
    stable_is_over: bool | None  # None: not known
    margins: Margins
    flaps: str  # which arms come and go, in words; empty: none
    unheard_s: float  # since its newest data; 0: this look had some
    advised: bool  # a level that is worse by a test that is no bet: a reason to hold, no more

    @property
    def judged(self) -> bool:
        return self.spec.judged

    @property
    def stable_over(self) -> bool:
        return self.stable_is_over is True

    @property
    def statistical(self) -> bool:
        return not isinstance(self.state.evidence, GaugeState)


def row_of(
    config: JudgeConfig,
    state: JudgeState,
    spec: MetricSpec,
    metric: MetricState,
    at: Standing,
    look: Look,
) -> Row:
    """The row of one metric after `look`."""
    unheard_s = health.blind_for(metric, state, look)
    blind = health.trouble(config, metric, look, unheard_s)
    evidence = metric.evidence
    # Chances, unlike bets, cannot be mixed with others: each must be rare enough by itself.
    sure = config.rollback_at if isinstance(evidence, SeriesState) else config.hold_at
    word: MetricWord = "UNSURE"
    if blind:
        word = "no data"
    elif at.e >= sure:
        word = "worse"
    elif at.better >= sure:
        word = "better"
    elif is_healthy(config, at):
        word = "same"
    over = not blind and health.canary_over(spec, metric)
    advised = isinstance(evidence, SeriesState) and word == "worse"
    if isinstance(evidence, GaugeState) and not blind:
        advised = evidence.blocks.flagged and not spec.shared
        word = "worse" if advised or (over and evidence.stable_out == 0) else "same"
        if metric.heard is None:
            word = "no data"
    trouble, blind_s = blind or ("", 0.0)
    stable_over = health.stable_over(spec, metric)
    margins = joined(config.floors, metric.margins)
    flaps = _flaps(metric, look.t)
    return Row(
        spec,
        metric,
        at,
        word,
        trouble,
        blind_s,
        over,
        stable_over,
        margins,
        flaps,
        unheard_s,
        advised,
    )


KNOWN_S = 20.0
"""So long after the newest data stable is taken to be as it was. A canary that hangs gives no data to
compare, and whether stable can take the traffic back must not be unknown for that."""


def stable_healthy(rows: tuple[Row, ...]) -> bool | None:
    """Whether stable is within its own hard limits lately; None when that is not known."""
    known, unknown = [], False
    for row in rows:
        if row.spec.shared or (row.spec.limit is None and row.spec.kind != "state"):
            continue
        if row.unheard_s <= KNOWN_S and row.stable_is_over is not None:
            known.append(not row.stable_is_over)
        elif row.judged:
            unknown = True
    if not all(known):
        return False
    return True if known and not unknown else None


def _flaps(metric: MetricState, t: float) -> str:
    canary, stable = metric.swings
    if flapping.flapping(stable, t):
        return f"on both arms {words.spells(stable)}"
    if flapping.flapping(canary, t):
        return f"on canary {words.spells(canary)}"
    return ""


def is_healthy(config: JudgeConfig, at: Standing) -> bool:
    """Once excluded stays excluded in this step, unless later data speak against it."""
    return at.healthy_peak >= config.healthy_at and at.healthy_now >= 1.0


def line(row: Row, excludes: float, *, worse: bool = False) -> str:
    """Figures and what they mean: "errors 2 of 122 on canary against 0.50% on stable: 4x ..."."""
    if isinstance(row.state.evidence, GaugeState):
        return level_words.advice(row.spec, row.state.evidence)
    word: MetricWord = "worse" if worse else row.word
    end = words.conclusion(row.spec, row.state, row.at, word, bound(row.spec, excludes))
    return f"{words.figures(row.spec, row.state, row.at)}: {end}"
