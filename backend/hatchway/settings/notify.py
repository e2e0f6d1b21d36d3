"""`notify:` of hatchway.yaml -> `NotifierSpec`s: whom or what to tell."""

from __future__ import annotations

import re
from typing import Literal, cast

from hatchway.core.plan import NotifierSpec
from hatchway.settings.argv import argv
from hatchway.settings.document import Node
from hatchway.settings.errors import quoted
from hatchway.settings.fields import Fields, check_name
from hatchway.settings.words import NotUnderstood

KEYS = ("command", "webhook", "shape", "token_file", "only", "timeout", "retry_for")
SEVERITIES = ("page", "warning", "info")
Severities = tuple[Literal["page", "warning", "info"], ...]
_COMMAND = "[my-pager, --json]"
_URL = "https://chat.example/hooks/1"


def notifiers_of(installation: Fields) -> tuple[NotifierSpec, ...]:
    """Everybody that is told; mistakes are reported to the page."""
    table = installation.table("notify", example="oncall: {command: [...]}")
    found = []
    for name, entry in table.entries.items() if table is not None else ():
        try:
            check_name(name)
        except NotUnderstood as error:
            installation.page.report(entry.key, f"a notifier: {error.what}", error.write)
        found.append(_notifier(installation, name, entry.value))
    return tuple(found)


def _notifier(installation: Fields, name: str, node: Node) -> NotifierSpec:
    fields = Fields(installation.page, node, f"the notifier {quoted(name)}", KEYS)
    ways = [key for key in ("command", "webhook") if fields.has(key)]
    if len(ways) != 1 and not fields.misspelt & {"command", "webhook"}:
        how = "has both a command and a webhook" if ways else "does not say how it is told"
        what = f"{fields.what} {how}"
        fields.report("webhook", what, f"command: {_COMMAND}, or webhook: {_URL}")
    for key in ("shape", "token_file"):
        if fields.has(key) and ways == ["command"]:
            fields.report(key, f'"{key}" belongs to webhook', f"no {key}")
    shape = fields.choice("shape", ("json", "alertmanager"), "json")
    only = fields.words("only", SEVERITIES, example="[page]", default=SEVERITIES)
    return NotifierSpec(
        name=name,
        command=argv(fields, "command", _COMMAND),
        webhook=fields.take("webhook", "", "", _URL, lambda text, _: _url(text)),
        shape="alertmanager" if shape == "alertmanager" else "json",
        token_file=fields.text("token_file", "", example="chat.token"),
        severities=cast(Severities, only),
        timeout_s=fields.duration("timeout", 5.0, example="5s", low=0.2, high=60.0),
        retry_for_s=fields.duration("retry_for", 600.0, example="10m", low=1.0, high=86400.0),
    )


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9_.:\[\]-]+(/[!-~]*)?", text):
        raise NotUnderstood(f"{quoted(text)} is not an http address", _URL)
    return text
