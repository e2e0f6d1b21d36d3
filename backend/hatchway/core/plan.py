"""What a pipeline, a service and its metrics are, after the YAML files were read and checked.

Durations are seconds, weights percent of the traffic, at the article's pace (1). A run's `pace`
divides the monitoring times and nothing else.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class JobPlan(Struct, frozen=True):
    """One command of a stage, run by /bin/sh in a checkout of the commit."""

    name: str
    run: str
    timeout_s: float = 120.0


JobGroups = tuple[tuple[JobPlan, ...], ...]
"""Groups run one after the other; the jobs within a group run side by side."""


class CommandStage(Struct, frozen=True, tag="commands"):
    """Checks, tests, a scan, a build or a deployment: commands that must all succeed."""

    name: str
    kind: Literal["checks", "tests", "scan", "build", "deploy"]
    groups: JobGroups
    budget_s: float = 600.0  # for the whole stage
    artifact: str = ""  # of a build: the file that is deployed, or that holds its digest


class RiskRule(Struct, frozen=True):
    """A changed file whose path matches `path` (shell pattern) makes the release at least `risk`."""

    path: str
    risk: Literal["LOW", "MEDIUM", "HIGH"]
    why: str


class ReleaseStage(Struct, frozen=True, tag="release"):
    """The release request: what ships, how risky it is, and people's yes."""

    name: str
    approvals: int = 1
    expires_s: float = 4 * 3600.0
    risk_rules: tuple[RiskRule, ...] = ()
    approvals_by_risk: dict[str, int] = {}  # where a risk wants another number
    separation: tuple[str, ...] = ("author", "pusher", "requester")  # who never says yes
    signed: bool = False  # a yes counts with a signature only
    listed: bool = False  # only people that hatchway.yaml lists say yes


class CanaryStep(Struct, frozen=True):
    """One share of the traffic.

    `hold_back` percent stay on the old version while this step is monitored, so that there is
    something to compare with at 100 %. PASS means: worse than `excludes` times is excluded.
    core/monitoring.py says what the options come to.
    """

    weight: int
    monitor_s: float
    hold_back: int = 0
    excludes: float = 2.0
    advance: Literal["early", "timed"] = "timed"  # early: at PASS, also before `monitor_s`
    on_unsure: Literal["extend", "ask", "hold"] = "extend"  # when `monitor_s` is over
    extends: int = 2  # on_unsure extend: for so many times `monitor_s` more
    at_most_s: float | None = None  # altogether; none: what `on_unsure` comes to


class CanaryStage(Struct, frozen=True, tag="canary"):
    """Deploy beside stable, then raise the share step by step under the judge's eyes."""

    name: str
    deploy: JobGroups
    steps: tuple[CanaryStep, ...]


StagePlan = CommandStage | ReleaseStage | CanaryStage


class PipelinePlan(Struct, frozen=True):
    """A pipeline file. `digest` is the SHA-256 of the file's bytes."""

    name: str
    service: str
    environment: str
    stages: tuple[StagePlan, ...]
    digest: str = ""


class SeriesRef(Struct, frozen=True):
    """A series at an endpoint: metric name and label values that must match (a tuple: any of).

    `plus` are others that are counted with it, such as answers that a proxy gives by itself.
    """

    name: str
    labels: dict[str, str | tuple[str, ...]] = {}
    plus: tuple[SeriesRef, ...] = ()


class MetricSpec(Struct, frozen=True, kw_only=True):
    """One watched metric of a service.

    counts: `total` and `events` are counters; latency: `total` is a histogram, `quantile` the one
    shown; gauge and state: `total` is a gauge (state: 1 is ok); series: `query` is asked of a
    metrics server for each arm ({arm} stands for its label value) and gives one number.
    `source` names an endpoint group. `by` is a label whose values are also looked at one by one.
    """

    name: str
    label: str
    unit: str = ""
    kind: Literal["counts", "latency", "gauge", "state", "series"]
    source: str
    total: SeriesRef
    query: str = ""
    by: str = ""
    events: SeriesRef | None = None
    worse: Literal["up", "down"] = "up"
    judged: bool = True  # takes part in the verdict; else only watched and shown
    weight: float = 1.0  # of the joint evidence, normalised over the judged metrics
    excludes: float | None = None  # a tighter bound than the canary step's, for this metric
    limit: float | None = None
    shown_as: Literal["percent", "per_minute", "ms", "plain"] = "plain"
    quantile: float = 0.95
    plot: bool = False
    shared: bool = False  # one dependency behind both arms: its trouble is "not ours"
    protected: bool | None = None  # nobody may declare it expected; None: core/expectations.py says


class EndpointSpec(Struct, frozen=True):
    """Where an arm's metrics are read. `arm_label`: one source tells the arms apart by a label.

    One of: the instances' own pages (`stable` and `canary`), a page for `both`, the address of a
    server with `prometheus`' query API (series narrowed by `select`, as in job="shop"), or a
    `command` that prints a page for the arm named in it as {arm}.
    """

    name: str
    stable: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    both: str = ""
    arm_label: str = ""
    prometheus: str = ""
    select: str = ""
    command: tuple[str, ...] = ()
    arms: dict[str, str] = {}  # the arms' label values, where they are not the target's names


class TargetSpec(Struct, frozen=True):
    """What carries the traffic: an HAProxy (or the demo's splitter) by its runtime socket, or the
    words of commands that change and read the share. An empty tuple: there is no such command.
    """

    kind: Literal["haproxy", "command"]
    socket: str
    backend: str = "be"
    stable: str = "stable"
    canary: str = "canary"
    set: tuple[str, ...] = ()
    get: tuple[str, ...] = ()
    rollback: tuple[str, ...] = ()
    inflight: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()
    timeout_s: float = 5.0
    timeouts_s: dict[str, float] = {}
    every_s: float = 2.0
    drained_after_s: float = 0.0


class Attests(Struct, frozen=True):
    """Where each instance says which version it runs: `label` of `series` at the endpoint `source`."""

    source: str
    series: str = "build_info"
    label: str = "version"


class ServiceSpec(Struct, frozen=True):
    """A service: where its code, its traffic and its metrics are."""

    name: str
    repo: str
    pipeline: str
    target: TargetSpec
    endpoints: tuple[EndpointSpec, ...]
    metrics: tuple[MetricSpec, ...]
    scrape_s: float = 1.0
    attests: Attests | None = None


class NotifierSpec(Struct, frozen=True, kw_only=True):
    """Whom or what to tell. One of: the words of a `command`, the address of a `webhook`."""

    name: str
    command: tuple[str, ...] = ()
    webhook: str = ""
    shape: Literal["json", "alertmanager"] = "json"
    token_file: str = ""
    severities: tuple[Literal["page", "warning", "info"], ...] = ("page", "warning", "info")
    timeout_s: float = 5.0
    retry_for_s: float = 600.0


class Person(Struct, frozen=True):
    """Somebody with rights. `login` is the name of the Unix account.

    `aliases` are other logins, e-mail addresses and names in git: who comes under one of them
    counts as this person and gets no right by it.
    """

    name: str
    login: str = ""
    uid: int = -1
    roles: tuple[str, ...] = ("viewer",)
    aliases: tuple[str, ...] = ()
    signed: bool = False  # a yes to a release counts with a signature of their own key only
    shared: bool = False  # an account of several people: only a signature says who it was


class CheckpointSpec(Struct, frozen=True):
    """When the journal's head is signed, and where that goes. Files and the key may be relative."""

    every_s: float
    files: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    key: str = "checkpoint.key"


class Installation(Struct, frozen=True):
    """Everything in `hatchway.yaml`."""

    environment: str
    name: str
    services: tuple[ServiceSpec, ...]
    people: tuple[Person, ...] = ()
    everyone: tuple[str, ...] = ("viewer",)  # roles of a Unix account that is not listed
    listen: str = ""  # "127.0.0.1:8643" to serve dashboards over TCP too
    token_file: str = ""
    notify: tuple[NotifierSpec, ...] = ()
    drill_every_s: float = 0.0  # how old the last drill of the stops may be; 0: off
    tls_cert: str = ""
    tls_key: str = ""
    allowed_signers: str = ""  # see ssh-keygen(1), ALLOWED SIGNERS
    checkpoints: CheckpointSpec | None = None
