"""What a policy or a pipeline says, as dotted names and words; so that two can be compared. Pure.

    promote.when.data_age_below: 10s
    canary.steps.2.weight: 25

It knows no field by name: what a later version adds to them is compared too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

_LEFT_OUT = frozenset({"digest", "type"})
_NO_NEWS = frozenset({"capabilities", "stages"})  # levels that only hold what has names itself
NOTHING = "nothing"


def says(struct: Struct) -> dict[str, str]:
    """Every value in a struct by its dotted name, in words."""
    found: dict[str, str] = {}
    _walk("", msgspec.to_builtins(struct), found)
    return found


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What is not the same: "promote.when.data_age_below 10s -> 60s"."""
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        f"{name} {before.get(name, NOTHING)} -> {after.get(name, NOTHING)}"
        for name in names
        if before.get(name) != after.get(name)
    )


def _walk(path: str, value: Any, found: dict[str, str]) -> None:
    match value:
        case dict():
            for key, inner in value.items():
                if key not in _LEFT_OUT:
                    name, worded = _seconds(str(key), inner)
                    _walk(path if key in _NO_NEWS else _joined(path, name), worded, found)
        case list() | tuple() if any(isinstance(part, dict | list | tuple) for part in value):
            used: dict[str, int] = {}
            for number, part in enumerate(value, 1):
                name, inner = _part(part, number)
                used[name] = used.get(name, 0) + 1
                again = f"#{used[name]}" if used[name] > 1 else ""
                _walk(_joined(path, name + again), inner, found)
        case _:
            found[path] = _words(value)


def _part(part: Any, number: int) -> tuple[str, Any]:
    """What an entry of a list is called: its name or its kind, else its number."""
    if not isinstance(part, dict):
        return str(number), part
    rest = {key: value for key, value in part.items() if key not in _LEFT_OUT}
    if "name" in rest:
        return str(rest.pop("name")), rest
    if "type" not in part:
        return str(number), rest
    if len(rest) != 1:
        return str(part["type"]), rest
    ((key, value),) = rest.items()
    return str(part["type"]), _seconds(key, value)[1]


def _seconds(name: str, value: Any) -> tuple[str, Any]:
    """Durations are called what they are in the files, and have their unit."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name == "seconds":
            return name, f"{value:g}s"
        if name.endswith("_s"):
            return name.removesuffix("_s"), f"{value:g}s"
    return name, value


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _words(value: Any) -> str:
    match value:
        case None:
            return NOTHING
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(_words(part) for part in value) or NOTHING
        case dict():
            return NOTHING
        case _:
            return str(value)
