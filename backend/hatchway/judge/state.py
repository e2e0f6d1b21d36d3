"""What the judge remembers between looks: a few hundred bytes a metric, as msgpack."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hatchway.core.plan import MetricSpec

from . import calibrate
from .calibrate import Calibration
from .counts import Arm
from .flapping import Swings
from .gauges import Blocks, restarted
from .latency import TAILS
from .look import Counts, Latency
from .margins import Margins
from .mismatch import Split
from .recent import Recent
from .scan import Scan
from .scan import raised as scan_raised
from .series import Reading, Window
from .wealth import Wealth, released

EARLY = Wealth(due=0.9)  # PASS evidence begins with most of its wealth: each step is short


class JudgeConfig(Struct, frozen=True, kw_only=True):
    """What is judged and how sure one must be.

    With few instances an arm nobody can measure how much instances differ by themselves, so
    margins are configured: odds of an event up to `r0_floor` times stable's are not called worse,
    evidence is divided by `phi_floor` (events that come in clumps), a latency shift up to
    `shift_floor` (0.2: 20 %) and a tail up to `tail_floor` times stable's are not called worse.
    With enough instances they are measured before the rollout (calibrate.py).
    """

    metrics: tuple[MetricSpec, ...]
    hold_at: float = 20.0
    rollback_at: float = 100.0
    healthy_at: float = 20.0
    warmup_s: float = 10.0
    r0_floor: float = 1.5
    phi_floor: float = 1.3
    shift_floor: float = 0.2
    tail_floor: float = 2.0
    blind_after_s: float = 3.0  # without data of a judged metric
    quiet_after_s: float = 30.0  # without a request on either arm

    @property
    def floors(self) -> Margins:
        """The configured margins."""
        return Margins(self.phi_floor, self.r0_floor, self.shift_floor, self.tail_floor)


class CountsState(Struct, frozen=True, array_like=True, tag="c"):
    """Evidence from events among requests. `canary` and `stable` are sums of this step."""

    worse: Wealth = Wealth()
    guard: Wealth = Wealth()  # bets in warm-up only, and only on something very bad
    healthy: Wealth = EARLY
    better: Wealth = Wealth()
    canary: Arm = (0, 0)
    stable: Arm = (0, 0)
    recent: Recent = Recent()  # requests and events of the canary, then of stable
    scan: Scan | None = None  # by the values of a label, where the metric has one


class LatencyState(Struct, frozen=True, array_like=True, tag="l"):
    """Evidence from latency buckets. `known` is all of stable so far, the rest as above.

    `canary` and `stable` count requests slower than stable's quantile; `at_canary` and
    `at_stable` are recent requests by bucket.
    """

    shift: Wealth = Wealth()
    tails: tuple[Wealth, ...] = (Wealth(),) * len(TAILS)
    guard: Wealth = Wealth()
    healthy: Wealth = EARLY
    better: Wealth = Wealth()
    canary: Arm = (0, 0)
    stable: Arm = (0, 0)
    bounds: tuple[float, ...] = ()
    known: tuple[int, ...] = ()
    at_canary: Recent = Recent()
    at_stable: Recent = Recent()


class GaugeState(Struct, frozen=True, array_like=True, tag="g"):
    """Levels as last read, for how many looks in a row each arm was out of bounds, and blocks."""

    canary: float | None = None
    stable: float | None = None
    canary_out: int = 0
    stable_out: int = 0
    blocks: Blocks = Blocks()


class SeriesState(Struct, frozen=True, array_like=True, tag="s"):
    """One number an arm: as last read and out of bounds as above, the window, its last reading.

    `readings` counts those of the rollout, `of_step` those that PASS may stand on, `values` the
    numbers an arm of this step.
    """

    canary: float | None = None
    stable: float | None = None
    canary_out: int = 0
    stable_out: int = 0
    window: Window = Window()
    reading: Reading = Reading()
    readings: int = 0
    of_step: int = 0
    values: int = 0


Evidence = CountsState | LatencyState | GaugeState | SeriesState


class MetricState(Struct, frozen=True, array_like=True):
    """One metric: its evidence and how fresh its data are.

    `heard` is the time of the newest data, `busy` of the newest look in which each arm had
    requests. `due` is how surely an arm (canary, stable) should have had a request since its last,
    by the other's and the weight: minus ln of the chance that it had none.
    `ailing`: stable was beyond its limit already before the rollout.
    """

    evidence: Evidence
    heard: float | None = None
    busy: float | None = None
    due: tuple[float, float] = (0.0, 0.0)
    trouble: str = ""
    arm: str = ""
    ailing: bool = False
    margins: Margins | None = None  # as measured; None: the configured ones
    calibration: Calibration | None = None  # until the rollout begins
    swings: tuple[Swings, Swings] = (Swings(), Swings())  # of canary and of stable
    owed: Counts | Latency | None = None  # looks that wait for the other arm's requests
    owed_s: float = 0.0
    gaps: tuple[float, float] = (0.0, 0.0)  # seconds between the newest three looks with data


class JudgeState(Struct, frozen=True, array_like=True):
    """Everything. `raised` is when the weight last went up; `peak` the highest joint evidence."""

    metrics: tuple[MetricState, ...]
    raised: float | None = None
    began: float | None = None
    weight: int = 0
    excludes: float = 0.0
    peak: float = 0.0
    held: bool = False
    certain: bool = False  # once enough for a rollback, on data that were to be trusted
    step_s: float = 0.0  # seconds of data in this step
    split: Split = Split()
    passed: bool = False  # the word of the look before was PASS


def heard(metric: MetricState, t: float) -> MetricState:
    """The metric after data of requests at `t`: no trouble any more, and how often they come."""
    gap = 0.0 if metric.heard is None else max(0.0, t - metric.heard)
    return msgspec.structs.replace(metric, heard=t, gaps=(gap, metric.gaps[0]), trouble="", arm="")


def put_back(state: JudgeState, t: float) -> JudgeState:
    """The state after the machine's clock was put back to `t`: what lies ahead of it was now.

    Else a warm-up would last, and missing data go unnoticed, for as long as it was put back.
    """

    def by(at: float | None) -> float | None:
        return None if at is None else min(at, t)

    metrics = tuple(
        msgspec.structs.replace(metric, heard=by(metric.heard), busy=by(metric.busy))
        for metric in state.metrics
    )
    return msgspec.structs.replace(
        state, metrics=metrics, raised=by(state.raised), began=by(state.began)
    )


def at_look(
    state: JudgeState, t: float, seconds: float, weight: int, excludes: float
) -> JudgeState:
    """The state as a look finds it that ends at `t`, before anything is bet."""
    if state.raised is None:
        state = raised(state, t - seconds, weight)
    if any(at is not None and at > t for at in (state.raised, *[m.heard for m in state.metrics])):
        state = put_back(state, t)
    return state if state.excludes in (0.0, excludes) else healthy_again(state)


def bound(spec: MetricSpec, excludes: float) -> float:
    """How many times worse must be excluded for this metric: its own bound or the step's."""
    return excludes if spec.excludes is None else min(spec.excludes, excludes)


def new(config: JudgeConfig) -> JudgeState:
    """The state before the first look."""
    return JudgeState(tuple(MetricState(_empty(spec)) for spec in config.metrics))


def raised(state: JudgeState, t: float, weight: int) -> JudgeState:
    """The state after the canary's share went up at `t`.

    Warm-up begins, fresh wealth enters the search for a regression, and the evidence for PASS
    starts again: it was about another share. Evidence of a regression goes on. At the first raise
    the margins are settled by what stable's instances showed before.
    """
    metrics = tuple(
        msgspec.structs.replace(
            _settled(metric), evidence=_raised(metric.evidence), owed=None, owed_s=0.0
        )
        for metric in state.metrics
    )
    return msgspec.structs.replace(
        state, metrics=metrics, raised=t, weight=weight, step_s=0.0, split=Split(), passed=False
    )


def healthy_again(state: JudgeState) -> JudgeState:
    """The state with the evidence for PASS started again, and nothing else changed."""
    metrics = tuple(
        msgspec.structs.replace(metric, evidence=_restarted(metric.evidence))
        for metric in state.metrics
    )
    return msgspec.structs.replace(state, metrics=metrics)


def emptied(spec: MetricSpec, metric: MetricState) -> MetricState:
    """The metric without any evidence or swings; what was measured before the rollout stays."""
    return msgspec.structs.replace(
        metric, evidence=_empty(spec), swings=(Swings(), Swings()), owed=None, owed_s=0.0
    )


def to_bytes(state: JudgeState) -> bytes:
    """The state as msgpack; the same state always gives the same bytes."""
    return _encoder.encode(state)


def from_bytes(data: bytes) -> JudgeState:
    """The state again; `msgspec.DecodeError` when the bytes are none."""
    return _decoder.decode(data)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(JudgeState)


def _empty(spec: MetricSpec) -> Evidence:
    match spec.kind:
        case "counts":
            return CountsState(scan=Scan() if spec.by else None)
        case "latency":
            return LatencyState()
        case "series":
            return SeriesState()
        case "gauge" | "state":
            return GaugeState()


def _settled(metric: MetricState) -> MetricState:
    known = metric.calibration
    if known is None:
        return metric
    return msgspec.structs.replace(metric, margins=calibrate.measured(known), calibration=None)


def _raised(evidence: Evidence) -> Evidence:
    match evidence:
        case CountsState():
            return msgspec.structs.replace(
                evidence,
                worse=released(evidence.worse),
                guard=released(evidence.guard),
                better=released(evidence.better),
                healthy=EARLY,
                canary=(0, 0),
                stable=(0, 0),
                scan=None if evidence.scan is None else scan_raised(evidence.scan),
            )
        case LatencyState():
            return msgspec.structs.replace(
                evidence,
                shift=released(evidence.shift),
                tails=tuple(released(tail) for tail in evidence.tails),
                guard=released(evidence.guard),
                better=released(evidence.better),
                healthy=EARLY,
                canary=(0, 0),
                stable=(0, 0),
            )
        case GaugeState():
            return msgspec.structs.replace(evidence, blocks=restarted(evidence.blocks))
        case SeriesState():
            return msgspec.structs.replace(_compared_again(evidence), values=0)


def _compared_again(evidence: SeriesState) -> SeriesState:
    reading = msgspec.structs.replace(evidence.reading, healthy=1.0, healthy_now=1.0)
    return msgspec.structs.replace(evidence, window=Window(), reading=reading, of_step=0)


def _restarted(evidence: Evidence) -> Evidence:
    match evidence:
        case CountsState() | LatencyState():
            return msgspec.structs.replace(evidence, healthy=EARLY)
        case SeriesState():
            return _compared_again(evidence)
        case GaugeState():
            return evidence
