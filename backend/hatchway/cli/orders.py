"""What quarantine, expect and breaker have in common: ask the backend, say what came of it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from hatchway.cli.accept import call
from hatchway.cli.ask import Silent
from hatchway.cli.emergency import refused, visible
from hatchway.cli.where import find


def send(verb: str, dir: str | None, as_json: bool, **words: Any) -> int:
    """Give the order; 0 when it is journaled, 1 when it is refused."""
    request = {"op": verb, "id": os.urandom(8).hex(), **words}
    try:
        said = call(find(dir), request)
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
    if as_json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'done'))} #{said.get('seq', '?')}")
    else:
        refused(verb, said)
    return 0 if said.get("ok") else 1


def standing(dir: str | None, service: str) -> list[dict[str, Any]]:
    """The documents of what stands, of one service or of all. SystemExit when nobody says."""
    try:
        docs = call(find(dir), {"op": "status"}).get("docs", {})
    except Silent as error:
        raise SystemExit(f"hatchway: the backend is silent: {error}. hatchway serve") from None
    found = [d for k, d in sorted(docs.items()) if k.startswith("standing/")]
    mine = [d for d in found if not service or d.get("service") == service]
    if not mine:
        names = ", ".join(str(d.get("service")) for d in found) or "none"
        raise SystemExit(f"hatchway: no service is called {service!a}. Services: {names}.")
    return mine


def show(lines: list[str], nothing: str) -> None:
    """Print what there is, a line each; untrusted text is made visible."""
    for line in lines:
        print(visible(line))
    if not lines:
        print(nothing, file=sys.stdout)
