"""The small languages inside values: durations ("1m30s") and series (`name{label="v"}`)."""

from __future__ import annotations

import re

from hatchway.core.plan import SeriesRef

_DURATION = re.compile(
    r"(?:([0-9]{1,4})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,7}(?:\.[0-9]{1,3})?)s)?"
)
_LOOSE = re.compile(r"([0-9]{1,7}(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class NotUnderstood(ValueError):
    """A value that is not in its language: `what` is wrong, what to `write`."""

    def __init__(self, what: str, write: str) -> None:
        super().__init__(what)
        self.what = what
        self.write = write


def seconds(text: str) -> float:
    """The seconds of "30s", "2m", "4h", "1d" or "1m30s". Raises NotUnderstood."""
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise _bad_duration(text)
    days, hours, minutes, rest = match.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _bad_duration(text: str) -> NotUnderstood:
    match = _LOOSE.fullmatch(text.strip())
    if match and not match[2]:
        n = match[1]
        return NotUnderstood(f'"{n}" has no unit', f"{n}s, {n}m or {n}h")
    if match:
        unit = match[2].lower()
        if unit.startswith(("ms", "milli")):
            value = float(match[1]) / 1000
            return NotUnderstood(f'"{match[0]}": the smallest unit is s', f"{value:g}s")
        if unit[0] in _UNITS and unit[:3] in {"s", "sec", "m", "min", "h", "hr", "hou", "d", "day"}:
            exact = (
                f"{float(match[1]) * _UNITS[unit[0]]:g}s" if "." in match[1] else match[1] + unit[0]
            )
            return NotUnderstood(f'"{match[0]}": the units are s, m, h and d', exact)
    return NotUnderstood("this is not a duration", "a number and a unit, like 30s, 2m or 1m30s")


def duration_words(value: float) -> str:
    """Seconds as they are written in the files: 90 -> "1m30s"."""
    minutes, rest = divmod(value, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), f"{rest:g}s" * bool(rest)]
    return "".join(parts) or "0s"


_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!=|!~|=)\s*"((?:[^"\\\n]|\\["\\n])*)"\s*')
_ESCAPE = re.compile(r"\\(.)")
_PLUS = re.compile(r"""\s\+\s(?=(?:[^"]*"[^"]*")*[^"]*$)""")  # not within a label's value
_EXAMPLE = 'name{label="value",other=~"a|b"}'


def series(text: str) -> SeriesRef:
    """A series: its name and the label values it must have. Raises NotUnderstood.

    `=` takes one value, `=~` any of the values between the bars; nothing else of PromQL.
    """
    match = _NAME.match(text)
    if not match:
        raise NotUnderstood("a series starts with a metric's name", _EXAMPLE)
    rest = text[match.end() :].strip()
    if not rest:
        return SeriesRef(match[0])
    if rest[0] != "{" or rest[-1] != "}" or len(rest) < 2:
        raise NotUnderstood("after the metric's name only {labels} may follow", _EXAMPLE)
    return SeriesRef(match[0], _labels(rest[1:-1]))


def series_sum(text: str) -> SeriesRef:
    """One series, or several with " + " between them that are counted together."""
    first, *others = (series(part.strip()) for part in _PLUS.split(text))
    return SeriesRef(first.name, first.labels, tuple(others))


def _labels(text: str) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {}
    at = 0
    while text[at:].strip():
        match = _LABEL.match(text, at)
        if not match:
            raise NotUnderstood(f'label {len(found) + 1} is not label="value"', _EXAMPLE)
        name, operator, raw = match.groups()
        if operator in {"!=", "!~"}:
            raise NotUnderstood(
                f'"{operator}" is not read: only = and =~', f'{name}=~"one|other" with the values'
            )
        if name in found:
            raise NotUnderstood(f'the label "{name}" is here twice', f'{name}=~"one|other"')
        value = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], raw)
        found[name] = value if operator == "=" else _any_of(name, value)
        at = match.end()
        if text[at : at + 1] == ",":
            at += 1
        elif at < len(text):
            raise NotUnderstood("labels are separated by commas", _EXAMPLE)
    return found


def _any_of(name: str, value: str) -> tuple[str, ...]:
    values = tuple(value.split("|"))
    if "" in values or re.search(r"[][*+?(){}^$\\]", value):
        raise NotUnderstood(
            f'the label "{name}" has a pattern: =~ takes values between bars only',
            f'{name}=~"one|other"',
        )
    return values
