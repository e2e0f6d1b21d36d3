"""`hatchway breaker show|close`: after a rollback of its own the agent only recommends."""

from __future__ import annotations

import argparse
import json

from hatchway.cli.orders import send, show, standing


def main(argv: list[str]) -> int:
    """0: said, or journaled. 1: refused. 2: called wrongly."""
    parser = argparse.ArgumentParser(prog="hatchway breaker")
    verbs = parser.add_subparsers(dest="verb", required=True)
    shows = verbs.add_parser("show", help="whether the agent may act by itself, and why not")
    close = verbs.add_parser("close", help="say why it may act again (approvers)")
    close.add_argument("--reason", required=True)
    for each in (shows, close):
        each.add_argument("service", nargs="?", default="")
        each.add_argument("--dir", help="the state directory")
        each.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.verb == "close":
        words = {"service": options.service, "reason": options.reason}
        return send("close", options.dir, options.json, **words)
    docs = standing(options.dir, options.service)
    if options.json:
        print(json.dumps({d["service"]: d["breaker"] for d in docs}))
        return 0
    show([f"{d['service']}: {d['breaker'] or 'closed'}" for d in docs], "")
    return 0
