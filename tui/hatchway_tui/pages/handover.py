"""HAND-OVER: five fixed fields, prefilled; what waits to be acknowledged; what the last one said."""

from __future__ import annotations

from collections.abc import Iterable

from hatchway.edge.docs.handover import FieldDoc, HandoverDoc, WrittenDoc
from hatchway_tui import safe_text
from hatchway_tui.control import who, why_not
from hatchway_tui.duty import for_me
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View

_LOUD = {"NOT WELL": "bad", "WATCH": "warn", "PAUSED": "warn", "STOP ALL": "bad"}


def _asks(_: View) -> Ask:
    return "handover", ""


def _rows(view: View, width: int) -> list[Row]:
    doc = answer_to(view, "handover", "")
    if not isinstance(doc, HandoverDoc):
        return not_yet(view, "handover", "")
    rows: list[Row] = []
    if doc.waiting is not None:
        rows += [*_waiting(view, doc.waiting, width), *_fields(doc.waiting.fields, width), ()]
        rows += _said(f"the text's digest: {doc.waiting.digest[:16]}", width, "faint")
        if doc.waiting.by != who(view.model, view.rights):
            return [*rows, (), *_last(doc, width)]
        rows += [(), (Piece("IF YOU WROTE IT ANEW NOW", "hi", True),), ()]
    else:
        rows += _draft_head(view, doc, width)
    rows += _fields(doc.draft, width)
    return [*rows, (), *_last(doc, width)]


def _draft_head(view: View, doc: HandoverDoc, width: int) -> list[Row]:
    no = why_not(view.model, view.rights, "handover", "")
    whom = " or ".join(doc.next) or "whoever comes next"
    write = view.keys.of("write")
    what = f"{write} writes this down with your note, for {whom}; @NAME before the note: for NAME"
    return [
        (Piece("nothing waits to be acknowledged. This would be handed over now:", "txt"),),
        *_said(no or what, width, "warn" if no else "dim"),
        (),
    ]


def _waiting(view: View, written: WrittenDoc, width: int) -> list[Row]:
    """Whose duty it is, in words, and what the reader has to do."""
    mine = written.by == who(view.model, view.rights)
    whom = " or ".join(written.to) or "whoever comes next"
    when = f"{words.clock(written.at)}Z (#{written.seq})"
    age = words.age(view.now - written.at)
    if mine:
        said = f"YOU handed over to {whom} at {when}: NOT ACKNOWLEDGED for {age}. It is still YOUR duty."
        todo = f"{view.keys.of('write')} writes it anew: what was read before then no longer counts"
    elif for_me(view.model, view.rights, written):
        said = f"{written.by} hands over to YOU, written {when}. Until you acknowledge it, it is {written.by}'s duty."
        no = why_not(view.model, view.rights, "acknowledge", "")
        todo = (
            no
            or f"read it to its end, then {view.keys.of('accept')}: it acknowledges exactly this text"
        )
    else:
        said = f"{written.by} hands over to {whom}, written {when}: not acknowledged for {age}, so still {written.by}'s duty."
        todo = "you are neither of the two: there is nothing for you to do"
    rows = [*_said(said, width, "warn", True), *_said(todo, width, "acc")]
    for service in written.keeps:
        holder = "you still have" if mine else f"{written.by} still has"
        takes = f"{view.keys.of('takeover')} takes it"
        rows += _said(f"{holder} the wheel of {service}: handing over does not pass it, {takes}", width, "warn")  # fmt: skip
    if written.since_then:
        rows += _said(f"since it was written: {written.since_then}", width, "warn")
    return [*rows, ()]


def _fields(fields: Iterable[FieldDoc], width: int) -> list[Row]:
    rows: list[Row] = []
    for number, field in enumerate(fields, 1):
        rows.append((Piece(f"{number} {field.title}", "hi", True),))
        for line in field.lines:
            tone = next((tone for word, tone in _LOUD.items() if word in line), "txt")
            rows += _said(line, width - 2, tone, indent=2)
    return rows


def _last(doc: HandoverDoc, width: int) -> list[Row]:
    """How the shift began that is going on now."""
    if doc.last is None:
        return _said("no hand-over was acknowledged before", width, "dim")
    last = doc.last
    said = f": {last.said}" if last.said else ""
    text = (
        f"the last one: {last.by} at {words.clock(last.at)}Z, acknowledged by {last.taken_by}"
        f" {words.clock(last.taken_at)}Z{said}"
    )
    happened = f"since then: {doc.happened}" if doc.happened else "nothing to tell since then"
    return [*_said(text, width, "dim"), *_said(happened, width, "dim")]


def _said(text: str, width: int, tone: str, bold: bool = False, indent: int = 0) -> list[Row]:
    folded = safe_text.wrap(text, max(width, 20), 4)
    return [
        (Piece(" " * (indent + 2 * (index > 0 and indent > 0))), Piece(line, tone, bold))
        for index, line in enumerate(folded)
    ]


PAGE = Page("HAND-OVER", _rows, asks=_asks)
