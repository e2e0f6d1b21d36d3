"""What /metrics says of the installation, from the folded state and what is live. Pure.

A figure whose value is not known has no sample: Prometheus then sees a gap, never a made-up 0.
Services are those of the configuration, so labels are few whatever an old journal holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

from msgspec import Struct

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.plan import Installation, ServiceSpec
from hatchway.core.state import Run, State
from hatchway.edge.durations import Durations
from hatchway.edge.tally import (
    AUTHORITY_OPS,
    DEAD_MAN,
    EFFECT_STATUS,
    ROLLBACK_KINDS,
    Tally,
)

MODES = ("agent", "paused", "person")
WORDS = ("PASS", "REGRESS", "UNSURE", "NO_DATA")
ITEM_TYPES = ("approval", "recommendation")
CAUSES: tuple[str, ...] = get_args(ev.HoldCause)

Sample = tuple[tuple[str, ...], float | Durations]
"""Label values in the catalogue's order, and the value."""

Samples = dict[str, list[Sample]]
"""By the family's name."""


class Seen(Struct, frozen=True):
    """Everything that the figures are made of, at `now` (seconds since 1970)."""

    state: State
    live: Live
    tally: Tally
    services: tuple[ServiceSpec, ...]
    now: float
    journal_broken: bool = False
    append_failures: int = 0
    jobs_adopted: int = 0


def house(
    ledger: Ledger, live: Live, tally: Tally, installation: Installation, clock: Callable[[], float]
) -> Callable[[], Samples]:
    """Makes the figures of a backend whose ledger has just been replayed, each time it is called."""
    adopted = _jobs_running(_active(ledger.state, tally))

    def now() -> Samples:
        return figures(
            Seen(
                state=ledger.state,
                live=live,
                tally=tally,
                services=installation.services,
                now=clock(),
                journal_broken=bool(ledger.broken),
                append_failures=ledger.failures,
                jobs_adopted=adopted,
            )
        )

    return now


def figures(seen: Seen) -> Samples:
    """All samples by family, without the prefix that all names share."""
    active = _active(seen.state, seen.tally)
    samples: Samples = {}
    for part in (
        _counts(seen.tally),
        _journal(seen),
        _waiting(active, seen.now),
        *(_service(seen, service, active) for service in seen.services),
    ):
        for name, found in part.items():
            samples.setdefault(f"hatchway_{name}", []).extend(found)
    return samples


def _active(state: State, tally: Tally) -> list[Run]:
    """The runs that have not ended, without a walk over all that ever were."""
    return [state.runs[run] for run in tally.active if run in state.runs]


def _jobs_running(active: list[Run]) -> int:
    stages = [stage for run in active for stage in run.stages]
    return sum(job.status == "running" for stage in stages for job in stage.jobs.values())


def _counts(tally: Tally) -> Samples:
    """What is counted for the whole installation; every value of a label is there from the start."""
    answers = get_args(ev.Answer)
    return {
        "decisions_total": [
            ((capability, answer), tally.decisions[capability, answer])
            for capability in get_args(ev.Capability)
            for answer in answers
        ],
        "verdict_changes_total": [((word,), tally.verdicts[word]) for word in WORDS],
        "holds_total": [((cause,), tally.holds[cause]) for cause in CAUSES],
        "effects_total": [((status,), tally.effects[status]) for status in EFFECT_STATUS],
        "rollbacks_total": [((kind,), tally.rollbacks[kind]) for kind in ROLLBACK_KINDS],
        "rollback_seconds": [((), tally.rollback_seconds)],
    }


def _journal(seen: Seen) -> Samples:
    return {
        "journal_broken": [((), float(seen.journal_broken))],
        "journal_append_failures_total": [((), seen.append_failures)],
        "jobs_adopted": [((), seen.jobs_adopted)],
    }


def _waiting(active: list[Run], now: float) -> Samples:
    """What waits for people, and the commands that run."""
    since: dict[str, list[float]] = {kind: [] for kind in ITEM_TYPES}
    for run in active:
        for item in run.items.values():
            if item.status == "open":
                since[item.type].append(item.asked_at)
    return {
        "items_open": [((kind,), len(asked)) for kind, asked in since.items()],
        "items_oldest_age_seconds": [
            ((kind,), _age(min(asked, default=now), now)) for kind, asked in since.items()
        ],
        "jobs_running": [((), _jobs_running(active))],
    }


def _service(seen: Seen, service: ServiceSpec, active: list[Run]) -> Samples:
    runs = [run for run in active if run.service == service.name]
    return {
        **_control(seen, service.name),
        **_traffic(seen, service.name),
        **_run(seen, service.name, runs),
        **_looks(seen, service.name, runs[0] if runs else None),
    }


def _control(seen: Seen, name: str) -> Samples:
    authority = seen.state.authority_of(name)
    by_dead_man = authority.mode == "paused" and authority.holder == DEAD_MAN
    changes = seen.tally.authority
    return {
        "authority_mode": [((name, mode), float(mode == authority.mode)) for mode in MODES],
        "dead_man_paused": [((name,), float(by_dead_man))],
        "authority_changes_total": [((name, op), changes[name, op]) for op in AUTHORITY_OPS],
    }


def _traffic(seen: Seen, name: str) -> Samples:
    """What the governor last said; nothing while it has never answered."""
    if name not in seen.live.standing:
        return {}
    standing, _ = seen.live.standing[name]
    samples: Samples = {
        "canary_weight_desired_ratio": [((name,), standing.desired / 100)],
        "target_drift": [((name,), float(bool(standing.drift)))],
        "target_trouble": [((name,), float(bool(standing.trouble)))],
    }
    if standing.observed is not None:
        samples["canary_weight_observed_ratio"] = [((name,), standing.observed.canary / 100)]
    return samples


def _run(seen: Seen, name: str, runs: list[Run]) -> Samples:
    run = runs[0] if runs else None
    verdict = run.verdict.word if run is not None and run.verdict is not None else ""
    blind_since = run.verdict.at if run and run.verdict and verdict == "NO_DATA" else seen.now
    hold = run.hold if run is not None else None
    going_back = [seen.tally.rolling_back.get(run.id, seen.now) for run in runs]
    ended = seen.tally.runs
    return {
        "runs_active": [((name,), len(runs))],
        "runs_total": [((name, o), ended[name, o]) for o in get_args(ev.Outcome)],
        "canary_monitoring": [((name,), float(run is not None and _monitored(run)))],
        "verdict": [((name, word), float(word == verdict)) for word in WORDS],
        "blind_seconds": [((name,), _age(blind_since, seen.now))],
        "hold": [((name, c), float(hold is not None and hold.cause == c)) for c in CAUSES],
        "hold_seconds": [((name,), _age(hold.since if hold else seen.now, seen.now))],
        "rollback_pending_seconds": [((name,), _age(min(going_back, default=seen.now), seen.now))],
    }


def _looks(seen: Seen, name: str, run: Run | None) -> Samples:
    """The newest look at the run's metrics; nothing when there was none."""
    watched = seen.live.watched.get(run.id) if run is not None else None
    if watched is None or not watched.at:
        return {}
    samples: Samples = {
        "look_age_seconds": [((name,), _age(watched.at, seen.now))],
        "sample_age_seconds": [
            ((name, reading.name), _age(reading.at, seen.now))
            for reading in watched.readings
            if reading.at
        ],
    }
    if watched.e is not None and not math.isnan(watched.e):
        samples["evidence_odds"] = [((name,), watched.e)]
    return samples


def _monitored(run: Run) -> bool:
    plan = run.canary
    return plan is not None and 0 <= run.step < len(plan.steps)


def _age(since: float, now: float) -> float:
    return max(0.0, now - since)
