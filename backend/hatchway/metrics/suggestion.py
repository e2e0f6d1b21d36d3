"""Guesses as a piece of `hatchway.yaml` that can be pasted below a service."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef

from . import discover
from .areas import AREAS, Area
from .catalogue import Catalogue
from .discover import Guess

NO_CANARY = "http://canary.invalid/metrics"
"""Where no canary is known yet: a name that never resolves, so that it cannot be forgotten."""

ALIKE = 0.5  # of the names: pages that have so many in common are instances of one thing

WANTED: dict[Area, str] = {
    "errors": "a counter of requests with a label code or status",
    "latency": "a histogram such as http_request_duration_seconds",
    "traffic": "a counter of requests",
    "business": "a counter such as shop_orders_total",
    "database": "a gauge such as db_connections, or db_up",
    "dependency": 'a gauge such as dependency_up{dependency="payments"}',
    "saturation": "gauges of memory, open files, queues",
}
"""What an endpoint would have to have for an area to be watched."""


class Looked(Struct, frozen=True):
    """A page that was read; `canary` when its address was given as the canary's."""

    url: str
    page: Catalogue
    canary: bool = False


class Suggestion(Struct, frozen=True):
    """Endpoints and metrics of a service. `notes` are remarks on an endpoint, by its name."""

    endpoints: tuple[EndpointSpec, ...]
    guesses: tuple[Guess, ...]
    notes: dict[str, str]

    @property
    def judged(self) -> bool:
        """Whether anything of it can judge a canary."""
        return any(guess.spec.judged for guess in self.guesses)

    def without(self) -> list[Area]:
        """The areas that nothing was found for."""
        found = {guess.area for guess in self.guesses}
        if found & {"errors", "latency"}:
            found.add("traffic")
        return [area for area in AREAS if area not in found]


def suggestion(looked: Sequence[Looked]) -> Suggestion:
    """Endpoints by what pages have in common, and the best guesses of all of them."""
    endpoints: list[EndpointSpec] = []
    notes: dict[str, str] = {}
    found: list[Guess] = []
    for look in looked:
        label = discover.arm_label(look.page)
        if label and not look.canary:
            name = _free("edge", [endpoint.name for endpoint in endpoints])
            arms, notes[name] = _arms(look.page, label)
            endpoints.append(EndpointSpec(name, both=look.url, arm_label=label, arms=arms))
            found += discover.guesses(name, look.page, label)
    for group in _groups([look for look in looked if not _of_both(look)]):
        name = _free("app", [endpoint.name for endpoint in endpoints])
        stable = tuple(look.url for look in group if not look.canary)
        canary = tuple(look.url for look in group if look.canary)
        if not canary:
            notes[name] = "write the address of the canary's own page"
        if not stable:
            notes[name] = "write the address of stable's own page"
        endpoints.append(EndpointSpec(name, stable or (NO_CANARY,), canary or (NO_CANARY,)))
        found += discover.guesses(name, group[0].page)
    return Suggestion(tuple(endpoints), tuple(_once(found)), notes)


def as_yaml(suggestion: Suggestion) -> str:
    """The keys `endpoints` and `metrics` of a service, with a comment for each guess."""
    lines = ["    endpoints:"]
    for endpoint in suggestion.endpoints:
        note = suggestion.notes.get(endpoint.name)
        lines += _comment(note, 6) if note else []
        lines.append(f"      {endpoint.name}:")
        if endpoint.both:
            lines += [f"        both: {endpoint.both}", f"        arm_label: {endpoint.arm_label}"]
            if endpoint.arms:
                pairs = ", ".join(f"{arm}: {value}" for arm, value in endpoint.arms.items())
                lines.append(f"        arms: {{{pairs}}}")
        else:
            lines.append(f"        stable: [{', '.join(endpoint.stable)}]")
            lines.append(f"        canary: [{', '.join(endpoint.canary)}]")
    lines.append("    metrics:")
    for guess in suggestion.guesses:
        lines += _comment(f"{guess.area}: {guess.why}", 6)
        lines.append(f"      {guess.spec.name}:")
        lines += [f"        {key}: {value}" for key, value in _fields(guess.spec)]
    for area in suggestion.without():
        lines += _comment(f"nothing found for {area}: {WANTED[area]} would do", 6)
    return "\n".join(lines) + "\n"


def _fields(spec: MetricSpec) -> Iterable[tuple[str, str]]:
    yield "label", spec.label
    if spec.unit:
        yield "unit", spec.unit
    yield "kind", spec.kind
    yield "source", spec.source
    yield "total", _series(spec.total)
    if spec.events is not None:
        yield "events", _series(spec.events)
    if spec.by:
        yield "by", spec.by
    if spec.kind == "latency":
        yield "quantile", f"{spec.quantile:g}"
    if spec.worse == "down":
        yield "worse", "down"
    if spec.shown_as != "plain":
        yield "shown_as", spec.shown_as
    if spec.limit is not None:
        yield "limit", _number(spec.limit)
    if spec.weight != 1.0:
        yield "weight", f"{spec.weight:g}"
    for flag in ("plot", "shared"):
        if getattr(spec, flag):
            yield flag, "true"
    if not spec.judged:
        yield "judged", "false"


def _series(ref: SeriesRef) -> str:
    labels = []
    for name, value in ref.labels.items():
        if isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            labels.append(f'{name}="{escaped}"')
        else:
            labels.append(f'{name}=~"{"|".join(value)}"')
    text = f"{ref.name}{{{','.join(labels)}}}" if labels else ref.name
    text = " + ".join([text, *map(_series, ref.plus)])
    plain = ": " not in text and " #" not in text and not text.startswith((":", "-"))
    return text if plain else "'" + text.replace("'", "''") + "'"


def _number(value: float) -> str:
    """As the files take numbers: without an exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _comment(text: str, indent: int) -> list[str]:
    mark = " " * indent + "# "
    safe = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.wrap(safe, 79, initial_indent=mark, subsequent_indent=mark)


def _arms(page: Catalogue, label: str) -> tuple[dict[str, str], str]:
    """The label's values of the arms, where the target's usual names are none, and a remark."""
    values = sorted({value for family in page.values() for value in family.label(label)})
    if {"stable", "canary"} <= set(values):
        return {}, f"{label} is stable or canary: as target.stable and target.canary say"
    canary = [value for value in values if "canary" in value.lower()]
    others = [value for value in values if value not in canary]
    if len(canary) == len(others) == 1 and all(map(_plain, values)):
        return {"stable": others[0], "canary": canary[0]}, f"{label} is one of {', '.join(values)}"
    listed = ", ".join(values[:8]) + (" ..." if len(values) > 8 else "")
    return {}, (
        f"{label} is one of {listed}: say which of them are the arms, here as"
        " arms: {stable: ..., canary: ...} or by target.stable and target.canary"
    )


def _plain(value: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value))


def _of_both(look: Looked) -> bool:
    return not look.canary and bool(discover.arm_label(look.page))


def _groups(looked: Sequence[Looked]) -> list[list[Looked]]:
    """Pages that have most names in common: instances of the same thing."""
    groups: list[list[Looked]] = []
    for look in looked:
        names = set(look.page)
        for group in groups:
            others = set(group[0].page)
            if len(names & others) >= ALIKE * min(len(names), len(others)):
                group.append(look)
                break
        else:
            groups.append([look])
    return groups


def _once(found: Iterable[Guess]) -> Iterable[Guess]:
    """One metric for errors and one for latency, and every name once."""
    names: list[str] = []
    for guess in found:
        if guess.area in ("errors", "latency") and guess.spec.name in names:
            continue  # the load balancer was asked first: it sees refused connections too
        name = _free(guess.spec.name, names)
        names.append(name)
        yield structs.replace(guess, spec=structs.replace(guess.spec, name=name))


def _free(name: str, taken: Iterable[str]) -> str:
    used = set(taken)
    if name not in used:
        return name
    return next(new for n in range(2, 1000) if (new := f"{name[:36]}-{n}") not in used)
