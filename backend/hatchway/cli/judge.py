"""`hatchway judge`: judges recorded data, or shows the arithmetic of a past verdict. Reads only."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hatchway.judge.outcome import Outcome
from hatchway.judge.reading import RecordingError, read
from hatchway.judge.recorded import judged
from hatchway.runners.visible import visible

MAX_FILE = 64 * 1024 * 1024  # bytes
EXIT = {"PASS": 0, "REGRESS": 1, "UNSURE": 3, "NO_DATA": 4}

_EPILOG = """\
exit status: 0 PASS, 1 REGRESS, 3 UNSURE, 4 NO_DATA (of all metrics jointly); 2 when the
file or the run cannot be read. With --explain: 0, or 2. docs/judge.md has the file's format."""


def main(argv: list[str]) -> int:
    """Run `hatchway judge ...`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="hatchway judge",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="recorded data; - reads them here")
    parser.add_argument("--explain", metavar="RUN", help="a run in the journal: its last verdict")
    parser.add_argument("--seq", type=int, metavar="N", help="the verdict in record N instead")
    parser.add_argument("--list", action="store_true", help="the verdicts of that run")
    parser.add_argument("--dir", help="the state directory (default: $HATCHWAY_DIR, the demo's)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    options = parser.parse_args(argv)
    if (options.file is None) == (options.explain is None):
        parser.error("name a FILE to judge, or a run with --explain")
    if options.explain is None and (options.seq is not None or options.list):
        parser.error("--seq and --list go with --explain")
    try:
        if options.explain is not None:
            from hatchway.cli.explaining import explain  # noqa: PLC0415

            return explain(options)
        return _judge(options.file, as_json=options.json)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _judge(name: str, *, as_json: bool) -> int:
    shown = "standard input" if name == "-" else name
    try:
        outcomes = judged(read(_bytes(name)))
    except RecordingError as error:
        return _refused(f"{shown}: {error.place}: {error.wrong}", f"Write {error.write}.", as_json)
    except OSError as error:
        return _refused(f"{shown} cannot be read: {error.strerror}", "Name another file.", as_json)
    for outcome in outcomes:
        joint = outcome is outcomes[-1] and len(outcomes) > 1
        print(json.dumps(_as_json(outcome, joint)) if as_json else _as_words(outcome, joint))
    return EXIT[outcomes[-1].word]


def _bytes(name: str) -> bytes:
    if name == "-":
        data = sys.stdin.buffer.read(MAX_FILE + 1)
    else:
        with Path(name).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise RecordingError(
            "the file", f"it has more than {MAX_FILE // 2**20} MB", "several smaller files"
        )
    return data


def _refused(why: str, todo: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"ok": False, "why": why, "todo": todo}))
    else:
        print(f"hatchway judge: {visible(why)}. {visible(todo)}", file=sys.stderr)
    return 2


def _as_json(outcome: Outcome, joint: bool) -> dict[str, Any]:
    return {
        **({"joint": outcome.metrics} if joint else {"metric": outcome.metrics[0]}),
        "verdict": outcome.word,
        "e": float(f"{outcome.e:.6g}"),
        "hold_at": outcome.hold_at,
        "rollback_at": outcome.rollback_at,
        "why": outcome.why,
        "forecast_s": None if outcome.forecast_s is None else round(outcome.forecast_s, 1),
    }


def _as_words(outcome: Outcome, joint: bool) -> str:
    lines = [f"{'jointly' if joint else visible(outcome.metrics[0])}: {outcome.word}"]
    lines.append(f"  {visible(outcome.why)}")
    if outcome.looks:
        said = f"evidence {outcome.e:.3g} after {outcome.looks:,} looks"
        for what, at in (("held", outcome.hold_at), ("rolled back", outcome.rollback_at)):
            if at is not None:
                said += f"; {what} at look {at}"
        lines.append(f"  {said}")
    lines += [f"  {why.sign} {visible(why.text)}" for why in outcome.reasons if not joint]
    return "\n".join(lines)
