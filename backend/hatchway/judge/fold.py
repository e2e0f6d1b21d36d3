"""The judge: one look in, a new state and a verdict out. No clock, no I/O, no randomness."""

from __future__ import annotations

from msgspec import structs

from .bets import Setting, observed, warming
from .conclude import concluded
from .joint import joint, standing
from .look import Look
from .state import JudgeConfig, JudgeState, healthy_again, raised
from .verdict import Verdict


def judge(
    config: JudgeConfig, state: JudgeState, look: Look, excludes: float
) -> tuple[JudgeState, Verdict]:
    """Fold one look into the state and say what is known.

    `excludes` is the step's r_bad: PASS means that worse than `excludes` times is excluded.
    Raises ValueError when it is not above 1, since nothing could ever pass.
    """
    if not excludes > 1:
        raise ValueError(
            f"excludes is {excludes:g}: a canary cannot be shown to be no worse than {excludes:g}"
            " times stable; write a number above 1, such as 2"
        )
    began = look.t - look.seconds
    if state.raised is None:
        state = raised(state, began, look.weight)
    if state.excludes not in (0.0, excludes):
        state = healthy_again(state)
    setting = Setting(config, look.seconds, warming(config, state, began), excludes, look.weight)
    metrics = tuple(
        observed(setting, spec, metric, look)
        for spec, metric in zip(config.metrics, state.metrics, strict=True)
    )
    state = structs.replace(
        state,
        metrics=metrics,
        began=began if state.began is None else state.began,
        weight=look.weight,
        excludes=excludes,
        step_s=state.step_s + look.seconds,
    )
    standings = tuple(standing(metric.evidence) for metric in metrics)
    e, _ = joint(config, standings)
    if e >= config.hold_at and not state.held:
        state = healthy_again(state)  # after a fright, PASS needs evidence from after it
    state = structs.replace(state, held=e >= config.hold_at, peak=max(state.peak, e))
    return state, concluded(config, state, look)
