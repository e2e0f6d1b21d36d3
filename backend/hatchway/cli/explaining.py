"""`hatchway judge --explain RUN`: a past verdict from the journal, recomputed from its proof."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from hatchway.cli.arithmetic_text import explained, said
from hatchway.cli.where import find
from hatchway.core import events as ev
from hatchway.journal.chain import digest, to_record
from hatchway.journal.port import JournalError, Record
from hatchway.journal.source import rows_of
from hatchway.judge.arithmetic import arithmetic, to_json
from hatchway.judge.proof import ProofError, Replay, replayed
from hatchway.runners.visible import visible

Said = ev.VerdictChanged | ev.ProposalMade
KINDS = ("verdict.changed", "proposal.made")


class Found(Struct, frozen=True):
    """A verdict or a proposal in the journal. `whole`: the record matches its own hash."""

    record: Record
    event: Said

    @property
    def whole(self) -> bool:
        return digest(self.record) == self.record.hash

    @property
    def what(self) -> str:
        """PASS, REGRESS...; for a proposal what was proposed."""
        if isinstance(self.event, ev.VerdictChanged):
            return self.event.word
        return f"{self.event.capability} ({self.event.answer})"


class NotFound(Exception):
    """What was asked for is not in the journal; `todo` is what to do about it."""

    def __init__(self, why: str, todo: str) -> None:
        super().__init__(why)
        self.todo = todo


def explain(options: argparse.Namespace) -> int:
    """Print what `--explain` asks for; the exit status: 0, or 2 when it cannot be had."""
    journal = Path(find(options.dir)) / "journal.db"
    try:
        decisions = of_run(
            (to_record(row) for rows in rows_of(journal) for row in rows), options.explain
        )
        if options.list:
            for found in decisions:
                print(json.dumps(_as_json(found)) if options.json else _as_line(found))
            return 0
        found = chosen(decisions, options.explain, options.seq)
        replay = replayed(found.event.proof)
    except NotFound as error:
        return _refused(str(error), error.todo, options.json)
    except ProofError as error:
        why = f"record {found.record.seq} ({found.what}) cannot be recomputed: {error}"
        return _refused(why, "hatchway judge --explain RUN --list shows the others.", options.json)
    except JournalError as error:
        todo = "Name the installation with --dir; hatchway audit verify says whether it is whole."
        return _refused(str(error), todo, options.json)
    later = [f.record.seq for f in decisions if f.record.seq > found.record.seq]
    if options.json:
        print(json.dumps(_explained_json(found, replay)))
    else:
        lines = [*_head(found, replay, later), "", *explained(arithmetic(replay))]
        print("\n".join(lines))
    return 0


def of_run(records: Any, run: str) -> list[Found]:
    """The verdicts and the proposals of a run, in order. Raises NotFound when there is no run."""
    decisions: list[Found] = []
    runs: dict[str, None] = {}
    for record in records:
        room, _, name = record.stream.partition("/")
        if room != "run":
            continue
        runs[name] = None
        if name == run and record.kind in KINDS:
            event = ev.decode(record.kind, record.payload)
            if isinstance(event, ev.VerdictChanged | ev.ProposalMade):
                decisions.append(Found(record, event))
    if run not in runs:
        known = f"It has {', '.join(list(runs)[-8:])}." if runs else "It has no run at all."
        raise NotFound(f"the journal has no run {run!a}", known)
    return decisions


def chosen(decisions: list[Found], run: str, seq: int | None) -> Found:
    """The decision in record `seq`, or the last one with a proof. Raises NotFound."""
    if seq is not None:
        for found in decisions:
            if found.record.seq == seq:
                return found
        todo = f"hatchway judge --explain {run} --list shows them."
        raise NotFound(f"record {seq} is no verdict or proposal of run {run}", todo)
    for found in reversed(decisions):
        if found.event.proof:
            return found
    if not decisions:
        raise NotFound(f"run {run} has no verdict: no canary was judged", "Look at another run.")
    raise NotFound(
        f"no verdict of run {run} has a proof: a version that kept none wrote them, or the judge"
        " never had a look",
        f"hatchway judge --explain {run} --list shows what was said.",
    )


def _head(found: Found, replay: Replay, later: list[int]) -> list[str]:
    event, record = found.event, found.record
    lines = [
        f"run {visible(event.run)}, step {event.step + 1}, record {record.seq}, {_time(record.at)}",
        f"{found.what}: {visible(event.headline)}",
        recomputed(replay),
        "the record matches its hash; hatchway audit verify checks the whole chain"
        if found.whole
        else "THE RECORD DOES NOT MATCH ITS HASH: it was changed after it was written",
    ]
    if later:
        numbers = ", ".join(map(str, later[:6])) + (" ..." if len(later) > 6 else "")
        lines.append(f"said later in this run: {numbers} (--list; --seq N explains one)")
    return [line for text in lines for line in said(text)]


def recomputed(replay: Replay) -> str:
    """Whether this version comes to the same bytes, in words."""
    size = f"from its proof of {replay.size:,} bytes"
    if replay.same:
        return f"recomputed {size}: same bytes, of the verdict and of the judge's state"
    if replay.same_verdict:
        return (
            f"recomputed {size}: same verdict; the judge's state differs, since this version"
            " keeps it differently"
        )
    return (
        f"recomputed {size}: DIFFERENTLY by this version, which says {replay.verdict.word}:"
        f" {visible(replay.verdict.headline)}. Below is this version's arithmetic"
    )


def _as_line(found: Found) -> str:
    proof = "" if found.event.proof else "  (no proof)"
    headline = f"{found.what}: {visible(found.event.headline)}"
    line = f"#{found.record.seq}  {_time(found.record.at)}  {headline}{proof}"
    return "\n".join(said(line))


def _as_json(found: Found) -> dict[str, Any]:
    event = found.event
    told: dict[str, Any] = {
        "seq": found.record.seq,
        "at": _time(found.record.at),
        "kind": found.record.kind,
        "step": event.step,
        "headline": event.headline,
        "proof_bytes": len(event.proof),
    }
    if isinstance(event, ev.VerdictChanged):
        return {**told, "word": event.word, "action": event.action}
    return {**told, "capability": event.capability, "answer": event.answer}


def _explained_json(found: Found, replay: Replay) -> dict[str, Any]:
    return {
        **_as_json(found),
        "record_whole": found.whole,
        "same_state": replay.same_state,
        "same_verdict": replay.same_verdict,
        "recomputed": recomputed(replay),
        "arithmetic": to_json(arithmetic(replay)),
    }


def _refused(why: str, todo: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"ok": False, "why": why, "todo": todo}))
    else:
        print(f"hatchway judge: {visible(why)}. {visible(todo)}", file=sys.stderr)
    return 2


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(at)
