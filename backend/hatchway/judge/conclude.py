"""From the state after a look to the verdict: which word, which action, and why."""

from __future__ import annotations

from dataclasses import dataclass

from . import words
from .bets import warming
from .expected import expected
from .joint import Standing
from .look import Look
from .mismatch import mismatched
from .reasons import TOP, reasons
from .rows import Row, is_healthy, line, row_of, stable_healthy
from .state import CountsState, JudgeConfig, JudgeState
from .verdict import Action, MetricVerdict, Verdict, Word

Said = tuple[Word, Action, str]
"""The word, the action and the headline."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a verdict is concluded from."""

    config: JudgeConfig
    state: JudgeState
    look: Look
    rows: tuple[Row, ...]
    e: float  # joint evidence of harm now
    lead: int  # index of the metric that adds most to it; -1: none is judged by evidence
    healthy: bool | None  # stable itself
    ahead: float | None  # expected seconds to an answer
    judged: tuple[Row, ...]

    @property
    def worse(self) -> bool:
        return self.e >= self.config.hold_at


def concluded(
    config: JudgeConfig,
    state: JudgeState,
    look: Look,
    standings: tuple[Standing, ...],
    e: float,
    lead: int,
) -> Verdict:
    """The verdict for the state after `look`: where each metric stands, and all together."""
    rows = tuple(
        [
            row_of(config, state, spec, metric, at, look)
            for spec, metric, at in zip(config.metrics, state.metrics, standings, strict=True)
        ]
    )
    healthy = stable_healthy(rows)
    ahead = expected(config, state, rows, e) if look.weight < 100 else None
    judged = tuple([row for row in rows if row.judged])
    case = Case(config, state, look, rows, e, lead, healthy, ahead, judged)
    word, action, headline = next(said for rule in RULES if (said := rule(case)) is not None)
    ahead = ahead if word == "UNSURE" else None
    return Verdict(
        word=word,
        action=action,
        at=look.t,
        headline=headline,
        why=reasons(state, rows, lead, healthy, ahead),
        metrics=tuple([_shown(row) for row in rows]),
        e=min(e, TOP),
        forecast_s=ahead,
        confidence=_confidence(word, rows, max(e, state.peak) if word == "REGRESS" else e),
        stable_healthy=healthy,
        blind_for_s=max([row.unheard_s for row in judged], default=0.0),
    )


def _nothing_judged(case: Case) -> Said | None:
    if case.judged:
        return None
    return "NO_DATA", "hold", "no metric is judged: nothing can be said of the canary"


def _alone(case: Case) -> Said | None:
    """All traffic on the canary: limits still speak, a comparison cannot be made."""
    if case.look.weight < 100 or any(row.trouble for row in case.judged):
        return None
    nothing = "nothing is held back, so there is nothing to compare with"
    over = next((row for row in case.judged if row.over), None)
    if over is not None:
        return "UNSURE", "hold", f"{over.spec.label} beyond its limit on canary; {nothing}"
    limited = any(row.spec.limit is not None for row in case.judged)
    return "UNSURE", "none", f"{nothing}: {'within its limits' if limited else 'no limit is set'}"


def _not_ours(case: Case) -> Said | None:
    """What stable has too is no reason to roll the canary back."""
    flaps = next((row for row in case.judged if row.flaps.startswith("on both")), None)
    if flaps is not None and (not case.worse or case.healthy is False):
        return "UNSURE", "hold", f"FLAPPING: {flaps.spec.label} bad {flaps.flaps}: not ours"
    if case.healthy is not False:
        return None
    stable = next(row for row in case.rows if row.stable_over and not row.spec.shared)
    both = " on stable, and canary looks worse still" if case.worse else " on both arms"
    return "UNSURE", "hold", f"not ours: {stable.spec.label} beyond the limit{both}"


def _regress(case: Case) -> Said | None:
    if not case.state.certain or case.lead < 0 or case.rows[case.lead].trouble:
        return None
    row = case.rows[case.lead]
    said = line(row, case.state.excludes, worse=True)
    if not case.worse:  # it stays so for this rollout, and what is seen by now speaks less of it
        now = words.figures(row.spec, row.state, row.at)
        said = f"was worse, {words.chance(case.state.peak)}, less so since: {now}"
    return "REGRESS", "rollback", said + _ailing(case.rows)


def _blind(case: Case) -> Said | None:
    row = next((row for row in case.judged if row.trouble), None)
    if row is None:
        return None
    known = ", canary was worse before" if case.state.certain else ""
    said = f"blind for {words.duration(row.blind_s)}: {row.spec.label}: {row.trouble}{known}"
    return "NO_DATA", "hold", said


def _mismatch(case: Case) -> Said | None:
    share = mismatched(case.state.split)
    if share is None:
        return None
    said = f"canary gets {share:.2g}% of the requests, {case.look.weight}% are planned"
    return "UNSURE", "hold", f"the split is not as planned: {said}; nothing is concluded"


def _worse(case: Case) -> Said | None:
    if not case.worse:
        return None
    said = line(case.rows[case.lead], case.state.excludes)
    return "UNSURE", "hold", f"looks worse, not certain: {said}{_ailing(case.rows)}"


def _doubtful(case: Case) -> Said | None:
    """Signs that are no evidence in the sense of the bets: they hold and never roll back."""
    for row in case.judged:
        if row.flaps:
            return "UNSURE", "hold", f"FLAPPING: {row.spec.label} bad {row.flaps}"
    for row in case.judged:
        if row.over:
            return "UNSURE", "hold", f"{row.spec.label} beyond its limit on canary"
    for row in case.judged:
        if row.advised:
            said = line(row, case.state.excludes)
            return "UNSURE", "hold", f"{said}; this is advice: nothing is rolled back on it alone"
    return None


def _too_early(case: Case) -> Said | None:
    config, state, look = case.config, case.state, case.look
    if any(row.state.heard is None for row in case.judged):
        return "UNSURE", "none", "waiting for the first data"
    if warming(config, state, look.t) and state.raised is not None:
        left = words.duration(state.raised + config.warmup_s - look.t)
        share = f" at {look.weight}%" if look.weight else ""
        return "UNSURE", "none", f"warming up{share}: {left} left"
    return None


def _passed_or_not(case: Case) -> Said:
    compared = [row for row in case.judged if row.statistical]
    if not compared:
        why = "levels alone are judged, and they are within bounds: that nothing is worse is not shown"
        return "UNSURE", "none", why
    unclear = [row for row in compared if not is_healthy(case.config, row.at)]
    if not unclear and not case.state.passed:
        missing = next((row for row in compared if row.state.heard != case.look.t), None)
        if missing is not None:  # a word so good is not said at the very moment of not seeing
            return "UNSURE", "none", f"waiting for new data of {missing.spec.label}"
    if not unclear:
        return "PASS", "none", f"{_seen(compared)}: {case.state.excludes:g}x worse is excluded"
    names = ", ".join(row.spec.label for row in unclear)
    if all(_without_events(row) for row in unclear):
        none = "none on either arm so far, and nothing can be told from that"
        return "UNSURE", "none", f"{names}: {none}"
    when = f"about {words.duration(case.ahead)}" if case.ahead is not None else "unknown time"
    return "UNSURE", "none", f"too little to tell yet on {names}: {when} to go at this traffic"


def _seen(compared: list[Row]) -> str:
    """What a PASS may be about: that nothing is worse, or what is, and is less than excluded."""
    worse = [
        f"{row.spec.label} {how}"
        for row in compared
        if (how := words.surely(row.spec, row.state, row.at))
    ]
    return f"{', '.join(worse)}, more than chance" if worse else "no harm seen"


def _without_events(row: Row) -> bool:
    """Whether there were requests enough to expect something of both arms, and nothing came."""
    counted = isinstance(row.state.evidence, CountsState)
    return counted and row.at.canary[1] == row.at.stable[1] == 0 < row.at.stable[0]


RULES = (
    _alone,
    _not_ours,
    _regress,
    _blind,
    _nothing_judged,
    _mismatch,
    _worse,
    _doubtful,
    _too_early,
    _passed_or_not,
)
"""The first that fits decides."""


def _ailing(rows: tuple[Row, ...]) -> str:
    """A dependency that was down before the rollout and still is may be what the canary shows."""
    for row in rows:
        if row.spec.shared and row.state.ailing and row.stable_over:
            return f"; {row.spec.label} was not well before the rollout and may be the cause"
    return ""


def _confidence(word: Word, rows: tuple[Row, ...], e: float) -> float:
    judged = [row.at.healthy_peak for row in rows if row.judged and row.statistical]
    healthy = min(judged, default=1.0)
    if word == "NO_DATA":
        return 0.0
    if word == "REGRESS":
        return 1.0 - 1.0 / max(e, 1.0)
    if word == "PASS":
        return 1.0 - 1.0 / max(healthy, 1.0)
    return 1.0 - 1.0 / max(e, healthy, 1.0)


def _shown(row: Row) -> MetricVerdict:
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
