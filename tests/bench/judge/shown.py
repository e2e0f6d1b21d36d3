"""The tallies as text: one block a cell, and the table of the main cell."""

from __future__ import annotations

import numpy as np
from tally import Rule, Tally

HEAD = f"{'rule':<50}"
NULL = "A/A"
MAIN = "errors x5"


def cell_block(tally: Tally) -> str:
    """Every rule on one cell."""
    some = next(iter(tally.rules.values()))
    worse = tally.cell.worse
    heads = (
        f"{'early %':>8} {'found %':>8} {'median':>7} {'p95 s':>7} {'excess':>9}"
        if worse
        else f"{'false %':>8} {'95 % limit':>11}"
    )
    lines = [f"\n== {tally.cell.name}  ({some.stops.size} rollouts)", f"{HEAD} {heads}"]
    for name, rule in tally.rules.items():
        lines.append(f"{name:<50} {_worse(rule) if worse else _null(rule)}")
    for way, passed in tally.passes.items():
        lines.append(
            f"PASS against {way.excludes:g}x, {way.name}: {100 * passed.stopped:.1f} %"
            f" of rollouts in the first step, median {_seconds(passed.delay(0.5))} s"
        )
    return "\n".join(lines)


def main_table(tallies: dict[str, Tally]) -> str:
    """Errors x5 beside nothing changed, as one table; empty when either was not run."""
    if NULL not in tallies or MAIN not in tallies:
        return ""
    calm, bad = tallies[NULL].rules, tallies[MAIN].rules
    lines = [
        "\n| rule | false, nothing changed | detected | median / p95 s | excess bad requests |",
        "|---|---|---|---|---|",
    ]
    for name, rule in bad.items():
        false = f"{100 * calm[name].stopped:.2g} %" if name in calm else "-"
        lines.append(
            f"| {name} | {false} | {100 * rule.stopped:.0f} %"
            f" | {_seconds(rule.delay(0.5))} / {_seconds(rule.delay(0.95))} | {rule.bad.mean():.3g} |"
        )
    return "\n".join(lines) + "\n"


def _worse(rule: Rule) -> str:
    return (
        f"{100 * rule.early:8.2f} {100 * rule.stopped:8.1f} {_seconds(rule.delay(0.5)):>7}"
        f" {_seconds(rule.delay(0.95)):>7} {rule.bad.mean():9.1f}"
    )


def _null(rule: Rule) -> str:
    return f"{100 * rule.stopped:8.2f} {100 * rule.at_most():11.2f}"


def _seconds(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.0f}"
