"""`hatchway audit seal --before DATE|SEQ --to DIR`: move old records into a sealed file.

The backend must not run meanwhile: it is the journal's only writer. Stops need no backend.
"""

from __future__ import annotations

import argparse
import getpass
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from hatchway.journal.keeping import KEY
from hatchway.journal.note import Signer, signer_of
from hatchway.journal.port import JournalError
from hatchway.journal.sealing import seal as sealed
from hatchway.journal.source import kept_rows
from hatchway.runners.visible import visible
from hatchway.wiring import AlreadyRunning, only_one


def seal(options: argparse.Namespace, journal: Path) -> int:
    """0 sealed. Raises JournalError; then nothing was changed."""
    if not journal.exists():
        raise JournalError(f"there is no journal at {journal}")
    key = Path(options.note) if options.note else journal.parent / KEY
    signs = key if options.note or key.exists() else None

    def signer(origin: str) -> Signer:
        return signer_of(key, origin)

    try:
        with only_one(journal.parent):
            done = sealed(
                journal,
                Path(options.to),
                _last(options.before, journal),
                clock=time.time,
                by=getpass.getuser(),
                signer=signer if signs else None,
                segments=Path(options.segments) if options.segments else None,
            )
    except AlreadyRunning as e:
        raise JournalError(
            f"{e} To seal, stop it first; the governor and all stops go on without it."
        ) from e
    if options.json:
        said = {"ok": True, "file": str(done.file), "first": done.first, "last": done.last}
        print(json.dumps({**said, "hash": done.hash, "root": done.root, "trouble": done.trouble}))
        return 0
    signed = ", signed" if signs else ", not signed (--note KEY)"
    print(f"Sealed records {done.first:,} to {done.last:,} in {visible(str(done.file))}{signed}.")
    print("They are out of the database. audit verify, report, replay and export read both;")
    print("keep the file, and a copy of it on another machine.")
    if done.trouble:
        print(visible(f"Note: {done.trouble}."))
    return 0


def _last(before: str, journal: Path) -> int:
    """The last record before a number or a time. Raises JournalError."""
    if before.isdecimal():
        return int(before) - 1
    try:
        when = datetime.fromisoformat(before)
    except ValueError as e:
        raise JournalError(
            f"--before {before!a} is no record and no date: 1200, 2026-01-31, 2026-01-31T12:00Z"
        ) from e
    limit = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    last = 0
    for rows in kept_rows(journal):
        for row in rows:
            if row[6] >= limit:
                return last
            last = row[0]
    return last
