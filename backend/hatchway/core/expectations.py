"""What a person said is to be expected: "4x the warnings for 20 minutes, ticket T". Pure.

An expectation speaks of one metric, up to a bound, for a while. It never speaks of a metric that
says whether users are served (see `protected`), and the agent cannot declare one.
"""

from __future__ import annotations

import math

from msgspec import Struct

from hatchway.core.plan import MetricSpec

LONGEST_S = 24 * 3600.0
SHORTEST_S = 60.0


class Expectation(Struct, frozen=True):
    """`metric` may be at most `at_most` (in the unit that it is shown in) until `expires_at`."""

    id: str
    service: str
    metric: str
    at_most: float
    declared_at: float
    expires_at: float
    ticket: str
    by: str
    reason: str


Expected = dict[str, dict[str, Expectation]]
"""What was declared and not withdrawn, by service and id."""


def protected(spec: MetricSpec) -> bool:
    """Whether nobody may declare it to be expected.

    Where `hatchway.yaml` does not say: everything that the verdict stands on that speaks of what
    users get: errors (counts of the requests), how long they wait, and a number that is worse when
    it falls, such as orders. So it is only gauges and numbers that rise (log lines, memory), and
    what is merely watched, that can be expected.
    """
    if spec.protected is not None:
        return spec.protected
    return spec.judged and (spec.kind in ("counts", "latency", "state") or spec.worse == "down")


def in_force(expected: Expected, service: str, metric: str, now: float) -> Expectation | None:
    """What is expected of `metric` at `now`: the newest that has not expired."""
    found = [
        e
        for e in expected.get(service, {}).values()
        if e.metric == metric and e.declared_at <= now < e.expires_at
    ]
    return max(found, key=lambda e: e.declared_at, default=None)


def covers(expectation: Expectation, level: float | None) -> bool:
    """Whether `level` is what was expected. What is not known never is."""
    return level is not None and math.isfinite(level) and level <= expectation.at_most
