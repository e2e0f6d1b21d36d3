"""`hatchway check`: are the configuration files right? Starts nothing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from msgspec.structs import asdict

from hatchway.settings.errors import ConfigError, Trouble
from hatchway.settings.load import Settings, check_file, load_all


def main(argv: list[str]) -> int:
    """Check files or a directory: 0 when all is right, 2 with every mistake on standard error.

    What is allowed and perhaps not meant is a warning on standard error, and changes no status.
    """
    parser = argparse.ArgumentParser(
        prog="hatchway check",
        description="Check configuration files: file, line, what is wrong, what to write.",
    )
    parser.add_argument("--dir", help="a state directory, or one that holds hatchway.yaml")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    parser.add_argument("files", nargs="*", help="single files, or directories of them")
    arguments = parser.parse_args(argv)
    places = [Path(name) for name in arguments.files]
    if arguments.dir is not None or not places:
        places.insert(0, Path(arguments.dir or "."))
    troubles: list[Trouble] = []
    notes: list[Trouble] = []
    right: dict[str, str] = {}
    for place in places:
        try:
            right[str(place)], noted = _check(place)
            notes += noted
        except ConfigError as error:
            troubles += error.troubles
    if arguments.json:
        said = {
            "ok": not troubles,
            "right": right,
            "troubles": [asdict(t) for t in troubles],
            "notes": [asdict(n) for n in notes],
        }
        print(json.dumps(said))
        return 2 if troubles else 0
    for name, words in right.items():
        print(f"{name}: {words}")
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    if troubles:
        mistakes = "1 mistake" if len(troubles) == 1 else f"{len(troubles)} mistakes"
        print(f"hatchway check: {mistakes}; nothing was started", file=sys.stderr)
    return 2 if troubles else 0


def _check(place: Path) -> tuple[str, tuple[Trouble, ...]]:
    """What is there, in words, and what is to be noted. Raises ConfigError."""
    if not place.is_dir():
        return "right", check_file(place)
    for directory in (place, place / "config"):
        if (directory / "hatchway.yaml").exists():
            settings = load_all(directory)
            return _words(settings), settings.notes
    raise ConfigError(
        [Trouble(str(place), 0, 0, "holds no hatchway.yaml", "hatchway check --dir DIRECTORY")]
    )


def _words(settings: Settings) -> str:
    plans = settings.pipelines.values()
    stages = sum(len(plan.stages) for plan in plans)
    modes = ", ".join(f"{name}: {e.mode}" for name, e in settings.policy.environments.items())
    services = ", ".join(sorted(settings.pipelines))
    return f"right (services: {services}; {stages} stages; the agent's mode in {modes})"
