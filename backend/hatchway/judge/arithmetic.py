"""The arithmetic of one look, step by step, as the judge did it: for people who check it.

Each bet is worked out again from the formulas and compared with the state that the judge left;
`as_judged` says whether they agree, so that this account cannot drift away from the judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from hatchway.core.plan import MetricSpec

from . import counts, latency
from .bets import GUARD_RATIO, warming
from .counts import HEALTHY_TILTS, WORSE_TILTS, Arm, Stratum
from .joint import GUARD_SHARE, standing, weights
from .look import Counts, Latency, Sample
from .margins import Margins
from .mismatch import mismatched
from .proof import Replay
from .state import (
    EARLY,
    CountsState,
    JudgeState,
    LatencyState,
    MetricState,
    bound,
    healthy_again,
    raised,
)
from .wealth import BURST_NATS, Wealth, bet


class Bet(Struct, frozen=True, kw_only=True):
    """One mixture of bets against one hypothesis. `gains` are ln e of this look, one a tilt.

    `stratum` is what the look says of it: None when it says nothing, or when what is compared
    are times and not events. `share` is its part of the metric's evidence. `seen` are
    (requests, events) of suspect and other in this look.
    """

    name: str
    hypothesis: str
    tilts: tuple[float, ...]
    gains: tuple[float, ...] | None
    before: Wealth
    after: Wealth
    stratum: Stratum | None = None
    seen: tuple[Arm, Arm] | None = None
    share: float = 0.0
    idle: str = ""  # why nothing was bet in this look
    as_judged: bool = True


class MetricArithmetic(Struct, frozen=True, kw_only=True):
    """One metric: what was seen, its bets, and its part of the joint evidence."""

    name: str
    label: str
    kind: str
    worse: str
    judged: bool
    share: float
    sample: Sample | None
    canary: Arm
    stable: Arm
    margins: Margins
    bets: tuple[Bet, ...]
    e: float
    healthy_now: float
    healthy_peak: float
    word: str
    excludes: float
    trouble: str = ""
    state: dict[str, object] = {}  # of a metric without bets, as it is


class Arithmetic(Struct, frozen=True, kw_only=True):
    """One look. `e` is the joint evidence, `lead` the metric that adds most to it."""

    t: float
    seconds: float
    weight: int
    since_raise_s: float
    warming: bool
    excludes: float
    cap: float  # nats that one look may add at most to a tilt
    metrics: tuple[MetricArithmetic, ...]
    e: float
    peak: float
    lead: str
    hold_at: float
    rollback_at: float
    healthy_at: float
    word: str
    action: str
    headline: str
    stable_healthy: bool | None
    blind_for_s: float
    split_off: float | None
    certain: bool
    healthy_restarted: bool


def arithmetic(replay: Replay) -> Arithmetic:
    """How the look of a proof became its verdict."""
    config, look, verdict, after = replay.config, replay.look, replay.verdict, replay.after
    before = _as_bet_on(replay)
    shares = weights(config)
    restarted = after.held and not before.held
    metrics = tuple(
        _metric(replay, spec, old, new, share)
        for spec, old, new, share in zip(
            config.metrics, before.metrics, after.metrics, shares, strict=True
        )
    )
    began = look.t - look.seconds
    parts = [metric.share * metric.e for metric in metrics]
    lead = max(range(len(parts)), key=parts.__getitem__) if any(shares) else -1
    return Arithmetic(
        t=look.t,
        seconds=look.seconds,
        weight=look.weight,
        since_raise_s=look.t - (before.raised if before.raised is not None else began),
        warming=warming(config, before, began),
        excludes=replay.excludes,
        cap=BURST_NATS * max(1.0, look.seconds),
        metrics=metrics,
        e=verdict.e,
        peak=after.peak,
        lead=config.metrics[lead].name if lead >= 0 else "",
        hold_at=config.hold_at,
        rollback_at=config.rollback_at,
        healthy_at=config.healthy_at,
        word=verdict.word,
        action=verdict.action,
        headline=verdict.headline,
        stable_healthy=verdict.stable_healthy,
        blind_for_s=verdict.blind_for_s,
        split_off=mismatched(after.split),
        certain=after.certain,
        healthy_restarted=restarted,
    )


def _as_bet_on(replay: Replay) -> JudgeState:
    """The state before the look, after what the judge does to it before any bet."""
    state, look = replay.before, replay.look
    if state.raised is None:
        state = raised(state, look.t - look.seconds, look.weight)
    if state.excludes not in (0.0, replay.excludes):
        state = healthy_again(state)
    return state


def _metric(
    replay: Replay, spec: MetricSpec, old: MetricState, new: MetricState, share: float
) -> MetricArithmetic:
    sample = replay.look.samples.get(spec.name)
    if isinstance(sample, Latency) and len(sample.canary) != len(sample.bounds) + 1:
        sample = None  # the judge does not look at it either
    margins = old.margins or replay.config.floors
    at = standing(new.evidence)
    bets: Sequence[Bet] = ()
    state: dict[str, object] = {}
    table = _Table(replay, spec, margins, new)
    match old.evidence, new.evidence:
        case CountsState() as a, CountsState() as b:
            bets = tuple(table.of_counts(a, b, sample if isinstance(sample, Counts) else None))
        case LatencyState() as a, LatencyState() as b:
            bets = tuple(table.of_latency(a, b, sample if isinstance(sample, Latency) else None))
        case _, other:
            state = {name: getattr(other, name) for name in other.__struct_fields__}
    said = next(m for m in replay.verdict.metrics if m.name == spec.name)
    return MetricArithmetic(
        name=spec.name,
        label=spec.label,
        kind=spec.kind,
        worse=spec.worse,
        judged=spec.judged,
        share=share,
        sample=sample,
        canary=at.canary,
        stable=at.stable,
        margins=margins,
        bets=tuple(bets),
        e=at.e,
        healthy_now=at.healthy_now,
        healthy_peak=at.healthy_peak,
        word=said.word,
        excludes=bound(spec, replay.excludes),
        trouble=said.trouble,
        state=state,
    )


class _Table:
    """The bets of one metric in one look."""

    def __init__(
        self, replay: Replay, spec: MetricSpec, margins: Margins, new: MetricState
    ) -> None:
        look = replay.look
        self._spec = spec
        self._margins = margins
        self._seconds = look.seconds
        self._warming = warming(replay.config, _as_bet_on(replay), look.t - look.seconds)
        self._excludes = bound(spec, replay.excludes)
        self._restarted = replay.after.held and not replay.before.held
        self._trouble = new.trouble

    def of_counts(self, old: CountsState, new: CountsState, sample: Counts | None) -> Iterator[Bet]:
        """Worse, and the sides."""
        suspect, other = None, None
        if sample is not None:
            suspect, other = sample.canary, sample.stable
            if self._spec.worse == "down":
                suspect, other = other, suspect
        ratio = self._margins.ratio
        yield self._events(
            "worse", f"odds of {self._who()} <= {ratio:g} x {self._whom()}",
            old.worse, new.worse, ratio, WORSE_TILTS, suspect, other,
            share=1 - GUARD_SHARE, idle="warming up" if self._warming else "",
        )  # fmt: skip
        yield from self._sides(old, new, ratio, suspect, other, "odds")

    def of_latency(
        self, old: LatencyState, new: LatencyState, sample: Latency | None
    ) -> Iterator[Bet]:
        """The shift, the three tails, and the sides on what is slower than stable's quantile."""
        known = old.known
        if sample is not None and sample.bounds != old.bounds:
            known = (0,) * (len(sample.bounds) + 1)
        yield self._shift(old, new, sample, known)
        for (q, tilts), share, a, b in zip(
            latency.TAILS, latency.TAIL_SHARE, old.tails, new.tails, strict=True
        ):
            index = latency.tail_bucket(known, q)
            suspect, other = _slower(sample, index)
            beyond = f"p{100 * q:g} of stable"
            if sample is not None and index is not None:
                beyond += f" (> {1000 * sample.bounds[index]:g} ms)"
            tail = self._margins.tail
            yield self._events(
                f"tail {100 * q:g} %", f"odds of canary beyond {beyond} <= {tail:.3g} x stable's",
                a, b, tail, tilts, suspect, other,
                share=(1 - GUARD_SHARE) * share,
                idle="warming up" if self._warming else "" if index is not None else _UNKNOWN,
            )  # fmt: skip
        suspect, other = _slower(sample, latency.tail_bucket(known, self._spec.quantile))
        what = f"odds beyond p{100 * self._spec.quantile:g}"
        yield from self._sides(old, new, self._margins.tail, suspect, other, what)

    def _shift(
        self, old: LatencyState, new: LatencyState, sample: Latency | None, known: tuple[int, ...]
    ) -> Bet:
        margins = self._margins
        gains = None
        if sample is not None and not self._warming:
            gains = latency.shift_gains(
                sample.bounds, sample.canary, sample.stable, known, margins.shift, margins.phi
            )
        return self._bet(
            "shift", f"canary is slower by at most {100 * margins.shift:.3g} %",
            old.shift, new.shift, latency.SHIFT_TILTS, gains,
            share=(1 - GUARD_SHARE) * latency.SHIFT_SHARE,
            idle="warming up" if self._warming else _UNKNOWN,
        )  # fmt: skip

    def _sides(
        self,
        old: CountsState | LatencyState,
        new: CountsState | LatencyState,
        ratio: float,
        suspect: Arm | None,
        other: Arm | None,
        what: str,
    ) -> Iterator[Bet]:
        who, whom = self._who(), self._whom()
        yield self._events(
            "warm-up guard", f"{what} of {who} <= {GUARD_RATIO:g} x {whom}",
            old.guard, new.guard, GUARD_RATIO, WORSE_TILTS, suspect, other,
            share=GUARD_SHARE, idle="" if self._warming else "only in warm-up",
        )  # fmt: skip
        yield self._events(
            "healthy", f"{what} of {who} >= {self._excludes:g} x {whom}",
            old.healthy, new.healthy, self._excludes, HEALTHY_TILTS, suspect, other,
        )  # fmt: skip
        yield self._events(
            "better", f"{what} of {whom} <= {ratio:.3g} x {who}",
            old.better, new.better, ratio, WORSE_TILTS, other, suspect,
            idle="warming up" if self._warming else "",
        )  # fmt: skip

    def _who(self) -> str:
        return "stable" if self._spec.worse == "down" else "canary"

    def _whom(self) -> str:
        return "canary" if self._spec.worse == "down" else "stable"

    def _events(
        self,
        name: str,
        hypothesis: str,
        old: Wealth,
        new: Wealth,
        ratio: float,
        tilts: tuple[float, ...],
        suspect: Arm | None,
        other: Arm | None,
        *,
        share: float = 0.0,
        idle: str = "",
    ) -> Bet:
        stratum, gains = None, None
        if suspect is not None and other is not None and not idle:
            side = counts.at_least if name == "healthy" else counts.at_most
            stratum = side(ratio, suspect, other)
            if stratum is not None:
                gains = counts.gains(stratum, tilts, self._margins.phi)
        seen = (suspect, other) if suspect is not None and other is not None else None
        return self._bet(
            name, hypothesis, old, new, tilts, gains,
            stratum=stratum, seen=seen, share=share, idle=idle or "no event, or an arm without requests",
        )  # fmt: skip

    def _bet(
        self,
        name: str,
        hypothesis: str,
        old: Wealth,
        new: Wealth,
        tilts: tuple[float, ...],
        gains: tuple[float, ...] | None,
        *,
        stratum: Stratum | None = None,
        seen: tuple[Arm, Arm] | None = None,
        share: float = 0.0,
        idle: str = "",
    ) -> Bet:
        due = old if gains is None else bet(old, gains, self._seconds)
        if name == "healthy" and self._restarted:
            due = EARLY
        return Bet(
            name=name,
            hypothesis=hypothesis,
            tilts=tilts,
            gains=gains,
            before=old,
            after=new,
            stratum=stratum,
            seen=seen,
            share=share,
            idle="" if gains is not None else self._trouble or idle,
            as_judged=due == new,
        )


_UNKNOWN = "too little is known of stable yet"


def _slower(sample: Latency | None, index: int | None) -> tuple[Arm | None, Arm | None]:
    if sample is None or index is None:
        return None, None
    return latency.slower(sample.canary, index), latency.slower(sample.stable, index)


def to_json(arithmetic: Arithmetic) -> dict[str, object]:
    """The same as plain data."""
    plain: dict[str, object] = msgspec.to_builtins(arithmetic)
    return plain
