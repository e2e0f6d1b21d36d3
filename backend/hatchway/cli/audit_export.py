"""`hatchway audit export`: the records for other programs, checked as they are printed."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hatchway.cli import audit_cdevents, audit_cloudevents
from hatchway.cli.audit_reading import opened
from hatchway.journal.chain import Broken, Row, Sound, to_record
from hatchway.journal.dossier import Window, tell
from hatchway.journal.lines import to_line
from hatchway.journal.port import JournalError
from hatchway.runners.visible import visible

Form = Callable[[Row], list[bytes]]
"""The lines that a record becomes. Called for every record, in order."""


def export(options: argparse.Namespace, journal: Path) -> int:
    """0 all printed, 1 the journal is broken: what is before was printed."""
    sound, _ = opened(options, journal)
    window = None if options.run is None else Window(options.run)
    form: Form | None = None
    left_out: Counter[str] = Counter()
    printed = 0
    for rows in sound:
        for row in rows:
            form = form or _form(options, row)
            lines = form(row)
            if (window is not None and not window.takes(row)) or row[0] <= options.since:
                continue
            if not lines:
                left_out[row[3]] += 1
                continue
            printed += 1
            for line in lines:
                sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    return _told(options, sound, window, printed, left_out)


def _form(options: argparse.Namespace, first: Row) -> Form:
    # Its first record tells a journal from every other one.
    source = options.source or f"urn:hatchway:journal:{first[11][:16]}"
    match options.format:
        case "cloudevents":
            return lambda row: [audit_cloudevents.line(to_record(row), source)]
        case "cdevents":
            events = audit_cdevents.CDEvents(source)
            return lambda row: events.lines(tell(row))
        case _:
            return lambda row: [to_line(to_record(row))]


def _told(
    options: argparse.Namespace,
    sound: Sound,
    window: Window | None,
    printed: int,
    left_out: Counter[str],
) -> int:
    """What a reader must know and the output cannot say, on standard error."""
    if isinstance(sound.found, Broken):
        found = sound.found
        _say(f"BROKEN at record {found.seq}: {found.why}. Only what is before it was printed.")
        _say(f"What it means: {found.means}.")
        return 1
    if window is not None and not printed and options.run not in window.runs:
        raise JournalError(f"The journal has no run {options.run!a}.")
    if left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        total = sum(left_out.values())
        _say(f"{printed} records printed; no CDEvents type fits the other {total}: {kinds}.")
    elif options.format == "jsonl" and (window is not None or options.since):
        _say(f"{printed} records: a selection. Check it with: hatchway audit verify --selection")
    return 0


def _say(text: str) -> None:
    print(f"hatchway audit: {visible(text)}", file=sys.stderr)
