"""Statistics, pure: is the canary worse than stable? PASS, REGRESS, UNSURE or NO_DATA, and why.

state = new(JudgeConfig(metrics=service.metrics))
state = raised(state, now, 5)
state, verdict = judge(config, state, look, excludes=10)
"""

from .aside import set_aside
from .before import before
from .fold import judge
from .look import Counts, Gauge, Latency, Look, Missing, Sample, Series
from .state import JudgeConfig, JudgeState, from_bytes, new, raised, to_bytes
from .verdict import MetricVerdict, Verdict, Why

__all__ = [
    "Counts",
    "Gauge",
    "JudgeConfig",
    "JudgeState",
    "Latency",
    "Look",
    "MetricVerdict",
    "Missing",
    "Sample",
    "Series",
    "Verdict",
    "Why",
    "before",
    "from_bytes",
    "judge",
    "new",
    "raised",
    "set_aside",
    "to_bytes",
]
