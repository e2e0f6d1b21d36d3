"""`hatchway policy check [FILE]`: all mistakes of the policy and the calendars beside it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hatchway.cli.rules_dir import config_of, wrapped
from hatchway.core.policy_words import says
from hatchway.settings.load import load_rules


def check(options: argparse.Namespace) -> int:
    """0 when all is right. Raises ConfigError with every mistake."""
    path = Path(options.file) if options.file else config_of(options.dir) / "policy.yaml"
    rules = load_rules(path.parent, path.name)
    environments = rules.policy.environments
    if options.json:
        said = {
            "ok": True,
            "file": str(path),
            "digest": rules.policy.digest,
            "says": says(rules.policy),
            "windows": rules.schedules.names("window"),
            "freezes": rules.schedules.names("freeze"),
        }
        print(json.dumps(said))
        return 0
    modes = ", ".join(f"{name} ({place.mode})" for name, place in environments.items())
    words = f"right: {modes}"
    for kind in ("window", "freeze"):
        names = rules.schedules.names("window" if kind == "window" else "freeze")
        if names:
            words += f"; {kind}s {', '.join(names)}"
    print(wrapped(f"{path}: {words}"))
    return 0
