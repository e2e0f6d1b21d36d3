"""What needs a person, as cards: the marked one in full, the others in a line."""

from __future__ import annotations

from hatchway.edge.protocol import ItemDoc
from hatchway_tui import safe_text
from hatchway_tui.control import why_not
from hatchway_tui.hands import grave
from hatchway_tui.mirror import items
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.paint.story import sure_words
from hatchway_tui.view import View

WHOLE = 4
"""Rows under a title that say what a yes does, its risk, what it is bound to, and the keys."""
MOST_ROWS = 60
HINTS = (
    ("accept", "accept"), ("reject", "reject"), ("item", "all of it"), ("why", "why"),
    ("changes", "changes"),
)  # fmt: skip
RISK = {"LOW": "ok", "MEDIUM": "warn", "HIGH": "bad"}


def needs(view: View, width: int, height: int) -> Canvas:
    """The open items as cards, the marked one first in full; never more than fit."""
    canvas = Canvas(width, height)
    waiting = items(view.model)
    if not waiting:
        canvas.rule(0, "NEEDS YOU 0")
        if height > 1:
            canvas.put(2, 1, "nothing waits for you", "dim")
        return canvas
    oldest = words.age(view.now - min(item.asked_at for item in waiting))
    canvas.rule(0, f"NEEDS YOU {len(waiting)}", "warn", f"oldest {oldest}")
    y = 1
    focus = view.hands.focus
    spare = height - 1 - len(waiting)  # rows beyond one a card: the marked one has the first call
    held = _held(view, waiting, width, spare)
    for index, item in enumerate(waiting):
        if y >= height:
            break
        if y == height - 1 and index < len(waiting) - 1 and index > 0:
            more = f"and {len(waiting) - index} more: {view.keys.of('next')} marks the next"
            canvas.put(2, y, more, "dim")
            break
        full = _card_lines(view, item, width - 3, marked=item.id == focus)
        marked = item.id == focus
        rows = 1 + max(0, min(len(full), held if marked else spare - held))
        spare, held = spare - (rows - 1), 0 if marked else held
        _card(canvas, view, item, y, full[: rows - 1], marked=item.id == focus)
        y += rows
        if spare > held and index < len(waiting) - 1 and width < 80:
            y, spare = y + 1, spare - 1
    return canvas


def _held(view: View, waiting: tuple[ItemDoc, ...], width: int, spare: int) -> int:
    """The rows that are kept for the marked card, wherever it stands."""
    card = next((item for item in waiting if item.id == view.hands.focus), None)
    if card is None or spare <= 0:
        return 0
    return min(len(_card_lines(view, card, width - 3, marked=True)), spare)


def _card(
    canvas: Canvas, view: View, item: ItemDoc, y: int, lines: list[tuple[Piece, ...]], marked: bool
) -> None:
    if marked:
        canvas.fill(0, y, canvas.width, 1 + len(lines), "panel")
        for row in range(y, y + 1 + len(lines)):
            canvas.put(0, row, "▌", "acc")
    end = canvas.width - 1
    if item.expires_at:
        left = item.expires_at - view.now
        when = f"ends {words.minute(item.expires_at)}" if left > 0 else "EXPIRED"
        end = canvas.right(end, y, Piece(when, "dim" if left > 300 else "warn")) - 2
    if grave(item):  # another shape, not only another colour
        canvas.put(1, y, "!", "bad")
    x = canvas.say(2, y, Piece(item.title, "hi" if marked else "txt", True), end=end) + 2
    extra = _facts(item) if canvas.width >= 78 or not lines else []
    while extra and sum(safe_text.width(safe_text.safe(each.text)) for each in extra) > end - x:
        extra.pop()
    canvas.say(x, y, *extra, end=end)
    for row, pieces in enumerate(lines, start=y + 1):
        canvas.say(2, row, *pieces, end=canvas.width - 1)


def _facts(item: ItemDoc) -> list[Piece]:
    """Its risk, whether it can be undone, and how sure the agent is; the last goes first."""
    risk = [Piece(f"{item.risk}  ", RISK.get(item.risk, "warn"), True)] if item.risk else []
    sure = [Piece(_sure(item))] if _sure(item) else []
    return [*risk, *(_undo(item) if item.undo else []), *sure]


def _sure(item: ItemDoc) -> str:
    said = sure_words(item.confidence)
    return f"agent {said}" if said else ""


def undo_tone(undo: str) -> str:
    """How it is shown that the way back is known to be safe, or not."""
    return "ok" if undo.upper().startswith("YES") else "bad"


def _undo(item: ItemDoc) -> list[Piece]:
    """Whether it can be undone, in a word; `_card_lines` has the rest of the sentence."""
    word = item.undo.partition(":")[0]
    return [Piece("undo safe ", "dim"), Piece(f"{word}  ", undo_tone(item.undo), True)]


def good_height(view: View) -> int:
    """Rows on which the marked card says what matters, and every other one its title."""
    waiting = items(view.model)
    return 1 + max(len(waiting), 1) + (WHOLE if waiting else 0)


def whole_height(view: View, width: int) -> int:
    """Rows on which every card is whole, or more than any screen has."""
    rows = 2
    for item in items(view.model):
        rows += 1 + len(_card_lines(view, item, width - 3, marked=item.id == view.hands.focus))
        if rows > MOST_ROWS:
            break
    return rows


def _card_lines(view: View, item: ItemDoc, width: int, marked: bool) -> list[tuple[Piece, ...]]:
    """What the item is about under its title, most important first: what does not fit is left out."""
    narrow, lines = width < 75, list[tuple[Piece, ...]]()
    fold = 2 if narrow else 1

    def say(text: str, tone: str = "txt", lead: str = "", most: int = fold) -> None:
        rows = safe_text.wrap(words.briefly(text, width - len(lead)), width - len(lead), most)
        for index, row in enumerate(rows):
            lines.append((Piece(lead if not index else " " * len(lead), "dim"), Piece(row, tone)))

    why = why_not(view.model, view.rights, "accept", item.service, item)
    if why:
        say(why, "warn", most=2)
    for text in item.changed:
        say(f"CHANGED: {text}", "bad")
    if narrow:
        facts = _facts(item)
        lines += [tuple(facts)] if facts else []
    if item.changes:
        say(item.changes)
    if item.record:
        say(item.record)
    if item.kind == "approval" and item.risk_reasons:
        say("; ".join(item.risk_reasons), lead="risk ")
    bound = [item.terms] if item.terms and not item.changed else []
    for text in _joined([*bound, *item.who], width):
        say(text)
    at = len(lines)
    for text in filter(None, item.lines):
        if text not in item.risk_reasons or item.kind != "approval":
            say(text)
    if marked and not why:
        # the keys stand above what may not fit
        lines.insert(min(at or 2, len(lines)), _hints(view, item, width))
    say(item.undo.partition(": ")[2], lead="undo ")
    if item.default:
        say(f"if nobody answers: {item.default.removeprefix('no answer: ')}", "dim")
    return lines


def _hints(view: View, item: ItemDoc, width: int) -> tuple[Piece, ...]:
    hints: list[Piece] = []
    known = HINTS if width >= 60 else HINTS[:4]
    for word, label in known if item.kind != "handover" else (("handover", "read it"),):
        hints += [Piece(view.keys.of(word), "acc", True), Piece(f" {label}   ", "dim")]
    return tuple(hints)


def _joined(texts: list[str], width: int) -> list[str]:
    """As many of the texts in a row as fit."""
    rows: list[str] = []
    for text in filter(None, texts):
        together = f"{rows[-1]}; {text}" if rows else text
        if rows and safe_text.width(safe_text.safe(together)) <= width:
            rows[-1] = together
        else:
            rows.append(text)
    return rows
