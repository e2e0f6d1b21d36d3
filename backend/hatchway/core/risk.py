"""How risky a release is, from the files that it changes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from hatchway.core.events import Risk
from hatchway.core.plan import RiskRule

_ORDER: tuple[Risk, ...] = ("LOW", "MEDIUM", "HIGH")
MANY_FILES = 40


class Assessment(Struct, frozen=True):
    """The risk, why, and what a person should look at before saying yes."""

    risk: Risk
    reasons: tuple[str, ...]
    attention: tuple[str, ...]


def assess(paths: Sequence[str], rules: Sequence[RiskRule]) -> Assessment:
    """The highest risk of any rule that a changed path meets.

    A path that no rule knows counts as MEDIUM: what nobody described is not known to be harmless.
    """
    risk: Risk = "LOW"
    reasons: list[str] = []
    attention: list[str] = []
    known: set[str] = set()
    for rule in sorted(rules, key=lambda r: -_ORDER.index(r.risk)):
        hits = [p for p in paths if fnmatchcase(p, rule.path) and p not in known]
        if not hits:
            continue
        known.update(hits)
        risk = max(risk, rule.risk, key=_ORDER.index)
        named = hits[0] if len(hits) == 1 else f"{len(hits)} files in {rule.path}"
        reasons.append(f"{rule.risk}: {rule.why} ({named})")
        if rule.risk != "LOW":
            attention.append(f"look at {named}: it {rule.why}")
    rest = [p for p in paths if p not in known and not _harmless(p)]
    if rest:
        risk = max(risk, "MEDIUM", key=_ORDER.index)
        reasons.append(f"MEDIUM: no rule knows {rest[0]}" + _more(len(rest) - 1))
    if len(paths) > MANY_FILES:
        risk = max(risk, "MEDIUM", key=_ORDER.index)
        reasons.append(f"MEDIUM: {len(paths)} files change at once")
    if not reasons:
        reasons.append("LOW: only tests and documents change" if paths else "LOW: no file changes")
    return Assessment(risk, tuple(reasons), tuple(attention))


def risk_of(path: str, rules: Sequence[RiskRule]) -> Risk:
    """The risk of one changed file."""
    found = [rule.risk for rule in rules if fnmatchcase(path, rule.path)]
    if found:
        return max(found, key=_ORDER.index)
    return "LOW" if _harmless(path) else "MEDIUM"


def _harmless(path: str) -> bool:
    """Tests and documents. A .txt may be anything: requirements, flags, a kill switch."""
    return path.startswith(("tests/", "docs/")) or path.endswith(".md")


def _more(count: int) -> str:
    return f" and {count} more" if count else ""
