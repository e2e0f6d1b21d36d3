"""Where the time of a run went: its parts, its bottleneck, and a picture of both. Pure.

Every moment of the run belongs to exactly one part, so the parts add up to the whole. The stages
follow one another, so all of them are on the critical path; of jobs that run side by side the one
that ends last is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from hatchway.edge.docs.run import JobSpan, RunStory, Span, Wait
from hatchway.edge.protocol import RunDoc
from hatchway_tui import safe_text
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import MARKS

What = Literal["work", "watch", "person", "data", "held", "own"]
Row = tuple[Piece, ...]

LOOKS: dict[What, tuple[str, str, str]] = {
    "work": ("█", "acc", "works"),
    "watch": ("▄", "stable", "watches"),
    "person": ("▒", "warn", "waits for a person"),
    "data": ("░", "warn", "waits for data"),
    "held": ("‖", "bad", "held"),
    "own": ("·", "faint", "in between"),
}
"""How each looks, in a mark, a tone and words."""

BESIDE = 36
"""Cells beside a bar: its time, whether it is the longest, and what is usual."""

SLOWER, SLOWER_S = 1.5, 5.0
"""How many times the usual, and how many seconds more, is worth saying."""


class Part(NamedTuple):
    """A piece of a run's time. `span` is empty between stages, `job` where no job was running."""

    at: float
    seconds: float
    span: str
    what: What
    job: str = ""


class Bottleneck(NamedTuple):
    """The stage that took the longest, what its time was, and the job that took most of it."""

    span: str
    seconds: float
    whole: float
    parts: tuple[tuple[What, float], ...]  # the longest first
    job: str = ""
    usual_s: float | None = None


def mirrored(run: RunDoc) -> RunStory:
    """What the mirrored document of a run tells of its story: no waits, no moments."""
    spans = tuple(
        Span(
            each.name, each.kind, each.status, each.started_at, each.ended_at, each.detail,
            tuple(JobSpan(j.name, j.status, j.started_at, j.ended_at) for j in each.jobs),
        )
        for each in run.stages
    )  # fmt: skip
    return RunStory(run.id, run.started_at, run.ended_at, spans=spans)


def end_of(story: RunStory, now: float) -> float:
    """Until when the run's time is counted."""
    return max(story.ended_at or now, story.started_at)


def parts(story: RunStory, now: float) -> tuple[Part, ...]:
    """The run's time from its start to its end (or `now`), in order and without a gap."""
    begin, end = story.started_at, end_of(story, now)
    cuts = {begin, end}
    pieces: list[Span | JobSpan] = []
    for span in story.spans:
        pieces += [span, *span.jobs]
    for piece in pieces:
        cuts.update((piece.started_at, _ended(piece, end)))
    for wait in story.waits:
        cuts.update((wait.began_at, wait.ended_at or end))
    inside = sorted(cut for cut in cuts if begin <= cut <= end)
    found: list[Part] = []
    for since, until in pairwise(inside):
        part = _part(story, since, until, end)
        last = found[-1] if found else None
        if last is not None and last[2:] == part[2:]:
            found[-1] = last._replace(seconds=until - last.at)
        else:
            found.append(part)
    return tuple(found)


def _ended(piece: Span | JobSpan, end: float) -> float:
    return piece.ended_at or (end if piece.started_at else 0.0)


def _covers(piece: Span | JobSpan, since: float, until: float, end: float) -> bool:
    return 0 < piece.started_at <= since and until <= _ended(piece, end)


def _part(story: RunStory, since: float, until: float, end: float) -> Part:
    """What happens from one cut to the next; nothing begins or ends in between."""
    spans = [span for span in story.spans if _covers(span, since, until, end)]
    span = max(spans, key=lambda each: each.started_at, default=None)
    waits = {w.kind for w in story.waits if w.began_at <= since and until <= (w.ended_at or end)}
    jobs = [job for job in span.jobs if _covers(job, since, until, end)] if span else []
    job = max(jobs, key=lambda each: _ended(each, end), default=None)
    name = span.name if span is not None else ""
    seconds = until - since
    for kind in ("person", "held", "data"):
        if kind in waits:
            return Part(since, seconds, name, kind)
    if job is not None:
        return Part(since, seconds, name, "work", job.name)
    watches = span is not None and span.kind == "canary"
    return Part(since, seconds, name, "watch" if watches else "own")


def bottleneck(story: RunStory, found: tuple[Part, ...]) -> Bottleneck | None:
    """The stage that took the longest; None when nothing has taken any time."""
    spent: dict[str, float] = {}
    for part in found:
        if part.span:
            spent[part.span] = spent.get(part.span, 0.0) + part.seconds
    name = max(spent, key=lambda each: spent[each], default="")
    if not name or spent[name] <= 0:
        return None
    kinds: dict[What, float] = {}
    jobs: dict[str, float] = {}
    for part in found:
        if part.span == name:
            kinds[part.what] = kinds.get(part.what, 0.0) + part.seconds
            jobs[part.job] = jobs.get(part.job, 0.0) + part.seconds
    jobs.pop("", None)
    usual = next((span.usual_s for span in story.spans if span.name == name), None)
    ordered = tuple(sorted(kinds.items(), key=lambda each: -each[1]))
    whole = sum(part.seconds for part in found)
    job = max(jobs, key=lambda each: jobs[each], default="")
    return Bottleneck(name, spent[name], whole, ordered, job, usual)


def in_words(found: Bottleneck | None) -> str:
    """The bottleneck in a sentence."""
    if found is None:
        return "bottleneck: nothing has taken any time yet"
    said = f"bottleneck: {found.span}, {words.took(found.seconds)} of {words.took(found.whole)}"
    told = [
        (what, seconds)
        for what, seconds in found.parts
        if seconds >= 0.5 and seconds >= 0.02 * found.seconds
    ]
    for what, seconds in told:
        word = LOOKS[what][2]
        if what == "work" and found.job and found.job != found.span:
            word = f"works, most of it on {found.job}"
        said += f", {word}" + (f" {words.took(seconds)}" if len(told) > 1 else " all the time")
    slower = _slower(found.seconds, found.usual_s)
    return f"{said}; {slower} the usual {words.took(found.usual_s or 0.0)}" if slower else said


def _slower(seconds: float, usual: float | None) -> str:
    """How much longer than usual: "3.1x"; empty when it is not, or nobody knows."""
    if usual is None or seconds < usual + SLOWER_S or seconds < SLOWER * usual:
        return ""
    return f"{seconds / usual:.1f}x" if seconds < 100 * usual else ">100x"


def totals(found: tuple[Part, ...], width: int) -> list[Row]:
    """How much of the time was spent on what: adds up to the whole."""
    kinds: dict[What, float] = {}
    for part in found:
        kinds[part.what] = kinds.get(part.what, 0.0) + part.seconds
    rows: list[Row] = []
    row: list[Piece] = []
    used = 0
    for what, (mark, tone, word) in LOOKS.items():
        if kinds.get(what, 0.0) < 0.05:
            continue
        told = words.took(kinds[what])
        cells = len(f"{mark} {word} {told}   ")
        if row and used + cells - 3 > width:
            rows.append(tuple(row))
            row, used = [], 0
        row += [Piece(f"{mark} ", tone), Piece(f"{word} ", "dim"), Piece(told, "hi"), Piece("   ")]
        used += cells
    return [*rows, tuple(row)] if row else [(Piece("no time has passed", "dim"),)]


def picture(story: RunStory, found: tuple[Part, ...], now: float, width: int) -> list[Row]:
    """A row a stage in order, its jobs beneath; bars stand where in the run's time it was."""
    worst = bottleneck(story, found)
    begin, whole = story.started_at, end_of(story, now) - story.started_at
    name = min(max([len(s.name) for s in story.spans] + [8]) + 2, 24 if width > 90 else 16)
    cells = max(min(width - name - BESIDE, 70), 8)
    rows: list[Row] = []
    for span in story.spans:
        mark, tone = MARKS[span.status]
        here = worst is not None and worst.span == span.name
        mine = [part for part in found if part.span == span.name]
        spent = sum(part.seconds for part in mine)
        bar = _bar(mine, begin, whole, cells)
        label = safe_text.fit(span.name, name - 2)
        label += " " * (name - 2 - safe_text.width(label))
        rows.append(
            (
                Piece(f"{mark} ", tone),
                Piece(f"{label} ", "hi" if here else "txt", here),
                *bar,
                Piece(f" {words.took(spent) if span.started_at else '':>7}", "hi" if here else "txt"),
                *_usual(span, spent, here),
            )
        )  # fmt: skip
        rows += _jobs(span, mine, begin, whole, end_of(story, now), (name, cells))
    return rows


def _usual(span: Span, spent: float, here: bool) -> list[Piece]:
    out = [Piece("  <- most", "hi", True)] if here else []
    slower = _slower(spent, span.usual_s) if span.started_at else ""
    if span.status == "failed":
        out.append(Piece("  FAILED", "bad", True))
    elif slower:
        out.append(Piece(f"  {slower} usual {words.took(span.usual_s or 0.0)}", "warn"))
    elif span.usual_s is not None:
        out.append(Piece(f"  usually {words.took(span.usual_s)}", "dim"))
    return out


def _jobs(
    span: Span, mine: list[Part], begin: float, whole: float, end: float, columns: tuple[int, int]
) -> list[Row]:
    """The jobs of a stage; those that the stage waited for are on the path."""
    odd = any(job.status in {"failed", "running"} or job.attempt > 1 for job in span.jobs)
    if len(span.jobs) < 2 and not odd:
        return []
    name, cells = columns
    longest = {part.job for part in mine if part.what == "work"}
    rows: list[Row] = []
    for job in span.jobs:
        mark, tone = MARKS[job.status]
        on = job.name in longest
        seconds = _ended(job, end) - job.started_at
        label = safe_text.fit(job.name, name - 4)
        label += " " * (name - 4 - safe_text.width(label))
        part = Part(job.started_at, seconds, span.name, "work", job.name)
        bar = _bar([part], begin, whole, cells, "━")
        looks = "txt" if on else "dim"
        rows.append(
            (
                Piece(f"  {mark} ", tone),
                Piece(f"{label} ", looks),
                *(
                    piece._replace(fg="acc" if on and piece.text.strip() else "dim")
                    for piece in bar
                ),
                Piece(f" {words.took(seconds) if job.started_at else '':>7}", looks),
                Piece("  on the path" if on and len(span.jobs) > 1 else "", "dim"),
                Piece(f"  attempt {job.attempt}" if job.attempt > 1 else "", "warn"),
            )
        )
    return rows


def _bar(
    mine: Iterable[Part], begin: float, whole: float, cells: int, mark: str = ""
) -> list[Piece]:
    """`cells` of time: in each what took most of it; whatever was at all takes a cell."""
    drawn = [part for part in mine if whole > 0 and part.at > 0]
    busy = [part for part in drawn if part.what != "own" or part.seconds / whole * cells >= 0.5]
    filled: list[dict[What, float]] = [{} for _ in range(cells)]
    for part in busy or drawn:
        first = (part.at - begin) / whole * cells
        last = first + part.seconds / whole * cells
        low = min(max(int(first), 0), cells - 1)
        for cell in range(low, min(max(int(last), low), cells - 1) + 1):
            share = min(last, cell + 1) - max(first, cell)
            if share >= 0.5 or cell == low:
                least = max(share, 1e-9) if share >= 0.5 else 1e-9
                filled[cell][part.what] = filled[cell].get(part.what, 0.0) + least
    most = map(_most, filled)
    return [_run_of(what, len(list(same)), mark) for what, same in groupby(most)]


def _most(spent: dict[What, float]) -> What | None:
    ordered = sorted(spent.items(), key=lambda each: -each[1])
    return ordered[0][0] if ordered else None


def _run_of(what: What | None, count: int, mark: str) -> Piece:
    if what is None:
        return Piece(" " * count, "faint")
    return Piece((mark or LOOKS[what][0]) * count, LOOKS[what][1])


def waited(waits: tuple[Wait, ...], now: float, ended: float) -> list[tuple[Wait, float]]:
    """Every wait and its seconds so far, in order."""
    return [(wait, max((wait.ended_at or ended or now) - wait.began_at, 0.0)) for wait in waits]
