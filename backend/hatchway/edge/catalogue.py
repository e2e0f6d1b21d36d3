"""Every metric family on /metrics: its name, what it is and what it means.

Names follow Prometheus' conventions: base units (seconds, ratios from 0 to 1), `_total` for
counters. Labels have few values, all known beforehand or from the configuration; never a run's id.
`docs/prometheus.md` holds this table (`table()`), and a test holds the two together.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Since = Literal["", "the journal began", "the process began"]


class Family(Struct, frozen=True):
    """One metric family. `since`: from when a counter or histogram counts; gauges are now."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()
    since: Since = ""


def _gauge(name: str, says: str, *labels: str) -> Family:
    return Family(f"hatchway_{name}", "gauge", says, labels)


def _counter(name: str, says: str, since: Since, *labels: str) -> Family:
    return Family(f"hatchway_{name}", "counter", says, labels, since)


def _histogram(name: str, says: str, since: Since) -> Family:
    return Family(f"hatchway_{name}", "histogram", says, (), since)


JOURNAL: Since = "the journal began"
PROCESS: Since = "the process began"

FAMILIES: tuple[Family, ...] = (
    # --- the backend itself -----------------------------------------------------------------------
    _gauge("build_info", "The version of the backend; always 1.", "version"),
    _gauge("healthy", "1 when no part reports trouble, as /healthz says it."),
    _gauge("troubles", "What is wrong now, counted by the part that has it.", "part"),
    _gauge("documents_revision", "Newest revision of the documents that dashboards see."),
    _gauge("clients", "Connected clients by socket.", "socket"),
    _counter("dropped_clients_total", "Clients that were cut off, by why.", PROCESS, "why"),
    _counter("bad_messages_total", "Messages of clients that made no sense.", PROCESS),
    _counter("commands_total", "Commands by answer: ack, or why not.", PROCESS, "kind", "answer"),
    _histogram("loop_lag_seconds", "How late the event loop ran what was due.", PROCESS),
    _counter(
        "incomplete_pages_total",
        "Pages like this one that lack what comes from the journal, by a fault of the backend.",
        PROCESS,
    ),
    # --- the journal ------------------------------------------------------------------------------
    _gauge("journal_seq", "Number of the newest event of the journal."),
    _gauge("journal_broken", "1 when a record does not follow from the one before it."),
    _histogram("journal_append_seconds", "Time until an append was on disk.", PROCESS),
    _counter("journal_append_failures_total", "Appends that the disk did not take.", PROCESS),
    # --- who is in control ------------------------------------------------------------------------
    _gauge("governor_age_seconds", "Time since the governor last said how every service stands."),
    _gauge("authority_mode", "1 for who is in control of a service.", "service", "mode"),
    _gauge("dead_man_paused", "1 while the dead-man's pause stands.", "service"),
    _counter("authority_changes_total", "Changes of control.", JOURNAL, "service", "op"),
    # --- the traffic ------------------------------------------------------------------------------
    _gauge("canary_weight_desired_ratio", "The canary's share that the governor wants.", "service"),
    _gauge(
        "canary_weight_observed_ratio",
        "The canary's share as the governor last read it back from the target.",
        "service",
    ),
    _gauge(
        "target_drift",
        "1 when the target has another share than is wanted, beyond a change just made.",
        "service",
    ),
    _gauge("target_trouble", "1 when the target cannot be read or moved.", "service"),
    _counter("effects_total", "Changes of the share: intended, then settled.", JOURNAL, "status"),
    # --- runs and their canary --------------------------------------------------------------------
    _gauge("runs_active", "Runs that have not ended.", "service"),
    _counter("runs_total", "Runs that ended, by outcome.", JOURNAL, "service", "outcome"),
    _gauge("canary_monitoring", "1 while a step of the canary is monitored.", "service"),
    _gauge("verdict", "1 for the verdict that stands in the canary's step.", "service", "word"),
    _counter("verdict_changes_total", "Verdicts that differ from the last.", JOURNAL, "word"),
    _gauge(
        "evidence_odds",
        "Joint evidence that the canary is worse, as odds to 1: held from 20, rolled back at 100.",
        "service",
    ),
    _gauge("look_age_seconds", "Time since the metrics were last looked at.", "service"),
    _gauge("sample_age_seconds", "Age of a metric's newest sample.", "service", "metric"),
    _gauge(
        "blind_seconds", "Time for which nothing could be said of the canary; 0: it can.", "service"
    ),
    _gauge("hold", "1 for the cause of the hold that stands.", "service", "cause"),
    _gauge("hold_seconds", "Time since the run was held; 0: it is not.", "service"),
    _counter("holds_total", "Holds by cause.", JOURNAL, "cause"),
    _gauge("jobs_running", "Commands of stages that are running."),
    _gauge("jobs_adopted", "Commands that were running already when this process began."),
    # --- decisions and people ---------------------------------------------------------------------
    _counter(
        "decisions_total",
        "What the agent asked for and what policy answered.",
        JOURNAL,
        *("capability", "answer"),
    ),
    _gauge("items_open", "What waits for a person.", "type"),
    _gauge("items_oldest_age_seconds", "How long the oldest has waited; 0: none does.", "type"),
    # --- rollbacks --------------------------------------------------------------------------------
    _counter(
        "rollbacks_total",
        "Rollbacks by who ordered them: the agent within policy, a person through the backend, or "
        "somebody at the governor itself.",
        JOURNAL,
        "kind",
    ),
    _gauge(
        "rollback_pending_seconds",
        "Time since a rollback was ordered that is not verified yet; 0: there is none.",
        "service",
    ),
    _histogram(
        "rollback_seconds",
        "Time from a run's rollback until weight 0 was read back and the canary had drained.",
        JOURNAL,
    ),
)

BY_NAME = {family.name: family for family in FAMILIES}


def table() -> str:
    """The families as the table in docs/prometheus.md."""
    lines = ["| name | type | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        since = f" Since {family.since}." if family.since else ""
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.says}{since} |")
    return "\n".join(lines) + "\n"
