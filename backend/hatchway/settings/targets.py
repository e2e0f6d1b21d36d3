"""A service's `target:` -> `TargetSpec`. The governor reads its own of it, in governor.json."""

from __future__ import annotations

import re

from hatchway.core.plan import TargetSpec
from hatchway.settings.argv import argv
from hatchway.settings.document import Scalar
from hatchway.settings.errors import quoted, unknown
from hatchway.settings.fields import NAME, Fields

KINDS = ("haproxy", "command")
HAPROXY_KEYS = ("kind", "socket", "backend", "stable", "canary")
COMMANDS = ("set", "get", "rollback", "inflight", "inventory")
COMMAND_KEYS = ("kind", *COMMANDS, "timeout", "timeouts", "every", "drained_after", "stable",
                "canary")  # fmt: skip
PLACEHOLDERS = ("percent", "stable_percent", "key", "epoch")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_EXAMPLES = {
    "set": '[my-split, "{percent}"]',
    "get": "[my-split, get]",
    "rollback": "[my-split, back]",
    "inflight": "[my-split, inflight]",
    "inventory": "[my-split, list]",
}


def target_of(service: Fields) -> TargetSpec:
    """The target of a service; mistakes are reported to the page."""
    table = service.table("target", required=True, example="kind: haproxy, socket: ...")
    kind = table.entries.get("kind") if table is not None else None
    command = kind is not None and isinstance(kind.value, Scalar) and kind.value.text == "command"
    keys = COMMAND_KEYS if command else HAPROXY_KEYS
    fields = Fields(service.page, table, "a command target" if command else "a target", keys)
    fields.choice("kind", KINDS)
    target = _command(fields) if command else _haproxy(fields)
    if table is not None and target.stable == target.canary:
        fields.report("canary", "stable and canary are the same server", "canary: canary")
    return target


def _haproxy(fields: Fields) -> TargetSpec:
    return TargetSpec(
        kind="haproxy",
        socket=fields.text("socket", example="splitter.sock"),
        backend=fields.text("backend", "be", pattern=NAME, example="be"),
        stable=fields.text("stable", "stable", pattern=NAME, example="stable"),
        canary=fields.text("canary", "canary", pattern=NAME, example="canary"),
    )


def _command(fields: Fields) -> TargetSpec:
    words = {
        name: argv(fields, name, _EXAMPLES[name], required=name in ("set", "get"))
        for name in COMMANDS
    }
    for name, command in words.items():
        _placeholders(fields, name, command)
    shares = ("{percent}", "{stable_percent}")
    if words["set"] and not any(share in word for word in words["set"] for share in shares):
        what = '"set" does not say which share the canary shall have'
        fields.report("set", what, f"set: {_EXAMPLES['set']}")
    if not words["inflight"] and not fields.has("drained_after"):
        fields.report(
            "inflight",
            "nothing tells when the canary is empty",
            f"inflight: {_EXAMPLES['inflight']}, or drained_after: 30s",
        )
    return TargetSpec(
        kind="command",
        socket="",
        stable=fields.text("stable", "stable", pattern=NAME, example="stable"),
        canary=fields.text("canary", "canary", pattern=NAME, example="canary"),
        set=words["set"],
        get=words["get"],
        rollback=words["rollback"],
        inflight=words["inflight"],
        inventory=words["inventory"],
        timeout_s=fields.duration("timeout", 5.0, example="5s", low=0.1, high=120.0),
        timeouts_s=_timeouts(fields),
        every_s=fields.duration("every", 2.0, example="2s", low=0.2, high=120.0),
        drained_after_s=fields.duration("drained_after", 0.0, example="30s", low=0.1, high=120.0),
    )


def _placeholders(fields: Fields, name: str, command: tuple[str, ...]) -> None:
    for found in _PLACEHOLDER.findall(" ".join(command)):
        if name not in ("set", "rollback"):
            fields.report(name, f'"{name}" only reads: it has no {{{found}}}', _EXAMPLES[name])
        elif found not in PLACEHOLDERS:
            what, write = unknown("there is no placeholder", found, PLACEHOLDERS)
            fields.report(name, f'"{name}": {what}', write)


def _timeouts(fields: Fields) -> dict[str, float]:
    table = fields.table("timeouts", example="set: 30s")
    if table is None:
        return {}
    each = Fields(fields.page, table, f"the timeouts of {quoted('target')}", COMMANDS)
    return {
        name: each.duration(name, example="30s", low=0.1, high=120.0)
        for name in COMMANDS
        if each.has(name)
    }
