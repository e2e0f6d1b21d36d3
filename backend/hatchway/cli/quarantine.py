"""`hatchway quarantine list|lift`: what was rolled back is not released again by itself."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime

from hatchway.cli.orders import send, show, standing


def main(argv: list[str]) -> int:
    """0: said, or journaled. 1: refused. 2: called wrongly."""
    parser = argparse.ArgumentParser(prog="hatchway quarantine")
    verbs = parser.add_subparsers(dest="verb", required=True)
    lists = verbs.add_parser("list", help="what may not be released, by whom and why")
    lift = verbs.add_parser("lift", help="say why a commit may be released again (approvers)")
    lift.add_argument("commit", help="the commit, its first characters, or its version")
    lift.add_argument("--reason", required=True)
    for each in (lists, lift):
        each.add_argument("--service", default="", help="where there are several")
        each.add_argument("--dir", help="the state directory")
        each.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.verb == "lift":
        words = {"item": options.commit, "service": options.service, "reason": options.reason}
        return send("lift", options.dir, options.json, **words)
    docs = standing(options.dir, options.service)
    if options.json:
        print(json.dumps({d["service"]: d["quarantine"] for d in docs}))
        return 0
    lines = [
        f"{d['service']}  {q['version']}  {q['commit'][:12]}  rolled back by {q['by']} at "
        f"{datetime.fromtimestamp(q['at'], UTC):%Y-%m-%d %H:%M} UTC in run {q['run']}: {q['why']}"
        for d in docs
        for q in d["quarantine"]
    ]
    show(lines, "Nothing is in quarantine.")
    return 0
