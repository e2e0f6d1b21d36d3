"""Finds the rules that a verb is about, and their calendars as they are at a moment."""

from __future__ import annotations

import argparse
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from hatchway.cli.where import find
from hatchway.core.windows import Calendar
from hatchway.runners.visible import visible
from hatchway.settings.errors import ConfigError, Trouble
from hatchway.settings.load import Rules, load_rules, shipped
from hatchway.settings.moments import moment
from hatchway.settings.words import NotUnderstood

WIDTH = 80


def config_of(given: str | None) -> Path:
    """The configuration directory: --dir, or the installation's; the shipped one without any."""
    place = Path(find(given))
    for directory in (place / "config", place):
        if (directory / "policy.yaml").exists():
            return directory
    if given is not None:
        raise ConfigError(
            [Trouble(str(place), 0, 0, "holds no policy.yaml", "--dir DIRECTORY, one that does")]
        )
    return shipped()


def rules_in(directory: Path) -> Rules:
    """The rules there. Raises ConfigError."""
    return load_rules(directory)


def calendars_at(rules: Rules, directory: Path, at: float) -> dict[str, Calendar]:
    """The calendars as they are at `at`; fetched ones as the backend has last fetched them."""
    from hatchway.calendars.keep import Keeper  # noqa: PLC0415 - only where one is asked

    return Keeper(rules.schedules, directory, memory_in(directory)).calendars(at)


def memory_in(directory: Path) -> Path:
    """Where the backend keeps copies of calendars, and what they announced."""
    return directory.parent / "calendars"


def add_time(parser: argparse.ArgumentParser) -> None:
    """The options that name a moment."""
    parser.add_argument("--at", default="now", metavar="WHEN", help='"fri 17:00", ISO 8601, +2h')


def time_in(text: str, now: float) -> float:
    """The moment that was said, in this machine's zone unless it names one. Raises ConfigError."""
    home = datetime.now(UTC).astimezone().tzinfo or UTC
    try:
        return moment(text, now, home)
    except NotUnderstood as error:
        raise ConfigError([Trouble("--at", 0, 0, error.what, error.write)]) from None


def time_words(at: float) -> str:
    """A moment on this machine's clock and in UTC."""
    utc = datetime.fromtimestamp(at, UTC)
    here = utc.astimezone()
    local = f"{here:%a %Y-%m-%d %H:%M} {here.tzname()}"
    return local if here.utcoffset() == utc.utcoffset() else f"{local} ({utc:%a %H:%M}Z)"


def wrapped(text: str, indent: int = 0) -> str:
    """Lines of at most 80 columns that begin `indent` in; safe to print."""
    pad = " " * indent
    return textwrap.fill(
        visible(text), WIDTH, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False
    )
