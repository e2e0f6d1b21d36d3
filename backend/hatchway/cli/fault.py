"""`hatchway fault`: switch a fault of the running demo on or off."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hatchway.cli.where import find
from hatchway.demo.control import NoAnswer, ask
from hatchway.demo.options import FAULTS, BadOption, known_fault


def main(argv: list[str]) -> int:
    """Switch it: 0 done, 1 refused or no demo, 2 called wrongly."""
    parser = argparse.ArgumentParser(
        prog="hatchway fault",
        description="Switch a fault of the running demo on or off.",
        epilog=f"Faults: {', '.join(FAULTS)}.",
    )
    parser.add_argument("name")
    parser.add_argument("state", choices=("on", "off"))
    parser.add_argument("--dir", help="the demo's state directory (default: the newest demo)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    try:
        known_fault(options.name)
    except BadOption as error:
        print(f"hatchway fault: {error}", file=sys.stderr)
        return 2
    directory = Path(find(options.dir))
    request = {"op": "fault", "name": options.name, "on": options.state == "on"}
    try:
        answer = ask(directory / "demo.sock", request)
    except NoAnswer as error:
        todo = "Start one with `hatchway demo`, or name its directory with --dir."
        answer = {"ok": False, "code": "no_demo", "why": f"No demo runs: {error}.", "todo": todo}
    if options.json:
        print(json.dumps(answer))
    elif answer.get("ok"):
        print(answer["said"])
    else:
        why = f"{answer.get('why', 'refused')} {answer.get('todo', '')}"
        print(f"hatchway fault: {why.strip()}", file=sys.stderr)
    return 0 if answer.get("ok") else 1
