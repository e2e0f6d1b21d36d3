"""The rules of the keys: what a press means, given what is known. Pure; times are passed in.

`press` turns a key into the next `Hands` and a list of intents; `settle` takes back what no longer
holds (an armed roll back whose ground has moved, a mark on an item that is gone).

Terminals send escape sequences in pieces, and a piece that comes late looks like typed letters.
Therefore a guarded key is ignored right after another key, and for a second after anything that
may be the beginning of such a sequence, or after a paste, whose last letter may come alone. A key
that is held down is one press. Pause is exempt: a false pause is cheap, a deaf one is not.
"""

from __future__ import annotations

from typing import Literal, cast

from msgspec.structs import replace

from hatchway.edge.protocol import CommandKind, ItemDoc
from hatchway_tui import arming, choosing, palette, reading, typed
from hatchway_tui.arming import ground_of
from hatchway_tui.control import Rights, control_of, direct, who, why_not
from hatchway_tui.duty import asks_oncall, for_me, handover_of
from hatchway_tui.held import (
    FIRE_FROM,
    FIRE_UNTIL,
    TYPE_UNTIL,
    Armed,
    Entry,
    Ground,
    Hands,
    Intent,
    Leave,
    Notice,
    Order,
    Pressed,
    Redraw,
    Send,
    say,
)
from hatchway_tui.keys import BY_ID, GO_BACK, Action, shown
from hatchway_tui.mirror import Model, items
from hatchway_tui.reading import MOVES, Move
from hatchway_tui.steps import Play, step_of

__all__ = [
    "FIRE_FROM",
    "FIRE_UNTIL",
    "TYPE_UNTIL",
    "Armed",
    "Entry",
    "Ground",
    "Hands",
    "Intent",
    "Leave",
    "Notice",
    "Order",
    "Redraw",
    "Send",
    "ground_of",
    "say",
]

TOO_FAST = 0.025
STRAY_FOR, PIECE_FOR = 1.0, 2.5
"""Seconds after Esc or a paste, and after what only a cut sequence holds: its rest may be late."""
HELD, HELD_FIRST = 0.12, 0.7
"""A key that is held down comes again at least so often, and for the first time after so long."""
TWICE_UNTIL = 10.0
LOOK_FIRST = 1.0
OF_ALL = -7
"""In the place of an epoch: what was pressed once was STOP ALL."""
_PIECES = frozenset("[O0123456789;~$<>\xc8\xc9")  # the last two: the brackets of a paste
_STRAYS = {"escape", "circumflex_accent", "left_square_bracket", "upper_o", "O"}


def press(
    hands: Hands,
    model: Model,
    rights: Rights,
    key: str,
    char: str | None,
    at: float,
    crowded: bool = False,
) -> Pressed:
    """A key came at `at` (monotonic seconds): the next hands and what is to be done.

    `crowded`: it came together with other keys in one read.
    """
    action = hands.keys.actions.get(key)
    fast = crowded or at - hands.last_key_at < TOO_FAST or at < hands.stray_until
    first = action is not None and action.id != "fire" and at - hands.acted_at < HELD_FIRST
    held = key == hands.last_key and (at - hands.last_key_at < HELD or first)
    until = max(hands.stray_until, _stray_until(hands, key, char, at, crowded))
    hands = replace(hands, last_key=key, last_key_at=at, stray_until=until)
    if not hands.keys.pauses_while_typing(key, char):
        if hands.entry is not None:
            return _typed(hands, model, rights, key, char, at, fast)
        if hands.armed is not None and hands.armed.hazard:
            return arming.name_typed(hands, model, rights, key, char, at, fast)
    if action is not None and action.rule == "guarded" and held and not fast:
        return hands, []
    if action is None:
        return disarm(hands, at, "any other key disarms"), []
    if hands.armed is not None and action.id not in {"fire", "pause"}:
        hands = disarm(hands, at, "any other key disarms")
        if action.id in {"next", "previous", "close"}:
            return hands, []
    guarded = action.rule == "guarded"
    pasted = action.id == "leave" and crowded and key != "ctrl+c"
    typing = action.id in {"palette", "search"}  # deaf to p from there on: no stray key opens it
    if ((guarded or typing) and fast) or pasted:
        return say(hands, f"{shown(key)}: ignored, press again", "warn", at), []
    if guarded:
        hands = replace(hands, acted_at=at)
    return perform(hands, model, rights, action, key, at)


def perform(
    hands: Hands, model: Model, rights: Rights, action: Action, key: str, at: float
) -> Pressed:
    """Do what an action says, by its key, or chosen by its name (then `key` is empty)."""
    if action.id not in {"takeover", "stop_all"}:
        hands = replace(hands, twice_at=-1e9)
    if asks_oncall(model, rights, action.id):
        return _ask_oncall(hands, model, action.id, at)
    match action.id:
        case "pause":
            return _send(replace(hands, armed=None), model, rights, "pause", at)
        case "stop_all":
            return _stop_all(replace(hands, armed=None), model, rights, key, at)
        case "takeover":
            return _take_over(hands, model, rights, at)
        case "rollback":
            return arming.arm(hands, model, rights, at)
        case "fire":
            return arming.fire(hands, model, rights, at)
        case "release":
            return _give_back(hands, model, rights, at)
        case "accept" | "reject":
            return _answer(hands, model, rights, action.id, at)
        case "write":
            return _write(hands, model, rights, at)
        case _:
            return _look(hands, model, action.id, key, at)


def _typed(
    hands: Hands, model: Model, rights: Rights, key: str, char: str | None, at: float, fast: bool
) -> Pressed:
    """A key where letters are text."""
    if hands.entry is not None and hands.entry.kind == "palette":
        if key not in {"enter", "ctrl+j"}:
            return palette.typed(hands, model, rights, key, char), []
        if fast:
            return say(hands, "Enter: ignored, press again", "warn", at), []
        return _go(hands, model, rights, at)
    if hands.entry is not None and hands.entry.kind == "filter" and hands.page == "board":
        return choosing.typed(hands, model, key, char), []
    return typed.typed(hands, model, key, char, at, fast)


def _go(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """Do what is marked in the palette, as its key would on the page that was there before."""
    choice = palette.chosen(hands, model, rights)
    hands = palette.left(hands)
    if choice is None:
        return hands, []
    if choice.kind == "action":
        return perform(hands, model, rights, BY_ID[choice.id], "", at)
    return palette.gone_to(hands, model, choice, at), []


def _stray_until(hands: Hands, key: str, char: str | None, at: float, crowded: bool) -> float:
    """Until when guarded keys are ignored because of this one: it may be a piece of a sequence."""
    names = hands.armed is not None and hands.armed.hazard  # letters and digits are text there
    if hands.entry is None and not names and (char in _PIECES or key.startswith("alt+")):
        return at + PIECE_FOR
    stray = crowded or key in _STRAYS or key.startswith("alt+") or char in {"[", "O", "\x1b"}
    return at + STRAY_FOR if stray else -1e9


def _look(hands: Hands, model: Model, action: str, key: str, at: float) -> Pressed:
    first = hands.page == "first"
    if model.replay is not None and (played := step_of(action, first)) is not None:
        return replace(hands, notice=None), [Play(played)]
    other = choosing.looked(hands, model, action, key)
    if other is not None:
        return other, []
    match action:
        case "leave":
            return hands, [Leave()]
        case "redraw":
            return hands, [Redraw()]
        case "close":
            hands = replace(hands, notice=None)
            if first:
                return (
                    reading.opened(hands, "run") if key == hands.keys.keys["close"][0] else hands
                ), []
            if hands.filter and key not in GO_BACK:
                return reading.cleared(hands), []
            return reading.opened(hands, "first"), []
        case "palette":
            return replace(palette.opened(hands), entry=Entry("palette"), notice=None), []
        case "next" | "previous" if first:
            return _mark(hands, model, 1 if action == "next" else -1, at), []
        case "search":
            entry = None if first else Entry("filter", hands.filter)
            return replace(hands, entry=entry, notice=None), []
        case "left" | "right":
            step = 1 if action == "right" else -1
            return replace(hands, across=hands.across + step, end=0, seen=0, match=-1), []
    if action in MOVES:
        return (hands if first else reading.move(hands, cast("Move", action))), []
    if BY_ID[action].page:
        return reading.opened(hands, "first" if hands.page == action else action), []
    return hands, []


def _send(hands: Hands, model: Model, rights: Rights, kind: CommandKind, at: float) -> Pressed:
    why = why_not(model, rights, kind, hands.service)
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    return replace(hands, notice=None), [Send(kind, hands.service)]


def _stop_all(hands: Hands, model: Model, rights: Rights, key: str, at: float) -> Pressed:
    """Every service and every agent: a slip of the finger is not enough, a name chosen is."""
    confirmed = not key or (at - hands.twice_at <= TWICE_UNTIL and hands.twice_epoch == OF_ALL)
    if not confirmed and not why_not(model, rights, "stop_all", ""):
        hands = replace(hands, twice_at=at, twice_epoch=OF_ALL)
        again = f"Press {hands.keys.of('stop_all')} again"
        text = f"STOP ALL pauses every service and bars every agent. {again} to do it"
        return say(hands, text, "warn", at), []
    return _send(replace(hands, twice_at=-1e9), model, rights, "stop_all", at)


def _take_over(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    control = control_of(model, hands.service)
    other = control.mode == "person" and control.holder != who(model, rights)
    confirmed = at - hands.twice_at <= TWICE_UNTIL and hands.twice_epoch == control.epoch
    if other and not confirmed and not why_not(model, rights, "takeover", hands.service):
        hands = replace(hands, twice_at=at, twice_epoch=control.epoch)
        again = f"Press {hands.keys.of('takeover')} again"
        text = f"{control.holder} has the wheel. {again} to take it from {control.holder}"
        return say(hands, text, "warn", at), []
    return _send(replace(hands, twice_at=-1e9), model, rights, "takeover", at)


def _ask_oncall(hands: Hands, model: Model, op: str, at: float) -> Pressed:
    """Whoever may not stop calls those who may: it wakes people, so it takes Enter, and a why."""
    entry = hands.entry
    if entry is not None and entry.kind == "ask" and entry.item == op:
        return typed.submitted(hands, model, entry, at)  # Ctrl+P while the why is typed
    return replace(hands, entry=Entry("ask", item=op), armed=None, notice=None), []


def _give_back(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """Control back to the agent; after STOP ALL, the agents are let in again first."""
    stopped = control_of(model, hands.service).stop_all
    kind: Literal["release", "readmit"] = "readmit" if stopped else "release"
    why = why_not(model, rights, kind, hands.service)
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    return replace(hands, entry=Entry(kind), notice=None), []


def _write(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """A note under what is prefilled: on the page that shows what is handed over, nowhere else."""
    why = why_not(model, rights, "handover", "")
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    if hands.page != "handover":
        text = hands.keys.fill("read what would be handed over, then press {write} again")
        return say(reading.opened(hands, "handover"), text, "plain", at), []
    return replace(hands, entry=Entry("handover"), notice=None), []


def _acknowledge(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """A yes to the hand-over that is on the screen: to exactly that text."""
    doc = handover_of(model)
    written = doc.waiting if doc is not None else None
    if written is None:
        return say(hands, "no hand-over waits to be acknowledged", "plain", at), []
    if not for_me(model, rights, written):
        whom = " or ".join(written.to) or "whoever comes next"
        return say(hands, f"not done: it is for {whom}", "warn", at), []
    why = why_not(model, rights, "acknowledge", "")
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    seen = hands.extent
    if seen.room and seen.top + seen.room < seen.total:
        text = hands.keys.fill("read it to its end first ({end}), then {accept}")
        return say(hands, text, "warn", at), []
    entry = Entry("acknowledge", item=written.id, digest=written.digest)
    return replace(hands, entry=entry, notice=None), []


def marked(hands: Hands, model: Model) -> ItemDoc | None:
    """The item that accept and reject are about."""
    return next((item for item in items(model) if item.id == hands.focus), None)


def _mark(hands: Hands, model: Model, step: int, at: float) -> Hands:
    ids = [item.id for item in items(model)]
    if not ids:
        return hands
    here = ids.index(hands.focus) if hands.focus in ids else -step
    there = ids[(here + step) % len(ids)]
    return hands if there == hands.focus else replace(hands, focus=there, focus_at=at)


def _answer(
    hands: Hands, model: Model, rights: Rights, kind: Literal["accept", "reject"], at: float
) -> Pressed:
    if hands.page == "handover":
        if kind == "accept":
            return _acknowledge(hands, model, rights, at)
        text = "a hand-over is not rejected: ask {0} to write it anew"
        doc = handover_of(model)
        by = doc.waiting.by if doc is not None and doc.waiting is not None else "whoever wrote it"
        return say(hands, text.format(by), "plain", at), []
    item = marked(hands, model)
    if hands.page == "board":
        text = "not done: no item is marked on the board; {close} opens the service first"
        return say(hands, hands.keys.fill(text), "warn", at), []
    if item is not None and item.kind == "handover":
        text = hands.keys.fill("read it to its end; {accept} here acknowledges exactly this text")
        return say(reading.opened(hands, "handover"), text, "plain", at), []
    if item is None:
        return say(hands, "nothing waits for you", "plain", at), []
    why = why_not(model, rights, kind, item.service, item)
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    if at - hands.focus_at < LOOK_FIRST:
        return say(hands, f"{item.title} was marked just now: look, then press again", "warn", at), []  # fmt: skip
    if kind == "reject" or grave(item):
        return replace(hands, entry=Entry(kind, item=item.id), notice=None), []
    return replace(hands, notice=None), [typed.answer_to(model, "accept", item, "")]


def grave(item: ItemDoc) -> bool:
    """Whether a yes has a way of its own: it asks why. What goes back is never slowed down."""
    return item.risk == "HIGH" and item.capability != "rollback"


def settle(hands: Hands, model: Model, at: float) -> Hands:
    """The hands after time has passed or the model has changed."""
    ids = [item.id for item in items(model)]
    if hands.focus not in ids and (ids or hands.focus):
        hands = replace(hands, focus=ids[0] if ids else "", focus_at=at)
    hands = arming.settled(hands, model, at)
    if hands.notice is not None and at > hands.notice.until:
        hands = replace(hands, notice=None)
    if hands.orders and hands.orders[0].answered and at - hands.orders[0].sent_at > 60:
        hands = replace(hands, orders=hands.orders[1:])
    return hands


def disarm(hands: Hands, at: float, why: str) -> Hands:
    """Take an armed roll back out of the hands (terminal lost focus, ...)."""
    return arming.disarmed(hands, at, why) if hands.armed else hands


def ordered(hands: Hands, order: Order) -> Hands:
    """A command went out."""
    return replace(hands, orders=(*hands.orders, order)[-8:])


def answered(hands: Hands, order: Order) -> Hands:
    """Its answer came in."""
    orders = tuple(order if each.id == order.id else each for each in hands.orders)
    return replace(hands, orders=orders)


def is_direct(model: Model) -> bool:
    """Whether the stops go to the governor directly."""
    return direct(model)
