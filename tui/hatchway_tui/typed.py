"""A text that is being typed, and what is sent with it: reasons, asks, hand-overs. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from hatchway.edge.protocol import ItemDoc
from hatchway_tui import reading
from hatchway_tui.control import control_of
from hatchway_tui.held import Entry, Hands, Pressed, Send, say
from hatchway_tui.mirror import Model, items

LONGEST = 200
LONGEST_NOTE = 900
_NEEDS_WHY = {
    "release": "giving back needs a reason: the next person reads it",
    "readmit": "letting the agents in needs a reason: the next person reads it",
    "accept": "a yes to HIGH risk needs a reason: the next person reads it",
    "handover": "what would you watch, and what would you do? The next person reads it",
}


def typed(hands: Hands, model: Model, key: str, char: str | None, at: float, fast: bool) -> Pressed:
    """A key while a text is typed: only Enter sends, and not together with other keys."""
    entry = hands.entry
    assert entry is not None
    if entry.kind == "filter":
        return reading.typed(hands, key, char), []
    match key:
        case "escape" | "ctrl+c":
            return say(replace(hands, entry=None), "left without sending", "plain", at), []
        case "enter" | "ctrl+j":
            if fast:
                return say(hands, "Enter: ignored, press again", "warn", at), []
            return submitted(hands, model, entry, at)
        case "backspace" | "ctrl+h":
            return replace(hands, entry=replace(entry, text=entry.text[:-1])), []
        case "ctrl+u":
            return replace(hands, entry=replace(entry, text="")), []
    most = LONGEST_NOTE if entry.kind == "handover" else LONGEST
    if char and char.isprintable() and len(entry.text) < most:
        return replace(hands, entry=replace(entry, text=entry.text + char)), []
    return hands, []


def submitted(hands: Hands, model: Model, entry: Entry, at: float) -> Pressed:
    """What is sent with the text; or nothing, and what is missing."""
    reason = entry.text.strip()
    if not reason and entry.kind in _NEEDS_WHY:
        return say(hands, _NEEDS_WHY[entry.kind], "warn", at), []
    done = replace(hands, entry=None, notice=None)
    match entry.kind:
        case "release":
            epoch = control_of(model, hands.service).epoch
            return done, [Send("release", hands.service, reason=reason, expect_epoch=epoch)]
        case "readmit":
            return done, [Send("readmit", "", reason=reason)]
        case "ask":
            return done, [Send("ask", hands.service, item=entry.item, reason=reason)]
        case "handover":
            to, note = _addressed(reason)
            if not note:
                return say(hands, _NEEDS_WHY["handover"], "warn", at), []
            return done, [Send("handover", "", item=to, reason=note)]
        case "acknowledge":
            return done, [
                Send("acknowledge", "", item=entry.item, reason=reason, signed=entry.digest)
            ]
    item = next((each for each in items(model) if each.id == entry.item), None)
    if item is None:
        text = "that item is gone: nothing was sent"
        return say(replace(hands, entry=None), text, "warn", at), []
    kind: Literal["accept", "reject"] = "accept" if entry.kind == "accept" else "reject"
    return done, [answer_to(model, kind, item, reason)]


def _addressed(note: str) -> tuple[str, str]:
    """`@luis the rest` as ("luis", "the rest"): whom a hand-over is for."""
    if not note.startswith("@"):
        return "", note
    name, _, rest = note[1:].partition(" ")
    return name, rest.strip()


def answer_to(model: Model, kind: Literal["accept", "reject"], item: ItemDoc, reason: str) -> Send:
    """A yes or no, bound to what was on the screen."""
    run = model.runs.get(item.run)
    return Send(
        kind, item.service, item=item.id, reason=reason,
        expect_epoch=control_of(model, item.service).epoch,
        expect_version=run.version if run else -1,
    )  # fmt: skip
