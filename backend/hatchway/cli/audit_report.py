"""`hatchway audit report RUN`: who let this ship, and on what evidence."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hatchway.cli.audit_reading import opened
from hatchway.cli.audit_signatures import checked
from hatchway.journal.account import Report
from hatchway.journal.chain import Broken
from hatchway.journal.dossier import Dossier, gather
from hatchway.journal.exceptions import exceptions
from hatchway.journal.lines import printable
from hatchway.journal.port import JournalError
from hatchway.journal.report import report as made_of
from hatchway.runners.visible import visible


def report(options: argparse.Namespace, journal: Path) -> int:
    """0 told, 1 told and the journal is broken. Raises JournalError, e.g. for an unknown run."""
    if options.json:
        options.format = "json"
    options.json = options.format == "json"  # how refusals are told
    sound, anchors = opened(options, journal)
    dossier = gather(sound, options.run)
    made = made_of(dossier, sound.found, anchors)
    if made is None:
        raise JournalError(unknown(dossier, sound.found))
    if options.signers:
        check_signatures(made, dossier, Path(options.signers))
    made.exceptions = exceptions(made)
    if options.format == "json":
        print(printable(msgspec.json.encode(made)).decode())
    elif options.format == "csv":
        from hatchway.cli.audit_csv import write  # noqa: PLC0415

        write(made, sys.stdout)
    else:
        from hatchway.cli.audit_text import lines  # noqa: PLC0415

        print("\n".join(lines(made)))
    return 1 if isinstance(sound.found, Broken) else 0


def check_signatures(made: Report, dossier: Dossier, allowed: Path) -> None:
    """Verify the approvals that were signed with SSH keys again, as anybody can offline."""
    found = {one.seq: one for one in checked((told.record for told in dossier.told), allowed)}
    for i, answer in enumerate(made.approvals):
        one = found.get(answer.answered_seq)
        if one is not None:
            good = f"valid, by {one.principal}, {one.fingerprint}"
            signed = f"INVALID: {one.why}" if one.why else good
            made.approvals[i] = replace(answer, signed=signed)


def unknown(dossier: Dossier, found: object) -> str:
    """Why there is nothing to say of a run."""
    known = list(dossier.others)
    said = f"The journal has no start of a run {dossier.run!a}."
    if isinstance(found, Broken):
        said += f" It is BROKEN at record {found.seq}: {found.why}; only what is before was read."
    if not known:
        return f"{said} It has no run at all."
    return f"{said} It has {', '.join(visible(name) for name in known[-8:])}."
