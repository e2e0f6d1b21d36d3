"""Why a verdict is what it is: one reason a metric, worrying ones first."""

from __future__ import annotations

from . import level_words, words
from .rows import Row, line
from .state import GaugeState, JudgeState
from .verdict import Why

TOP = 1e12  # figures beyond this say nothing more


def reasons(
    state: JudgeState,
    rows: tuple[Row, ...],
    lead: int,
    healthy: bool | None,
    ahead: float | None,
) -> tuple[Why, ...]:
    """Worrying first, then what is not known, then what is well.

    `lead` is the metric that the evidence rests on, `healthy` is stable's own state and `ahead` the
    expected seconds to an answer, None when there is none to expect.
    """
    if state.weight >= 100:
        return tuple(why for row in rows if (why := _alone(row)) is not None)
    found = [why for row in rows if (why := _reason(row, state.excludes)) is not None]
    if healthy is None:
        found.append(Why("?", "whether stable itself is well is not known"))
    if ahead is not None:
        said = f"enough data in about {words.duration(ahead)} at this traffic"
        found.append(Why("?", said, numbers={"forecast_s": ahead}))
    order = {"-": 0, "?": 1, "+": 2}
    found.sort(key=lambda why: order[why.sign])
    if lead >= 0:
        margins = rows[lead].margins
        numbers = {"r0": margins.ratio, "phi": margins.phi, "pods": float(margins.pods)}
        found.append(Why("?", words.margins(margins), numbers=numbers))
    return tuple(found)


def _alone(row: Row) -> Why | None:
    """A metric of a canary that has all the traffic: there is nothing to compare with."""
    if row.trouble or isinstance(row.state.evidence, GaugeState):
        return _reason(row, 0.0)
    seen = words.on_canary(row.spec, row.state, row.at)
    if row.over:
        return Why("-", f"{seen}: beyond its limit", row.spec.name)
    limit = "within its limit" if row.spec.limit is not None else "no limit is set"
    return Why("?", f"{seen}: {limit}", row.spec.name)


def _reason(row: Row, excludes: float) -> Why | None:
    spec = row.spec
    if row.trouble:
        text = f"{spec.label}: {row.trouble}, for {words.duration(row.blind_s)}"
        return Why("-" if row.judged else "?", text, spec.name, {"blind_s": row.blind_s})
    if isinstance(row.state.evidence, GaugeState):
        return _gauge_reason(row, row.state.evidence)
    numbers = {
        "e": min(row.at.e, TOP),
        "healthy_e": min(row.at.healthy_peak, TOP),
        "canary_n": float(row.at.canary[0]),
        "canary_events": float(row.at.canary[1]),
        "stable_n": float(row.at.stable[0]),
        "stable_events": float(row.at.stable[1]),
    }
    text = line(row, excludes)
    if row.flaps:
        return Why("-", f"{text}; FLAPPING, bad {row.flaps}", spec.name, numbers)
    if row.stable_over:
        since = " since before the rollout" if row.state.ailing else ""
        said = f"{text}; stable itself is beyond the limit{since}: not ours"
        return Why("-", said, spec.name, numbers)
    if row.over:
        return Why("-", f"{text}; beyond its limit on canary", spec.name, numbers)
    signs = {"worse": "-", "same": "+", "better": "+"}
    sign = signs.get(row.word, "?")
    return Why("-" if sign == "-" else "+" if sign == "+" else "?", text, spec.name, numbers)


def _gauge_reason(row: Row, gauge: GaugeState) -> Why | None:
    spec = row.spec
    if row.state.heard is None:
        return None
    if not (gauge.canary_out or gauge.stable_out):
        return _compared(row, gauge)
    numbers = {
        name: level
        for name, level in (("canary", gauge.canary), ("stable", gauge.stable))
        if level is not None
    }
    is_ = "DOWN" if spec.kind == "state" else f"beyond the limit of {spec.limit:g}"
    if row.stable_over or (spec.shared and gauge.stable_out):
        where = "on both arms" if gauge.canary_out else "on stable"
        since = " since before the rollout" if row.state.ailing else ""
        return Why("-", f"{spec.label} {is_} {where}{since}: not ours", spec.name, numbers)
    if gauge.canary_out and not gauge.stable_out:
        return Why("-", f"{spec.label} {is_} on canary alone", spec.name, numbers)
    return None


def _compared(row: Row, gauge: GaugeState) -> Why | None:
    """What a comparison of instances says, or why there is none."""
    last = gauge.blocks.last
    numbers = {} if last is None else {"canary": last.canary, "stable": last.stable}
    if last is not None and last.z is not None:
        numbers["z"] = last.z
    if row.advised:
        return Why("-", level_words.advice(row.spec, gauge), row.spec.name, numbers)
    said = level_words.unjudged(row.spec, gauge)
    return Why("?", said, row.spec.name, numbers) if said else None
