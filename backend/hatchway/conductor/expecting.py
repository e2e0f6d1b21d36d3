"""Which metrics a person said would rise, and do no more than that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatchway.core.events import Evidence
from hatchway.core.expectations import Expectation, covers, in_force, protected
from hatchway.core.plan import MetricSpec
from hatchway.core.state import State
from hatchway.metrics.levels import Level

FRESH_S = 5.0
"""A level that is older than this, in seconds, is not known, and what is not known is not covered."""


def expected(
    state: State,
    service: str,
    specs: Mapping[str, MetricSpec],
    shown: Iterable[Level],
    now: float,
) -> dict[str, tuple[Expectation, float]]:
    """The metrics that are within what was declared of them, with the canary's level, by name.

    A metric that is protected by now is never among them, whatever was declared before.
    """
    found = {}
    for level in shown:
        spec = specs.get(level.name)
        said = in_force(state.expectations, service, level.name, now)
        if spec is None or said is None or protected(spec) or spec.worse == "down":
            continue
        fresh = level.canary if abs(now - level.at) <= FRESH_S else None
        if fresh is not None and covers(said, fresh):
            found[level.name] = said, fresh
    return found


def words(label: str, said: Expectation, level: float) -> str:
    """ "log lines 310: expected by ana until 14:20:00 UTC, up to 400, ticket T-7"."""
    seconds = int(said.expires_at) % 86400
    until = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} UTC"
    return (
        f"{label} {level:.4g}: expected by {said.by} until {until}, up to {said.at_most:g}, "
        f"ticket {said.ticket}"
    )


def evidence(
    found: Mapping[str, tuple[Expectation, float]],
    specs: Mapping[str, MetricSpec],
    first: int,
    now: float,
) -> tuple[Evidence, ...]:
    """What was set aside, as evidence numbered from `first`: neither harmless nor worrying."""
    return tuple(
        Evidence(f"E{first + n}", "?", words(specs[name].label, said, level), "expectation", now)
        for n, (name, (said, level)) in enumerate(found.items())
    )
