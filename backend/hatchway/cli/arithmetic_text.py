"""The arithmetic of a verdict in 80 columns, for a statistician and for who was just woken up."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from hatchway.judge.arithmetic import Arithmetic, MetricArithmetic
from hatchway.judge.arithmetic_bets import Bet
from hatchway.judge.look import Counts, Gauge, Latency, Missing, Series
from hatchway.judge.wealth import BURST_NATS
from hatchway.judge.words import duration
from hatchway.runners.visible import visible

WIDTH = 80


def explained(a: Arithmetic) -> list[str]:
    """The whole account, line by line."""
    parts = (_decided(a), _joint(a), *map(_metric, a.metrics), _how(a))
    return [line for part in parts for line in part]


def _decided(a: Arithmetic) -> Iterator[str]:
    yield from said(f"Decided: {a.word}, {_ACTIONS[a.action]}. {visible(a.headline)}.")
    warm = ", warming up" if a.warming else ""
    yield from said(
        f"The look: {a.seconds:.2f} s of data, {a.weight} % of the traffic on canary,"
        f" {duration(a.since_raise_s)} after the share went up{warm}."
    )
    well = {True: "yes", False: "no", None: "not known"}[a.stable_healthy]
    split = "as planned" if a.split_off is None else f"canary really gets {a.split_off:.2g} %"
    blind = f"; no data for {duration(a.blind_for_s)}" if a.blind_for_s > 0 else ""
    yield from said(f"Stable within its own limits: {well}; traffic split: {split}{blind}.")
    if a.healthy_restarted:
        yield from said(
            f"E reached {a.hold_at:g} in this look: the evidence for PASS starts again."
        )


def _metric(m: MetricArithmetic) -> Iterator[str]:
    yield ""
    part = f"share {m.share:.3f} of the joint evidence" if m.share else "watched, not in the joint"
    down = ", fewer is worse" if m.worse == "down" else ""
    yield from said(f"{visible(m.label)} ({m.kind}{down}): {m.word}; {part}")
    if m.trouble:
        yield from said(f"no data: {visible(m.trouble)}", "  ")
    yield from _sums(m)
    if m.bets:
        yield from _margins(m)
        yield from _evidence(m)
        for bet in m.bets:
            yield from _bet(bet)


def _sums(m: MetricArithmetic) -> Iterator[str]:
    seen = "nothing"
    match m.sample:
        case Counts(canary=canary, stable=stable):
            seen = f"canary {_arm(canary)}, stable {_arm(stable)}"
        case Latency(canary=canary, stable=stable):
            seen = f"canary {sum(canary):,} requests, stable {sum(stable):,}"
        case Gauge(canary=canary, stable=stable):
            seen = f"canary {_levels(canary)}, stable {_levels(stable)}"
        case Series(canary=a, stable=b):
            seen = f"canary {'nothing' if a is None else f'{a:g}'}"
            seen += f", stable {'nothing' if b is None else f'{b:g}'}"
        case Missing(why=why, arm=arm):
            seen = f"nothing: {visible(why)}{f' on {arm}' if arm else ''}"
    yield from said(f"this look  {seen}", "  ")
    if m.bets:
        slow = " slower than stable's quantile" if m.kind == "latency" else ""
        step = f"canary {_arm(m.canary)}, stable {_arm(m.stable)}{slow}"
        yield from said(f"this step  {step}", "  ")
    for name, value in m.state.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        yield from said(f"{name}: {visible(shown)}", "    ")


def _margins(m: MetricArithmetic) -> Iterator[str]:
    found = m.margins
    where = "configured, since stable has too few instances to measure them"
    if found.pods:
        where = f"measured on {found.pods} instances of stable over {duration(found.seconds)}"
    what = f"odds up to {found.ratio:.3g}x"
    if m.kind == "latency":
        what = f"a shift up to {100 * found.shift:.3g} %, a tail up to {found.tail:.3g}x"
    yield from said(
        f"{what} is not called worse; evidence is divided by {found.phi:.3g} for clumps ({where})",
        "  ",
    )


def _bet(bet: Bet) -> Iterator[str]:
    was = f", before {_figure(bet.before.now)}, highest {_figure(bet.after.peak)}"
    if bet.gains is None:
        same = "1" if bet.after.now == bet.after.peak == 1.0 else _figure(bet.after.now)
        highest = f", highest {_figure(bet.after.peak)}" if bet.after.peak > bet.after.now else ""
        yield from said(f"{bet.name}: E {same}{highest}; no bet: {visible(bet.idle)}", "  ")
    else:
        yield from said(f"{bet.name}: E {_figure(bet.after.now)}{was}", "  ")
        yield from said(f"H: {bet.hypothesis}", "    ")
        if bet.stratum is not None:
            s = bet.stratum
            yield f"    k = {s.k} of n = {s.n}; its mean at the edge of H is mu = {s.mean:.4g}"
        yield _row("psi", bet.tilts, "g")
        yield _row("ln e", bet.gains, "+.3f")
        if bet.before.parts:
            yield _row("wealth before", bet.before.parts, ".3g")
        yield _row("wealth after", bet.after.parts, ".3g")
        yield f"    reserve {bet.before.reserve:.4f} -> {bet.after.reserve:.4f}"
    if not bet.as_judged:
        yield from said("the state that the judge left differs from this account", "    ! ")


def _evidence(m: MetricArithmetic) -> Iterator[str]:
    parts = [f"{bet.share:.3g} x {_figure(bet.after.now)}" for bet in m.bets if bet.share]
    yield from said(f"E of {visible(m.label)} = {' + '.join(parts)} = {_figure(m.e)}", "  ")
    yield from said(
        f"evidence that {m.excludes:g}x worse is excluded: {_figure(m.healthy_now)} now, highest"
        f" {_figure(m.healthy_peak)}",
        "  ",
    )


def _joint(a: Arithmetic) -> Iterator[str]:
    yield ""
    yield from said(f"Joint evidence E: hold from {a.hold_at:g}, roll back from {a.rollback_at:g}")
    for m in a.metrics:
        if m.share:
            most = "  <- most" if m.name == a.lead and len(a.metrics) > 1 else ""
            name = visible(m.label)[:26]
            yield f"  {name:<26} {m.share:.3f} x {_figure(m.e):>9} = {_figure(m.share * m.e):>9}{most}"
    highest = f"  (highest so far {_figure(a.peak)})" if a.peak > a.e * 1.0001 else ""
    yield f"  {'E':<26} {_figure(a.e):>29}{highest}"


def _how(a: Arithmetic) -> Iterator[str]:
    yield ""
    yield from said(
        'How to read it. E is the worth of bets against "the canary is no worse", 1 at the start.'
        f" If that were true, E would ever reach {a.rollback_at:g} in at most 1 of"
        f" {a.rollback_at:g} rollouts, however often one looks (Ville 1939). Each look adds, for"
        " each tilt psi, ln e = (k ln psi - n ln(1 + (mu/n)(psi - 1))) / clumping, at most"
        f" {BURST_NATS:g} a second; before that, what leaves the reserve is spread over the tilts. E of a bet"
        " is its reserve and the sum of exp(ln after). docs/judge.md has the formulas' sources."
    )


_ACTIONS = {"none": "go on", "hold": "hold", "rollback": "roll back"}


def said(text: str, indent: str = "") -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent) + "  ") or [
        ""
    ]


def _row(name: str, values: tuple[float, ...], form: str) -> str:
    cells = "".join(f"{format(max(-999.0, value), form):>9}" for value in values)
    return f"    {name:<10}{cells}"


def _arm(arm: tuple[int, int]) -> str:
    n, events = arm
    share = f" ({100 * events / n:.2g} %)" if n else ""
    return f"{events:,} of {n:,}{share}"


def _levels(levels: tuple[float, ...]) -> str:
    return ", ".join(f"{level:g}" for level in levels[:6]) + (" ..." if len(levels) > 6 else "")


def _figure(e: float) -> str:
    return f"{e:.3g}" if e < 1000 else f"{e:,.0f}" if e < 1e6 else f"{e:.2e}"
