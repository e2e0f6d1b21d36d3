"""How old the numbers of a metrics server are: found out at the first look, and said in words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from hatchway.core.plan import EndpointSpec

from .promql import Line

SLOW_S = 5.0  # scrapes further apart than this are said
SKEW_S = 2.0  # clocks this close are the same: answers carry whole seconds


class Freshness(Struct, frozen=True):
    """What a server can give, in seconds.

    `gap_s`: between two scrapes (None: no samples yet). `age_s`: of its newest sample.
    `hidden_s`: what it leaves out of the answers to queries, unless asked not to. `ahead_s`: its
    clock before ours. `instances` is how many it scrapes, `marked` whether their `up` tells arms
    apart.
    """

    gap_s: float | None = None
    age_s: float | None = None
    hidden_s: float = 0.0
    ahead_s: float = 0.0
    instances: int = 0
    marked: bool = True

    @classmethod
    def of(
        cls,
        ups: list[Line],
        time_then: float | None,
        time_now: float | None,
        now: float,
        arm_label: str,
    ) -> Self:
        """From the last minutes' `up`, and from what time() is with and without the newest data."""
        ahead = (time_now or now) - now
        ahead = 0.0 if abs(ahead) < SKEW_S else ahead
        hidden = (time_now or 0.0) - (time_then or 0.0) if time_then and time_now else 0.0
        newest = max((line.newest[0] for line in ups), default=None)
        return cls(
            gap_s=gap_of(ups),
            age_s=None if newest is None else round(max(0.0, now + ahead - newest), 1),
            hidden_s=_rounded(hidden) if hidden >= SKEW_S else 0.0,
            ahead_s=ahead,
            instances=len({line.metric.get("instance", "") for line in ups}),
            marked=all(arm_label in line.metric for line in ups),
        )

    def with_gap(self, gap_s: float) -> Freshness:
        """The same after the server began to scrape at another pace."""
        return replace(self, gap_s=gap_s)


def _rounded(seconds: float) -> float:
    """To 5 s where that is a detail: the server's answers carry whole seconds."""
    return 5.0 * round(seconds / 5) if seconds > 10 else float(round(seconds))


def gap_of(lines: Iterable[Line]) -> float | None:
    """The seconds between two scrapes, of the slowest instance; None where that cannot be seen."""
    gaps = []
    for line in lines:
        times = [at for at, _ in line.values]
        if line.name == "up" and len(times) > 1:
            gaps.append(median(b - a for a, b in pairwise(times)))
    return round(max(gaps), 3) if gaps else None


def said(endpoint: EndpointSpec, freshness: Freshness, bound_s: float) -> tuple[str, ...]:
    """What to know before trusting this server, one sentence each."""
    sentences = [_of_samples(endpoint, freshness, bound_s)]
    if freshness.hidden_s:
        sentences.append(_of_hiding(freshness))
    if freshness.gap_s and freshness.gap_s > SLOW_S:
        sentences.append(
            f"what breaks is seen {freshness.gap_s:g} s later at worst: scrape_interval: 1s"
        )
    if freshness.ahead_s:
        way = "ahead of" if freshness.ahead_s > 0 else "behind"
        sentences.append(
            f"this server's clock is {abs(freshness.ahead_s):.0f} s {way} ours; ages are reckoned "
            "by its clock"
        )
    if not freshness.marked:
        sentences.append(
            f'its up does not have the label "{endpoint.arm_label}": give it to the targets, so '
            "that an arm whose instance hangs is known at once (not where one exporter, such as "
            "HAProxy's, speaks for both arms)"
        )
    return tuple(sentences)


def _of_samples(endpoint: EndpointSpec, freshness: Freshness, bound_s: float) -> str:
    if freshness.age_s is None:
        return (
            f"{endpoint.prometheus} has no samples of these instances yet: Prometheus begins about "
            "6 s after its start or a reload; if it stays so, no target has these "
            f"labels: {endpoint.arm_label} {endpoint.select}".rstrip()
        )
    every = f"{freshness.gap_s:g} s" if freshness.gap_s else "unknown"
    some = "1 instance" if freshness.instances == 1 else f"{freshness.instances} instances"
    return (
        f"{endpoint.prometheus} scrapes {some}, time between scrapes: {every}; its newest sample "
        f"is {freshness.age_s:g} s old; older than {bound_s:g} s counts as no data"
    )


def _of_hiding(freshness: Freshness) -> str:
    """Queries of people and of alert rules are behind even where the raw samples are not."""
    seen = freshness.age_s is not None and freshness.age_s < freshness.hidden_s / 2
    reach = (
        f"not so the raw samples that are read here, the newest is {freshness.age_s:g} s old"
        if seen
        else "or expect a blind judge"
    )
    return (
        f"this server hides the newest {freshness.hidden_s:g} s from queries: start it with "
        f"-search.latencyOffset=0s; {reach}"
    )
