"""THE MARKED ITEM: everything that a yes or a no to it stands on."""

from __future__ import annotations

from hatchway.edge.protocol import ItemDoc
from hatchway_tui.control import barred, who, why_not
from hatchway_tui.hands import marked
from hatchway_tui.pages.fields import field, folded
from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.needs import RISK, undo_tone
from hatchway_tui.paint.story import sure_words
from hatchway_tui.view import View

KINDS = {
    "approval": "an approval: nothing goes on without a yes",
    "recommendation": "the agent recommends it, and waits",
    "residue": "left behind by a rollback",
    "ask": "somebody asks those on call",
    "handover": "a hand-over",
}


def _item(view: View, width: int) -> list[Row]:
    item = marked(view.hands, view.model)
    if item is None:
        return [(Piece("nothing waits for you", "dim"),)]
    rows = folded(item.title, width, "hi", bold=True)
    rows += field("", [KINDS.get(item.kind, item.kind)], width, "dim")
    rows += field("when", _when(view, item), width)
    rows += field("what", [item.changes], width)
    rows += field("risk", [item.risk], width, RISK.get(item.risk, "warn"))
    rows += field("", [f"- {text}" for text in item.risk_reasons], width)
    rows += field("undo safe", [item.undo], width, undo_tone(item.undo))
    rows += field("bound to", [item.terms], width, "bad" if item.changed else "txt")
    rows += field("", [f"CHANGED: {text}" for text in item.changed], width, "bad")
    rows += field("who", item.who, width)
    rows += _you(view, item, width)
    sure = sure_words(item.confidence)
    rows += field("agent", [sure, item.record], width)
    rows += [(), (Piece("WHAT IT STANDS ON", "hi", True),)]
    stands = [row for text in item.lines for row in folded(text, width, indent=2)]
    rows += stands or folded("nothing is recorded", width, "dim", indent=2)
    return rows


def _when(view: View, item: ItemDoc) -> list[str]:
    """Since when, until when, and what happens then."""
    asked = f"asked {words.clock(item.asked_at)}Z, {words.age(view.now - item.asked_at)} ago"
    default = item.default.removeprefix("no answer: ") or "not known"
    if not item.expires_at:
        return [asked, f"waits until it is answered; without an answer: {default}"]
    left = item.expires_at - view.now
    ends = f"ends {words.clock(item.expires_at)}Z, in {words.age(left)}" if left > 0 else "EXPIRED"
    return [f"{asked}; {ends}", f"then, without an answer: {default}"]


def _you(view: View, item: ItemDoc, width: int) -> list[Row]:
    """Whether the person at the keys may answer, and by which keys."""
    keys = view.keys
    no = why_not(view.model, view.rights, "reject", item.service, item)
    if no:
        return field("you", [no], width, "warn")
    mine = barred(view.model, view.rights, item)
    reject = f"{keys.of('reject')} says no"
    if mine:
        return field("you", [f"{who(view.model, view.rights)}: {mine}", reject], width, "warn")
    return field("you", [f"may answer: {keys.of('accept')} says yes, {reject}"], width)


PAGE = Page("THE MARKED ITEM", _item)
