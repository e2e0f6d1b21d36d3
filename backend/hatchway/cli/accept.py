"""`hatchway accept ITEM`, `hatchway reject ITEM`: a person's answer to what waits."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from hatchway.cli import signing
from hatchway.cli.ask import Silent, ask
from hatchway.cli.emergency import refused, visible
from hatchway.cli.where import find

ANSWER_S = 10.0
Call = Callable[[dict[str, Any]], dict[str, Any]]

_ACCEPT = """\
exit status: 0 journaled, 1 refused or nobody answered, 2 called wrongly.
A signed yes (--sign, --agent) says who you are also from an account of several people; the key has
to stand in the backend's allowed_signers."""


def main(argv: list[str]) -> int:
    """Say yes; 0 when it is journaled, 1 when it is refused."""
    return answer("accept", argv)


def answer(verb: str, argv: list[str]) -> int:
    """Send the answer. Without ITEM, the only open item is meant."""
    options = _options(verb, argv)
    try:
        send = _caller(options)
        item = options.item or _only_item(send)
        request = {"op": verb, "id": os.urandom(8).hex(), "item": item, "reason": options.reason}
        if verb == "accept":
            request |= {"max_weight": options.max_weight, "not_before": options.not_before}
            if options.sign or options.agent:
                request |= signing.signed(send, request, options.sign, agent=options.agent)
        said = send(request)
    except signing.NotSigned as error:
        said = {"ok": False, "why": str(error), "todo": error.todo}
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
    if options.json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'done'))} #{said.get('seq', '?')}")
    else:
        refused(verb, said)
    return 0 if said.get("ok") else 1


def _options(verb: str, argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"hatchway {verb}",
        epilog=_ACCEPT if verb == "accept" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("item", nargs="?", default="", help="as `hatchway status --json` names it")
    parser.add_argument("--reason", default="")
    if verb == "accept":
        parser.add_argument("--max-weight", type=int, default=100, metavar="PERCENT")
        parser.add_argument("--not-before", type=signing.moment, default=0.0, metavar="22:00Z")
        parser.add_argument("--sign", metavar="KEY", help="sign with this SSH key")
        parser.add_argument("--agent", action="store_true", help="sign with a key of ssh-agent")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--json", action="store_true")
    elsewhere(parser)
    return parser.parse_args(argv)


def elsewhere(parser: argparse.ArgumentParser) -> None:
    """The options that name a backend on another machine; see remote.py."""
    parser.add_argument("--backend", metavar="URL", help="wss://HOST:PORT instead of --dir")
    parser.add_argument("--token-file", metavar="FILE", help="holds your token, for --backend")
    parser.add_argument("--ca", metavar="FILE", help="PEM of the authority of its certificate")


def _caller(options: argparse.Namespace) -> Call:
    """Sends one request to the backend that is meant."""
    if options.backend:
        from hatchway.cli import remote  # noqa: PLC0415 - websockets only where they are needed

        return partial(remote.ask, options)
    return partial(call, find(options.dir))


def call(directory: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request to the backend. Raises Silent."""
    return ask(os.path.join(directory, "command.sock"), request, ANSWER_S)


def _only_item(send: Call) -> str:
    items = send({"op": "status"}).get("docs", {}).get("needs-you", {}).get("items", [])
    items = [item for item in items if item.get("kind") != "handover"]  # it is read, not accepted
    if len(items) == 1:
        return str(items[0]["id"])
    for item in items:
        print(f"{visible(item['id'])}  {visible(item['title'])}", file=sys.stderr)
    what = "Nothing waits for an answer" if not items else "Several wait: name one of them"
    raise SystemExit(f"hatchway: {what}.")
