"""`hatchway audit`: is the journal whole, and what does it say? Most only read, live or dead."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from hatchway.cli.where import find
from hatchway.journal.chain import Head, digest
from hatchway.journal.checkpoint import CheckpointError
from hatchway.journal.note import NoteError
from hatchway.journal.port import Damaged, JournalError, Record
from hatchway.journal.sqlite_file import last_records
from hatchway.runners.visible import visible

_PAYLOAD_WIDTH = 160  # characters of a payload that `tail` shows on a line


_STATUS = """\
exit status: 0 fine, 1 the journal is broken or damaged, 2 it could not be looked at (no such
file, a checkpoint that cannot be used, misuse)."""


def main(argv: list[str]) -> int:
    """Run `hatchway audit ...`; the exit status: 0 fine, 1 broken, 2 could not be looked at."""
    options = _parser().parse_args(argv)
    journal = Path(find(options.dir)) / "journal.db"
    try:
        status: int = getattr(import_module(options.module), options.call)(options, journal)
        return status
    except (JournalError, CheckpointError, NoteError) as e:
        if options.json:
            print(json.dumps({"ok": False, "why": str(e)}))
        else:
            print(f"hatchway audit: {visible(str(e))}", file=sys.stderr)
        return 1 if isinstance(e, Damaged) else 2
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatchway audit",
        description=__doc__,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", help="the state directory (default: $HATCHWAY_DIR, the demo's)")
    shared.add_argument("--json", action="store_true", help="print JSON instead of words")

    def verb(name: str, call: str, help_: str, module: str = "") -> argparse.ArgumentParser:
        added = verbs.add_parser(name, parents=[shared], help=help_, description=help_)
        added.set_defaults(module=f"hatchway.cli.audit{module}", call=call)
        return added

    _verify_options(verb("verify", "verify", "check the chain, name a bad record", "_verify"))
    note = verb("checkpoint", "checkpoint", "note the head, to be kept elsewhere", "_verify")
    note.add_argument("--to", metavar="FILE", help="add it to this file (default: print it)")
    note.add_argument("--note", metavar="KEY", help="a signed note (C2SP) by this Ed25519 key")
    note.add_argument("--sign", metavar="KEY", help="a line of JSON, signed with ssh-keygen -Y")
    _segments(note)
    move = verb("seal", "seal", "move old records into a sealed file", "_seal")
    move.add_argument("--before", required=True, metavar="DATE|SEQ", help="what is before it")
    move.add_argument("--to", required=True, metavar="DIR", help="where the file is put")
    move.add_argument("--note", metavar="KEY", help="sign it (default: the backend's own key)")
    _segments(move)
    yes = verb("signatures", "signatures", "verify every signed yes again", "_signatures")
    yes.add_argument("--signers", required=True, metavar="FILE", help="allowed signers")
    _from(yes)
    told = verb("report", "report", "who let a run ship, and on what evidence", "_report")
    told.add_argument("run", metavar="RUN", help="a run, as status names it")
    told.add_argument("--format", choices=("text", "json", "csv"), default="text")
    told.add_argument("--signers", metavar="FILE", help="check signed approvals again by this file")
    _from(told)
    out = verb("export", "export", "print the records for other programs", "_export")
    out.add_argument("--format", choices=("jsonl", "cloudevents", "cdevents"), default="jsonl")
    out.add_argument("--since", type=_natural, default=0, metavar="SEQ", help="only what is after")
    out.add_argument("--run", metavar="RUN", help="only what tells of this run")
    out.add_argument("--source", metavar="URI", help="who says so, in CloudEvents and CDEvents")
    _from(out)
    past = verb("replay", "replay", "how things were at a record, as status says it", "_replay")
    past.add_argument("run", metavar="RUN", help="a run, as status names it")
    past.add_argument("--at", type=_positive, metavar="SEQ", help="a record (default: its last)")
    _from(past)
    _prove_options(
        verb("prove", "prove", "that a record, or an older checkpoint, is in a newer", "_prove"),
        verb("check", "check", "check such a proof, without the journal", "_prove"),
    )
    word = verb("review", "review", "put your word on a run that has ended", "_review")
    word.add_argument("run", metavar="RUN", help="a run, as status names it")
    word.add_argument("--reason", required=True, help="what was found, what follows from it")
    words = ("right", "wrong", "harmful")
    word.add_argument("--verdict", choices=words, default="", help="of the agent's last decision")
    tail = verb("tail", "tail", "print the newest records")
    tail.add_argument("-n", type=_positive, default=20, help="how many (default 20)")
    return parser


def _from(parser: argparse.ArgumentParser) -> None:
    """Options of the verbs that read a whole journal and check it as they go."""
    parser.add_argument("--file", help="a journal.db or an exported JSON Lines file")
    _segments(parser)
    parser.add_argument("--checkpoint", metavar="FILE", help="checkpoints that must be in it")
    parser.add_argument("--vkey", metavar="KEY", help="each checkpoint must be signed by this key")


def _prove_options(prove: argparse.ArgumentParser, check: argparse.ArgumentParser) -> None:
    prove.add_argument("seq", nargs="?", type=_positive, metavar="SEQ", help="a record")
    prove.add_argument("--old", type=_positive, metavar="SIZE", help="of an older checkpoint")
    prove.add_argument("--file", help="a journal.db or an exported JSON Lines file")
    prove.add_argument("--checkpoint", metavar="FILE", help="its newest note (default: the kept)")
    prove.add_argument("--note", metavar="KEY", help="sign the head with this key instead")
    prove.add_argument("--to", metavar="FILE", help="write it here (default: print it)")
    _segments(prove)
    check.add_argument("proof", metavar="FILE", help="what audit prove wrote")
    check.add_argument("--vkey", required=True, metavar="KEY", help="whose signature counts")
    check.add_argument("--checkpoint", metavar="FILE", help="has the older one, for --old")


def _segments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--segments", metavar="DIR", help="where sealed segments are now")


def _verify_options(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "file", nargs="?", metavar="FILE", help="a journal.db or an exported JSON Lines file"
    )
    check.add_argument(
        "--checkpoint", metavar="FILE", help="checkpoints that must be in it: finds a cut tail"
    )
    _segments(check)
    check.add_argument(
        "--without-segments", action="store_true", help="leave the records in segments unread"
    )
    check.add_argument(
        "--vkey", metavar="KEY", help="each checkpoint must be signed by this verifier's key"
    )
    check.add_argument(
        "--signers", metavar="FILE", help="the same for SSH signatures: a file of allowed signers"
    )
    check.add_argument(
        "--expect", type=_head, metavar="SEQ:HASH", help="a record that must be there"
    )
    check.add_argument(
        "--selection", action="store_true", help="the file is an excerpt: gaps are allowed"
    )


def tail(options: argparse.Namespace, journal: Path) -> int:
    """Print the newest records."""
    for record in last_records(journal, options.n):
        try:
            digest(record)
        except Exception as e:
            why = f"record {record.seq} cannot be read ({e}): hatchway audit verify says more"
            raise Damaged(why, record.seq) from e
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


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)
