"""WHY: the verdict in words, its evidence with source and time, and the statistics as a picture."""

from __future__ import annotations

from hatchway.edge.docs.why import MetricWhy, WhyDoc
from hatchway.edge.protocol import WhyLine
from hatchway_tui import safe_text
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint import evidence, words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import series_of
from hatchway_tui.paint.story import VERDICTS, story
from hatchway_tui.view import View

PICTURES = 3
"""Metrics that get a picture; the others are told in a line."""

_SAYS = {"worse": "bad", "same": "ok", "better": "ok", "UNSURE": "warn", "no data": "warn"}


def _asks(view: View) -> Ask | None:
    run = view.run
    return ("why", run.id) if run is not None and view.compared else None


def _why(view: View, width: int) -> list[Row]:
    rows = _in_words(view, width)
    run = view.run
    if run is None:
        return rows
    told = answer_to(view, "why", run.id)
    if isinstance(told, WhyDoc):
        rows += _figures(view, told, width)
    elif view.compared or told is not None or f"why/{run.id}" in view.model.untold:
        rows += [(), (Piece("THE FIGURES", "hi", True),), *not_yet(view, "why", run.id)]
    else:
        rows += [(), (Piece("no canary takes traffic yet: there is nothing to compare", "dim"),)]
    return rows + _watched(view, width)


def _in_words(view: View, width: int) -> list[Row]:
    told, run = story(view), view.run
    rows: list[Row] = [(Piece(told.word, "txt" if told.tone == "plain" else told.tone, True),)]
    rows += [(Piece(text, "hi", True),) for text in safe_text.wrap(told.headline, width, 4)]
    for line in told.why:
        rows += _reason(view, line, width)
    rows += [(Piece(text, "dim"),) for text in safe_text.wrap("next  " + told.next, width, 3)]
    if run is not None and run.verdict is not None:
        said = VERDICTS[run.verdict.verdict][0]
        rows.append((Piece(f"the judge said {said} at {words.clock(run.verdict.at)}Z", "dim"),))
    return rows


def _reason(view: View, line: WhyLine, width: int) -> list[Row]:
    """A reason, and beside it (or beneath, on a narrow screen) where it comes from and its age."""
    age = f", {words.age(view.now - line.at)} ago" if line.at else ""
    when = f"{words.clock(line.at)}Z{age}" if line.at else ""
    source = "  ".join(filter(None, (line.evidence, line.source, when)))
    beside = width >= 100
    room = width - (36 if beside else 2)
    bad = line.sign == "-"
    rows: list[Row] = []
    texts = safe_text.wrap(line.text, room, 4) or [""]
    for index, text in enumerate(texts):
        sign = Piece(f"{line.sign} ", "warn" if bad else "dim", bad)
        row = [Piece("  ") if index else sign, Piece(text)]
        if beside and not index:
            row += [Piece(" " * (room - safe_text.width(text) + 2)), Piece(source, "dim")]
        rows.append(tuple(row))
    if beside or not source:
        return rows
    if safe_text.width(texts[-1]) + safe_text.width(safe_text.safe(source)) + 4 <= width:
        return [*rows[:-1], (*rows[-1], Piece(f"  {source}", "dim"))]
    return [*rows, (Piece(f"  {source}", "dim"),)]


def _figures(view: View, doc: WhyDoc, width: int) -> list[Row]:
    """The newest journaled verdict, computed again from its proof."""
    word = VERDICTS.get(doc.word, (doc.word, "warn"))[0]
    ago = words.age(view.now - doc.at)
    said = f"of the newest journaled verdict: {word}, #{doc.seq}, {words.clock(doc.at)}Z, {ago} ago"
    rows: list[Row] = [(), (Piece("THE FIGURES", "hi", True),), *_hanging("", said, width, "dim")]
    if not doc.same:
        text = "this version of the judge comes to other figures than those that were journaled"
        rows += [(Piece(each, "warn"),) for each in safe_text.wrap(text, width, 2)]
    if doc.live_at and doc.live_word:
        e = f", evidence of harm {evidence.odds(doc.live_e)}" if doc.live_e is not None else ""
        now = VERDICTS.get(doc.live_word, (doc.live_word, ""))[0]
        rows.append((Piece(f"since then, at {words.clock(doc.live_at)}Z: {now}{e}", "dim"),))
    ended = view.run is not None and view.run.status == "ended"
    return rows + _figures_of(doc, width, ended)


def _figures_of(doc: WhyDoc, width: int, ended: bool = False) -> list[Row]:
    rows: list[Row] = []
    if not ended:
        rows += [(), (Piece("WHAT WOULD CHANGE IT", "hi", True),)]
        for text in evidence.would_change(doc):
            rows += _hanging("  ", text, width)
    rows += _joint(doc, width)
    shown = [m for m in evidence.lead(doc) if m.compared][:PICTURES]
    told = ""  # where the margins come from is said once
    for metric in shown:
        rows += _metric(doc, metric, width)
        if metric.measured not in ("", told):
            rows += _hanging("  ", metric.measured, width, "dim")
        told = metric.measured
    for metric in evidence.lead(doc):
        if metric not in shown:
            rows += _in_a_line(metric, width)
    said = (
        f"evidence of harm is the worth of bets against a canary that is no worse, 1 at the start. "
        f"Of a canary that is no worse it reaches {doc.rollback_at:g} in at most 1 of "
        f"{doc.rollback_at:g} rollouts, however often one looks. The shares are drawn with what "
        f"holds 95 of 100 times. All of it: hatchway judge --explain {doc.run}"
    )
    return [*rows, (), *((Piece(each, "dim"),) for each in safe_text.wrap(said, width, 5))]


def _hanging(lead: str, text: str, width: int, tone: str = "txt") -> list[Row]:
    room = max(width - safe_text.width(lead), 16)
    blank = " " * safe_text.width(lead)
    return [
        (Piece(blank if index else lead, "dim"), Piece(each, tone))
        for index, each in enumerate(safe_text.wrap(text, room, 4))
    ]


def _joint(doc: WhyDoc, width: int) -> list[Row]:
    """The evidence of harm that decides, on its way to hold and roll back."""
    tone = "bad" if doc.e >= doc.rollback_at else "warn" if doc.e >= doc.hold_at else "acc"
    lead = next((m.label for m in doc.metrics if m.name == doc.lead), "")
    most = f", most of it from {lead}" if lead and doc.e >= 1.5 else ""
    peak = f"; it was {evidence.odds(doc.peak)} at most" if doc.peak > 1.05 * doc.e else ""
    if doc.e < 2:
        said = f"evidence of harm: {evidence.odds(doc.e)}, none to speak of{peak}"
    else:
        said = f"evidence of harm: {evidence.odds(doc.e)} to 1{most}{peak}"
    rows: list[Row] = [(), *((Piece(text, "hi"),) for text in safe_text.wrap(said, width, 2))]
    marks = ((doc.hold_at, "hold"), (doc.rollback_at, "roll back"))
    return rows + evidence.scale(doc.e, marks, width, tone)


def _metric(doc: WhyDoc, metric: MetricWhy, width: int) -> list[Row]:
    slow = " (share of requests slower than stable's quantile)" if metric.kind == "latency" else ""
    tone = _SAYS.get(metric.word, "warn")
    judged = "" if metric.judged else ", watched only"
    rows: list[Row] = [
        (),
        (
            Piece(f"{safe_text.fit(metric.label, 30)}: ", "hi", True),
            Piece(metric.word, tone, True),
            Piece(f"{slow}{judged}" if width > 60 else judged, "dim"),
        ),
    ]
    rows += evidence.intervals(metric, width)
    part = metric.healthy / doc.healthy_at if doc.healthy_at > 1 else 1.0
    done = "yes" if metric.healthy >= doc.healthy_at else f"{evidence.odds(metric.healthy)} of {doc.healthy_at:g}"  # fmt: skip
    bar = evidence.progress(part, 16 if width >= 90 else 10)
    rows.append(
        (
            Piece(f"  {metric.excludes:g}x worse excluded ", "dim"), Piece(bar, "acc"),
            Piece(f" {done}", "hi"), Piece(f"   harm {evidence.odds(metric.e)}", "dim"),
        )
    )  # fmt: skip
    rows += _hanging("  ", evidence.enough(doc, metric), width)
    return rows + (_hanging("  no data: ", metric.trouble, width, "warn") if metric.trouble else [])


def _in_a_line(metric: MetricWhy, width: int) -> list[Row]:
    facts = ", ".join(f"{fact.name} {fact.value}" for fact in metric.facts)
    kind = "nothing is bet on it" if metric.facts else "no requests on both arms yet"
    text = metric.trouble or facts or kind
    tone = _SAYS.get(metric.word, "warn")
    head: Row = (
        Piece(f"{safe_text.fit(metric.label, 30)}: ", "hi", True), Piece(metric.word, tone, True),
        Piece("" if metric.judged else ", watched only", "dim"),
    )  # fmt: skip
    return [(), head, *_hanging("  ", text, width, "warn" if metric.trouble else "dim")]


def _watched(view: View, width: int) -> list[Row]:
    """Every metric as it is now."""
    if view.metrics is None or not view.metrics.metrics:
        return []
    rows: list[Row] = [
        (),
        (
            Piece("NOW", "hi", True),
            Piece(f"{'':19}{'stable':>10}{'canary':>10}{'points':>8}  says", "dim"),
        ),
    ]
    for metric in view.metrics.metrics:
        label = safe_text.fit(f"{metric.label} {metric.unit}", 22)
        stable = metric.text_stable or words.number(metric.stable, metric.unit)
        canary = metric.text_canary or words.number(metric.canary, metric.unit)
        count = len(series_of(view, metric).points)
        blank = " " * (22 - safe_text.width(label))
        text = f"{label}{blank}{stable:>10}{canary:>10}{count:>8}  "
        rows.append((Piece(text), Piece(metric.says, "hi", True)))
    return rows


PAGE = Page("WHY", _why, asks=_asks)
