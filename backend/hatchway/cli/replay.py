"""`hatchway replay RUN`: the dashboard on a past run, step by step. Reads a journal, reaches nobody."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hatchway.cli.where import find
from hatchway.journal.chain import Sound
from hatchway.journal.port import Damaged, JournalError
from hatchway.journal.source import begins, roots_in, rows_of
from hatchway.runners.visible import visible

if TYPE_CHECKING:
    from hatchway.edge.docs.replay import ReplayDoc
    from hatchway.edge.replay import Recording

_EPILOG = """\
keys: [ and ] to the previous and the next record that matters, { and } ten of them,
Home and End on the first screen, q leaves. Nothing is sent from a replay.

exit status: 0 shown, 1 the journal is damaged as a whole, 2 it could not be looked at (no such
file, no such run, misuse). A journal whose chain is broken is shown up to there, and says so."""


def main(argv: list[str]) -> int:
    """Show a past run; the exit status as the help says."""
    options = _parser().parse_args(argv)
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not (on_terminal or options.json or options.plain):
        print(
            "hatchway replay: this is not a terminal. --plain says it in sentences, --json as data.",
            file=sys.stderr,
        )
        return 2
    try:
        recording = _opened(options)
        seq = recording.last if options.at is None else place(recording, options.at)
    except (JournalError, ValueError) as error:
        if options.json:
            print(json.dumps({"ok": False, "why": str(error)}))
        else:
            print(f"hatchway replay: {visible(str(error))}", file=sys.stderr)
        return 1 if isinstance(error, Damaged) else 2
    if options.json:
        docs = recording.documents(seq)
        print(msgspec.json.encode({"ok": True, "seq": seq, "docs": docs}).decode())
        return 0
    if options.plain:
        print("\n".join(map(visible, plainly(recording, seq))))
        return 0
    # By its name and not by an import: the backend package knows nothing of the dashboard's.
    status: int = import_module("hatchway_tui.replaying").main(recording, seq, _look(options))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatchway replay",
        description="The dashboard on a past run: what was known then, record by record.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run, as status and audit report name it")
    parser.add_argument("--dir", help="state directory of the installation")
    parser.add_argument("--journal", metavar="FILE", help="a journal.db, a segment or JSON Lines")
    parser.add_argument("--segments", metavar="DIR", help="where sealed segments are now")
    parser.add_argument(
        "--at", metavar="SEQ|TIME", help="a record, 02:14[:07] or 2026-01-31T02:14:07 (UTC)"
    )
    parser.add_argument("--json", action="store_true", help="print the documents of that moment")
    parser.add_argument("--plain", action="store_true", help="say it in sentences")
    parser.add_argument("--theme", choices=("auto", "dark", "light", "ansi", "mono"))
    return parser


def _look(options: argparse.Namespace) -> list[str]:
    return ["--theme", options.theme] if options.theme else []


def _opened(options: argparse.Namespace) -> Recording:
    from hatchway.edge.replay import recorded  # noqa: PLC0415 - not for --help

    path = Path(options.journal) if options.journal else Path(find(options.dir)) / "journal.db"
    start, tree = begins(path)
    segments = Path(options.segments) if options.segments else None
    sound = Sound(rows_of(path, segments), start, None, roots_in(path), tree)
    recording = recorded(sound, options.run)
    if start[0]:
        before = f"this file begins after record {start[0]}: what was before is not known"
        recording.trouble = "; ".join(filter(None, (before, recording.trouble)))
    return recording


def place(recording: Recording, text: str) -> int:
    """The record that `--at` means. Raises ValueError with what can be said."""
    if text.isdecimal():
        seq = int(text)
        if not recording.first <= seq <= recording.last:
            raise ValueError(
                f"run {recording.run} is records {recording.first} to {recording.last}"
                f" of the journal: --at {seq} is none of them"
            )
        return seq
    return recording.at_time(time_in(text, recording.began))


def time_in(text: str, began: float) -> float:
    """A time in UTC; of a clock's time the first one after `began`. Raises ValueError."""
    words = text.strip().removesuffix("Z")
    start = datetime.fromtimestamp(began, UTC)
    try:
        if "-" in words:
            at = datetime.fromisoformat(words)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        clock = datetime.strptime(words, "%H:%M:%S" if words.count(":") == 2 else "%H:%M")  # noqa: DTZ007
    except ValueError:
        raise ValueError(
            f"--at {text!a} is neither a record nor a time: 4471, 02:14:07, 2026-01-31T02:14:07"
        ) from None
    at = start.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    whole = timedelta(minutes=1) if words.count(":") == 1 else timedelta(seconds=1)
    last = at + whole - timedelta(microseconds=1)  # 02:14 is all of that minute
    return (last if last >= start else last + timedelta(days=1)).timestamp()


def plainly(recording: Recording, seq: int) -> list[str]:
    """A moment in sentences, one a line: for screen readers and scripts."""
    from hatchway.cli.sentences import from_backend  # noqa: PLC0415

    docs = recording.documents(seq)
    doc = recording.doc(seq)
    told = {key: msgspec.json.decode(raw) for key, raw in docs.items()}
    about = (f"authority/{recording.service}", f"run/{recording.run}", "needs-you", "audit/tail")
    lines = [_heading(recording, doc)]
    if doc.trouble:
        lines.append(f"Note: {doc.trouble}.")
    shown = {key: told[key] for key in about if key in told}
    lines += [sentence.text for sentence in from_backend({"docs": shown}, doc.at)]
    if doc.figures:
        lines.append(f"Figures: {doc.figures}.")
    mine = told.get(f"metrics/{recording.run}", {}).get("metrics", ())
    lines += [_figures(metric) for metric in mine]
    lines.append("The journal then:")
    tail = told["audit/tail"]["lines"][-10:]
    lines += [f"  #{line['seq']}  {_time(line['at'])}  {line['who']}: {line['text']}" for line in tail]  # fmt: skip
    return lines


def _heading(recording: Recording, doc: ReplayDoc) -> str:
    return (
        f"REPLAY of run {recording.run}, record {doc.seq} of {doc.first} to {doc.last},"
        f" {_time(doc.at)}, event: {doc.event}. Nothing is sent from here."
    )


def _figures(metric: dict[str, object]) -> str:
    def figure(arm: str) -> str:
        value = metric.get(arm)
        return "not journaled" if value is None else f"{value:g} {metric['unit']}".rstrip()

    return f"  {metric['label']}: stable {figure('stable')}, canary {figure('canary')}, {metric['says']}"  # fmt: skip


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(at)
