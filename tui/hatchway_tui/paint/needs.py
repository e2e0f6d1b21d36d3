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
    spare = height - 1 - len(waiting)  # rows beyond one a card
    for index, item in enumerate(waiting):
        if y >= height:
            break
        if y == height - 1 and index < len(waiting) - 1 and index > 0:
            more = f"and {len(waiting) - index} more: {view.keys.of('next')} marks the next"
            canvas.put(2, y, more, "dim")
            break
        full = _card_lines(view, item, width - 3, marked=item.id == focus)
        rows = 1 + max(0, min(len(full), spare))
        spare -= rows - 1
        _card(canvas, view, item, y, full[: rows - 1], marked=item.id == focus)
        y += rows
        if spare > 0 and index < len(waiting) - 1 and width < 80:
            y, spare = y + 1, spare - 1
    return canvas


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
    extra: list[Piece] = []
    if item.risk:
        extra.append(Piece(f"{item.risk}  ", RISK.get(item.risk, "warn"), True))
    if canvas.width >= 78 and item.undo:
        extra += _undo(item)
    if canvas.width >= 78 and item.confidence is not None:
        extra.append(Piece(_sure(item)))
    while extra and sum(safe_text.width(safe_text.safe(each.text)) for each in extra) > end - x:
        extra.pop()
    canvas.say(x, y, *extra, end=end)
    for row, pieces in enumerate(lines, start=y + 1):
        canvas.say(2, row, *pieces, end=canvas.width - 1)


def _sure(item: ItemDoc) -> str:
    said = sure_words(item.confidence)
    return f"agent {said}" if said else ""


def _undo(item: ItemDoc) -> list[Piece]:
    """Whether it can be undone, in a word; `_card_lines` has the rest of the sentence."""
    word = item.undo.partition(":")[0]
    good = word.upper().startswith("YES")
    return [Piece("undo safe ", "dim"), Piece(f"{word}  ", "ok" if good else "bad", True)]


def _card_lines(view: View, item: ItemDoc, width: int, marked: bool) -> list[tuple[Piece, ...]]:
    lines: list[tuple[Piece, ...]] = []
    told, fold = list(item.lines), 1
    if width < 75:
        sure = [Piece(_sure(item))] if item.confidence is not None else []
        facts = [*(_undo(item) if item.undo else []), *sure]
        lines += [tuple(facts)] if facts else []
        rest = safe_text.wrap(item.undo.partition(": ")[2], width, 2)
        lines += [(Piece(row),) for row in rest]
        fold = 2
    top = len(lines) if fold == 2 else 2
    for text in filter(None, told):
        lines += [(Piece(row),) for row in safe_text.wrap(words.briefly(text, width), width, fold)]
    why = why_not(view.model, view.rights, "accept", item.service, item)
    if why:
        lines.insert(0, (Piece(why, "warn"),))
    elif marked:
        hints: list[Piece] = []
        for word in ("accept", "reject", "why", "changes"):
            hints += [Piece(view.keys.of(word), "acc", True), Piece(f" {word}   ", "dim")]
        # the keys go last but above what does not fit
        lines.insert(min(len(lines), top), tuple(hints))
    if item.default:
        default = item.default.removeprefix("no answer: ")
        lines.append((Piece(f"if nobody answers: {default}", "dim"),))
    return lines
