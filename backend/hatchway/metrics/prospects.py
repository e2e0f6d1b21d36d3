"""Can a metric judge a canary, and how well, at the traffic that is there now?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hatchway.core.canary import weight_of
from hatchway.core.monitoring import compares, monitor_s, patience_s
from hatchway.core.plan import CanaryStage, MetricSpec, ServiceSpec
from hatchway.judge import JudgeConfig, gauges, latency, scan, series
from hatchway.judge.calibrate import FEWEST_PODS
from hatchway.judge.drift import Traffic
from hatchway.judge.joint import weights
from hatchway.judge.planning import (
    Counted,
    Subject,
    Timed,
    seconds_to_find,
    seconds_to_pass,
    smallest_found,
)
from hatchway.judge.quantile import bucket_of
from hatchway.judge.state import bound

from .areas import Area, area_of
from .catalogue import Catalogue, missing
from .increments import Source
from .port import NO_SERIES
from .survey import STALE, Arm, Surveyed

ENOUGH_EVENTS = 20  # seen while looking; with fewer, all since the instances started count
COARSE = 0.9  # of the requests in one bucket: what happens inside it is not seen
WIDE = 1.9  # upper over lower bound of the quantile's bucket


class StepProspect(Struct, frozen=True):
    """One canary step: what is found while it lasts, and when it may pass.

    `weight` is the canary's real share in percent. `found` is the smallest factor that is expected
    to be called within `monitor_s`, `found_late` within `most_s`; None: not even x1000. `pass_s` is
    the expected time until worse than `excludes` times is excluded; None: not within a week.
    """

    weight: int
    monitor_s: float
    most_s: float
    found: float | None
    found_late: float | None
    pass_s: float | None
    excludes: float


class Prospect(Struct, frozen=True, kw_only=True):
    """One metric. It can be judged when it has no `problems`; `notes` are worth knowing.

    `subject` is what planning stands on: None when there was nothing to plan with. `guessed` says
    that no event was ever seen, so that its frequency is at most what is reckoned with. `double_s`
    is the time to find a regression of `double` in the first step.
    """

    spec: MetricSpec
    area: Area | None
    stable: Arm
    canary: Arm
    rate: float = 0.0
    subject: Subject | None = None
    guessed: bool = False
    steps: tuple[StepProspect, ...] = ()
    double: float = 2.0
    double_s: float | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it can do what it is declared for."""
        return not self.problems


def prospects(
    service: ServiceSpec,
    surveyed: Sequence[Surveyed],
    stage: CanaryStage | None,
    listed: Mapping[str, Catalogue] | None = None,
) -> tuple[Prospect, ...]:
    """Every metric, as the judge with its configured margins would fare in the stage's steps.

    `listed` has everything on stable's page by endpoint, to name what was meant by a series that
    is not there.
    """
    config = JudgeConfig(metrics=tuple(metric.spec for metric in surveyed))
    shares = weights(config)
    found = []
    for metric, whole in zip(surveyed, shares, strict=True):
        problems, notes = _readable(metric, _missing(service, metric, listed or {}))
        notes += _scanned(metric.spec, (listed or {}).get(metric.spec.source))
        # What is bet on single values of a label is not counted on: all of them may be worse.
        share = whole * (1 - scan.SHARE) if metric.spec.by else whole
        found.append(_prospect(config, metric, share, stage, service.scrape_s, problems, notes))
    return tuple(found)


def _prospect(
    config: JudgeConfig,
    metric: Surveyed,
    share: float,
    stage: CanaryStage | None,
    look_s: float,
    problems: list[str],
    notes: list[str],
) -> Prospect:
    spec, stable, canary = metric.spec, metric.stable, metric.canary
    rate = stable.rate + (0.0 if canary.trouble else canary.rate)
    if problems or spec.kind not in ("counts", "latency"):
        if not problems:
            problems, notes = _of_level(spec, stable, look_s)
        return Prospect(
            spec=spec, area=area_of(spec), stable=stable, canary=canary, rate=rate,
            problems=tuple(problems), notes=tuple(notes),
        )  # fmt: skip
    subject, guessed = _subject(spec, stable)
    if isinstance(subject, Timed):
        problems += _coarse(spec, subject)
        notes += _wide(spec, subject)
    notes += _instances(config, stable)
    steps: tuple[StepProspect, ...] = ()
    double, double_s = (1.5 if isinstance(subject, Timed) else 2.0), None
    if stage is not None and spec.judged:
        steps = _steps(config, spec, subject, share, stage, rate, look_s)
        problems += _too_slow(steps)
        traffic = Traffic(rate, weight_of(stage, 0) / 100, look_s)
        double_s = seconds_to_find(config, subject, traffic, double, share=share)
    return Prospect(
        spec=spec, area=area_of(spec), stable=stable, canary=canary, rate=rate, subject=subject,
        guessed=guessed, steps=steps, double=double, double_s=double_s, problems=tuple(problems),
        notes=tuple(notes),
    )  # fmt: skip


def _missing(service: ServiceSpec, metric: Surveyed, listed: Mapping[str, Catalogue]) -> str:
    """What was meant by a series that is not on the page, in words; empty when that is unknown."""
    spec = metric.spec
    known = listed.get(spec.source)
    if known is None:
        return ""
    source = Source(service)
    if metric.stable.trouble:
        if spec.kind == "latency":
            family = known.get(spec.total.name) or known.get(f"{spec.total.name}_count")
            if family is not None and family.kind != "histogram":
                return (
                    f"{spec.total.name} is a {'summary' if family.kind == 'part' else family.kind}:"
                    " latency needs a histogram, quantiles of two arms cannot be compared"
                )
        return missing(source.narrowed(spec.total, spec.source, "stable"), known)
    if spec.events is not None and not metric.stable.counted:
        return missing(source.narrowed(spec.events, spec.source, "stable"), known)
    return ""


def _scanned(spec: MetricSpec, known: Catalogue | None) -> list[str]:
    """Whether the label is there whose values are looked at one by one."""
    family = known.get(spec.total.name) if known else None
    if not spec.by or family is None:
        return []
    values = len(family.label(spec.by))
    if not values:
        return [f"{spec.total.name} has no label {spec.by}: nothing is looked at one by one"]
    most = f", the {scan.MOST} with the most requests by themselves" if values > scan.MOST else ""
    return [f"looked at by {spec.by} as well ({values} values{most})"]


def _readable(metric: Surveyed, instead: str) -> tuple[list[str], list[str]]:
    """What stops anything from being planned, and remarks on what was read."""
    spec, stable = metric.spec, metric.stable
    if stable.trouble:
        gone = stable.trouble.startswith(NO_SERIES)
        if stable.trouble.startswith(STALE):
            return [f"{stable.trouble}: its server scrapes seldom, look longer (--seconds 60)"], []
        return [instead if instead and gone else stable.trouble], []
    if spec.kind in ("counts", "latency") and stable.requests == 0:
        ever = f" ({stable.ever[0]:,} requests since it started)" if stable.ever[0] else ""
        return [f"no traffic on stable while it was looked at{ever}"], []
    if spec.kind == "series" and not stable.levels:
        return ["the query gives no number for stable"], []
    if spec.kind == "counts" and not stable.counted:
        said = instead or "there is no series of the events"
        return [], [f"{said}. So there are none so far: right if the first one makes the series"]
    return [], []


def _subject(spec: MetricSpec, stable: Arm) -> tuple[Subject, bool]:
    """What stable does, from the most data that still says how it is now."""
    if spec.kind == "latency":
        enough = stable.requests >= latency.ENOUGH
        buckets = stable.buckets if enough or not stable.ever[0] else stable.ever_buckets
        whole = sum(buckets)
        shares = tuple(count / whole for count in buckets)
        return Timed(stable.bounds, shares, spec.quantile), False
    requests, events = stable.requests, stable.events
    if events < ENOUGH_EVENTS and stable.ever[0] > requests:
        requests, events = stable.ever
    guessed = events == 0
    share = min(1.0, max(events, 1) / max(requests, 1))
    return Counted(min(share, 0.999), spec.worse == "down"), guessed


def _steps(
    config: JudgeConfig,
    spec: MetricSpec,
    subject: Subject,
    share: float,
    stage: CanaryStage,
    rate: float,
    look_s: float,
) -> tuple[StepProspect, ...]:
    found, known = [], 0.0
    for index, step in enumerate(stage.steps):
        weight = weight_of(stage, index)
        least, most = monitor_s(step, 1.0), max(monitor_s(step, 1.0), patience_s(step, 1.0))
        excludes = bound(spec, step.excludes)
        if isinstance(subject, Timed):
            subject = Timed(subject.bounds, subject.shares, subject.quantile, known)
        if not compares(step):
            found.append(StepProspect(weight, least, most, None, None, None, excludes))
            continue
        traffic = Traffic(rate, weight / 100, look_s)
        found.append(
            StepProspect(
                weight,
                least,
                most,
                smallest_found(config, subject, traffic, least, share=share),
                smallest_found(config, subject, traffic, most, share=share),
                seconds_to_pass(config, subject, traffic, excludes),
                excludes,
            )
        )
        known += rate * (1 - weight / 100) * least
    return tuple(found)


def _too_slow(steps: tuple[StepProspect, ...]) -> list[str]:
    late = [s for s in steps if s.weight < 100 and (s.pass_s is None or s.pass_s > s.most_s)]
    if not late:
        return []
    listed = ", ".join(f"{step.weight} %" for step in late)
    return [
        f"PASS does not come within the longest monitoring at {listed}: the agent will not go on"
        " there by itself. Monitor longer, exclude a larger factor, or judge more frequent events"
    ]


def _coarse(spec: MetricSpec, subject: Timed) -> list[str]:
    most = max(subject.shares)
    index = subject.shares.index(most)
    problems = []
    if most >= COARSE:
        where = _bucket(spec, subject.bounds, index)
        add = "add buckets inside it" if index < len(subject.bounds) else "add buckets above it"
        problems.append(
            f"{100 * most:.0f} % of the requests are in one bucket, {where}: a change inside it is not"
            f" seen; {add}"
        )
    slow = bucket_of(subject.shares, subject.quantile)
    if slow is not None and slow >= len(subject.bounds):
        problems.append(
            f"p{100 * subject.quantile:g} lies above the last bound,"
            f" {_bound(spec, subject.bounds[-1])}: slower than that is not seen; add buckets above it"
        )
    return problems


def _wide(spec: MetricSpec, subject: Timed) -> list[str]:
    index = bucket_of(subject.shares, subject.quantile)
    if index is None or not 0 < index < len(subject.bounds):
        return []
    low, high = subject.bounds[index - 1], subject.bounds[index]
    if low <= 0 or high / low < WIDE:
        return []
    return [
        f"p{100 * subject.quantile:g} is in the bucket {_bucket(spec, subject.bounds, index)}: requests"
        f" may get up to {high / low:.2g}x slower inside it unseen"
    ]


def _bucket(spec: MetricSpec, bounds: tuple[float, ...], index: int) -> str:
    if index == 0:
        return f"up to {_bound(spec, bounds[0])}"
    if index >= len(bounds):
        return f"above {_bound(spec, bounds[-1])}"
    return f"{_bound(spec, bounds[index - 1])} to {_bound(spec, bounds[index])}"


def _bound(spec: MetricSpec, bound: float) -> str:
    if spec.shown_as == "ms":
        return f"{1000 * bound:g} ms"
    return f"{bound:g} {spec.unit}".rstrip()


def _instances(config: JudgeConfig, stable: Arm) -> list[str]:
    if stable.instances >= FEWEST_PODS:
        return [
            f"{stable.instances} instances: margins are measured before a rollout; the times here"
            " are by the configured ones"
        ]
    floors = config.floors
    many = "one instance" if stable.instances == 1 else f"{stable.instances} instances"
    return [
        f"{many}: margins are configured ({floors.ratio:g}x, clumping {floors.phi:g}), not measured"
    ]


def _of_level(spec: MetricSpec, stable: Arm, look_s: float) -> tuple[list[str], list[str]]:
    """What is wrong with, and worth knowing of, a metric that has levels instead of events."""
    if spec.kind == "state":
        down = any(level < 1 for level in stable.levels)
        return [], ["it is DOWN on stable now"] if down else []
    if spec.kind == "series":
        first = series.FIRST * look_s
        return [], [f"first read after {first:g} s, then the longer the surer; no forecast of that"]
    problems, notes = [], []
    few = stable.instances < gauges.FEWEST
    if spec.limit is None and spec.judged and few:
        problems.append(
            f"a gauge of fewer than {gauges.FEWEST} instances of stable is judged by its limit,"
            " and it has none: write limit, or judged: false"
        )
    elif spec.limit is None and not spec.judged:
        notes.append("no limit: shown, and never beyond it")
    elif few and spec.judged:
        notes.append(f"fewer than {gauges.FEWEST} instances of stable: judged by its limit alone")
    if spec.limit is not None and stable.levels:
        worst = max(stable.levels) if spec.worse == "up" else min(stable.levels)
        if worst > spec.limit if spec.worse == "up" else worst < spec.limit:
            notes.append(f"stable is beyond its limit of {spec.limit:g} now")
    return problems, notes
