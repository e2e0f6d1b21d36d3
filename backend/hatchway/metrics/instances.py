"""From a metrics server's raw samples to one page per instance, with everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from msgspec import Struct

from hatchway.core.plan import EndpointSpec

from .exposition import MOST_DROPPED, Wanted
from .port import NO_SERIES, Page, SeriesKey
from .promql import Line

FORGOTTEN_S = 120.0
"""An instance without samples for so long is gone for good, not in trouble."""

DOWN = "up is 0: the server cannot scrape it"

Place = tuple[str, str]  # instance and arm
Owner = tuple[tuple[str, str], ...]  # the labels that tell two scrapes of one instance apart


class Seen(Struct, frozen=True):
    """An instance as it was last seen: its newest sample, and whose samples are counted."""

    newest: float
    owner: Owner = ()


class Asked(Struct, frozen=True):
    """What an endpoint is asked for. `arms` has the arm by the value of the arm's label."""

    endpoint: EndpointSpec
    names: Wanted
    arms: dict[str, str]

    def url(self, arm: str, instance: str) -> str:
        """The address that stands for an instance, the same in every look."""
        return f"{self.endpoint.prometheus}#{arm}/{instance}"


def pages(
    asked: Asked, found: Iterable[Line], known: Mapping[Place, Seen], now: float, bound_s: float
) -> tuple[dict[Place, Seen], tuple[Page, ...]]:
    """Each instance's page, and what to remember of the instances until the next look.

    `now` is by the server's clock. An instance whose newest sample is older than `bound_s`, which
    the server could not scrape, or which vanished, is in trouble. An instance that is scraped
    twice (by two jobs, say) is counted once; the other is a page that says so.
    """
    ups: dict[str, list[Line]] = {}
    groups: dict[Place, list[Line]] = {}
    for line in found:
        instance = line.metric.get("instance", "")
        value = line.metric.get(asked.endpoint.arm_label, "")
        if line.name == "up":
            ups.setdefault(instance, []).append(line)
        if value in asked.arms:
            group = groups.setdefault((instance, asked.arms[value]), [])
            if line.name != "up":
                group.append(line)
    after, made = {}, []
    for place in sorted({*groups, *known}):
        instance, arm = place
        of = [up for up in ups.get(instance, []) if _speaks_of(asked, up, arm)]
        seen, page, twice = _page(
            asked, place, groups.get(place, []), of, known.get(place), now, bound_s
        )
        if place in groups or now - seen.newest < FORGOTTEN_S:
            after[place] = seen
            made += [page, *twice]
    if not made and ups and all(_is_down(up) for lines in ups.values() for up in lines):
        made.append(Page(asked.endpoint.name, "", asked.url("", ""), trouble=DOWN))
    return after, (*made, *_nothing(asked, made))


def _nothing(asked: Asked, made: list[Page]) -> list[Page]:
    """A page for each arm of which the server has nothing at all."""
    endpoint = asked.endpoint
    if not (asked.names.counters or asked.names.gauges):
        return []
    return [
        Page(
            endpoint.name,
            arm,
            asked.url(arm, ""),
            trouble=f'{NO_SERIES} with {endpoint.arm_label}="{value}" at {endpoint.prometheus}',
        )
        for value, arm in asked.arms.items()
        if not any(page.arm in (arm, "") for page in made)
    ]


def _speaks_of(asked: Asked, up: Line, arm: str) -> bool:
    value = up.metric.get(asked.endpoint.arm_label, "")
    return not value or asked.arms.get(value) == arm


def _is_down(up: Line) -> bool:
    return up.newest[1] == 0


def _page(
    asked: Asked,
    place: Place,
    group: list[Line],
    ups: list[Line],
    known: Seen | None,
    now: float,
    bound_s: float,
) -> tuple[Seen, Page, list[Page]]:
    instance, arm = place
    url = asked.url(arm, instance)
    group, owner, twice = _once(asked, group, ups, known.owner if known else ())
    wanted = bool(asked.names.counters or asked.names.gauges)
    times = [line.newest[0] for line in (group if wanted else ups)]
    newest = max(times, default=known.newest if known else 0.0)
    seen = Seen(newest, owner)
    trouble = ""
    if ups and all(_is_down(up) for up in ups):
        trouble = DOWN
    elif not newest:
        trouble = f"{NO_SERIES} of {instance or 'this instance'} yet"
    elif now - newest > bound_s or (wanted and not group):
        trouble = f"the newest sample is {max(0.0, now - newest):.0f} s old"
    page = Page(asked.endpoint.name, arm, url, trouble=trouble)
    others = [
        Page(
            asked.endpoint.name,
            arm,
            f"{url} ({_said(other)})",
            trouble=f"the same instance as {_said(owner)}: counted once",
        )
        for other in twice
    ]
    return seen, page if trouble else _filled(asked, page, group), others


def _filled(asked: Asked, page: Page, group: list[Line]) -> Page:
    values: dict[SeriesKey, float] = {}
    stamps: dict[SeriesKey, float] = {}
    dropped = 0
    for line in group:
        at, value = line.newest
        if not isfinite(value) or (value < 0 and line.name in asked.names.counters):
            dropped += 1
            continue
        labels = tuple(sorted(pair for pair in line.metric.items() if pair[0] != "__name__"))
        values[line.name, labels] = value
        stamps[line.name, labels] = at
    if dropped > MOST_DROPPED * len(group):
        why = f"{dropped} of {len(group)} values are not numbers"
        return Page(page.endpoint, page.arm, page.url, trouble=why)
    return Page(page.endpoint, page.arm, page.url, values, stamps, dropped)


def _once(
    asked: Asked, group: list[Line], ups: list[Line], before: Owner
) -> tuple[list[Line], Owner, list[Owner]]:
    """The samples without those that are there twice, whose they are, and who else has them."""
    differing = {"job"}
    for up in ups:
        differing |= {
            name
            for name in {*up.metric, *ups[0].metric}
            if up.metric.get(name) != ups[0].metric.get(name)
        }
    differing.discard(asked.endpoint.arm_label)

    def owner_of(line: Line) -> Owner:
        return tuple((name, line.metric.get(name, "")) for name in sorted(differing))

    owners: dict[SeriesKey, list[tuple[Owner, Line]]] = {}
    for line in group:
        bare = tuple(sorted(pair for pair in line.metric.items() if pair[0] not in differing))
        owners.setdefault((line.name, bare), []).append((owner_of(line), line))
    down = {owner_of(up) for up in ups if _is_down(up)}
    rivals = {
        owner
        for same in owners.values()
        if len({owner for owner, _ in same}) > 1
        for owner, _ in same
    }
    if not rivals:
        return group, before, []
    # The one that was counted goes on being counted: another one would begin with a new base.
    first = min(rivals, key=lambda owner: (owner in down, owner != before, owner))
    kept = []
    for same in owners.values():
        mine = [line for owner, line in same if owner == first]
        kept += mine or [line for _, line in same]
    return kept, first, sorted(rivals - {first})


def _said(owner: Owner) -> str:
    return ", ".join(f"{name}={value}" for name, value in owner if value) or "another"
