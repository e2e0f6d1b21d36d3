"""`calendars.yaml` -> `Schedules`: when the agent may act by itself, when nothing moves, who is on call."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from hatchway.core.schedules import (
    Cron,
    Dates,
    Feed,
    OnCall,
    Rotation,
    Schedule,
    Schedules,
    Weekly,
)
from hatchway.core.windows import CalendarKind
from hatchway.settings.document import Node, Page
from hatchway.settings.errors import nearest, quoted
from hatchway.settings.fields import Fields, check_name, clean
from hatchway.settings.words import NotUnderstood

FILE = "calendars.yaml"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WAYS = ("cron", "weekly", "from", "ics", "url")
KEYS = (*WAYS, "for", "to", "zone", "max_age")
MOST = 100  # calendars in one file
URL_MAX_AGE_S = 86400.0

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")
_WEEKLY = re.compile(
    r"(?i:(mon|tue|wed|thu|fri|sat|sun)) ([0-2]?\d):([0-5]\d) to "
    r"(?i:(mon|tue|wed|thu|fri|sat|sun)) ([0-2]?\d):([0-5]\d)"
)
_LOOPBACK = re.compile(r"http://(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?(/|$)")


def schedules_of(page: Page) -> Schedules:
    """The calendars in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the calendars", ("windows", "freezes", "oncall"))
    found: dict[str, Schedule] = {}
    kinds: tuple[tuple[str, CalendarKind], ...] = (("windows", "window"), ("freezes", "freeze"))
    for key, kind in kinds:
        table = fields.table(key, example="office-hours: ...")
        for name, entry in (table.entries if table else {}).items():
            try:
                check_name(name)
            except NotUnderstood as error:
                page.report(entry.key, f"a {kind}: {error.what}", error.write)
            if name in found:
                what = f"{quoted(name)} is the name of a window and of a freeze"
                page.report(entry.key, what, "another name for one of them")
            elif len(found) >= MOST:
                page.report(entry.key, f"more than {MOST} calendars in one file")
                break
            source = f"{Path(page.file).name}:{entry.key.line}"
            says = _says(page, entry.value, f"the {kind} {quoted(name)}")
            if says is not None:
                found[name] = Schedule(name, kind, source, says)
    oncall = fields.table("oncall", example="people: [ana, ben], zone: Europe/Madrid")
    on_call = _on_call(page, oncall) if oncall is not None else None
    return Schedules(found, on_call, sha256(page.data).hexdigest())


def _says(page: Page, node: Node, what: str) -> Cron | Weekly | Dates | Feed | None:
    fields = Fields(page, node, what, KEYS)
    ways = [way for way in WAYS if fields.has(way)]
    if len(ways) != 1:
        said = f"{what} says in no way when it is" if not ways else f"{what} says it in two ways"
        page.report(node, said, f"one of {', '.join(WAYS)}")
        return None
    way = ways[0]
    _only(fields, way)
    zone = zone_of(fields)
    match way:
        case "cron":
            line = fields.take("cron", "", "", '"0 9 * * 1-5"', lambda text, _: cron_line(text))
            return Cron(line, fields.duration("for", example="8h", low=60.0), zone)
        case "weekly":
            example = "fri 14:00 to mon 06:00"
            days = fields.take(
                "weekly", (0, 0, 0, 1), (0, 0, 0, 1), example, lambda text, _: weekly(text)
            )
            return Weekly(*days, zone)
        case "from":
            return _dates(fields, zone)
        case _:
            return _feed(fields, zone, way)


def _only(fields: Fields, way: str) -> None:
    """What goes with another way of saying it is a mistake here."""
    goes = {"for": ("cron",), "to": ("from",), "max_age": ("ics", "url")}
    for key, ways in goes.items():
        if fields.has(key) and way not in ways:
            fields.report(
                key, f'"{key}" goes with {" or ".join(ways)}, not with {way}', f"no {key}"
            )


def zone_of(fields: Fields) -> str:
    """A required IANA zone that this machine knows."""
    return fields.take("zone", _needed(fields), "UTC", "Europe/Madrid", lambda t, _: zone(t))


def _needed(fields: Fields) -> str:
    if not fields.has("zone") and "zone" not in fields.misspelt:
        fields.report("zone", f'"zone" is missing in {fields.what}', "zone: Europe/Madrid")
    return "UTC"


def zone(text: str) -> str:
    """`text` if it names a zone that this machine has, or NotUnderstood."""
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - reads files

    try:
        if _ZONE.fullmatch(text):
            ZoneInfo(text)
            return text
    except Exception:  # noqa: S110 - a directory, no such file, not a zone: said below
        pass
    near = nearest(text, available_timezones())
    hint = f'; did you mean "{near}"?' if near else ""
    raise NotUnderstood(f"{quoted(text)} is no time zone{hint}", near or "Europe/Madrid")


def cron_line(text: str) -> str:
    """`text` if it is a cron line of five fields that ever comes true, or NotUnderstood."""
    from cronsim import CronSim  # noqa: PLC0415 - only where a cron line is written

    example = '"0 9 * * 1-5"'
    line = " ".join(clean(text, example, most=120).split())
    if len(line.split()) != 5:
        raise NotUnderstood(f"{quoted(text)} is not a cron line of five fields", example)
    try:
        next(CronSim(line, datetime(2026, 1, 1)))  # noqa: DTZ001 - on the wall clock of any zone
    except StopIteration:
        raise NotUnderstood(f"{quoted(text)} never comes true", example) from None
    except Exception as error:
        why = str(error) or type(error).__name__
        raise NotUnderstood(f"{quoted(text)} is not a cron line: {why}", example) from None
    return line


def weekly(text: str) -> tuple[int, int, int, int]:
    """(day, second of the day, day, second of the day) of "fri 14:00 to mon 06:00"."""
    match = _WEEKLY.fullmatch(" ".join(text.split()))
    example = "fri 14:00 to mon 06:00"
    if not match:
        raise NotUnderstood(f"{quoted(text)} is not a day and time to a day and time", example)
    a, ah, am, b, bh, bm = match.groups()
    if int(ah) > 23 or int(bh) > 23:
        raise NotUnderstood(f"{quoted(text)}: hours go from 00 to 23", example)
    begin = DAYS.index(a.lower()), int(ah) * 3600 + int(am) * 60
    end = DAYS.index(b.lower()), int(bh) * 3600 + int(bm) * 60
    if begin == end:
        raise NotUnderstood(f"{quoted(text)} begins when it ends", example)
    return *begin, *end


def moment(text: str) -> str:
    """A date and time of day without a zone, as ISO 8601; NotUnderstood otherwise."""
    example = "2026-12-19 00:00"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", text):
        raise NotUnderstood(f"{quoted(text)} is not a date and time", example)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotUnderstood(f"{quoted(text)} is not in any calendar: {error}", example) from None
    if not 2000 <= found.year <= 2200:
        raise NotUnderstood(f"{quoted(text)} is not between 2000 and 2200", example)
    return found.isoformat(timespec="minutes")


def _dates(fields: Fields, zone: str) -> Dates:
    start = fields.take("from", "", "", "2026-12-19 00:00", lambda text, _: moment(text))
    end = fields.text("to", example="2027-01-07 06:00")
    try:
        end = moment(end) if end else ""
    except NotUnderstood as error:
        fields.report("to", error.what, f"to: {error.write}")
        end = ""
    if start and end and end <= start:
        fields.report("to", "it ends before it begins", "a later date")
    return Dates(start, end, zone)


def _feed(fields: Fields, zone: str, way: str) -> Feed:
    convert = file_below if way == "ics" else address
    place = fields.take(way, "", "", "company.ics", lambda text, _: convert(text))
    default = URL_MAX_AGE_S if way == "url" else None
    age = fields.duration("max_age", example="1d", low=60.0) if fields.has("max_age") else default
    return Feed(place, zone, age)


def file_below(text: str) -> str:
    """A path within the configuration directory, or NotUnderstood."""
    path = Path(clean(text, "company.ics", most=200))
    if path.is_absolute() or ".." in path.parts or path.suffix.lower() != ".ics":
        raise NotUnderstood(f"{quoted(text)} is no .ics file below this directory", "company.ics")
    return str(path)


def address(text: str) -> str:
    """An https address, or http on this machine; NotUnderstood otherwise."""
    example = "https://calendars.example/freezes.ics"
    url = clean(text, example, most=1000)
    if " " in url or not (
        _LOOPBACK.match(url) or re.match(r"https://[A-Za-z0-9.\[\]:-]+(/|$)", url)
    ):
        raise NotUnderstood(f"{quoted(text)} is neither https nor on this machine", example)
    return url


def _on_call(page: Page, node: Node) -> OnCall | None:
    keys = ("people", "zone", "start", "every", "ics", "url", "max_age")
    fields = Fields(page, node, "who is on call", keys)
    source = f"{Path(page.file).name}:{node.line}"
    people = fields.texts("people", example="[ana, ben]", check=check_name)
    if not people:
        fields.report("people", "nobody is listed who could be on call", "people: [ana, ben]")
    zone = zone_of(fields)
    ways = [way for way in ("start", "ics", "url") if fields.has(way)]
    if len(ways) != 1:
        said = "says in no way who it is when" if not ways else "says it in two ways"
        page.report(node, f"who is on call {said}", "start: and every:, or ics:, or url:")
        return None
    if ways[0] != "start":
        if fields.has("every"):
            fields.report("every", f'"every" goes with start, not with {ways[0]}', "no every")
        return OnCall(source, people, _feed(fields, zone, ways[0]))
    if fields.has("max_age"):
        fields.report("max_age", '"max_age" goes with ics or url, not with start', "no max_age")
    start = fields.take("start", "", "", "2026-01-05 09:00", lambda text, _: moment(text))
    every = fields.duration("every", 7 * 86400.0, example="7d", low=86400.0, high=90 * 86400.0)
    if every % 86400:
        fields.report("every", "people hand over at the same time of day", "every: 1d, or 7d")
    return OnCall(source, people, Rotation(people, start, max(1, int(every // 86400)), zone))


def unknown_names(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those of `names` that are none of `known`, in their order."""
    listed = set(known)
    return [name for name in names if name not in listed]
