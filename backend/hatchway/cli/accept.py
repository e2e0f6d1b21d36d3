"""`hatchway accept ITEM`, `hatchway reject ITEM`: a person's answer to what waits."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from hatchway.cli.ask import Silent, ask
from hatchway.cli.emergency import refused, visible
from hatchway.cli.where import find

ANSWER_S = 10.0


def main(argv: list[str]) -> int:
    """Say yes; 0 when it is journaled, 1 when it is refused."""
    return answer("accept", argv)


def answer(verb: str, argv: list[str]) -> int:
    """Send the answer. Without ITEM, the only open item is meant."""
    parser = argparse.ArgumentParser(prog=f"hatchway {verb}")
    parser.add_argument("item", nargs="?", default="", help="as `hatchway status --json` names it")
    parser.add_argument("--reason", default="")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    directory = find(options.dir)
    try:
        item = options.item or _only_item(directory)
        request = {"op": verb, "id": os.urandom(8).hex(), "item": item, "reason": options.reason}
        said = call(directory, request)
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
    if options.json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'done'))} #{said.get('seq', '?')}")
    else:
        refused(verb, said)
    return 0 if said.get("ok") else 1


def call(directory: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request to the backend. Raises Silent."""
    return ask(os.path.join(directory, "command.sock"), request, ANSWER_S)


def _only_item(directory: str) -> str:
    items = call(directory, {"op": "status"}).get("docs", {}).get("needs-you", {}).get("items", [])
    if len(items) == 1:
        return str(items[0]["id"])
    for item in items:
        print(f"{visible(item['id'])}  {visible(item['title'])}", file=sys.stderr)
    what = "Nothing waits for an answer" if not items else "Several wait: name one of them"
    raise SystemExit(f"hatchway: {what}.")
