"""`hatchway run`: start a service's pipeline for a commit."""

from __future__ import annotations

import argparse
import json
import os

from hatchway.cli.accept import call
from hatchway.cli.ask import Silent
from hatchway.cli.emergency import refused, visible
from hatchway.cli.where import find


def main(argv: list[str]) -> int:
    """Start a run; 0 when it is journaled, 1 when it is refused."""
    parser = argparse.ArgumentParser(prog="hatchway run", description="Start a pipeline.")
    parser.add_argument("service", nargs="?", default="")
    parser.add_argument("--commit", default="HEAD", help="what to release (a commit, tag, branch)")
    parser.add_argument("--base", default="", help="what is live; default: promoted last")
    parser.add_argument("--mode", choices=("recommend", "act"), default="recommend")
    parser.add_argument("--pace", type=float, default=1.0, help="divides the monitoring times")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    request = {
        "op": "start",
        "id": os.urandom(8).hex(),
        "service": options.service,
        "commit": options.commit,
        "base": options.base,
        "mode": options.mode,
        "pace": options.pace,
    }
    try:
        said = call(find(options.dir), request)
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
    if options.json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'started'))} #{said.get('seq', '?')}")
    else:
        refused("run", said)
    return 0 if said.get("ok") else 1
