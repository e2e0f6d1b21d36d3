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

from msgspec import Struct
from msgspec.structs import replace

from hatchway.edge.protocol import CommandKind, ItemDoc
from hatchway_tui import reading
from hatchway_tui.control import Rights, control_of, direct, live, who, why_not
from hatchway_tui.keys import BY_ID, GO_BACK, SHIPPED, Keymap, shown
from hatchway_tui.mirror import Model, items, run_of
from hatchway_tui.reading import MOVES, Extent, Move
from hatchway_tui.steps import Play, step_of

TOO_FAST = 0.025
STRAY_FOR, PIECE_FOR = 1.0, 2.5
"""Seconds after Esc or a paste, and after what only a cut sequence holds: its rest may be late."""
HELD, HELD_FIRST = 0.12, 0.7
"""A key that is held down comes again at least so often, and for the first time after so long."""
FIRE_FROM, FIRE_UNTIL = 0.15, 10.0
TWICE_UNTIL = 10.0
LOOK_FIRST = 1.0
NOTICE_FOR = 8.0
_PIECES = frozenset("[O0123456789;~$<>\xc8\xc9")  # the last two: the brackets of a paste
_STRAYS = {"escape", "circumflex_accent", "left_square_bracket", "upper_o", "O"}

Tone = Literal["plain", "ok", "warn", "bad"]


class Notice(Struct, frozen=True):
    """A sentence to the person on the last row."""

    text: str
    tone: Tone
    until: float


class Ground(Struct, frozen=True):
    """What an armed roll back was armed against."""

    run: str
    to_version: str
    outcome: str
    step: int
    weight: int
    live: bool
    boot: str


class Armed(Struct, frozen=True):
    """`r` was pressed: `f` rolls back, while `ground` and the authority stay as they are."""

    at: float
    service: str
    ground: Ground
    mode: str
    epoch: int


class Entry(Struct, frozen=True):
    """A text that is being typed: a reason, or what a page is searched for."""

    kind: Literal["release", "accept", "reject", "filter"]
    text: str = ""
    item: str = ""


class Order(Struct, frozen=True):
    """A command on its way, or its answer."""

    id: str
    kind: CommandKind
    sent_at: float
    direct: bool = False
    answered: bool = False
    ok: bool = False
    seq: int = 0
    said: str = ""


class Hands(Struct, frozen=True):
    """What the person is doing."""

    keys: Keymap = SHIPPED
    service: str = ""
    page: str = "first"  # or the id of the action that opened it
    scroll: int = 0  # the row on top of a page
    end: int = 0  # the row after the last one shown of a page that follows; 0 while it follows
    seen: int = 0  # how many rows there were when it stopped following
    filter: str = ""  # what was typed after `/` on this page
    match: int = -1  # the row that the search looks at
    across: int = 0  # how often right was pressed more than left
    extent: Extent = Extent()  # what of the page was on the screen at the last key
    focus: str = ""  # id of the marked item
    focus_at: float = 0.0
    armed: Armed | None = None
    twice_at: float = -1e9  # when `o` was pressed once against another person
    twice_epoch: int = -1
    entry: Entry | None = None
    notice: Notice | None = None
    orders: tuple[Order, ...] = ()
    last_key: str = ""
    last_key_at: float = -1e9
    acted_at: float = -1e9  # when a guarded key was not ignored
    stray_until: float = -1e9


class Send(Struct, frozen=True):
    """Send a command."""

    kind: CommandKind
    service: str
    item: str = ""
    reason: str = ""
    expect_epoch: int = -1
    expect_version: int = -1


class Leave(Struct, frozen=True):
    """Close the dashboard."""


class Redraw(Struct, frozen=True):
    """Draw everything anew."""


Intent = Send | Leave | Redraw | Play
Pressed = tuple[Hands, list[Intent]]


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
    if hands.entry is not None and not hands.keys.pauses_while_typing(key, char):
        return _type(hands, model, key, char, at, fast)
    if action is not None and action.rule == "guarded" and held and not fast:
        return hands, []
    if action is None:
        return (_disarm(hands, at, "any other key disarms") if hands.armed else hands), []
    if hands.armed is not None and action.id not in {"fire", "pause"}:
        hands = _disarm(hands, at, "any other key disarms")
        if action.id in {"next", "previous", "close"}:
            return hands, []
    guarded = action.rule == "guarded"
    pasted = action.id == "leave" and crowded and key != "ctrl+c"
    if (guarded and fast) or pasted:
        return _say(hands, f"{shown(key)}: ignored, press again", "warn", at), []
    if guarded:
        hands = replace(hands, acted_at=at)
    if action.id != "takeover":
        hands = replace(hands, twice_at=-1e9)
    match action.id:
        case "pause":
            return _send(replace(hands, armed=None), model, rights, "pause", at)
        case "takeover":
            return _take_over(hands, model, rights, at)
        case "rollback":
            return _arm(hands, model, rights, at)
        case "fire":
            return _fire(hands, model, rights, at)
        case "release":
            return _ask(hands, model, rights, "release", at)
        case "accept" | "reject":
            return _answer(hands, model, rights, action.id, at)
        case _:
            return _look(hands, model, action.id, key, at)


def _stray_until(hands: Hands, key: str, char: str | None, at: float, crowded: bool) -> float:
    """Until when guarded keys are ignored because of this one: it may be a piece of a sequence."""
    if hands.entry is None and (char in _PIECES or key.startswith("alt+")):
        return at + PIECE_FOR
    stray = crowded or key in _STRAYS or key.startswith("alt+") or char in {"[", "O", "\x1b"}
    return at + STRAY_FOR if stray else -1e9


def _look(hands: Hands, model: Model, action: str, key: str, at: float) -> Pressed:
    first = hands.page == "first"
    if model.replay is not None and (played := step_of(action, first)) is not None:
        return replace(hands, notice=None), [Play(played)]
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


def _say(hands: Hands, text: str, tone: Tone, at: float) -> Hands:
    return replace(hands, notice=Notice(text, tone, at + NOTICE_FOR))


def say(hands: Hands, text: str, tone: Tone, at: float) -> Hands:
    """The hands with a sentence to the person."""
    return _say(hands, text, tone, at)


def with_keys(hands: Hands, keys: Keymap, at: float) -> Hands:
    """The hands with a person's own keys; what is wrong with their file is said for a minute."""
    hands = replace(hands, keys=keys)
    if not keys.trouble:
        return hands
    text = f"{keys.trouble[0]}. The shipped keys are in use ({keys.of('keys')} says more)"
    return replace(hands, notice=Notice(text, "warn", at + 60.0))


def _disarm(hands: Hands, at: float, why: str) -> Hands:
    return _say(replace(hands, armed=None), f"roll back disarmed: {why}", "warn", at)


def disarm(hands: Hands, at: float, why: str) -> Hands:
    """Take an armed roll back out of the hands (terminal lost focus, ...)."""
    return _disarm(hands, at, why) if hands.armed else hands


def _send(hands: Hands, model: Model, rights: Rights, kind: CommandKind, at: float) -> Pressed:
    why = why_not(model, rights, kind, hands.service)
    if why:
        return _say(hands, f"not done: {why}", "warn", at), []
    return replace(hands, notice=None), [Send(kind, hands.service)]


def _take_over(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    control = control_of(model, hands.service)
    other = control.mode == "person" and control.holder != who(model, rights)
    confirmed = at - hands.twice_at <= TWICE_UNTIL and hands.twice_epoch == control.epoch
    if other and not confirmed and not why_not(model, rights, "takeover", hands.service):
        hands = replace(hands, twice_at=at, twice_epoch=control.epoch)
        again = f"Press {hands.keys.of('takeover')} again"
        text = f"{control.holder} has the wheel. {again} to take it from {control.holder}"
        return _say(hands, text, "warn", at), []
    return _send(replace(hands, twice_at=-1e9), model, rights, "takeover", at)


def ground_of(model: Model, service: str) -> Ground:
    """What a roll back of `service` would act on now."""
    run = run_of(model, service)
    known = live(model)
    if run is None:
        return Ground("", "", "", -1, 0, known, model.boot)
    step = run.step.index if run.step else -1
    return Ground(run.id, run.to_version, run.outcome, step, run.weight, known, model.boot)


def _arm(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    why = why_not(model, rights, "rollback", hands.service)
    if why:
        return _say(hands, f"not done: {why}", "warn", at), []
    control = control_of(model, hands.service)
    armed = Armed(at, hands.service, ground_of(model, hands.service), control.mode, control.epoch)
    hands = replace(reading.opened(hands, "first"), armed=armed, notice=None)
    return hands, [Send("pause", hands.service, reason="before a roll back")]


def _fire(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    armed = hands.armed
    if armed is None:
        text = "{fire} does nothing alone: press {rollback} first, it shows what {fire} would do"
        return _say(hands, hands.keys.fill(text), "warn", at), []
    if at - armed.at < FIRE_FROM:
        text = "{fire}: too soon after {rollback}, ignored; press again"
        return _say(hands, hands.keys.fill(text), "warn", at), []
    hands = replace(hands, armed=None)
    if at - armed.at > FIRE_UNTIL:
        text = "more than 10 s passed; press {rollback} again"
        return _disarm(hands, at, hands.keys.fill(text)), []
    why = _moved(armed, model)
    if why:
        return _disarm(hands, at, why), []
    return _send(hands, model, rights, "rollback", at)


def _moved(armed: Armed, model: Model) -> str:
    """Why the ground of an armed roll back is no longer what it was; empty when it is."""
    if ground_of(model, armed.service) != armed.ground:
        return "the run or the connection has changed; look again"
    control = control_of(model, armed.service)
    same = control.epoch == armed.epoch and control.mode == armed.mode
    ours = control.mode == "paused" and 0 <= control.epoch - armed.epoch <= 1
    return "" if same or ours else "who is in control has changed; look again"


def _ask(
    hands: Hands, model: Model, rights: Rights, kind: Literal["release"], at: float
) -> Pressed:
    why = why_not(model, rights, kind, hands.service)
    if why:
        return _say(hands, f"not done: {why}", "warn", at), []
    return replace(hands, entry=Entry(kind), notice=None), []


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
    item = marked(hands, model)
    if item is None:
        return _say(hands, "nothing waits for you", "plain", at), []
    why = why_not(model, rights, kind, item.service, item)
    if why:
        return _say(hands, f"not done: {why}", "warn", at), []
    if at - hands.focus_at < LOOK_FIRST:
        return _say(hands, f"{item.title} was marked just now: look, then press again", "warn", at), []  # fmt: skip
    if kind == "reject" or grave(item):
        return replace(hands, entry=Entry(kind, item=item.id), notice=None), []
    return replace(hands, notice=None), [_answer_to(model, "accept", item, "")]


def grave(item: ItemDoc) -> bool:
    """Whether a yes has a way of its own: it asks why. What goes back is never slowed down."""
    return item.risk == "HIGH" and item.capability != "rollback"


def _answer_to(model: Model, kind: Literal["accept", "reject"], item: ItemDoc, reason: str) -> Send:
    run = model.runs.get(item.run)
    return Send(
        kind, item.service, item=item.id, reason=reason,
        expect_epoch=control_of(model, item.service).epoch,
        expect_version=run.version if run else -1,
    )  # fmt: skip


def _type(hands: Hands, model: Model, key: str, char: str | None, at: float, fast: bool) -> Pressed:
    entry = hands.entry
    assert entry is not None
    if entry.kind == "filter":
        return reading.typed(hands, key, char), []
    match key:
        case "escape" | "ctrl+c":
            return _say(replace(hands, entry=None), "left without sending", "plain", at), []  # fmt: skip
        case "enter" | "ctrl+j":
            if fast:
                return _say(hands, "Enter: ignored, press again", "warn", at), []
            return _submit(hands, model, entry, at)
        case "backspace" | "ctrl+h":
            return replace(hands, entry=replace(entry, text=entry.text[:-1])), []
        case "ctrl+u":
            return replace(hands, entry=replace(entry, text="")), []
    if char and char.isprintable() and len(entry.text) < 200:
        return replace(hands, entry=replace(entry, text=entry.text + char)), []
    return hands, []


def _submit(hands: Hands, model: Model, entry: Entry, at: float) -> Pressed:
    reason = entry.text.strip()
    if entry.kind == "release":
        if not reason:
            return _say(hands, "giving back needs a reason: the next person reads it", "warn", at), []  # fmt: skip
        control = control_of(model, hands.service)
        send = Send("release", hands.service, reason=reason, expect_epoch=control.epoch)
    else:
        item = next((each for each in items(model) if each.id == entry.item), None)
        if item is None:
            hands = replace(hands, entry=None)
            return _say(hands, "that item is gone: nothing was sent", "warn", at), []
        if entry.kind == "accept" and not reason:
            text = "a yes to HIGH risk needs a reason: the next person reads it"
            return _say(hands, text, "warn", at), []
        send = _answer_to(model, "accept" if entry.kind == "accept" else "reject", item, reason)
    return replace(hands, entry=None, notice=None), [send]


def settle(hands: Hands, model: Model, at: float) -> Hands:
    """The hands after time has passed or the model has changed."""
    ids = [item.id for item in items(model)]
    if hands.focus not in ids and (ids or hands.focus):
        hands = replace(hands, focus=ids[0] if ids else "", focus_at=at)
    armed = hands.armed
    if armed is not None:
        if at - armed.at > FIRE_UNTIL:
            hands = _disarm(hands, at, "10 s passed. The agent stays paused")
        elif why := _moved(armed, model):
            hands = _disarm(hands, at, why)
    if hands.notice is not None and at > hands.notice.until:
        hands = replace(hands, notice=None)
    if hands.orders and hands.orders[0].answered and at - hands.orders[0].sent_at > 60:
        hands = replace(hands, orders=hands.orders[1:])
    return hands


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
