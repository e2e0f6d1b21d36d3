"""Metrics that are set aside for a look, because a person said what is to be expected of them.

What is seen of them meanwhile is no evidence, also not later: when the expectation ends, they are
judged by what is seen from then on. The others are judged as if those were not there, so nothing
else is hidden. What the judge was certain of before stays.
"""

from __future__ import annotations

from collections.abc import Set

from msgspec import structs

from .state import JudgeConfig, JudgeState, emptied


def set_aside(
    config: JudgeConfig, state: JudgeState, names: Set[str]
) -> tuple[JudgeConfig, JudgeState]:
    """The config and state to judge one look with, without the metrics called `names`."""
    if not names:
        return config, state
    specs = tuple(
        structs.replace(spec, judged=False) if spec.name in names else spec
        for spec in config.metrics
    )
    metrics = tuple(
        emptied(spec, metric) if spec.name in names else metric
        for spec, metric in zip(config.metrics, state.metrics, strict=True)
    )
    return structs.replace(config, metrics=specs), structs.replace(state, metrics=metrics)
