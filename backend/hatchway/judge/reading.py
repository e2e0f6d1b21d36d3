"""Reads a file of recorded data, strictly (docs/judge.md has the format).

Whatever is wrong is named with its place and with what to write there. Nothing is guessed from
data that cannot be right, since a verdict about them would be about something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from .file_format import (
    EXAMPLES,
    METRICS,
    CountsLook,
    EarlierCounts,
    EarlierGauge,
    EarlierLatency,
    KindOf,
    LatencyLook,
    Points,
    SeriesMetric,
    Wrapped,
)
from .look import Counts, Gauge, Latency, Missing, Sample, Series
from .recording import EVERY_S, Kind, Recording, Rule, Track, length_of

MAX_METRICS = 1000
MAX_BUCKETS = 1000


class RecordingError(ValueError):
    """The file cannot be judged: `place` in it, what is wrong there, and what to write."""

    def __init__(self, place: str, wrong: str, write: str) -> None:
        super().__init__(f"{place}: {wrong}; write {write}")
        self.place, self.wrong, self.write = place, wrong, write


def read(data: bytes) -> Recording:
    """The recording in a file's bytes. Raises RecordingError."""
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise RecordingError("the file", "it is empty", "a metric: " + EXAMPLES["counts"])
    if text[:1] == b"[":
        return Recording(tracks=_tracks(_decoded(text, list[Raw], "", "list"), ""))
    if text[:1] == b"{":
        probe: Wrapped = _decoded(text, Wrapped, "", "list")
        if probe.metrics is UNSET:
            return Recording(tracks=(_track(Raw(text), ""),))
        rule = _rule(text)
        raw: list[Raw] = _decoded(bytes(probe.metrics), list[Raw], "metrics", "list")
        return Recording(tracks=_tracks(raw, "metrics"), rule=rule)
    raise RecordingError(
        "the file", "it begins with neither { nor [", "one metric, or a list of them, as JSON"
    )


# --- reading --------------------------------------------------------------------------------------


def _rule(text: bytes) -> Rule:
    beside: dict[str, Raw] = _decoded(text, dict[str, Raw], "", "list")
    beside.pop("metrics")
    rule: Rule = _decoded(msgspec.json.encode(beside), Rule, "", "rule")
    hold, roll = rule.hold_at or 20.0, rule.rollback_at or 100.0
    if hold > roll:
        raise RecordingError(
            "hold_at", f"it holds at {hold:g} but rolls back at {roll:g}", "hold_at <= rollback_at"
        )
    return rule


def _tracks(raw: list[Raw], place: str) -> tuple[Track, ...]:
    if not raw:
        raise RecordingError(place or "the file", "it lists no metric", EXAMPLES["list"])
    if len(raw) > MAX_METRICS:
        raise RecordingError(
            place or "the file", f"it has {len(raw):,} metrics", f"at most {MAX_METRICS:,}"
        )
    tracks = [_track(each, f"{place}[{i}]") for i, each in enumerate(raw)]
    seen: set[str] = set()
    for i, track in enumerate(tracks):
        if track.name in seen:
            raise RecordingError(
                f"{place}[{i}].metric", f"{track.name!a} is there twice", "a name of its own"
            )
        seen.add(track.name)
    timed = any(track.timed for track in tracks)
    for i, track in enumerate(tracks):
        if timed and not track.timed:
            raise RecordingError(
                f"{place}[{i}].looks",
                "a series beside metrics with times needs its own",
                '"t": [60, 120, ...] beside "stable" and "canary"',
            )
    return tuple(tracks)


def _track(raw: Raw, place: str) -> Track:
    data = bytes(raw)
    kind: Kind = _decoded(data, KindOf, place, "list").kind
    found = _decoded(data, METRICS[kind], place, kind)
    where = f"{place}." if place else ""
    if kind == "latency" and found.worse != "up":
        raise RecordingError(
            f"{where}worse",
            f"latency that is {found.worse} is not judged, only slower is",
            '"up", or counts of slow requests with "worse": "either"',
        )
    timed = True
    if isinstance(found, SeriesMetric):
        timed, looks = _series(found, where)
    else:
        looks = _samples(kind, found.looks, f"{where}looks")
    earlier = () if kind == "series" else _samples(kind, found.before, f"{where}before")
    if earlier and looks and earlier[-1][0] >= looks[0][0]:
        raise RecordingError(
            f"{where}before[{len(earlier) - 1}].t",
            "it is not before the first look",
            "only looks from before the canary had requests",
        )
    weights = {}
    if kind != "series":
        weights = {look.t: look.weight for look in found.looks if look.weight is not None}
    return Track(
        name=found.metric,
        kind=kind,
        worse=found.worse,
        share=found.weight,
        excludes=found.excludes,
        limit=found.limit,
        quantile=found.quantile,
        every_s=found.every or length_of(t for t, _ in looks),
        looks=looks,
        earlier=earlier,
        weights=weights,
        timed=timed,
    )


def _samples(kind: Kind, looks: Sequence[Any], place: str) -> tuple[tuple[float, Sample], ...]:
    samples = []
    last: float | None = None
    for i, look in enumerate(looks):
        where = f"{place}[{i}]"
        if last is not None and look.t <= last:
            wrong = f"{look.t:g} is not after {last:g}"
            raise RecordingError(f"{where}.t", wrong, "times that go up, in seconds")
        last = look.t
        samples.append((look.t, _sample(look, where)))
    if kind == "latency":
        _not_cumulative(looks, place)
    return tuple(samples)


def _sample(look: Any, where: str) -> Sample:
    match look:
        case CountsLook():
            _events(look.canary, f"{where}.canary")
            _events(look.stable, f"{where}.stable")
            _all_events(look.pods, where)
            return Counts(look.canary, look.stable, look.pods)
        case EarlierCounts():
            _all_events(look.pods, where)
            pods = look.pods.values()
            whole = look.stable or (sum(n for n, _ in pods), sum(k for _, k in pods))
            _events(whole, f"{where}.stable")
            return Counts((0, 0), whole, look.pods)
        case LatencyLook():
            _buckets(look, where)
            return Latency(look.bounds, look.canary, look.stable, look.pods)
        case EarlierLatency():
            _buckets(look, where)
            empty = (0,) * (len(look.bounds) + 1)
            added = tuple(map(sum, zip(*look.pods.values(), strict=True)))
            return Latency(look.bounds, empty, look.stable or added or empty, look.pods)
        case EarlierGauge():
            return Gauge((), _levels(look.stable))
        case _:
            canary, stable = _levels(look.canary), _levels(look.stable)
            if not canary or not stable:
                arm = "" if not (canary or stable) else "stable" if canary else "canary"
                return Missing("no level in the file", arm)
            return Gauge(canary, stable)


def _series(found: SeriesMetric, where: str) -> tuple[bool, tuple[tuple[float, Sample], ...]]:
    """Whether the points have times in the file, and the points."""
    parts = found.looks if isinstance(found.looks, tuple) else (found.looks,)
    if found.stable is not None or found.canary is not None:
        parts = (*parts, Points(found.stable, found.canary, found.t))
    stable = [level for part in parts for level in _many(part.stable)]
    canary = [level for part in parts for level in _many(part.canary)]
    given = [t for part in parts if part.t is not None for t in _many(part.t)]
    if any(len(_many(part.stable)) != len(_many(part.canary)) for part in parts):
        raise RecordingError(
            f"{where}looks",
            f"{len(stable)} points for stable and {len(canary)} for canary",
            "as many for each, null where one is missing",
        )
    timed = any(part.t is not None for part in parts)
    every = found.every or EVERY_S
    times = given if timed else [every * (i + 1) for i in range(len(stable))]
    if len(times) != len(stable):
        raise RecordingError(
            f"{where}looks", f"{len(times)} times for {len(stable)} points", "a time for each point"
        )
    for i, (earlier, later) in enumerate(pairwise(times), 1):
        if later <= earlier:
            wrong = f"time {i}, {later:g}, is not after {earlier:g}"
            raise RecordingError(f"{where}looks", wrong, "times that go up, in seconds")
    points = zip(times, canary, stable, strict=True)
    return timed or not times, tuple((t, Series(c, s)) for t, c, s in points)


def _many(points: Any) -> tuple[Any, ...]:
    return points if isinstance(points, tuple) else (points,)


def _levels(levels: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(level for level in levels if level is not None)


def _all_events(pods: dict[str, tuple[int, int]], where: str) -> None:
    for name, arm in pods.items():
        _events(arm, f"{where}.pods[{name!a}]")


def _events(arm: tuple[int, int], where: str) -> None:
    if arm[1] > arm[0]:
        raise RecordingError(
            where,
            f"{arm[1]:,} events in {arm[0]:,} requests",
            "[requests, events], not more events",
        )


def _buckets(look: Any, where: str) -> None:
    bounds = look.bounds
    if not bounds or len(bounds) > MAX_BUCKETS:
        raise RecordingError(
            f"{where}.bounds", f"{len(bounds):,} of them", f"1 to {MAX_BUCKETS:,}, in seconds"
        )
    for i, (low, high) in enumerate(pairwise(bounds), 1):
        if high <= low:
            raise RecordingError(
                f"{where}.bounds[{i}]", f"{high:g} is not above {low:g}", "upper bounds that go up"
            )
    arms = {f"pods[{name!a}]": counts for name, counts in look.pods.items()}
    arms |= {
        arm: counts
        for arm in ("canary", "stable")
        if (counts := getattr(look, arm, None)) is not None
    }
    for arm, counts in arms.items():
        if len(counts) != len(bounds) + 1:
            raise RecordingError(
                f"{where}.{arm}",
                f"{len(counts)} counts for {len(bounds)} bounds",
                "one count more than bounds: the last is for what is above every bound",
            )


def _not_cumulative(looks: Sequence[Any], place: str) -> None:
    """Histograms are often exported cumulative; judged as they are, they would mean nothing."""
    arms = [
        counts
        for look in looks
        for arm in ("canary", "stable")
        if (counts := getattr(look, arm, None)) and counts[-1] > 0
    ]
    if not arms or any(low > high for counts in arms for low, high in pairwise(counts)):
        return
    levels_off = sum(counts[0] < counts[-2] == counts[-1] for counts in arms)
    if levels_off >= len(arms) / 2:
        raise RecordingError(
            place,
            "the counts of every look rise from bucket to bucket and level off: they look cumulative",
            "the requests of each bucket alone (subtract the count of the bucket before)",
        )


# --- errors ---------------------------------------------------------------------------------------


def _decoded(data: bytes, kind: Any, place: str, shape: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        wrong, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`")
        where = (place + path).lstrip(".") or "the file"
        raise RecordingError(where, _plain(wrong), EXAMPLES[shape]) from None
    except msgspec.DecodeError as error:
        raise _malformed(data, str(error)) from None
    except (RecursionError, UnicodeDecodeError) as error:
        raise RecordingError("the file", f"it is no readable JSON ({error})", "JSON") from None


def _malformed(data: bytes, said: str) -> RecordingError:
    found = re.search(r"\(byte (\d+)\)", said)
    if found is None:
        return RecordingError("the end of the file", "the JSON is cut off", "the rest of it")
    at = int(found[1])
    line = data.count(b"\n", 0, at) + 1
    column = at - (data.rfind(b"\n", 0, at) + 1) + 1
    place = f"line {line}, column {column}"
    if data[at : at + 3] in (b"NaN", b"nan", b"Inf", b"inf") or data[at : at + 2] == b"-I":
        return RecordingError(place, "NaN and infinity are not numbers in JSON", "null if missing")
    return RecordingError(place, "this is not JSON", "JSON, as docs/judge.md shows it")


def _plain(wrong: str) -> str:
    """What msgspec says, without its names of types."""
    for name, words in (
        ("`int`", "a whole number"), ("`float`", "a number"), ("`str`", "text"),
        ("`array`", "a list"), ("`object`", "an object {...}"), ("`null`", "null"),
        ("`bool`", "true or false"), (" | ", " or "), ("`", "'"),
    ):  # fmt: skip
        wrong = wrong.replace(name, words)
    wrong = re.sub(r"'([^']*\|[^']*|int|float)'", "another type", wrong)
    return wrong[:1].lower() + wrong[1:]
