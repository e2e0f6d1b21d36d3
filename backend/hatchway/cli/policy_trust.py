"""`hatchway policy trust CALENDAR`: a feed that lost what it announced is right all the same."""

from __future__ import annotations

import argparse
import json

from hatchway.cli.rules_dir import config_of, memory_in, rules_in
from hatchway.core.schedules import Feed
from hatchway.settings.errors import ConfigError, Trouble, unknown

ON_CALL = "on-call"


def trust(options: argparse.Namespace) -> int:
    """Forget what the feed announced before; 0 also when there was nothing to forget."""
    from hatchway.calendars.keep import memory_of  # noqa: PLC0415 - only here

    directory = config_of(options.dir)
    schedules = rules_in(directory).schedules
    feeds = [name for name, s in schedules.schedules.items() if isinstance(s.says, Feed)]
    if schedules.on_call is not None and isinstance(schedules.on_call.says, Feed):
        feeds.append(ON_CALL)
    if options.calendar not in feeds:
        what, write = unknown("calendars.yaml has no feed", options.calendar, feeds)
        raise ConfigError([Trouble(str(directory / "calendars.yaml"), 0, 0, what, write)])
    memory = memory_of(memory_in(directory), options.calendar)
    try:
        memory.unlink(missing_ok=True)
    except OSError as error:
        why = f"it cannot be forgotten: {(error.strerror or '').lower()}"
        raise ConfigError([Trouble(str(memory), 0, 0, why, "")]) from None
    if options.json:
        print(json.dumps({"ok": True, "calendar": options.calendar}))
    else:
        print(f"{options.calendar}: what it says at the next look is taken as right")
    return 0
