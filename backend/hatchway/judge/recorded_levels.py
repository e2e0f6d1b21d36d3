"""Recorded series and gauges by themselves: one test over all of it, instead of bets look by look.

A file is whole when it is judged, so nothing has to be kept for a later look and the full chance
goes to the one test. `e` is then 1 / chance: how rare so much would be if nothing were wrong.
"""

from __future__ import annotations

from math import sqrt

from . import gauges, series
from .health import STREAK
from .look import Gauge, Series
from .outcome import Outcome
from .recording import Rule, Track
from .student import t_above
from .verdict import Why
from .words import chance

TOP = 1e12


def of_series(track: Track, rule: Rule) -> Outcome:
    """A series: PASS, REGRESS or UNSURE from its whole length; NO_DATA without a pair of points."""
    pairs = [sample for _, sample in track.looks if isinstance(sample, Series)]
    canary, stable = [pair.canary for pair in pairs], [pair.stable for pair in pairs]
    both = [i for i, p in enumerate(pairs) if p.canary is not None and p.stable is not None]
    if not both:
        missing = "canary" if any(x is not None for x in stable) else "stable"
        missing = missing if any(x is not None for x in (*canary, *stable)) else "either arm"
        return _outcome(track, "NO_DATA", 1.0, f"no point on {missing}: nothing can be compared")
    ways = ("up", "down") if track.worse == "either" else (track.worse,)
    excludes = track.excludes or rule.excludes
    found = [series.whole(canary, stable, way, excludes) for way in ways]
    worst = min(found, key=lambda finding: finding.worse)
    e = min(TOP, 1.0 / max(worst.worse * len(ways), 1e-15))
    bad = max(finding.bad for finding in found)
    figures = f"{track.name} {_level(worst.canary)} on canary against {_level(worst.stable)}"
    figures += f" on stable, {worst.n} points each"
    if worst.zeros is not None:
        figures += f", {worst.n - worst.zeros[0]} and {worst.n - worst.zeros[1]} of them not zero"
    spread: tuple[Why, ...] = ()
    if worst.spread:
        said = f"the canary's points scatter {worst.spread:.2g}x as much, at the same level"
        spread = (Why("?", said, track.name),)
    if worst.trouble:
        return _outcome(track, "UNSURE", 1.0, f"{figures}: {worst.trouble}", spread)
    hold, roll = rule.hold_at or 20.0, rule.rollback_at or 100.0
    last = both[-1]
    if e >= roll:
        return _outcome(track, "REGRESS", e, f"{figures}: worse, {chance(e)}", spread, last, last)
    if e >= hold:
        why = f"looks worse, not certain: {figures}: {chance(e)}"
        return _outcome(track, "UNSURE", e, why, spread, last)
    if bad * (rule.healthy_at or 20.0) <= 1.0:
        return _outcome(track, "PASS", e, f"{figures}: {excludes:g}x worse is excluded", spread)
    return _outcome(track, "UNSURE", e, f"{figures}: too little to be sure", spread)


def of_gauge(track: Track, rule: Rule) -> Outcome:
    """A gauge: advice only, so at most hold. PASS when `excludes` times worse is excluded.

    Both by the spread between stable's instances, the latter on each instance's mean over the
    whole file (one-sided t); with fewer than three instances of stable neither can be said.
    """
    looks = [(t, sample) for t, sample in track.looks if isinstance(sample, Gauge)]
    if not looks:
        return _outcome(track, "NO_DATA", 1.0, "no look with a level on both arms")
    ways = ("up", "down") if track.worse == "either" else (track.worse,)
    canary, stable = _means([sample for _, sample in looks])
    mean_c, mean_s = sum(canary) / len(canary), sum(stable) / len(stable)
    figures = f"{track.name} {_level(mean_c)} on canary against {_level(mean_s)} on stable"
    beyond, limited = _beyond(track)
    if beyond is not None:
        return _outcome(track, "UNSURE", 1.0, f"{figures}: {limited}", (), beyond)
    held = _flagged(track, ways)
    if held is not None:
        why = f"{figures}: more than stable's {len(stable)} instances differ by"
        return _outcome(track, "UNSURE", 1.0, why, (), held)
    if len(stable) < gauges.FEWEST:
        few = f"stable has {len(stable)} instances, too few to know how much they differ"
        return _outcome(track, "UNSURE", 1.0, f"{figures}: {few}")
    excludes = track.excludes or rule.excludes
    if all(
        _excluded(canary, stable, way, excludes) * (rule.healthy_at or 20.0) <= 1 for way in ways
    ):
        return _outcome(track, "PASS", 1.0, f"{figures}: {excludes:g}x worse is excluded")
    return _outcome(track, "UNSURE", 1.0, f"{figures}: too little to be sure")


def _flagged(track: Track, ways: tuple[str, ...]) -> int | None:
    """The look at which two of three blocks were out, if there is one."""
    blocks = {way: gauges.Blocks() for way in ways}
    last = track.looks[0][0] - track.every_s
    for index, (t, sample) in enumerate(track.looks):
        if isinstance(sample, Gauge):
            for way in ways:
                blocks[way] = gauges.added(blocks[way], sample.canary, sample.stable, t - last, way)
            if any(known.flagged for known in blocks.values()):
                return index
        last = t
    return None


def _beyond(track: Track) -> tuple[int | None, str]:
    """The look at which the canary was beyond the limit for the third time in a row, in words."""
    if track.limit is None:
        return None, ""
    down, limit = track.worse == "down", track.limit
    streak = both = 0
    for index, (_, sample) in enumerate(track.looks):
        if isinstance(sample, Gauge):
            worst = min if down else max
            at_canary, at_stable = worst(sample.canary), worst(sample.stable)
            out = at_canary < limit if down else at_canary > limit
            streak = streak + 1 if out else 0
            both = both + 1 if (at_stable < limit if down else at_stable > limit) else 0
        if streak >= STREAK:
            ours = "; stable is as well: not ours" if both >= STREAK else " on canary"
            return index, f"beyond its limit of {limit:g}{ours}"
    return None, ""


def _excluded(
    canary: tuple[float, ...], stable: tuple[float, ...], worse: str, excludes: float
) -> float:
    """The chance of levels like these if the canary's were `excludes` times worse, or more."""
    mean_c, mean_s = sum(canary) / len(canary), sum(stable) / len(stable)
    if mean_s <= 0:
        return 1.0  # no ratio
    factor = 1.0 / excludes if worse == "down" else excludes
    gap = (mean_c - factor * mean_s) if worse == "down" else (factor * mean_s - mean_c)
    spread = sqrt(sum((x - mean_s) ** 2 for x in stable) / (len(stable) - 1))
    error = max(spread, 0.01 * mean_s) * sqrt(1.0 / len(canary) + factor**2 / len(stable))
    return t_above(gap / error, len(stable) - 1.0)


def _means(looks: list[Gauge]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each instance's mean, over the looks that have as many instances as the last."""
    sizes = len(looks[-1].canary), len(looks[-1].stable)
    same = [look for look in looks if (len(look.canary), len(look.stable)) == sizes]
    canary = tuple(
        sum(values) / len(same) for values in zip(*(g.canary for g in same), strict=True)
    )
    stable = tuple(
        sum(values) / len(same) for values in zip(*(g.stable for g in same), strict=True)
    )
    return canary, stable


def _outcome(
    track: Track,
    word: str,
    e: float,
    why: str,
    reasons: tuple[Why, ...] = (),
    hold: int | None = None,
    rollback: int | None = None,
) -> Outcome:
    return Outcome(
        metrics=(track.name,),
        word=word,  # type: ignore[arg-type]
        e=e,
        hold_at=hold,
        rollback_at=rollback,
        why=why,
        forecast_s=None,
        looks=len(track.looks),
        t=track.looks[-1][0] if track.looks else None,
        reasons=reasons,
    )


def _level(level: float) -> str:
    return f"{level:.4g}"
