"""A report as a table for spreadsheets: one fact a row, and no cell that is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from hatchway.cli.audit_text import time_of
from hatchway.journal.account import Report
from hatchway.runners.visible import visible

COLUMNS = ("section", "record", "time", "who", "what", "result", "why", "evidence")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "|", "%")

Row = tuple[str, int | str, str, str, str, str, str, str]


def write(report: Report, out: TextIO) -> None:
    """All of a report, every cell quoted."""
    table = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for row in _rows(report):
        table.writerow([cell(str(value)) for value in row])


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula, on one line, with nothing hidden in it."""
    safe = visible(text)
    return f"'{safe}" if safe.lstrip(" '\"").startswith(_FORMULA) else safe


def _rows(r: Report) -> Iterator[Row]:
    what = f"run {r.run}: {r.service} {r.from_version} to {r.to_version}, commit {r.commit}"
    digests = f"plan {r.plan}; policy {r.policy}"
    start = (r.requested_by, what, f"agent: {r.mode}", f"in control: {r.control}", digests)
    yield ("run", r.started_seq, time_of(r.started_at), *start)
    if r.outcome:
        yield ("outcome", r.ended_seq, time_of(r.ended_at), "", "run ended", r.outcome, r.why, "")
    for said in r.exceptions:
        yield ("exception", "", "", "", said, "", "", "")
    for reason in r.reasons:
        yield ("risk", "", "", "", reason, r.risk, "", "")
    for change in r.changes:
        yield ("change", "", "", change.author, change.title, "", "", change.commit)
    for c in r.checks:
        name = f"{c.stage} / {c.job}, attempt {c.attempt}, {c.seconds:.1f} s"
        yield ("check", c.seq, time_of(c.at), "", name, c.status, c.why, "")
    for a in r.approvals:
        bound = "; ".join(f"{name} {value}" for name, value in a.binding.items())
        what = f"{a.item}: {a.capability}, asked {time_of(a.asked_at)}"
        when = time_of(a.answered_at) if a.answered_seq else ""
        yield (a.type, a.answered_seq or a.seq, when, a.by, what, a.status, a.reason, bound)
    for d in r.decisions:
        seen = "; ".join(f"[{e.sign}] {e.id} {e.text} ({e.source})" for e in d.evidence)
        why = f"{d.headline}; {d.rule}: {d.why}" if d.rule else d.headline
        yield (d.what, d.seq, time_of(d.at), d.by, d.word, d.answer, why, seen)
    yield from _around(r)
    yield from _changes(r)


def _around(r: Report) -> Iterator[Row]:
    yield (
        "back-out",
        "",
        "",
        "",
        "the way back",
        r.back_out.safe,
        "; ".join(r.back_out.reasons),
        "",
    )
    tickets = ", ".join(r.tickets) or "none named"
    yield ("built", "", "", "runner", r.artifact or "no digest", "", tickets, "; ".join(r.authors))
    for said in r.emergencies or ("none",):
        yield ("emergency", "", "", "", said, "", "", "")
    s = r.score
    told = f"{s.right} right, {s.wrong} wrong, {s.harmful} harmful, {s.unknown} unknown"
    yield ("score", "", "", "agent", told, f"{s.low:.3f} to {s.high:.3f}", "", "")


def _changes(r: Report) -> Iterator[Row]:
    for e in r.effects:
        what = f"canary to {e.weight} % ({e.key})"
        seen = "" if e.observed is None else f"the target has {e.observed} %"
        seen += f", {e.observed_by}, record {e.settled_seq}" if e.settled_seq else ""
        who = f"{e.by.name} ({e.by.kind})"
        why = f"{e.authority}; {e.why}" if e.why else e.authority
        yield ("effect", e.seq or "", time_of(e.at), who, what, e.status, why, seen)
    for s in r.stops:
        took = "" if s.effect_s is None else f"observed after {s.effect_s:.1f} s"
        direct = "direct" if s.direct else "through the backend"
        result = f"{s.mode}, epoch {s.epoch}, {direct}"
        yield ("stop", s.seq, time_of(s.at), s.by, s.op, result, s.reason, took)
    for section, facts in (
        ("unattributed", r.unattributed),
        ("back-out", r.back_out.used),
        ("rule", r.rules),
        ("review", r.reviews),
        ("hold", r.holds),
        ("refused", r.refused),
        ("unreadable", r.unreadable),
    ):
        for f in facts:
            yield (section, f.seq, time_of(f.at), f.by, f.what, "", f.why, "")
    chain = r.chain
    state = "whole" if chain.whole else "BROKEN"
    anchored = f"{chain.checkpoints} checkpoints, the last of record {chain.anchored_to}"
    yield ("journal", chain.records, "", "", chain.head, state, chain.why, anchored)
