"""The bets of one metric in one look, worked out again from the formulas.

Each is compared with the state that the judge left; `as_judged` says whether they agree, so that
the account shown to people cannot drift away from the judge.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from . import counts, latency, scan
from .bets import GUARD_RATIO, guarding
from .counts import HEALTHY_TILTS, WORSE_TILTS, Arm, Stratum
from .joint import GUARD_SHARE
from .look import Counts, Latency
from .margins import Margins
from .state import EARLY, CountsState, LatencyState
from .wealth import Wealth, bet


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


class Table:
    """The bets of one metric in one look."""

    def __init__(
        self,
        *,
        margins: Margins,
        excludes: float,
        quantile: float,
        down: bool,
        seconds: float,
        warming: bool,
        restarted: bool,
        trouble: str,
    ) -> None:
        """`seconds` are those that the sample covers; `restarted`: PASS starts again after it."""
        self._margins = margins
        self._excludes = excludes
        self._quantile = quantile
        self._down = down
        self._seconds = seconds
        self._warming = warming
        self._restarted = restarted
        self._trouble = trouble

    def of_counts(self, old: CountsState, new: CountsState, sample: Counts | None) -> Iterator[Bet]:
        """Worse, and the sides."""
        suspect, other = None, None
        if sample is not None:
            suspect, other = sample.canary, sample.stable
            if self._down:
                suspect, other = other, suspect
        ratio = self._margins.ratio
        yield self._events(
            "worse", f"odds of {self._who()} <= {ratio:g} x {self._whom()}",
            old.worse, new.worse, ratio, WORSE_TILTS, suspect, other,
            share=(1 - GUARD_SHARE) * (1.0 if new.scan is None else 1 - scan.SHARE),
            idle="warming up" if self._warming else "",
        )  # fmt: skip
        if new.scan is not None:
            yield from self._by_label(old.scan or scan.Scan(), new.scan)
        yield from self._sides(old, new, ratio, suspect, other, "odds")

    def _by_label(self, old: scan.Scan, new: scan.Scan) -> Iterator[Bet]:
        """The same bet for each value of the label that the metric is scanned by."""
        share = (1 - GUARD_SHARE) * scan.SHARE / max(1, len(new.parts))
        ratio = self._margins.ratio
        before = old.parts or (scan.Part(),) * len(new.parts)
        for label, a, b in zip(new.labels, before, new.parts, strict=True):
            canary, stable = _minus(b.canary, a.canary), _minus(b.stable, a.stable)
            suspect, other = (stable, canary) if self._down else (canary, stable)
            yield self._events(
                f"at {label}", f"odds of {self._who()} at {label} <= {ratio:g} x {self._whom()}",
                a.worse, b.worse, ratio, WORSE_TILTS, suspect, other,
                share=share, idle="warming up" if self._warming else "",
            )  # fmt: skip
        if not new.parts:
            yield self._bet(
                "by label", "", Wealth(), Wealth(), WORSE_TILTS, None,
                share=share, idle="no label was seen yet",
            )  # fmt: skip

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
        suspect, other = _slower(sample, latency.tail_bucket(known, self._quantile))
        what = f"odds beyond p{100 * self._quantile:g}"
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
            share=GUARD_SHARE,
            idle="" if guarding(old.guard, warming=self._warming) else "only in warm-up",
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
        return "stable" if self._down else "canary"

    def _whom(self) -> str:
        return "canary" if self._down else "stable"

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


def _minus(a: Arm, b: Arm) -> Arm:
    return a[0] - b[0], a[1] - b[1]
