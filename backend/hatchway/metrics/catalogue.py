"""Everything that a page of metrics holds: names, kinds, labels. For people who set things up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from math import inf, isfinite, isnan

from msgspec import Struct, structs
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from hatchway.core.plan import SeriesRef

MOST_LETTERS = 200
"""A longer value of a label is no name of anything."""

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]{0,199}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


class Family(Struct, frozen=True):
    """The series that share a name as it stands in a reference: `http_requests_total`.

    A histogram has the name without `_bucket`; its `values` are the counts by labels, and
    `bounds` the finite upper bounds of its buckets.
    """

    name: str
    kind: str  # counter, gauge, histogram, summary, unknown...
    help: str = ""
    values: tuple[tuple[dict[str, str], float], ...] = ()
    bounds: tuple[float, ...] = ()
    buckets: tuple[float, ...] = ()  # requests in each, not cumulative, over all labels

    def label(self, name: str) -> tuple[str, ...]:
        """The values that a label takes, in order: those that can be written in a file."""
        values = {labels[name] for labels, _ in self.values if name in labels}
        return tuple(sorted(v for v in values if v.isprintable() and len(v) <= MOST_LETTERS))

    def labels(self) -> tuple[str, ...]:
        """The names of all labels, in order: those that can be written in a file."""
        names = {name for labels, _ in self.values for name in labels}
        return tuple(sorted(name for name in names if _LABEL.fullmatch(name)))

    def sum(self) -> float:
        """All values together."""
        return sum(value for _, value in self.values if isfinite(value))


Catalogue = dict[str, Family]
"""Families by name, in the order of the page."""


class NotMetrics(ValueError):
    """A page without a single metric. The text says what it looks like."""


def catalogue(body: bytes, content_type: str = "") -> Catalogue:
    """All families of a page. Lines that cannot be read are left out; `NotMetrics` if all are."""
    text = body.decode(errors="replace")
    if "html" in content_type or text.lstrip()[:1] == "<":
        raise NotMetrics("a web page instead of metrics")
    if "json" in content_type or text.lstrip()[:1] in ("{", "["):
        raise NotMetrics("JSON instead of metrics")
    found: Catalogue = {}
    for family in _families(text, content_type):
        for one in _split(family):
            if not _NAME.fullmatch(one.name):
                continue  # quoted names, that no reference can be made to
            known = found.get(one.name)
            if known is None:
                found[one.name] = one
            elif one.kind != "histogram":  # a family in pieces, which a page should not have
                found[one.name] = structs.replace(known, values=known.values + one.values)
    if not found:
        raise NotMetrics("a page without metrics" if text.strip() else "an empty page")
    return found


def missing(ref: SeriesRef, known: Catalogue) -> str:
    """Why a reference means no series of the page, and what is there instead, in words."""
    family = known.get(ref.name) or known.get(ref.name.removesuffix("_bucket"))
    if family is None:
        near = get_close_matches(ref.name, list(known), n=3, cutoff=0.6)
        there = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"there is no series {ref.name}{there}"
    for label, wanted in ref.labels.items():
        values = family.label(label)
        asked = (wanted,) if isinstance(wanted, str) else wanted
        if not values:
            names = ", ".join(family.labels()) or "none"
            return f"{ref.name} has no label {label} (its labels: {names})"
        if not set(asked) & set(values):
            listed = ", ".join(values[:8]) + (" ..." if len(values) > 8 else "")
            return f'{ref.name} has no {label}="{"|".join(asked)}" (there is: {listed})'
    return f"no series of {ref.name} has all of these labels at once"


def _families(text: str, content_type: str) -> Iterable[Metric]:
    parse = openmetrics if "openmetrics" in content_type else plain
    try:
        return list(parse(text))
    except (ValueError, OverflowError, IndexError, KeyError):
        return list(_line_by_line(text))


def _line_by_line(text: str) -> Iterable[Metric]:
    """What can be read of a page with lines that cannot."""
    good: list[str] = []
    for line in text.split("\n"):
        if line.startswith("#"):
            good.append(line)
            continue
        try:
            sample = line.partition(" # ")[0]  # without an exemplar
            if list(plain(sample)):
                good.append(sample)
        except (ValueError, OverflowError, IndexError, KeyError):
            continue
    return plain("\n".join(good))


def _split(family: Metric) -> Iterable[Family]:
    """A family of the parser's as the families that references can name."""
    if family.type == "histogram" or _looks_like_one(family):
        yield _histogram(family)
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in family.samples:
        if sample.name.endswith("_bucket") and "le" in sample.labels:
            continue
        by_name.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    for name, values in by_name.items():
        kind = "part" if family.type in ("histogram", "summary") else family.type
        if name.endswith("_created"):
            continue
        if kind == "unknown" and name.endswith("_total"):
            kind = "counter"
        yield Family(name, kind, family.documentation, tuple(values))


def _looks_like_one(family: Metric) -> bool:
    """Without TYPE lines each name of a histogram is a family of its own."""
    return family.name.endswith("_bucket") and any("le" in s.labels for s in family.samples)


def _histogram(family: Metric) -> Family:
    sums: dict[float, float] = {}
    values = []
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            try:
                bound = float(sample.labels.get("le", "nan"))
            except ValueError:
                continue
            sums[bound] = sums.get(bound, 0.0) + float(sample.value)
        elif sample.name.endswith("_count"):
            values.append((dict(sample.labels), float(sample.value)))
    bounds = tuple(sorted(bound for bound in sums if not isnan(bound)))
    buckets, below = [], 0.0
    for bound in bounds:
        buckets.append(max(0.0, sums[bound] - below))
        below = max(below, sums[bound])
    finite = tuple(bound for bound in bounds if bound != inf)
    return Family(
        family.name.removesuffix("_bucket"),
        "histogram",
        family.documentation,
        tuple(values),
        finite,
        tuple(buckets),
    )
