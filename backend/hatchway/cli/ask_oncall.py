"""`hatchway ask pause SERVICE --reason WHY`: call those on call, for whoever may not stop."""

from __future__ import annotations

import argparse

from hatchway.cli.orders import send

OPS = ("pause", "takeover", "rollback")


def main(argv: list[str]) -> int:
    """Ask; 0 when it is journaled or was already asked, 1 when it is refused or nobody answers."""
    parser = argparse.ArgumentParser(
        prog="hatchway ask",
        description="Page the people on call to pause, take over or roll back a service. Who may "
        "do it themselves use the stops. The same within a minute is asked once.",
        epilog="exit status: 0 asked (or asked already, or so already), 1 refused or nobody "
        "answered, 2 called wrongly. What became of it: hatchway status",
    )
    parser.add_argument("op", choices=OPS, help="what they should do")
    parser.add_argument("service", nargs="?", default="", help="without it, the only one")
    parser.add_argument("--reason", default="", help="what you see; it is in the page")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return send(
        "ask", options.dir, options.json, service=options.service, item=options.op,
        reason=options.reason,
    )  # fmt: skip
