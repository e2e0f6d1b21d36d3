"""What a file of recorded data holds, checked: one track a metric, and how sure one must be."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .look import Sample

EVERY_S = 60.0  # between two points of a series that has no times

Kind = Literal["counts", "latency", "gauge", "series"]
Worse = Literal["up", "down", "either"]
Above1 = Annotated[float, Meta(gt=1.0, le=1e12)]
AtLeast1 = Annotated[float, Meta(ge=1.0, le=1e6)]
AtLeast0 = Annotated[float, Meta(ge=0.0, le=1e6)]


class Track(Struct, frozen=True, kw_only=True):
    """One metric of a file: (time, sample) in order, and those from before the rollout.

    `weights` has the canary's share of the traffic in percent by time, where the file tells it;
    `every_s` the usual length of its looks.
    """

    name: str
    kind: Kind
    worse: Worse = "up"
    share: float = 1.0  # of the joint evidence
    excludes: float | None = None
    limit: float | None = None
    quantile: float = 0.95
    every_s: float = EVERY_S
    looks: tuple[tuple[float, Sample], ...] = ()
    earlier: tuple[tuple[float, Sample], ...] = ()
    weights: dict[float, int] = {}
    timed: bool = True  # the file has the times, they were not made up


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sure one must be. None: as the live judge has it, or found from the data.

    `weight` is the canary's planned share in percent; 0: there is no plan that the split could
    be off from.
    """

    excludes: Above1 = 2.0
    weight: Annotated[int, Meta(ge=0, le=100)] = 0
    hold_at: Above1 | None = None
    rollback_at: Above1 | None = None
    healthy_at: Above1 | None = None
    warmup_s: AtLeast0 | None = None
    r0_floor: AtLeast1 | None = None
    phi_floor: AtLeast1 | None = None
    shift_floor: AtLeast0 | None = None
    tail_floor: AtLeast1 | None = None


class Recording(Struct, frozen=True, kw_only=True):
    """What a file holds, checked."""

    tracks: tuple[Track, ...]
    rule: Rule = Rule()


def length_of(times: Iterable[float]) -> float:
    """The usual time between two looks; `EVERY_S` when there are not two."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return median(gaps) if gaps else EVERY_S
