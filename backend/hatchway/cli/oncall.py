"""`hatchway oncall`: who is on call, now or at another time, as calendars.yaml says."""

from __future__ import annotations

import argparse
import json
import sys
import time

from hatchway.cli.rules_dir import (
    add_time,
    config_of,
    memory_in,
    rules_in,
    time_in,
    time_words,
    wrapped,
)
from hatchway.core.oncall import on_call
from hatchway.settings.errors import ConfigError


def main(argv: list[str]) -> int:
    """Run `hatchway oncall ...`; 0 known, 2 a file cannot be used, 3 not known (so: everybody)."""
    parser = argparse.ArgumentParser(
        prog="hatchway oncall",
        description=__doc__,
        epilog="exit status: 0 known, 3 not known: everybody who is listed is called, 2 misuse.",
    )
    parser.add_argument("--dir", help="a state directory, or one that holds policy.yaml")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    add_time(parser)
    options = parser.parse_args(argv)
    from hatchway.calendars.keep import Keeper  # noqa: PLC0415 - only here

    try:
        directory = config_of(options.dir)
        schedules = rules_in(directory).schedules
        at = time_in(options.at, time.time())
    except ConfigError as error:
        for trouble in error.troubles:
            print(f"hatchway oncall: {trouble}", file=sys.stderr)
        return 2
    duty = on_call(Keeper(schedules, directory, memory_in(directory)).roster(at), at)
    if options.json:
        until = duty.until if duty.until < 1e11 else None
        said = {"people": duty.people, "known": duty.known, "why": duty.why, "until": until}
        print(json.dumps({"ok": True, "at": at, **said}))
    else:
        print(wrapped(f"{', '.join(duty.people) or 'nobody'}   at {time_words(at)}"))
        print(wrapped(duty.why, 2))
    return 0 if duty.known else 3
