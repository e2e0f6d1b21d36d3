"""Where a service's metrics are read: one mapping under `endpoints:` -> `EndpointSpec`."""

from __future__ import annotations

import re

from hatchway.core.plan import EndpointSpec
from hatchway.settings.argv import argv
from hatchway.settings.document import Node, Page
from hatchway.settings.errors import quoted
from hatchway.settings.fields import Fields
from hatchway.settings.words import NotUnderstood

KEYS = ("stable", "canary", "both", "prometheus", "command", "arm_label", "select", "arms")
_PAGES = "[http://127.0.0.1:8101/metrics]"
_SERVER = "http://127.0.0.1:9090"
_COMMAND = '[bin/metrics, "{arm}"]'
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONDITION = r'[A-Za-z_][A-Za-z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"'
_CONDITIONS = re.compile(rf"\s*{_CONDITION}\s*(?:,\s*{_CONDITION}\s*)*,?\s*")


def endpoint_of(page: Page, name: str, node: Node) -> EndpointSpec:
    """The endpoint in a mapping; mistakes are reported to the page."""
    fields = Fields(page, node, f"the endpoint {quoted(name)}", KEYS)
    stable = fields.texts("stable", example=_PAGES, check=_url)
    canary = fields.texts("canary", example=_PAGES, check=_url)
    spec = EndpointSpec(
        name,
        stable,
        canary,
        both=fields.take("both", "", "", _PAGES[1:-1], lambda text, _: _url(text)),
        arm_label=fields.take("arm_label", "", "", "server", lambda text, _: label_name(text)),
        prometheus=fields.take("prometheus", "", "", _SERVER, lambda text, _: _server(text)),
        select=fields.take("select", "", "", "'job=\"shop\"'", lambda text, _: _select(text)),
        command=_command(fields),
        arms=_arms(fields),
    )
    _one_kind(fields)
    for url in (*stable, *canary):
        if url in stable and url in canary:
            fields.report(
                "canary",
                f"{url} is stable and canary: the release would be compared with itself",
                "the address of each arm",
            )
            break
    return spec


def _one_kind(fields: Fields) -> None:
    """An endpoint is one of four kinds, with what belongs to it."""
    kinds = [key for key in ("both", "prometheus", "command") if fields.has(key)]
    pages = [key for key in ("stable", "canary") if fields.has(key)]
    if len(kinds) > 1:
        fields.report(kinds[1], f'"{kinds[1]}" beside "{kinds[0]}"', "one or the other")
    elif kinds and pages:
        fields.report(kinds[0], f'"{kinds[0]}" beside "stable" or "canary"', "one or the other")
    elif not kinds and len(pages) < 2:
        fields.report(
            "stable",
            "an endpoint names stable and canary, or both, or prometheus, or a command",
            f"stable: {_PAGES}",
        )
    kind = kinds[0] if kinds else ""
    if kind in ("both", "prometheus") and not fields.has("arm_label"):
        fields.report(
            "arm_label", f'"{kind}" needs the label that tells the arms apart', "arm_label: server"
        )
    if fields.has("select") and kind != "prometheus":
        fields.report("select", '"select" belongs to prometheus', "no select")
    if fields.has("arms") and not kind:
        fields.report(
            "arms", "stable and canary have addresses: no names to tell them by", "no arms"
        )


def _command(fields: Fields) -> tuple[str, ...]:
    words = argv(fields, "command", _COMMAND)
    if fields.has("command") and words and not any("{arm}" in word for word in words):
        fields.report(
            "command",
            "the command is the same for both arms: the release would be compared with itself",
            f"command: {_COMMAND}, where {{arm}} becomes stable and canary",
        )
    return words


def _arms(fields: Fields) -> dict[str, str]:
    table = fields.table("arms", example="stable: v1, canary: v2")
    if table is None:
        return {}
    arms = Fields(fields.page, table, f"the arms of {fields.what}", ("stable", "canary"))
    found = {
        arm: arms.text(arm, example=value) for arm, value in (("stable", "v1"), ("canary", "v2"))
    }
    if found["stable"] and found["stable"] == found["canary"]:
        arms.report(
            "canary",
            f"stable and canary are both {quoted(found['canary'])}: "
            "the release would be compared with itself",
            "the label's value of each arm",
        )
    return {arm: value for arm, value in found.items() if value}


def _url(text: str) -> str:
    if re.fullmatch(r"https?://[A-Za-z0-9_.:\[\]-]+(/[!-~]*)?", text):
        return text
    raise NotUnderstood(f"{quoted(text)} is not an http address", "http://127.0.0.1:8101/metrics")


def _server(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9_.:\[\]-]+(/[!-~]*)?", text):
        raise NotUnderstood(f"{quoted(text)} is not an http address", _SERVER)
    base = re.split(r"/api/v1|[?#]", text)[0].rstrip("/")
    if base != text.rstrip("/"):
        raise NotUnderstood(f"{quoted(text)} is a query's address, not the server's", base)
    return base


def label_name(text: str) -> str:
    """The name of a label, or NotUnderstood."""
    if _LABEL.fullmatch(text):
        return text
    raise NotUnderstood(f"{quoted(text)} is not the name of a label", "server")


def _select(text: str) -> str:
    if len(text) <= 1000 and _CONDITIONS.fullmatch(text):
        return text.strip().rstrip(",")
    if text.strip().startswith("{"):
        raise NotUnderstood(f"{quoted(text)} is in braces: they are added", "'job=\"shop\"'")
    raise NotUnderstood(f'{quoted(text)} is not label="value", ...', "'job=\"shop\"'")
