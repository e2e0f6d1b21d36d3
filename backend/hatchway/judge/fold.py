"""The judge: one look in, a new state and a verdict out. No clock, no I/O, no randomness."""

from __future__ import annotations

from math import inf, isfinite

from msgspec import structs

from .bets import observed, span
from .conclude import concluded
from .joint import joint, standing
from .latency import next_bucket
from .look import Counts, Latency, Look
from .mismatch import Split, mismatched
from .mismatch import observed as split_observed
from .recent import sums
from .state import JudgeConfig, JudgeState, LatencyState, at_look, healthy_again
from .verdict import Verdict

SETTLING_S = 3.0
"""After a raise, in seconds: requests of the share before may still be counted."""


def judge(
    config: JudgeConfig, state: JudgeState, look: Look, excludes: float
) -> tuple[JudgeState, Verdict]:
    """Fold one look into the state and say what is known.

    `excludes` is the step's r_bad: PASS means that worse than `excludes` times is excluded.
    Raises ValueError when it is not above 1, since nothing could ever pass, and when the look's
    time is no time.
    """
    if not excludes > 1:
        raise ValueError(
            f"excludes is {excludes:g}: a canary cannot be shown to be no worse than {excludes:g}"
            " times stable; write a number above 1, such as 2"
        )
    if not (isfinite(look.t) and 0 < look.seconds < inf):
        raise ValueError(
            f"a look at t={look.t} over seconds={look.seconds}: nothing can be said of such a time;"
            " the clock or the scrape is broken"
        )
    began = look.t - look.seconds
    state = at_look(state, look.t, look.seconds, look.weight, excludes)
    split = _split(config, state, look)
    metrics = tuple(
        observed(config, state, excludes, spec, metric, look)
        for spec, metric in zip(config.metrics, state.metrics, strict=True)
    )
    state = structs.replace(
        state,
        metrics=metrics,
        began=began if state.began is None else state.began,
        weight=look.weight,
        excludes=excludes,
        step_s=state.step_s + look.seconds,
        split=split,
    )
    standings = tuple(standing(metric.evidence) for metric in metrics)
    e, lead = joint(config, standings)
    if e >= config.hold_at and not state.held:
        state = healthy_again(state)  # after a fright, PASS needs evidence from after it
        standings = tuple([standing(metric.evidence) for metric in state.metrics])
    state = structs.replace(
        state,
        held=e >= config.hold_at,
        peak=max(state.peak, e),
        certain=state.certain or _certain(config, state, e, lead),
    )
    verdict = concluded(config, state, look, standings, e, lead)
    return structs.replace(state, passed=verdict.word == "PASS"), verdict


def _certain(config: JudgeConfig, state: JudgeState, e: float, lead: int) -> bool:
    """Whether it may be rolled back: enough evidence, the split as planned, and not over already.

    A bad spell that has ended is one window of time: that it was bad is not that it is. And where
    all that was slower is one bucket slower, by how much is not known.
    """
    if lead < 0 or e < config.rollback_at or state.weight >= 100:
        return False
    metric = state.metrics[lead]
    if isinstance(seen := metric.evidence, LatencyState):
        at_canary = sums(seen.at_canary)
        if next_bucket(seen.known, at_canary) is not None:
            return False
    canary, _ = metric.swings
    return mismatched(state.split) is None and (canary.bad or not canary.spells)


def _split(config: JudgeConfig, state: JudgeState, look: Look) -> Split:
    """Evidence on the share of traffic, from the first judged metric that counts requests."""
    for spec, metric in zip(config.metrics, state.metrics, strict=True):
        sample = look.samples.get(spec.name)
        if not spec.judged or not isinstance(sample, Counts | Latency):
            continue
        began = look.t - span(metric, look)
        if state.raised is not None and began < state.raised + SETTLING_S - 1e-6:
            return state.split
        if isinstance(sample, Counts):
            canary, stable = sample.canary[0], sample.stable[0]
        else:
            canary, stable = sum(sample.canary), sum(sample.stable)
        return split_observed(state.split, canary, stable, look.weight, look.seconds)
    return state.split
