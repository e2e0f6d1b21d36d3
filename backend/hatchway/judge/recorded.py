"""Recorded data judged offline: the looks of a file, folded one by one as if they came now."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from hatchway.core.plan import MetricSpec, SeriesRef

from .before import before
from .fold import judge
from .look import Look, Missing, Sample
from .outcome import Outcome
from .recorded_levels import of_gauge, of_series
from .recording import EVERY_S, Recording, Rule, Track
from .state import JudgeConfig, JudgeState, new, raised
from .verdict import Verdict

WARMUP_S = 10.0


def judged(recording: Recording) -> tuple[Outcome, ...]:
    """One outcome for one metric; for several, each by itself and then all of them jointly."""
    alone = tuple(_alone(track, recording.rule) for track in recording.tracks)
    if len(alone) == 1:
        return alone
    return (*alone, _jointly(recording))


def _alone(track: Track, rule: Rule) -> Outcome:
    if track.kind == "series":
        return of_series(track, rule)
    if track.kind == "gauge":
        return of_gauge(track, rule)
    return outcome((track,), rule)


def _jointly(recording: Recording) -> Outcome:
    """Counts and latency as the live judge joins them; each series gets its share of the chance.

    A regression is one as soon as any part reaches the threshold with its share (Bonferroni
    between the parts). PASS needs every metric; a gauge may hold and never rolls back.
    """
    tracks, rule = recording.tracks, recording.rule
    shares = {track.name: track.share for track in tracks if track.kind != "gauge"}
    whole = sum(shares.values()) or 1.0
    betting = tuple(track for track in tracks if track.kind in ("counts", "latency"))
    parts = [(track,) for track in tracks if track.kind not in ("counts", "latency")]
    weighed: list[tuple[float, Outcome]] = []
    for part in (betting, *parts) if betting else parts:
        share = sum(shares.get(track.name, 0.0) for track in part) / whole
        scaled = _with_share(rule, share)
        weighed.append(
            (share, _alone(part[0], scaled) if len(part) == 1 else outcome(part, scaled))
        )
    lead = max(weighed, key=lambda part: part[0] * part[1].e)
    by_word = {o.word: o for _, o in reversed(weighed)}
    held = [o.hold_at for _, o in weighed if o.hold_at is not None]
    chosen = next(
        (by_word[word] for word in ("REGRESS", "NO_DATA", "UNSURE") if word in by_word), lead[1]
    )
    if chosen.word == "UNSURE":  # what holds is more worth saying than what is not known yet
        chosen = next(
            (o for _, o in weighed if o.word == "UNSURE" and o.hold_at is not None), chosen
        )
    return structs.replace(
        chosen,
        metrics=tuple(track.name for track in tracks),
        e=lead[0] * lead[1].e if lead[0] else 1.0,
        hold_at=min(held, default=None),
    )


def _with_share(rule: Rule, share: float) -> Rule:
    """Thresholds for a part that has only `share` of the chance of a false alarm."""
    if share <= 0 or share >= 1:
        return rule
    return structs.replace(
        rule,
        hold_at=(rule.hold_at or 20.0) / share,
        rollback_at=(rule.rollback_at or 100.0) / share,
    )


def outcome(tracks: tuple[Track, ...], rule: Rule) -> Outcome:
    """These metrics judged together, look by look."""
    names = tuple(track.name for track in tracks)
    config = config_of(tracks, rule)
    length = min(track.every_s for track in tracks)
    state = _after_earlier(config, tracks, length)
    hold = rollback = None
    verdict: Verdict | None = None
    index = -1
    for index, look in enumerate(_looks(tracks, rule.weight, length)):
        if index and look.weight > state.weight:
            state = raised(state, look.t - look.seconds, look.weight)
        state, verdict = judge(config, state, look, rule.excludes)
        if hold is None and verdict.action != "none" and verdict.word != "NO_DATA":
            hold = index
        if verdict.action == "rollback":
            rollback = index
            break
    if verdict is None:
        why = "the file has no look: nothing can be said"
        return Outcome(
            metrics=names, word="NO_DATA", e=1.0, hold_at=None, rollback_at=None, why=why,
            forecast_s=None, looks=0,
        )  # fmt: skip
    return Outcome(
        metrics=names,
        word=verdict.word,
        e=verdict.e,
        hold_at=hold,
        rollback_at=rollback,
        why=verdict.headline,
        forecast_s=verdict.forecast_s,
        looks=index + 1,
        t=verdict.at,
        reasons=verdict.why,
    )


def config_of(tracks: tuple[Track, ...], rule: Rule) -> JudgeConfig:
    """The judge's configuration for these metrics.

    Warm-up is for looks short enough to tell it from the rest: where they are longer than it, it
    is left out unless the file asks for it. What is blind or quiet depends on the looks' length.
    """
    specs = tuple(spec for track in tracks for spec in _specs(track))
    length = min((track.every_s for track in tracks), default=EVERY_S)
    longest = max((track.every_s for track in tracks), default=EVERY_S)
    config = JudgeConfig(
        metrics=specs,
        warmup_s=WARMUP_S if length <= WARMUP_S else 0.0,
        blind_after_s=max(3.0, 3 * longest),
        quiet_after_s=max(30.0, 3 * longest),
    )
    given = {
        name: value
        for name, value in structs.asdict(rule).items()
        if value is not None and name not in ("excludes", "weight")
    }
    return structs.replace(config, **given)


def _specs(track: Track) -> tuple[MetricSpec, ...]:
    """A metric that may be off either way is two metrics that share its weight."""
    spec = MetricSpec(
        name=track.name,
        label=track.name,
        kind=track.kind,
        source="file",
        total=SeriesRef(track.name),
        weight=track.share,
        excludes=track.excludes,
        limit=track.limit,
        quantile=track.quantile,
    )
    if track.worse != "either":
        return (structs.replace(spec, worse=track.worse),)
    half = track.share / 2
    return (
        structs.replace(spec, weight=half),
        structs.replace(spec, name=_down(track), worse="down", weight=half),
    )


def _down(track: Track) -> str:
    return f"{track.name} (down)"


def _after_earlier(config: JudgeConfig, tracks: tuple[Track, ...], length: float) -> JudgeState:
    state = new(config)
    by_time = {track.name: dict(track.earlier) for track in tracks}
    last: float | None = None
    for t in sorted({t for track in tracks for t, _ in track.earlier}):
        seconds = length if last is None else t - last
        samples = _samples(tracks, by_time, t)
        state = before(config, state, Look(t=t, seconds=seconds, weight=0, samples=samples))
        last = t
    return state


def _looks(tracks: tuple[Track, ...], weight: int, length: float) -> Iterable[Look]:
    """All metrics on one line of time; one that has no look at a moment is missing there."""
    by_time = {track.name: dict(track.looks) for track in tracks}
    last: float | None = None
    for t in sorted({t for track in tracks for t, _ in track.looks}):
        weight = next((track.weights[t] for track in tracks if t in track.weights), weight)
        seconds = length if last is None else t - last
        yield Look(t=t, seconds=seconds, weight=weight, samples=_samples(tracks, by_time, t))
        last = t


def _samples(
    tracks: tuple[Track, ...], by_time: dict[str, dict[float, Sample]], t: float
) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for track in tracks:
        sample = by_time[track.name].get(t, Missing("no look in the file"))
        samples[track.name] = sample
        if track.worse == "either":
            samples[_down(track)] = sample
    return samples
