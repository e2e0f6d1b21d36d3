"""The command palette: every action, page, service and open item, found by a few letters. Pure.

What it chooses is done as the key would do it: with the guard, the rights and the questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from hatchway_tui import reading
from hatchway_tui.choosing import chosen as on_screen
from hatchway_tui.control import Rights, why_not
from hatchway_tui.duty import asks_oncall
from hatchway_tui.keys import ACTIONS
from hatchway_tui.mirror import Model, items
from hatchway_tui.pipelines import pipelines
from hatchway_tui.reading import LONGEST

if TYPE_CHECKING:
    from hatchway_tui.hands import Hands

FEW = 2
"""With fewer letters typed, what acts comes last: a slip of Enter must only look."""
_INSIDE = {
    "next", "previous", "page_down", "page_up", "home", "end", "left", "right", "close", "palette",
    "fire", "search", "sort", "earlier", "later", "much_earlier", "much_later", "write",
}  # fmt: skip
"""Actions that mean something only where their key is pressed."""


class Choice(NamedTuple):
    """One line of the palette."""

    kind: Literal["action", "service", "item"]
    id: str
    label: str
    tip: str
    key: str = ""
    acts: bool = False
    why_not: str = ""  # why it cannot be done now


def choices(hands: Hands, model: Model, rights: Rights) -> list[Choice]:
    """Everything there is, what looks before what acts."""
    out = [_action(hands, model, rights, each.id) for each in ACTIONS if each.id not in _INSIDE]
    out.sort(key=lambda each: each.acts)
    looks = [each for each in out if not each.acts]
    acts = [each for each in out if each.acts]
    waiting = [
        Choice("item", item.id, f"item {item.title}", f"go to it: {item.service}, {item.risk} risk")
        for item in items(model)
    ]
    known = pipelines(model)
    services = [
        Choice("service", each.service, f"go to {each.service}", f"{each.where}, {each.control}")
        for each in known
    ]
    return [*looks, *waiting, *services, *acts]


def _action(hands: Hands, model: Model, rights: Rights, id: str) -> Choice:
    action = next(each for each in ACTIONS if each.id == id)
    label, tip, why = action.label, hands.keys.tip(action), ""
    acts = action.rule != "free"
    if id in {"accept", "reject"}:
        item = next((each for each in items(model) if each.id == hands.focus), None)
        if item is None:
            why = "nothing waits for you"
        else:
            label = f"{action.label} {item.title}"
            why = why_not(model, rights, id, item.service, item)
    elif asks_oncall(model, rights, id):
        label, tip = f"{action.label}: ask oncall", "you may not do it here; it asks whoever may"
    elif id == "stop_all":
        why = why_not(model, rights, id, "")
    elif acts:
        label = f"{action.label} {hands.service}"
        why = why_not(model, rights, id, hands.service)
    return Choice("action", id, label, tip, hands.keys.of(id), acts, why)


def score(text: str, label: str) -> int | None:
    """How well `label` answers `text`: its letters in this order; the lower the better.

    Letters that follow each other or begin a word count most. None: it does not match.
    """
    label, total, at, before = label.lower(), 0, 0, -2
    for char in text.lower():
        if char == " ":
            continue
        found = label.find(char, at)
        start = _word_start(label, char, at)
        if found != at and start >= 0:
            found = start
        if found < 0:
            return None
        near = found == before + 1
        begins = found == 0 or not label[found - 1].isalnum()
        total += 0 if near else 1 if begins else 4 + min(found - at, 20)
        before, at = found, found + 1
    return total


def _word_start(label: str, char: str, at: int) -> int:
    """Where from `at` on a word begins with `char`; -1: nowhere."""
    while (found := label.find(char, at)) >= 0:
        if found == 0 or not label[found - 1].isalnum():
            return found
        at = found + 1
    return -1


def matching(hands: Hands, model: Model, rights: Rights) -> list[Choice]:
    """What the text finds, the best first."""
    entry = hands.entry
    text = entry.text.strip() if entry is not None else ""
    every = choices(hands, model, rights)
    if not text:
        return every
    found = []
    for index, each in enumerate(every):
        points = _points(text, each)
        if points is not None:
            late = each.acts and len(text) < FEW
            found.append(((late, bool(each.why_not), points, index), each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _points(text: str, choice: Choice) -> int | None:
    """By its name, else by words of what it says of itself."""
    points = score(text, choice.label)
    whole = text.lower() in choice.tip.lower()
    return points if points is not None else 200 if whole and len(text) > FEW else None


def at_mark(hands: Hands, found: list[Choice]) -> int:
    """Which line is marked."""
    wanted = hands.entry.item if hands.entry is not None else ""
    return next((i for i, each in enumerate(found) if _name(each) == wanted), 0)


def _name(choice: Choice) -> str:
    return f"{choice.kind}/{choice.id}"


def typed(hands: Hands, model: Model, rights: Rights, key: str, char: str | None) -> Hands:
    """A key in the palette, but Enter."""
    entry = hands.entry
    assert entry is not None
    if key in {"escape", "ctrl+c"} or (key in {"backspace", "ctrl+h"} and not entry.text):
        return left(hands)
    moves = {"up": -1, "down": 1, "shift+tab": -1, "tab": 1, "pageup": -10, "pagedown": 10}
    if key in moves:
        found = matching(hands, model, rights)
        if not found:
            return hands
        there = max(min(at_mark(hands, found) + moves[key], len(found) - 1), 0)
        return replace(hands, entry=replace(entry, item=_name(found[there])))
    text = entry.text
    if key in {"backspace", "ctrl+h"}:
        text = text[:-1]
    elif key == "ctrl+u":
        text = ""
    elif char and char.isprintable() and len(text) < LONGEST:
        text += char
    return replace(hands, entry=replace(entry, text=text, item="" if text != entry.text else entry.item))  # fmt: skip


def chosen(hands: Hands, model: Model, rights: Rights) -> Choice | None:
    """What Enter does now."""
    found = matching(hands, model, rights)
    return found[at_mark(hands, found)] if found else None


def opened(hands: Hands) -> Hands:
    """The palette over the page that is there; `left` brings that back."""
    return replace(reading.opened(hands, "palette"), before=replace(hands, before=None))


def gone_to(hands: Hands, model: Model, choice: Choice, at: float) -> Hands:
    """The first screen with a service, or with an open item marked, on it."""
    hands = reading.opened(replace(hands, came_from="", notice=None), "first")
    if choice.kind == "service":
        return on_screen(hands, choice.id)
    item = next((each for each in items(model) if each.id == choice.id), None)
    if item is None:
        return hands
    return replace(on_screen(hands, item.service), focus=item.id, focus_at=at)


def left(hands: Hands) -> Hands:
    """The page that was there before."""
    before = hands.before
    if before is None:
        return replace(reading.opened(hands, "first"), entry=None)
    return replace(
        hands, entry=None, before=None, page=before.page, scroll=before.scroll, end=before.end,
        seen=before.seen, filter=before.filter, match=before.match, across=before.across,
        extent=before.extent,
    )  # fmt: skip
