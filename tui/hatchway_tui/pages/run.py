"""THE RUN: where its time went, what it waited for, and who decided what and when."""

from __future__ import annotations

import time

from hatchway.edge.docs.run import Moment, RunStory, Wait
from hatchway.edge.protocol import RunDoc
from hatchway_tui import safe_text
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint import map as the_map
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.story import OUTCOMES
from hatchway_tui.view import View

TONES = {"plain": "txt", "good": "ok", "warn": "warn", "bad": "bad", "dim": "dim"}
MOST_WAITS = 12
_FOR = {"person": "a person", "data": "data", "held": "held"}


def _asks(view: View) -> Ask | None:
    return ("run", view.run.id) if view.run is not None else None


def _run(view: View, width: int) -> list[Row]:
    run = view.run
    if run is None:
        return [(Piece("nothing is being released, and no run is known", "dim"),)]
    told = answer_to(view, "run", run.id)
    if isinstance(told, RunStory):
        return _rows(run, told, int(view.now), width, True)
    rows = _rows(run, the_map.mirrored(run), int(view.now), width, False)
    return [*rows, (), *_heading("WHO DECIDED WHAT"), *not_yet(view, "run", run.id)]


_LAST: list[tuple[RunDoc, RunStory, tuple[int, int, bool], list[Row]]] = []


def _rows(run: RunDoc, story: RunStory, now: int, width: int, whole: bool) -> list[Row]:
    """What there is to say. A key needs it twice, and nothing of it changes within a second."""
    for known in _LAST:
        if known[0] is run and known[1] is story and known[2] == (now, width, whole):
            return known[3]
    found = the_map.parts(story, now)
    rows = _head(run, story, now, width)
    rows += [(Piece(text, "hi", True),) for text in _bottleneck(story, found, width)]
    rows += [(), *the_map.picture(story, found, now, width)]
    rows += [(), *the_map.totals(found, width)]
    if story.usual_of:
        earlier = words.count(story.usual_of, "earlier run")
        rows.append((Piece(f"usually: the median of {earlier} of {run.service}", "dim"),))
    if whole:
        rows += [*_waits(story, now, width), *_timeline(story, width)]
    _LAST[:] = [(run, story, (now, width, whole), rows)]
    return rows


def _head(run: RunDoc, story: RunStory, now: float, width: int) -> list[Row]:
    ended = story.ended_at or run.ended_at
    spent = words.lasting((ended or now) - run.started_at)
    word, tone = OUTCOMES.get(run.outcome, (run.status.replace("_", " ").upper(), "hi"))
    by = f", asked for by {story.requested_by}" if story.requested_by else ""
    day = time.strftime("%Y-%m-%d", time.gmtime(run.started_at)) if run.started_at > 0 else ""
    when = f"began {day} {words.clock(run.started_at)}Z{by}"
    when += f", ended {words.clock(ended)}Z after {spent}" if ended else f", {spent} so far"
    agent = "agent acts within policy" if run.mode == "act" else "agent recommends only"
    agent = "" if ended else agent
    rows: list[Row] = [
        (
            Piece(f"run {run.id}  {run.service} {run.from_version} → {run.to_version}  ", "hi", True),
            Piece(word, tone, True),
            Piece(f"  {agent}", "dim"),
        )
    ]  # fmt: skip
    return rows + [(Piece(text, "dim"),) for text in safe_text.wrap(when, width, 2)]


def _bottleneck(story: RunStory, found: tuple[the_map.Part, ...], width: int) -> list[str]:
    return safe_text.wrap(the_map.in_words(the_map.bottleneck(story, found)), width, 3)


def _heading(text: str, more: str = "") -> list[Row]:
    return [(Piece(text, "hi", True), Piece(f"  {more}" if more else "", "dim"))]


def _waits(story: RunStory, now: float, width: int) -> list[Row]:
    waits = the_map.waited(story.waits, now, story.ended_at)
    if not waits:
        return [(), (Piece("it has waited for nobody, and was never held", "dim"),)]
    # a shorter list says more: what took the longest, in the order in which it was
    longest = sorted(waits, key=lambda each: -each[1])[:MOST_WAITS]
    more = len(waits) - len(longest)
    rows: list[Row] = [(), *_heading("WAITED FOR", f"and {more} shorter ones" if more else "")]
    for wait, seconds in (each for each in waits if each in longest):
        tone = "warn" if not wait.ended_at and not story.ended_at else "txt"
        lead = f"{words.clock(wait.began_at)}  {_FOR[wait.kind]:<8}  {words.took(seconds):>7}  "
        texts = safe_text.wrap(_why(wait, story), max(width - len(lead), 16), 3) or [""]
        rows.append((Piece(lead, "dim"), Piece(texts[0], tone)))
        rows += [(Piece(" " * len(lead)), Piece(text, tone)) for text in texts[1:]]
    return rows


def _why(wait: Wait, story: RunStory) -> str:
    if wait.kind != "person":
        still = "" if wait.ended_at or story.ended_at else " (still)"
        return f"{wait.why}{still}"
    asked = f"asked to {wait.why}"
    if wait.by:
        return f"{asked}, closed by {wait.by}"
    ended = wait.ended_at or story.ended_at
    return f"{asked}, closed without an answer" if ended else f"{asked}: nobody has answered yet"


def _timeline(story: RunStory, width: int) -> list[Row]:
    rows: list[Row] = [(), *_heading("WHO DECIDED WHAT, AND WHEN", "times are UTC")]
    if story.sealed:
        text = (
            "what was before this backend's oldest event is in the sealed journal: hatchway audit"
        )
        rows += [(Piece(each, "warn"),) for each in safe_text.wrap(text, width, 2)]
    if not story.moments:
        return [*rows, (Piece("the backend has kept nothing of this run", "dim"),)]
    day, cut = "", story.left_out_after if story.left_out else -1
    who = min(max(safe_text.width(safe_text.safe(each.who)) for each in story.moments), 12)
    for index, each in enumerate(story.moments):
        today = time.strftime("%Y-%m-%d", time.gmtime(max(each.at, 0)))
        if day and today != day:
            rows.append((Piece(today, "dim", True),))
        day = today
        if index == cut:
            rows.append(
                (Piece(f"{story.left_out} more: hatchway audit report {story.run}", "warn"),)
            )
        rows += _moment(each, story.started_at, who, width)
    return rows


def _moment(each: Moment, began: float, who: int, width: int) -> list[Row]:
    name = safe_text.fit(each.who, who)
    name += " " * (who - safe_text.width(name))
    since = f"+{words.lasting(each.at - began):<7} " if width >= 100 else ""
    lead = f"{words.clock(each.at)}  {since}"
    room = max(width - len(lead) - who - 2, 16)
    rows: list[Row] = []
    for index, text in enumerate(safe_text.wrap(each.text, room, 6) or [""]):
        head = (Piece(lead, "dim"), Piece(f"{name}  ", "acc"))
        blank = (Piece(" " * (len(lead) + who + 2)),)
        rows.append((*(blank if index else head), Piece(text, TONES[each.tone])))
    rows += [
        (Piece(" " * (len(lead) + who + 2)), Piece(text, "dim"))
        for text in safe_text.wrap(each.note, room, 3)
    ]
    return rows


PAGE = Page("THE RUN", _run, asks=_asks)
