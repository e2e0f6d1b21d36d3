"""`NAME.yaml` -> `Scenario`. Mistakes are reported with line and column, as in every file here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import cast, get_args

from hatchway.core.policy import CAPABILITIES
from hatchway.rehearse import scenario as sc
from hatchway.rehearse.guards import GUARDS
from hatchway.settings.document import Node, Page, Scalar, Table, open_page
from hatchway.settings.errors import ConfigError, Trouble, quoted, unknown
from hatchway.settings.fields import Fields
from hatchway.settings.load import shipped
from hatchway.settings.words import NotUnderstood, seconds

KEYS = ("rehearsal", "title", "story", "source", "given", "when", "then")
LONGEST_S = 4 * 3600.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def folder() -> Path:
    """Where the rehearsals are that come with the program."""
    return shipped() / "rehearsals"


def names() -> tuple[str, ...]:
    """The rehearsals that come with the program."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml")))


def load(name_or_file: str) -> sc.Scenario:
    """Read a rehearsal that comes with the program, or a file. Raises ConfigError."""
    if NAME.fullmatch(name_or_file) and not Path(name_or_file).is_file():
        if name_or_file not in names():
            what, write = unknown("there is no rehearsal", name_or_file, names())
            raise ConfigError([Trouble(name_or_file, 0, 0, what, write)])
        return _read(folder() / f"{name_or_file}.yaml")
    return _read(Path(name_or_file))


def _read(path: Path) -> sc.Scenario:
    page = open_page(path)
    scenario = scenario_of(page)
    page.raise_troubles()
    return scenario


def scenario_of(page: Page) -> sc.Scenario:
    """The rehearsal in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the rehearsal", KEYS)
    given = Fields(
        page,
        fields.value("given") or _empty(),
        "given",
        (
            "versions",
            "instances",
            "facts",
            "traffic",
            "every",
            "stable",
            "canary",
            "before",
            "lasts",
        ),
    )
    then = Fields(
        page,
        fields.value("then") or _empty(),
        "then",
        ("never", "called", "stopped_by", "without", "advice"),
    )
    lasts = given.duration("lasts", 300.0, example="5m", high=LONGEST_S)
    versions = _versions(page, given)
    when = tuple(
        _entry(page, node, lasts, versions)
        for node in fields.items("when", example="- {at: 30s, feed: {arm: canary, how: zero}}")
    )
    return sc.Scenario(
        name=fields.text("rehearsal", example="knight-2012", pattern=NAME),
        title=fields.text("title", example="what it is about, in a line"),
        story=fields.text("story", example="what happened, in two sentences"),
        source=fields.text("source", "", example="a public post-mortem, 2012"),
        starts=given.take("starts", sc.STARTS, sc.STARTS, "2026-03-06T13:59+01:00", _moment),
        before=given.duration("before", 60.0, example="1m"),
        lasts=lasts,
        traffic=given.number("traffic", 50.0, low=0.0, high=100_000.0, example="50"),
        every=given.duration("every", 1.0, example="1s", high=2.0),
        stable=_levels(page, given, "stable"),
        canary=_levels(page, given, "canary"),
        versions=versions,
        instances=_words_by_name(page, given, "instances"),
        facts=_words_by_name(page, given, "facts"),
        when=tuple(sorted(when, key=lambda entry: entry.at)),
        nevers=tuple(
            _never(page, node)
            for node in then.items("never", required=True, example="[rollback_by_agent]")
        ),
        called=then.flag("called", False),
        stopped_by=then.texts("stopped_by", example="[undo:config]", check=_guard),
        without=then.text("without", "", example="the agent would have ..."),
        advice=tuple(_advice(page, node) for node in then.items("advice")),
    )


def _empty() -> Table:
    return Table({}, 0, 0)


def _guard(text: str) -> str:
    stem = text.split(":", 1)[0]
    if text in GUARDS or stem in ("policy", "calendar"):
        return text
    raise NotUnderstood(*unknown("there is no guard", text, GUARDS))


def _versions(page: Page, given: Fields) -> tuple[sc.Version, ...]:
    table = given.table("versions")
    if table is None:
        return sc.Version("1.4.0"), sc.Version("1.5.0")
    found = []
    for name, entry in table.entries.items():
        if not VERSION.fullmatch(name):
            page.report(entry.key, f'"{name[:40]}" cannot be a version', "1.5.0")
        files = {}
        if not (isinstance(entry.value, Scalar) and entry.value.empty):
            named = Fields(page, entry.value, f"version {name}", _keys(entry.value))
            files = {path: named.take(path, "", "", "text", _as_it_is) for path in named.keys}
        found.append(sc.Version(name, files))
    if len(found) < 2:
        page.report(table, "a rehearsal needs a version that is live and a new one", "1.5.0:")
    return tuple(found)


def _as_it_is(text: str, plain: bool) -> str:
    return text


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(node.entries) if isinstance(node, Table) else ()


def _levels(page: Page, given: Fields, arm: str) -> sc.Levels:
    node = given.value(arm)
    if node is None:
        return sc.Levels()
    fields = Fields(page, node, arm, LEVELS)
    usual = sc.Levels()
    return sc.Levels(
        errors=_percent(fields, "errors", usual.errors),
        p95_ms=_p95(fields, usual.p95_ms),
        orders=_percent(fields, "orders", usual.orders),
        warnings=_warnings(fields, usual.warnings),
        payments=fields.flag("payments", usual.payments),
    )


LEVELS = ("errors", "p95_ms", "orders", "warnings", "payments")


def _percent(fields: Fields, key: str, default: float) -> float:
    return fields.number(key, default, low=0.0, high=100.0, example="0.5")


def _warnings(fields: Fields, default: float) -> float:
    return fields.number("warnings", default, low=0.0, high=1e6, example="5")


def _p95(fields: Fields, default: float) -> float:
    return fields.number("p95_ms", default, low=1.0, high=60_000.0, example="100")


def _words_by_name(page: Page, given: Fields, key: str) -> dict[str, str]:
    node = given.value(key)
    if node is None:
        return {}
    fields = Fields(page, node, key, _keys(node))
    return {name: fields.text(name, "", example="1.4.0") for name in fields.keys}


# --- what happens -------------------------------------------------------------------------------


def _entry(page: Page, node: Node, lasts: float, versions: tuple[sc.Version, ...]) -> sc.Entry:
    fields = Fields(page, node, "an entry of when", ("at", "say", *DOES))
    at = fields.take("at", 0.0, 0.0, "30s", lambda text, _: _at(text))
    if at > lasts:
        fields.report("at", "this is after the end of the rehearsal", "a longer given: lasts")
    doing = [key for key in DOES if fields.has(key)]
    if len(doing) != 1:
        page.report(node, "an entry of when does one thing", f"one of {', '.join(DOES)}")
        return sc.Entry(at, sc.Clock(0.0))
    do = DOES[doing[0]](page, fields)
    if isinstance(do, sc.Release) and do.version not in {v.name for v in versions}:
        fields.report("release", "this version is not in given", "one of given: versions")
    return sc.Entry(at, do, fields.text("say", "", example="what people would say of it"))


def _moment(text: str, plain: bool) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        example = "2026-03-06T13:59+01:00"
        raise NotUnderstood(f"{quoted(text)} is no moment with its offset", example)
    return moment.timestamp()


def _at(text: str) -> float:
    if text.startswith("-"):
        return -seconds(text[1:])
    return 0.0 if text in ("0", "0s") else seconds(text)


def _metrics(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("metrics"), "metrics", ("arm", *LEVELS))
    return sc.Metrics(
        arm=cast(sc.Arm, inner.choice("arm", get_args(sc.Arm))),
        errors=_percent(inner, "errors", 0.0) if inner.has("errors") else None,
        p95_ms=_p95(inner, 1.0) if inner.has("p95_ms") else None,
        orders=_percent(inner, "orders", 0.0) if inner.has("orders") else None,
        warnings=_warnings(inner, 0.0) if inner.has("warnings") else None,
        payments=inner.flag("payments") if inner.has("payments") else None,
    )


def _feed(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("feed"), "feed", ("arm", "how"))
    return sc.Feed(
        cast(sc.Arm, inner.choice("arm", get_args(sc.Arm))),
        cast(sc.Feeds, inner.choice("how", get_args(sc.Feeds))),
    )


def _brain(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("brain"), "brain", ("how", "capability"))
    how = cast(sc.Brains, inner.choice("how", get_args(sc.Brains)))
    return sc.Brain(how, inner.choice("capability", ("rollback", "promote"), "rollback"))  # type: ignore[arg-type]


def _person(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("person"), "person", ("does", "by", "item"))
    return sc.Person(
        cast(sc.Deed, inner.choice("does", get_args(sc.Deed))),
        inner.text("by", "oncall", example="oncall"),
        inner.choice("item", (*CAPABILITIES, "residue"), ""),
    )


def _restart(page: Page, fields: Fields) -> sc.Do:
    return sc.Restart(cast(sc.Restarted, fields.choice("restart", get_args(sc.Restarted))))


def _order(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("order"), "order", ("kind", "by", "item", "at_most", "for"))
    return sc.Order(
        kind=inner.choice("kind", ("lift", "expect", "withdraw", "close")),  # type: ignore[arg-type]
        by=inner.text("by", "oncall", example="oncall"),
        item=inner.text("item", "", example="warnings"),
        at_most=inner.number("at_most", 0.0, low=0.0, high=1e9, example="400"),
        for_s=inner.duration("for", 0.0, example="20m"),
    )


def _late(page: Page, fields: Fields) -> sc.Do:
    inner = Fields(page, fields.value("late"), "late", ("weight", "epoch"))
    weight = inner.whole("weight", low=0, high=100, example=25)
    return sc.Late(weight, inner.choice("epoch", ("first", "now"), "first"))  # type: ignore[arg-type]


def _weight(key: str) -> Callable[[Page, Fields], int]:
    return lambda page, fields: fields.whole(key, low=0, high=100, example=25)


DOES: Mapping[str, Callable[[Page, Fields], sc.Do]] = {
    "metrics": _metrics,
    "feed": _feed,
    "brain": _brain,
    "person": _person,
    "restart": _restart,
    "by_hand": lambda p, f: sc.ByHand(_weight("by_hand")(p, f)),
    "late": _late,
    "target": lambda p, f: sc.Target(cast(sc.Targets, f.choice("target", get_args(sc.Targets)))),
    "instances": lambda p, f: sc.Instances(_words_by_name(p, f, "instances")),
    "facts": lambda p, f: sc.Facts(_words_by_name(p, f, "facts")),
    "order": _order,
    "release": lambda p, f: sc.Release(f.text("release", example="1.6.0", pattern=VERSION)),
    "rules": lambda p, f: sc.Rules(f.choice("rules", ("rewritten", "broken"))),  # type: ignore[arg-type]
    "clock": lambda p, f: sc.Clock(f.duration("clock", example="2h")),
}
"""What an entry of `when` may do, by its key."""


# --- what must not come of it -------------------------------------------------------------------


def _never(page: Page, node: Node) -> sc.Never:
    if isinstance(node, Scalar):
        if node.text not in get_args(sc.Danger):
            page.report(node, *unknown("unknown danger", node.text, get_args(sc.Danger)))
        return sc.Never(cast(sc.Danger, node.text))
    fields = Fields(page, node, "a danger", ("what", "more_than", "after", "until"))
    return sc.Never(
        cast(sc.Danger, fields.choice("what", get_args(sc.Danger))),
        fields.whole("more_than", 0, low=0, high=100, example=1),
        fields.take("after", 0.0, 0.0, "30s", lambda text, _: _at(text)),
        fields.take("until", math.inf, math.inf, "2m", lambda text, _: _at(text)),
    )


def _advice(page: Page, node: Node) -> sc.Advice:
    fields = Fields(page, node, "an advice", ("capability", "condition", "write"))
    return sc.Advice(
        fields.choice("capability", CAPABILITIES),
        fields.text("condition", "", example="undo_safe"),
        fields.text("write", example="undo_safe: true"),
    )
