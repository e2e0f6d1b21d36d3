"""The goals G1 to G6 as data, and how far what was measured is from each.

Every figure has two bounds: the goal, and a guard that the short form in CI does not let it cross.
A guard is where the judge stands today plus what chance and rounding may add (the draws have a
fixed seed, so an unchanged judge gives unchanged figures); for shares it is a binomial bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from cells import EVERY_1, EVERY_5, LOW, NO_WARM_UP
from tally import Rule, Tally, rule_name

WARM_UP_S = 10.0
SURE = 0.99  # that a share which crossed its bound did not do so by chance
LIMIT = "SPRT that knows the ratio"

Tallies = dict[str, Tally]


@dataclass(frozen=True)
class Finding:
    """One figure of a goal. `judged` False: printed, the goal is not about it."""

    goal: str
    what: str
    figure: float
    goal_at: float
    unit: str
    guard: float
    guarded: float  # the figure that the guard is about: for shares their lower confidence limit
    judged: bool = True
    least: bool = False  # the figure must be at least, not at most

    @property
    def met(self) -> bool:
        return self.figure >= self.goal_at if self.least else self.figure <= self.goal_at

    @property
    def worse_than_guard(self) -> bool:
        return self.guarded < self.guard if self.least else self.guarded > self.guard

    def line(self) -> str:
        """As printed: the figure, the bar, and by how much it was missed."""
        sign = ">=" if self.least else "<="
        missed = f"MISSED by {abs(self.figure - self.goal_at):.3g}{self.unit}"
        said = "met" if self.met else missed
        if not self.judged:
            said = f"({said}; for comparison)"
        if self.worse_than_guard:
            said += f"  WORSE THAN BEFORE (guard {self.guard:g}{self.unit})"
        bar = f"{sign} {self.goal_at:g}{self.unit}"
        return f"{self.goal}  {self.what:<72} {self.figure:8.3g}{self.unit:<6} {bar:<10} {said}"


def findings(tallies: Tallies) -> list[Finding]:
    """All goals of which the cells were run."""
    found: list[Finding] = []
    for goal in (_g1, _g2, _g3, _g4, _g5, _g6):
        found.extend(goal(tallies))
    return found


def _g1(tallies: Tallies) -> Iterator[Finding]:
    """False rollbacks: <= 1 % for A/A, and under every nuisance but a cold start above the guard."""
    for name, tally in tallies.items():
        if tally.cell.worse or name.startswith("latency A/A"):
            continue
        plain = tally.cell.world.nuisance == "none"
        for way in tally.cell.ways:
            rule = tally.rules[rule_name(way, "roll back")]
            ours = (plain or way.calibrated) and not tally.cell.beyond_guard
            yield Finding(
                "G1", f"{name}, {way.name}: false roll back (n={_n(rule)})",
                100 * rule.stopped, 1.0, " %", 1.0 if ours else 100.0,
                100 * rule.at_least(SURE), judged=ours,
            )  # fmt: skip
    for name, way in _ON_THE_MARGIN:
        if name in tallies:
            rule = tallies[name].rules[rule_name(way, "roll back")]
            yield Finding("G1", f"{name}, {way.name}, on the margin: false roll back (n={_n(rule)})",
                          100 * rule.stopped, 1.0, " %", 1.0, 100 * rule.at_least(SURE))  # fmt: skip


# The shipped margin is itself the hypothesis: a canary exactly on it is not worse.
_ON_THE_MARGIN = (("errors x1.5", EVERY_5[0]),)

# (median hold, median roll back, p95 roll back, excess): the guards, by way
_G2_GUARDS = {
    EVERY_5[0]: (55.0, 65.0, 130.0, 28.0),
    EVERY_5[1]: (35.0, 45.0, 85.0, 19.0),
    EVERY_1[0]: (55.0, 65.0, 130.0, 28.0),
    EVERY_1[1]: (35.0, 45.0, 85.0, 19.0),
    NO_WARM_UP[0]: (25.0, 35.0, 75.0, 14.0),
    NO_WARM_UP[1]: (25.0, 35.0, 75.0, 14.0),
}


def _g2(tallies: Tallies) -> Iterator[Finding]:
    """The main cell: errors x5 at 200 req/s, 1 % and 5 %; seconds count from the raise.

    The goal was set on the rule by itself; with the warm-up one waits that much longer.
    """
    tally = tallies.get("errors x5")
    if tally is None:
        return
    for way in tally.cell.ways:
        hold = tally.rules[rule_name(way, "hold")]
        roll = tally.rules[rule_name(way, "roll back")]
        guards = _G2_GUARDS[way]
        for what, figure, bar, unit, guard in (
            ("hold, median", hold.delay(0.5), 15.0, " s", guards[0]),
            ("roll back, median", roll.delay(0.5), 25.0, " s", guards[1]),
            ("roll back, p95", roll.delay(0.95), 50.0, " s", guards[2]),
            ("excess bad requests", float(roll.bad.mean()), 10.0, "", guards[3]),
        ):
            yield Finding(
                "G2", f"errors x5, {way.name}: {what}", figure, bar, unit, guard, figure,
                judged=way.calibrated,
            )  # fmt: skip


# mean (roll back, hold) as multiples of the limit: the guards, with and without warm-up
_G3_GUARDS = {
    "errors x5": {True: (2.5, 2.2), False: (1.9, 1.5)},
    "errors x20": {True: (3.0, 2.6), False: (1.4, 1.3)},
}


def _g3(tallies: Tallies) -> Iterator[Finding]:
    """Mean time against the sequential test that knows the ratio, at the same looks."""
    for name, guards in _G3_GUARDS.items():
        tally = tallies.get(name)
        if tally is None:
            continue
        limit = tally.rules[LIMIT].mean
        for way in tally.cell.ways:
            if not way.calibrated or way.look_s != EVERY_5[0].look_s:
                continue
            roll, hold = guards[way.warm]
            for what, bar, guard in (("roll back", 1.4, roll), ("hold", 1.1, hold)):
                ratio = tally.rules[rule_name(way, what)].mean / limit
                yield Finding("G3", f"{name}, {way.name}: mean time to {what} / limit ({limit:.1f} s)",
                              ratio, bar, " x", guard, ratio)  # fmt: skip


def _g4(tallies: Tallies) -> Iterator[Finding]:
    """Latency at 200 req/s, after warm-up; A/A <= 0.3 %."""
    for name in ("latency A/A", "latency A/A, 14 coarse buckets"):
        if name in tallies:
            for way in tallies[name].cell.ways:
                rule = tallies[name].rules[rule_name(way, "roll back")]
                yield Finding(
                    "G4", f"{name}, {way.name}: false roll back (n={_n(rule)})",
                    100 * rule.stopped, 0.3, " %", 0.3, 100 * rule.at_least(SURE),
                )  # fmt: skip
    for name, bar, guards in (
        ("latency +30 %", 15.0, (130.0, 40.0)),
        ("latency +30 %, 14 coarse buckets", 15.0, (300.0, 60.0)),
        ("latency +100 %", 5.0, (15.0, 15.0)),
    ):
        if name not in tallies:
            continue
        for way in tallies[name].cell.ways:
            rule = tallies[name].rules[rule_name(way, "roll back")]
            late = rule.delay(0.5) - WARM_UP_S
            yield Finding(
                "G4", f"{name}, {way.name}: median after warm-up",
                late, bar, " s", guards[way.calibrated], late, judged=way.calibrated,
            )  # fmt: skip


def _g5(tallies: Tallies) -> Iterator[Finding]:
    """At 2 req/s: UNSURE and a forecast; PASS neither by silence nor for what is as bad as r_bad."""
    calm = tallies.get("A/A 2 req/s")
    if calm is not None:
        for way in calm.cell.ways:
            spoke = calm.spoke[way]
            share = 100 * spoke.open / max(1, spoke.asked)
            yield Finding("G5", f"2 req/s, {way.name}: UNSURE with a forecast, of looks",
                          share, 99.0, " %", 95.0 if way.look_s > 1 else 75.0, share, least=True)  # fmt: skip
            silent = calm.passes[way]
            yield Finding("G5", f"2 req/s, {way.name}: PASS in the first step of A/A",
                          100 * silent.stopped, 1.0, " %", 5.0, 100 * silent.at_least(SURE),
                          judged=False)  # fmt: skip
    for name, way in (
        ("errors x5, 2 req/s", LOW[0]), ("errors x5, 2 req/s", LOW[1]),
        ("errors x2", EVERY_5[0]), ("errors x2", EVERY_5[1]),
    ):  # fmt: skip
        if name in tallies and way in tallies[name].passes:
            rule = tallies[name].passes[way]
            yield Finding(
                "G5", f"{name} where {way.excludes:g}x is to be excluded, {way.name}: false PASS"
                f" (n={_n(rule)})",
                100 * rule.stopped, 5.0, " %", 5.0, 100 * rule.at_least(SURE),
            )  # fmt: skip


def _g6(tallies: Tallies) -> Iterator[Finding]:
    """Cost with three metrics, verdict and words included; a busy machine only makes it look worse."""
    tally = tallies.get("A/A three metrics")
    if tally is not None:
        spoke = tally.spoke[EVERY_1[0]]
        yield Finding(
            "G6", "processor time a look and metric", spoke.us, 100.0, " us", 600.0, spoke.us
        )
        yield Finding("G6", "state a metric", spoke.size, 2048.0, " B", 2048.0, spoke.size)


def _n(rule: Rule) -> int:
    return int(np.size(rule.stops))
