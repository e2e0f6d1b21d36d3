"""The levels that people are shown: each arm by itself, over the last ten seconds.

Rates per minute are shown as if the arm had all of the traffic, so that 31 on stable and 31 on a
canary with 5 % mean the same thing: events per request of the arm, times the requests of both.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway.core.plan import MetricSpec, ServiceSpec
from hatchway.judge.look import STALE
from hatchway.judge.quantile import bucket_of, quantile

from .increments import Increment, Source
from .port import Page, Scrape

WINDOW_S = 10.0
STALE_S = 5.0  # so long without a new sample is trouble
ARMS = ("stable", "canary")


class Level(Struct, frozen=True):
    """One metric as shown: in percent, ms, per minute or plain, by its spec's `shown_as`.

    None: nothing was seen in the window. `n` is the requests of the canary behind its figure,
    `at` the time of the older arm's newest data (0: never), `trouble` why newer is missing.
    States are 1 or 0, with `text_stable` and `text_canary` in words; for a latency these name the
    bucket that holds it ("between 50 and 100 ms"): the figure is interpolated in there.
    """

    name: str
    stable: float | None
    canary: float | None
    n: int | None
    at: float
    trouble: str = ""
    text_stable: str = ""
    text_canary: str = ""


class _Piece(Struct, frozen=True):
    """One arm's increment of one metric between two scrapes."""

    at: float
    seconds: float
    increment: Increment


class Levels(Struct, frozen=True):
    """The window: pieces of the last seconds by metric and arm, and the last good pages."""

    at: float | None = None
    base: dict[str, dict[str, Page]] = {}  # by endpoint and address
    pieces: dict[tuple[str, str], tuple[_Piece, ...]] = {}
    heard: dict[tuple[str, str], float] = {}


def levels(
    service: ServiceSpec, window: Levels, scrape: Scrape
) -> tuple[Levels, tuple[Level, ...]]:
    """The window after a scrape, and the level of every metric."""
    source = Source(service)
    seconds = service.scrape_s if window.at is None else max(1e-3, scrape.at - window.at)
    pieces, heard = dict(window.pieces), dict(window.heard)
    troubles: dict[tuple[str, str], str] = {}
    for spec in service.metrics:
        for arm in ARMS:
            query = spec.name if spec.kind == "series" else ""
            pages = source.pages(scrape, spec.source, arm, query)
            kept = tuple(
                piece
                for piece in window.pieces.get((spec.name, arm), ())
                if piece.at > scrape.at - WINDOW_S + 1e-6
            )
            got = source.increment(spec, arm, window.base.get(spec.source, {}), pages)
            last = window.heard.get((spec.name, arm), scrape.at - seconds)
            if got == STALE and scrape.at - last < STALE_S:
                pass  # a server that scrapes less often than we look: the next look has it
            elif isinstance(got, str):
                troubles[spec.name, arm] = got
            else:
                # What could not be read meanwhile is in this piece too.
                kept = (*kept, _Piece(scrape.at, max(1e-3, scrape.at - last), got))
                heard[spec.name, arm] = scrape.at
            pieces[spec.name, arm] = kept
    base = {name: dict(pages) for name, pages in window.base.items()}
    for page in scrape.pages:
        if not (page.trouble or page.query):
            base.setdefault(page.endpoint, {})[page.url] = page
    after = Levels(scrape.at, base, pieces, heard)
    return after, tuple(_level(spec, after, troubles) for spec in service.metrics)


def _level(spec: MetricSpec, window: Levels, troubles: dict[tuple[str, str], str]) -> Level:
    stable, canary = (window.pieces[spec.name, arm] for arm in ARMS)
    total = sum(_rate(pieces) for pieces in (stable, canary))
    shown = tuple(_figure(spec, pieces, total) for pieces in (stable, canary))
    said = [f"{arm}: {troubles[spec.name, arm]}" for arm in ARMS if (spec.name, arm) in troubles]
    words = tuple(
        _words(spec, pieces, level) for pieces, level in zip((stable, canary), shown, strict=True)
    )
    counted = spec.kind in ("counts", "latency")
    return Level(
        name=spec.name,
        stable=shown[0],
        canary=shown[1],
        n=sum(piece.increment.requests for piece in canary) if counted else None,
        at=min(window.heard.get((spec.name, arm), 0.0) for arm in ARMS),
        trouble="; ".join(said),
        text_stable=words[0],
        text_canary=words[1],
    )


def _figure(spec: MetricSpec, pieces: tuple[_Piece, ...], total: float) -> float | None:
    if not pieces:
        return None
    last = pieces[-1].increment
    match spec.kind:
        case "gauge" | "series":
            worst = max if spec.worse == "up" else min
            return worst(last.levels) if last.levels else None
        case "state":
            return min(last.levels)
        case "latency":
            level = quantile(last.bounds, _buckets(pieces), spec.quantile)
            return level if level is None or spec.shown_as != "ms" else 1000.0 * level
        case "counts":
            requests = sum(piece.increment.requests for piece in pieces)
            events = sum(piece.increment.events for piece in pieces)
            if spec.events is None:
                events = requests
            if requests == 0:
                return None
            unit = {"percent": 100.0, "per_minute": 60.0 * total}.get(spec.shown_as, 1.0)
            return unit * events / requests


def _rate(pieces: tuple[_Piece, ...]) -> float:
    seconds = sum(piece.seconds for piece in pieces)
    return sum(piece.increment.requests for piece in pieces) / seconds if seconds else 0.0


def _buckets(pieces: tuple[_Piece, ...]) -> list[int]:
    bounds = pieces[-1].increment.bounds
    same = [piece.increment.buckets for piece in pieces if piece.increment.bounds == bounds]
    return [sum(column) for column in zip(*same, strict=True)]


def _words(spec: MetricSpec, pieces: tuple[_Piece, ...], level: float | None) -> str:
    if level is None:
        return ""
    if spec.kind == "state":
        return "ok" if level >= 1 else "DOWN"
    if spec.kind == "latency":
        bounds = pieces[-1].increment.bounds
        return _between(bounds, bucket_of(_buckets(pieces), spec.quantile) or 0, spec.shown_as)
    return ""


def _between(bounds: tuple[float, ...], index: int, shown_as: str) -> str:
    """All that a histogram says about its quantile: the bucket that holds it."""
    scale, unit = (1000.0, "ms") if shown_as == "ms" else (1.0, "s")
    if index >= len(bounds):
        return f"above {scale * bounds[-1]:g} {unit}"
    if index == 0:
        return f"below {scale * bounds[0]:g} {unit}"
    return f"between {scale * bounds[index - 1]:g} and {scale * bounds[index]:g} {unit}"
