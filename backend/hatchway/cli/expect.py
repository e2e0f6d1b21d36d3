"""`hatchway expect`: a person says that a metric will rise for a while, and why."""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, datetime

from hatchway.cli.orders import send, show, standing

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
USAGE = """\
hatchway expect SERVICE --metric M --at-most X --for 20m --ticket T --reason WHY
       hatchway expect list [SERVICE]
       hatchway expect withdraw ID [--service SERVICE] [--reason WHY]"""
ABOUT = """\
Within its bound the metric alone calls for nothing, until it expires (24 h at most). Beyond the
bound, and for every other metric, the normal rule applies. Metrics that say whether users are
served are protected: nobody can declare them (see protected in hatchway.yaml)."""


def main(argv: list[str]) -> int:
    """0: said, or journaled. 1: refused. 2: called wrongly."""
    parser = argparse.ArgumentParser(prog="hatchway expect", usage=USAGE, description=ABOUT)
    parser.add_argument("what", help="a service, list, or withdraw")
    parser.add_argument(
        "which", nargs="?", default="", help="of list: the service; of withdraw: ID"
    )
    parser.add_argument("--metric", help="its name in hatchway.yaml")
    parser.add_argument("--at-most", type=float, help="as the metric is shown")
    parser.add_argument("--for", dest="for_s", type=seconds, help="20m, 90s or 2h")
    parser.add_argument("--ticket", help="where one can read why")
    parser.add_argument("--reason", default="")
    parser.add_argument("--service", default="")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.what == "list":
        return _list(options)
    if options.what == "withdraw":
        if not options.which:
            parser.error("withdraw needs the ID; hatchway expect list names it")
        words = {"item": options.which, "service": options.service, "reason": options.reason}
        return send("withdraw", options.dir, options.json, **words)
    missing = [
        name
        for name, value in (
            ("--metric", options.metric),
            ("--at-most", options.at_most),
            ("--for", options.for_s),
            ("--ticket", options.ticket),
            ("--reason", options.reason),
        )
        if value in (None, "")
    ]
    if missing:
        parser.error(f"it needs {', '.join(missing)}")
    return send(
        "expect",
        options.dir,
        options.json,
        service=options.what,
        item=options.metric,
        at_most=options.at_most,
        for_s=options.for_s,
        ticket=options.ticket,
        reason=options.reason,
    )


def seconds(text: str) -> float:
    """A duration in words, such as 20m."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!a} is no duration: 90s, 20m or 2h")
    return float(match[1]) * UNITS[match[2]]


def _list(options: argparse.Namespace) -> int:
    docs = standing(options.dir, options.which or options.service)
    if options.json:
        print(json.dumps({d["service"]: d["expectations"] for d in docs}))
        return 0
    lines = [
        f"{e['id']}  {d['service']}  {e['metric']} up to {e['at_most']:g}, expected by {e['by']} "
        f"until {datetime.fromtimestamp(e['expires_at'], UTC):%Y-%m-%d %H:%M} UTC, "
        f"ticket {e['ticket']}: {e['reason']}"
        for d in docs
        for e in d["expectations"]
    ]
    show(lines, "Nothing is expected.")
    return 0
