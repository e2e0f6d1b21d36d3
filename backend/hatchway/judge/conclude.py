"""From the state after a look to the verdict: which word, which action, and why."""

from __future__ import annotations

from dataclasses import dataclass

from hatchway.core.plan import MetricSpec

from . import flapping, forecast, health, level_words, series, words
from .bets import warming
from .joint import Standing, joint, standing
from .look import Look
from .margins import Margins
from .mismatch import mismatched
from .state import GaugeState, JudgeConfig, JudgeState, MetricState, SeriesState, bound
from .verdict import Action, MetricVerdict, MetricWord, Verdict, Why, Word

TOP = 1e12  # figures beyond this say nothing more


@dataclass(frozen=True, slots=True)
class _Row:
    """One metric with everything the conclusion needs to know of it."""

    spec: MetricSpec
    state: MetricState
    at: Standing
    word: MetricWord
    trouble: str
    blind_s: float
    over: bool  # the canary is beyond its limit
    stable_over: bool
    margins: Margins
    flaps: str  # which arms come and go, in words; empty: none
    advised: bool  # a level that is worse by a test that is no bet: a reason to hold, no more

    @property
    def judged(self) -> bool:
        return self.spec.judged

    @property
    def statistical(self) -> bool:
        return not isinstance(self.state.evidence, GaugeState)


def concluded(config: JudgeConfig, state: JudgeState, look: Look) -> Verdict:
    """The verdict for the state after `look`."""
    rows = tuple(
        _row(config, state, spec, metric, look)
        for spec, metric in zip(config.metrics, state.metrics, strict=True)
    )
    e, lead = joint(config, tuple(row.at for row in rows))
    healthy = health.stable_healthy(config, state, look)
    ahead = _forecast(config, state, rows, e)
    word, action, headline = _word(config, state, look, rows, e, lead, healthy, ahead)
    return Verdict(
        word=word,
        action=action,
        at=look.t,
        headline=headline,
        why=_reasons(config, state, rows, lead, healthy, ahead if word == "UNSURE" else None),
        metrics=tuple(_shown(row) for row in rows),
        e=min(e, TOP),
        forecast_s=ahead if word == "UNSURE" else None,
        confidence=_confidence(word, rows, max(e, state.peak) if word == "REGRESS" else e),
        stable_healthy=healthy,
        blind_for_s=max(
            (health.blind_for(row.state, state, look) for row in rows if row.judged), default=0.0
        ),
    )


def _row(
    config: JudgeConfig, state: JudgeState, spec: MetricSpec, metric: MetricState, look: Look
) -> _Row:
    at = standing(metric.evidence)
    blind = health.trouble(config, state, metric, look)
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
    elif _is_healthy(config, at):
        word = "same"
    over = not blind and health.canary_over(spec, metric)
    advised = isinstance(evidence, SeriesState) and word == "worse"
    if isinstance(evidence, GaugeState) and not blind:
        advised = evidence.blocks.flagged and not spec.shared
        word = "worse" if advised or (over and evidence.stable_out == 0) else "same"
        if metric.heard is None:
            word = "no data"
    trouble, blind_s = blind or ("", 0.0)
    stable_over = bool(health.stable_over(spec, metric))
    margins = metric.margins or config.floors
    flaps = _flaps(metric, look.t)
    return _Row(
        spec, metric, at, word, trouble, blind_s, over, stable_over, margins, flaps, advised
    )


def _flaps(metric: MetricState, t: float) -> str:
    canary, stable = metric.swings
    if flapping.flapping(stable, t):
        return f"on both arms {words.spells(stable)}"
    if flapping.flapping(canary, t):
        return f"on canary {words.spells(canary)}"
    return ""


def _is_healthy(config: JudgeConfig, at: Standing) -> bool:
    # Once excluded stays excluded in this step, unless later data speak against it.
    return at.healthy_peak >= config.healthy_at and at.healthy_now >= 1.0


def _word(
    config: JudgeConfig,
    state: JudgeState,
    look: Look,
    rows: tuple[_Row, ...],
    e: float,
    lead: int,
    healthy: bool | None,
    ahead: float | None,
) -> tuple[Word, Action, str]:
    """The word, the action and the headline; the first rule that fits decides."""
    judged = [row for row in rows if row.judged]
    blind = [row for row in judged if row.trouble]
    over = [row for row in judged if row.over]
    enough = state.certain
    flaps = next((row for row in judged if row.flaps.startswith("on both")), None)
    off = mismatched(state.split)
    if look.weight >= 100 and not blind:
        return _alone(judged, over)
    if flaps is not None and (e < config.hold_at or healthy is False):
        return "UNSURE", "hold", f"FLAPPING: {flaps.spec.label} bad {flaps.flaps}: not ours"
    if healthy is False:
        stable = next(row for row in rows if row.stable_over and not row.spec.shared)
        both = " on both arms" if e < config.hold_at else " on stable, and canary looks worse still"
        return "UNSURE", "hold", f"not ours: {stable.spec.label} beyond the limit{both}"
    blame = _ailing(rows)
    if enough and lead >= 0 and not rows[lead].trouble:
        return "REGRESS", "rollback", _line(rows[lead], state.excludes, worse=True) + blame
    if blind:
        row = blind[0]
        known = ", canary was worse before" if enough else ""
        said = f"blind for {words.duration(row.blind_s)}: {row.spec.label}: {row.trouble}{known}"
        return "NO_DATA", "hold", said
    if not judged:
        return "NO_DATA", "hold", "no metric is judged: nothing can be said of the canary"
    if off is not None:
        said = f"canary gets {off:.2g}% of the requests, {look.weight}% are planned"
        return "UNSURE", "hold", f"the split is not as planned: {said}; nothing is concluded"
    if e >= config.hold_at:
        said = _line(rows[lead], state.excludes)
        return "UNSURE", "hold", f"looks worse, not certain: {said}{blame}"
    flaps = next((row for row in judged if row.flaps), None)
    if flaps is not None:
        return "UNSURE", "hold", f"FLAPPING: {flaps.spec.label} bad {flaps.flaps}"
    if over:
        return "UNSURE", "hold", f"{over[0].spec.label} beyond its limit on canary"
    advised = next((row for row in judged if row.advised), None)
    if advised is not None:
        said = _line(advised, state.excludes)
        return "UNSURE", "hold", f"{said}; this is advice: nothing is rolled back on it alone"
    if any(row.state.heard is None for row in judged):
        return "UNSURE", "none", "waiting for the first data"
    if warming(config, state, look.t) and state.raised is not None:
        left = words.duration(state.raised + config.warmup_s - look.t)
        return "UNSURE", "none", f"warming up at {look.weight}%: {left} left"
    open_rows = [row for row in judged if row.statistical and not _is_healthy(config, row.at)]
    if not open_rows:
        return "PASS", "none", f"no harm seen: {state.excludes:g}x worse is excluded"
    names = ", ".join(row.spec.label for row in open_rows)
    when = f"about {words.duration(ahead)}" if ahead is not None else "unknown time"
    return "UNSURE", "none", f"too little to tell yet on {names}: {when} to go at this traffic"


def _ailing(rows: tuple[_Row, ...]) -> str:
    """A dependency that was down before the rollout and still is may be what the canary shows."""
    for row in rows:
        if row.spec.shared and row.state.ailing and row.stable_over:
            return f"; {row.spec.label} was not well before the rollout and may be the cause"
    return ""


def _alone(judged: list[_Row], over: list[_Row]) -> tuple[Word, Action, str]:
    """All traffic on the canary: limits still speak, a comparison cannot be made."""
    nothing = "nothing is held back, so there is nothing to compare with"
    if over:
        return "UNSURE", "hold", f"{over[0].spec.label} beyond its limit on canary; {nothing}"
    limited = any(row.spec.limit is not None for row in judged)
    return "UNSURE", "none", f"{nothing}: {'within its limits' if limited else 'no limit is set'}"


def _line(row: _Row, excludes: float, *, worse: bool = False) -> str:
    if isinstance(row.state.evidence, GaugeState):
        return level_words.advice(row.spec, row.state.evidence)
    word: MetricWord = "worse" if worse else row.word
    end = words.conclusion(row.spec, row.state, row.at, word, bound(row.spec, excludes))
    return f"{words.figures(row.spec, row.state, row.at)}: {end}"


def _reasons(
    config: JudgeConfig,
    state: JudgeState,
    rows: tuple[_Row, ...],
    lead: int,
    healthy: bool | None,
    ahead: float | None,
) -> tuple[Why, ...]:
    """Worrying first, then what is not known, then what is well."""
    found = [why for row in rows if (why := _reason(row, state.excludes)) is not None]
    if healthy is None:
        found.append(Why("?", "whether stable itself is well is not known"))
    if ahead is not None:
        found.append(
            Why("?", f"enough data in about {words.duration(ahead)} at this traffic",
                numbers={"forecast_s": ahead})
        )  # fmt: skip
    order = {"-": 0, "?": 1, "+": 2}
    found.sort(key=lambda why: order[why.sign])
    if lead >= 0:
        margins = rows[lead].margins
        numbers = {"r0": margins.ratio, "phi": margins.phi, "pods": float(margins.pods)}
        found.append(Why("?", words.margins(margins), numbers=numbers))
    return tuple(found)


def _reason(row: _Row, excludes: float) -> Why | None:
    spec = row.spec
    if row.trouble:
        text = f"{spec.label}: {row.trouble}, for {words.duration(row.blind_s)}"
        return Why("-" if row.judged else "?", text, spec.name, {"blind_s": row.blind_s})
    if isinstance(row.state.evidence, GaugeState):
        return _gauge_reason(row, row.state.evidence)
    numbers = {
        "e": min(row.at.e, TOP),
        "healthy_e": min(row.at.healthy_peak, TOP),
        "canary_n": float(row.at.canary[0]),
        "canary_events": float(row.at.canary[1]),
        "stable_n": float(row.at.stable[0]),
        "stable_events": float(row.at.stable[1]),
    }
    text = _line(row, excludes)
    if row.flaps:
        return Why("-", f"{text}; FLAPPING, bad {row.flaps}", spec.name, numbers)
    if row.stable_over:
        since = " since before the rollout" if row.state.ailing else ""
        said = f"{text}; stable itself is beyond the limit{since}: not ours"
        return Why("-", said, spec.name, numbers)
    if row.over:
        return Why("-", f"{text}; beyond its limit on canary", spec.name, numbers)
    signs = {"worse": "-", "same": "+", "better": "+"}
    sign = signs.get(row.word, "?")
    return Why("-" if sign == "-" else "+" if sign == "+" else "?", text, spec.name, numbers)


def _gauge_reason(row: _Row, gauge: GaugeState) -> Why | None:
    spec = row.spec
    if row.state.heard is None:
        return None
    if not (gauge.canary_out or gauge.stable_out):
        return _compared(row, gauge)
    numbers = {
        name: level
        for name, level in (("canary", gauge.canary), ("stable", gauge.stable))
        if level is not None
    }
    is_ = "DOWN" if spec.kind == "state" else f"beyond the limit of {spec.limit:g}"
    if row.stable_over or (spec.shared and gauge.stable_out):
        where = "on both arms" if gauge.canary_out else "on stable"
        since = " since before the rollout" if row.state.ailing else ""
        return Why("-", f"{spec.label} {is_} {where}{since}: not ours", spec.name, numbers)
    if gauge.canary_out and not gauge.stable_out:
        return Why("-", f"{spec.label} {is_} on canary alone", spec.name, numbers)
    return None


def _compared(row: _Row, gauge: GaugeState) -> Why | None:
    """What a comparison of instances says, or why there is none."""
    last = gauge.blocks.last
    numbers = {} if last is None else {"canary": last.canary, "stable": last.stable}
    if last is not None and last.z is not None:
        numbers["z"] = last.z
    if row.advised:
        return Why("-", level_words.advice(row.spec, gauge), row.spec.name, numbers)
    said = level_words.unjudged(row.spec, gauge)
    return Why("?", said, row.spec.name, numbers) if said else None


def _forecast(
    config: JudgeConfig, state: JudgeState, rows: tuple[_Row, ...], e: float
) -> float | None:
    """Expected seconds to an answer: until all is healthy, or until a regression is certain."""
    waits: list[float | None] = []
    for row in rows:
        if not (row.judged and row.statistical) or _is_healthy(config, row.at):
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


def _to_regress(config: JudgeConfig, state: JudgeState, row: _Row, e: float) -> float | None:
    if isinstance(row.state.evidence, GaugeState | SeriesState) or row.at.e < 3:
        return None
    suspect, other = row.at.canary, row.at.stable
    if row.spec.worse == "down":
        suspect, other = other, suspect
    return forecast.seconds_to(
        suspect, other, state.step_s,
        ratio=row.margins.ratio, threshold=config.rollback_at, now=e, phi=row.margins.phi,
    )  # fmt: skip


def _confidence(word: Word, rows: tuple[_Row, ...], e: float) -> float:
    judged = [row.at.healthy_peak for row in rows if row.judged and row.statistical]
    healthy = min(judged, default=1.0)
    if word == "NO_DATA":
        return 0.0
    if word == "REGRESS":
        return 1.0 - 1.0 / max(e, 1.0)
    if word == "PASS":
        return 1.0 - 1.0 / max(healthy, 1.0)
    return 1.0 - 1.0 / max(e, healthy, 1.0)


def _shown(row: _Row) -> MetricVerdict:
    return MetricVerdict(
        name=row.spec.name,
        word=row.word,
        e=min(row.at.e, TOP),
        healthy_e=min(row.at.healthy_peak, TOP),
        n=row.at.canary[0],
        stable=row.at.stable,
        canary=row.at.canary,
        trouble=row.trouble,
    )
