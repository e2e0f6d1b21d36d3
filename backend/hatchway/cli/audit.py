"""`hatchway audit`: is the journal whole, and what does it say? Reads only, live or dead."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchway.cli.where import find
from hatchway.journal.chain import Broken, Head, verify
from hatchway.journal.port import JournalError, Record
from hatchway.journal.sqlite_file import last_records, scan
from hatchway.runners.visible import visible

_PAYLOAD_WIDTH = 160  # characters of a payload that `tail` shows on a line


def main(argv: list[str]) -> int:
    """Run `hatchway audit ...`; the exit status: 0 fine, 1 broken or unreadable, 2 misuse."""
    options = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace, Path], int] = options.run
    journal = Path(find(options.dir)) / "journal.db"
    try:
        return run(options, journal)
    except JournalError as e:
        if options.json:
            print(json.dumps({"ok": False, "why": str(e)}))
        else:
            print(f"hatchway audit: {visible(str(e))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hatchway audit", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="verb")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", help="the state directory (default: $HATCHWAY_DIR, the demo's)")
    shared.add_argument("--json", action="store_true", help="print JSON instead of words")

    check = verbs.add_parser("verify", parents=[shared], help="check the chain, name a bad record")
    check.add_argument(
        "--expect",
        type=_head,
        metavar="SEQ:HASH",
        help="a record that must be there: finds a tail that was cut off",
    )
    check.set_defaults(run=_verify)

    tail = verbs.add_parser("tail", parents=[shared], help="print the newest records")
    tail.add_argument("-n", type=_positive, default=20, help="how many (default 20)")
    tail.set_defaults(run=_tail)
    return parser


def _verify(options: argparse.Namespace, journal: Path) -> int:
    found = verify(scan(journal), expect=options.expect)
    if isinstance(found, Broken):
        if options.json:
            print(
                json.dumps({"ok": False, "seq": found.seq, "why": found.why, "means": found.means})
            )
        else:
            print(f"BROKEN at record {found.seq} of {journal}: {visible(found.why)}.")
            print(f"What it means: {found.means}.")
            print(
                f"What to do: trust only records 1 to {found.seq - 1}; keep this file as evidence "
                "and compare it with a backup or a checkpoint kept elsewhere."
            )
        return 1
    if options.json:
        print(json.dumps({"ok": True, "events": found.records, "head": [found.seq, found.hash]}))
    else:
        print(f"The journal is whole: {found.records:,} records, each follows from the one before.")
        print(f"Head {found.seq}:{found.hash}")
        if options.expect is None:
            print("(That none was cut off the end is only shown by --expect with an earlier head.)")
    return 0


def _tail(options: argparse.Namespace, journal: Path) -> int:
    for record in last_records(journal, options.n):
        print(json.dumps(_as_json(record)) if options.json else _as_words(record))
    return 0


def _as_words(record: Record) -> str:
    at = _time(record.at)
    payload = visible(record.payload.decode("utf-8", "replace"))
    if len(payload) > _PAYLOAD_WIDTH:
        payload = f"{payload[:_PAYLOAD_WIDTH]}… ({len(record.payload):,} bytes)"
    return (
        f"#{record.seq}  {at}  {visible(record.stream)}  {visible(record.kind)}  "
        f"by {visible(record.actor)}  {payload}"
    )


def _as_json(record: Record) -> dict[str, Any]:
    payload: Any
    try:
        payload = json.loads(record.payload)
    except ValueError:
        payload = record.payload.decode("utf-8", "backslashreplace")
    return {
        "seq": record.seq,
        "at": _time(record.at),
        "stream": record.stream,
        "version": record.version,
        "kind": record.kind,
        "actor": record.actor,
        "epoch": record.epoch,
        "cause": record.cause,
        "idem": record.idem,
        "payload": payload,
        "hash": record.hash,
    }


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError, TypeError):
        return visible(str(at))


def _head(text: str) -> Head:
    seq, _, digest = text.partition(":")
    if not seq.isdigit() or len(digest) != 64:
        raise argparse.ArgumentTypeError("write it as `audit verify` prints it: 42:9f86d0...")
    return int(seq), digest


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)
