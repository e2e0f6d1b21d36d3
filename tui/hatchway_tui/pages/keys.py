"""KEYS: every key and what it does, out of the registry, grouped by rule."""

from __future__ import annotations

from hatchway_tui import safe_text
from hatchway_tui.duty import NAMES, asks_oncall
from hatchway_tui.keys import ACTIONS, GROUPS
from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View

_NAMES = 18


def _keys(view: View, width: int) -> list[Row]:
    rows = _source(view, width)
    for rule, title in GROUPS:
        head, _, what = title.partition(":")
        rows += [(), (Piece(head, "hi", True), Piece(f" {what}", "dim"))]
        for action in ACTIONS:
            if action.rule == rule:
                names = view.keys.all_of(action.id)
                own = "own key. " if action.id in view.keys.own else ""
                text = view.keys.help(action)
                if asks_oncall(view.model, view.rights, action.id):
                    text = f"Ask oncall to {NAMES[action.id]}: pages them, with your why."
                rows += _entry(names, f"{own}{text}", width)
    rows += [
        (),
        (Piece("Late pieces of escape sequences look like typed letters; therefore the rule", "dim"),),
        (Piece("for acting keys. A pause by mistake is cheap, a deaf one is not: it is exempt.", "dim"),),
    ]  # fmt: skip
    return rows


def _entry(names: str, text: str, width: int) -> list[Row]:
    lines = safe_text.wrap(text, max(width - _NAMES - 1, 20), 4)
    first = safe_text.wrap(names, _NAMES, 3)
    rows: list[Row] = []
    for index in range(max(len(lines), len(first))):
        name = first[index] if index < len(first) else ""
        said = lines[index] if index < len(lines) else ""
        pad = " " * (_NAMES + 1 - safe_text.width(name))
        rows.append((Piece(name, "acc", True), Piece(pad), Piece(said)))
    return rows


def _source(view: View, width: int) -> list[Row]:
    """Where the keys come from, and what is wrong there."""
    keys = view.keys
    if keys.trouble:
        rows: list[Row] = [(Piece("The shipped keys are in use, as there is a mistake:", "warn", True),)]  # fmt: skip
        for text in keys.trouble:
            rows += [(Piece(line, "warn"),) for line in safe_text.wrap(text, width, 3)]
        return [
            *rows,
            (Piece("Mend it; `hatchway tui --check-keys` says whether it is good.", "dim"),),
        ]
    if keys.source:
        return [(Piece(f"{len(keys.own)} own keys from {keys.source}", "dim"),)]
    return [(Piece("As shipped. Your own go into keys.yaml, e.g.  takeover: [o, f6]", "dim"),)]


PAGE = Page("KEYS", _keys)
