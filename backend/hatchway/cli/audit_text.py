"""A report for people: 80 columns, plain text, exceptions first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from hatchway.journal.account import Answer, Change, Check, Decision, Line, Report, Stop
from hatchway.runners.visible import visible

WIDTH = 80
_BINDING = ("commit", "plan", "policy", "max_weight", "stage", "epoch", "not")


def lines(report: Report) -> list[str]:
    """The whole report; no line is longer than 80 characters and none can steer a terminal."""
    return [line for text in _all(report) for line in _fit(text)]


def _all(r: Report) -> Iterator[str]:
    title = f"AUDIT REPORT: run {r.run}, {r.service} {r.from_version} -> {r.to_version}"
    yield title
    yield "=" * min(WIDTH, len(title))
    yield from _summary(r)
    yield from _section("EXCEPTIONS", (f"- {said}" for said in r.exceptions))
    yield from _section("WHAT SHIPS", _what(r))
    yield from _section("BACK-OUT PLAN AND ITS USE", _back_out(r))
    yield from _section("RULES, QUARANTINES, EXPECTATIONS", _facts(r.rules))
    yield from _section("CHECKS, TESTS, SCANS, DEPLOYMENTS", map(_check, r.checks))
    yield from _section("APPROVALS", (line for a in r.approvals for line in _answer(a)))
    yield from _section("DECISIONS", (line for d in r.decisions for line in _decision(d)))
    yield from _section("CHANGES OF THE TRAFFIC", (line for e in r.effects for line in _change(e)))
    yield from _section("UNATTRIBUTED OR INCOMPLETE CHANGES", _facts(r.unattributed))
    yield from _section("STOPS AND HAND-OVERS", (line for s in r.stops for line in _stop(s)))
    yield from _section("EMERGENCIES", r.emergencies)
    yield from _section("REVIEWS AFTERWARDS", _facts(r.reviews))
    yield from _section("THE AGENT'S SCORE IN THIS RUN", _score(r))
    yield from _section("HOLDS", _facts(r.holds))
    yield from _section("REFUSED COMMANDS", _facts(r.refused))
    yield from _section("NOT READABLE BY THIS VERSION", _facts(r.unreadable))
    yield from _section("INTEGRITY OF THE JOURNAL", _chain(r))


def _summary(r: Report) -> Iterator[str]:
    approved = [a for a in r.approvals if a.type == "approval" and a.status == "accepted"]
    moved = dict.fromkeys(f"{e.by.name} ({e.by.kind})" for e in r.effects if e.status == "verified")
    ended = f"{time_of(r.ended_at)}, record {r.ended_seq}" if r.outcome else "not yet"
    yield f"Outcome       {(r.outcome or 'still running').replace('_', ' ').upper()}"
    if r.why:
        yield f"              {r.why}"
    yield f"Environment   {r.environment}, pipeline {r.pipeline}"
    yield f"Commit        {r.commit}"
    yield f"Replaces      {r.base}"
    yield f"Started       {time_of(r.started_at)}, record {r.started_seq}"
    yield f"Ended         {ended}"
    known = f" ({r.requester})" if r.requester not in ("", r.requested_by) else ""
    yield f"Requested by  {r.requested_by}{known}"
    authors = r.authors or tuple(dict.fromkeys(c.author for c in r.changes))
    yield f"Written by    {', '.join(authors) or 'not recorded'}"
    yield f"Pushed by     {', '.join(r.pushers) or 'not recorded'}"
    yield f"Built by      {_built(r)}"
    yield f"Tickets       {', '.join(r.tickets) or 'none named'}"
    yield f"Approved by   {', '.join(dict.fromkeys(a.by for a in approved)) or 'nobody'}"
    yield f"Shifted by    {', '.join(moved) or 'nobody'}"
    words = {"act": "acts within policy", "recommend": "recommends only"}
    yield f"The agent     {words.get(r.mode, r.mode)} at the start; in control then: {r.control}"
    yield f"Plan          {r.plan or 'no digest'}"
    yield f"Policy        {r.policy or 'no digest'}"
    seen = "never observed" if r.weight is None else f"{r.weight} %, as observed last"
    yield f"Canary has    {seen}"


def _built(r: Report) -> str:
    jobs = sum(c.status == "passed" for c in r.checks)
    artifact = f", artifact {r.artifact}" if r.artifact else ", no digest of the artifact recorded"
    return f"the pipeline's own {jobs} jobs that passed{artifact}"


def _back_out(r: Report) -> Iterator[str]:
    yield f"Going back, as known when the release was asked for: {r.back_out.safe}"
    yield from (f"  {reason}" for reason in r.back_out.reasons)
    yield from (f"  stays: {text}" for text in r.back_out.stays)
    yield from _facts(r.back_out.used)
    back = [e for e in r.effects if e.weight == 0]
    yield f"Used: {len(back)} times" if back else "Used: not at all"
    yield from (
        f"  #{e.seq or e.settled_seq}  {e.status} by {e.by.name}: {e.authority}" for e in back
    )


def _score(r: Report) -> Iterator[str]:
    s = r.score
    if not s.right + s.wrong + s.harmful + s.unknown:
        return
    harmful = f"{s.harmful} HARMFUL, " if s.harmful else ""
    told = f"{s.right} right, {s.wrong} wrong, {harmful}{s.unknown} not known"
    yield f"{told}, as far as this journal tells"
    if s.right + s.wrong + s.harmful:
        yield f"right in {s.low:.0%} to {s.high:.0%} of such cases (95 % bounds)"
    else:
        yield "no share can be told of that"


def _what(r: Report) -> Iterator[str]:
    if r.risk:
        yield f"risk {r.risk}, {len(r.files)} files"
    yield from (f"  why   {reason}" for reason in r.reasons)
    yield from (f"  note  {text}" for text in r.attention)
    for change in r.changes:
        yield f"- {change.commit[:12]}  {change.author}: {change.title}"


def _check(c: Check) -> str:
    again = f", attempt {c.attempt}" if c.attempt > 1 else ""
    return f"#{c.seq}  {c.status.upper()}  {c.stage} / {c.job}{again}, {c.seconds:.1f} s: {c.why}"


def _answer(a: Answer) -> Iterator[str]:
    yield f"#{a.seq}  {time_of(a.asked_at)}  {a.type} {a.item}: {a.capability}"
    if a.status == "open":
        yield "    NOT ANSWERED"
    else:
        reason = f": {a.reason}" if a.reason else ""
        by = a.by or "nobody"
        when = f"{time_of(a.answered_at)}, record {a.answered_seq}"
        yield f"    {a.status.upper()} by {by}{reason} ({when})"
        if a.how:
            yield f"    known by {a.how}"
        if a.signed:
            yield f"    SSH signature: {a.signed}"
    yield f"    valid until {time_of(a.expires_at)}, and for this alone:"
    known = [name for name in _BINDING if name in a.binding]
    for name in (*known, *(name for name in a.binding if name not in _BINDING)):
        if a.binding[name]:
            yield f"      {name} {a.binding[name]}"


def _decision(d: Decision) -> Iterator[str]:
    if d.what == "verdict":
        action = "" if d.answer == "none" else f", asks to {d.answer}"
        yield f"#{d.seq}  {time_of(d.at)}  verdict {d.word}{action}"
    else:
        said = {"auto": "ALLOWED", "ask": "A PERSON IS ASKED", "deny": "DENIED"}[d.answer]
        yield f"#{d.seq}  {time_of(d.at)}  proposal {d.word}: {said}"
        yield f"    by {d.by}, {d.confidence:.0%} sure, epoch {d.epoch}"
        yield f"    rule {d.rule}: {d.why}"
    yield f"    {d.headline}"
    for e in d.evidence:
        yield f"    [{e.sign}] {e.id} {e.text} ({e.source}, {max(0.0, d.at - e.at):.1f} s old)"
    if d.digest:
        yield f"    evidence {d.digest}"
    if d.proof_bytes:
        yield f"    kept: a proof of {d.proof_bytes:,} bytes, from which it can be recomputed"


def _change(c: Change) -> Iterator[str]:
    where = f"#{c.seq}" if c.seq else "(at the governor)"
    yield f"{where}  {time_of(c.at)}  canary to {c.weight} %: {c.status.upper()}"
    yield f"    by {c.by.name} ({c.by.kind}), epoch {c.epoch}, key {c.key}"
    yield f"    on the authority of: {c.authority}"
    if c.settled_seq:
        seen = "" if c.observed is None else f", the target has {c.observed} %"
        yield f"    {c.status} by {c.observed_by} {time_of(c.settled_at)}, record {c.settled_seq}{seen}"
    if c.why:
        yield f"    {c.why}"


def _stop(s: Stop) -> Iterator[str]:
    uid = f" (uid {s.uid})" if s.uid >= 0 else ""
    direct = ", directly at the governor" if s.direct else ""
    yield f"#{s.seq}  {time_of(s.at)}  {s.op.upper()} by {s.by or 'nobody named'}{uid}{direct}"
    yield f"    then in control: {s.mode}, epoch {s.epoch}"
    if s.op != "adopted":
        yield f"    reason: {s.reason or 'none given'}"
    if s.op != "adopted" and s.known_s is not None:
        yield f"    in force at the governor at once, journaled after {s.known_s:.1f} s"
    if s.effect_s is not None:
        yield f"    observed at the target after {s.effect_s:.1f} s"


def _facts(facts: Iterable[Line]) -> Iterator[str]:
    for f in facts:
        yield f"#{f.seq}  {time_of(f.at)}  {f.what}"
        yield f"    {f.why} (by {f.by})"


def _chain(r: Report) -> Iterator[str]:
    chain = r.chain
    if not chain.whole:
        yield f"BROKEN at {chain.why}; {chain.means}."
        yield f"This report tells of records 1 to {chain.records} only."
        return
    yield f"Whole: {chain.records:,} records, each follows from the one before."
    yield f"Head {chain.head}"
    if not chain.checkpoints:
        yield "No checkpoint was given: a cut tail would not be seen (--checkpoint FILE)."
    else:
        yield f"Checkpoints in it: {chain.checkpoints}, the last of record {chain.anchored_to}."


def _section(title: str, content: Iterable[str]) -> Iterator[str]:
    said = list(content)
    yield ""
    yield title
    yield "-" * len(title)
    yield from said or ["none"]


def _fit(text: str) -> list[str]:
    safe = visible(text)
    indent = len(safe) - len(safe.lstrip(" "))
    hanging = " " * min(indent + 4, 16)
    return textwrap.wrap(
        safe, WIDTH, initial_indent="", subsequent_indent=hanging, drop_whitespace=True
    ) or [""]


def time_of(at: float) -> str:
    """A time in UTC, to the second."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(at)
