"""What gauges and series say, and where the trouble is, in words."""

from __future__ import annotations

from math import isinf

from hatchway.core.plan import MetricSpec

from . import gauges, scan, series
from .gauges import FEWEST, Blocks
from .scan import NAMED, REST
from .series import FIRST, Finding
from .state import CountsState, GaugeState, SeriesState
from .verdict import MetricWord


def where(spec: MetricSpec, evidence: CountsState) -> str:
    """ "most of it on /checkout"; empty while no part of the requests stands out."""
    if evidence.scan is None or evidence.scan.e < NAMED:
        return ""
    found = scan.suspected(evidence.scan, down=spec.worse == "down")
    if found is None:
        return ""
    label, part, most = found
    name = f"the {spec.by}s not looked at one by one" if label == REST else label
    (n, events), (others, usual) = part.canary, part.stable
    figures = f"{events} of {n} on canary, {usual} of {others} on stable"
    return f"{'most of it' if most else 'the plainest part'} on {name} ({figures})"


def advice(spec: MetricSpec, gauge: GaugeState) -> str:
    """A gauge whose level is beyond what stable's instances differ by; empty: it is not."""
    blocks = gauge.blocks
    if not blocks.flagged or blocks.last is None:
        return ""
    return (
        f"{spec.label} {_levels(spec, blocks)}: beyond what {len(blocks.stable)} instances of"
        f" stable differ by, in {sum(blocks.out)} of the last {len(blocks.out)} quarter minutes"
    )


def unjudged(spec: MetricSpec, gauge: GaugeState) -> str:
    """Why a gauge is not compared, or that nothing is known of its spread; empty: it is."""
    blocks = gauge.blocks
    if spec.kind == "gauge" and blocks.few:
        what = "its limit alone speaks" if spec.limit is not None else "set a limit for it"
        return (
            f"{spec.label} is not compared: stable has {len(blocks.stable)} instances, the spread"
            f" between them takes {FEWEST}; {what}"
        )
    last = blocks.last
    if last is not None and last.z is None and last.canary != last.stable and not last.out:
        return (
            f"{spec.label} {_levels(spec, blocks)}: stable's instances do not differ at all, so"
            " chance cannot be told; set a limit for it"
        )
    return ""


def _levels(spec: MetricSpec, blocks: Blocks) -> str:
    last = blocks.last
    if last is None:
        return ""
    ratio = gauges.ratio(last)
    times = "" if ratio == 1.0 or isinf(ratio) else f", {_times(ratio)}"
    return (
        f"{level(spec, last.canary)} on canary against {level(spec, last.stable)} on stable{times}"
    )


def level(spec: MetricSpec, value: float) -> str:
    """A level with its unit: 1.4, 0.0031 s, 512 MB."""
    unit = f" {spec.unit}" if spec.unit else ""
    return f"{value:.3g}{unit}"


def compared(spec: MetricSpec, evidence: SeriesState) -> str:
    """A series on both arms: what its last reading saw."""
    finding = evidence.reading.finding
    if finding is None:
        seen = f", {evidence.window.n} so far" if evidence.window.n else ""
        return f"{spec.label}: {FIRST} values an arm are needed first{seen}"
    if finding.zeros is not None:
        canary, stable = (finding.n - zeros for zeros in finding.zeros)
        return f"{spec.label} not zero {canary} times in {finding.n} on canary, {stable} on stable"
    canary_, stable_ = level(spec, finding.canary), level(spec, finding.stable)
    return f"{spec.label} {canary_} on canary against {stable_} on stable"


def meaning(finding: Finding | None, word: MetricWord, chance: str, excludes: float) -> str:
    """What a reading means, after the colon. `chance` is how rare it is, in words."""
    if finding is None:
        return "nothing to compare yet"
    if finding.trouble:
        return f"cannot be judged, it {finding.trouble}"
    if word in ("worse", "better"):
        by = "" if finding.zeros is not None else f"{_times(series.ratio(finding))}, "
        return f"{'worse' if word == 'worse' else 'better than stable'}, {by}{chance}"
    if word == "same":
        said = f"{excludes:g}x worse is excluded"
    elif finding.worse < 0.2:
        said = "could be chance"
    else:
        said = "no sign of harm, too little to be sure"
    if finding.spread:
        said += f"; values on canary scatter {_times(finding.spread)} as much, which is not judged"
    return said


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"
