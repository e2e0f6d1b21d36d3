"""What a typed line means: the same rules as the keys', with words for keys. Pure.

Every action of the registry is a word here, so that what the keys can do the words can too. Nothing
is ever half typed: a reason stands in the same line, and `pause` is heard at any time.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Intent
from hatchway_tui.keys import ACTIONS, Keymap
from hatchway_tui.mirror import Model, items, services

CONFIRM_FROM, CONFIRM_WITHIN = 1.0, 60.0
"""Seconds after `rollback` in which the name counts: not in the same paste, but it takes a while to
have the plan read out.
"""

SAME = {
    "resume": "release", "status": "", "quit": "leave", "exit": "leave", "help": "keys",
    "take": "takeover", "stop": "pause", "stopall": "stop_all",
}  # fmt: skip
NEED_WHY = {"release": "release WHY: the next person reads it"}
SPOKEN = tuple(
    action for action in ACTIONS
    if action.id != "fire" and (action.rule != "free" or action.page or action.id == "leave")
)  # fmt: skip
"""The actions that are words here; the others move something on a screen."""

WORDS = Keymap(
    keys={action.id: (action.id,) for action in ACTIONS},
    actions={action.id: action for action in ACTIONS},
)
"""A keymap whose keys are the names of the actions: what the rules say then names words."""


class Typing(Struct, frozen=True):
    """What the person has done so far; `numbers` and `read_at` by the id of an item."""

    hands: Hands = Hands(keys=WORDS)
    armed_at: float = 0.0
    numbers: dict[str, int] = {}
    read_at: dict[str, float] = {}
    page: str = ""  # the last that was read out


class Heard(Struct, frozen=True):
    """A line's consequence: what to send, what to say, and a page or "status" to read out."""

    typing: Typing
    intents: tuple[Intent, ...] = ()
    says: tuple[str, ...] = ()
    page: str = ""


def settled(typing: Typing, model: Model, at: float) -> Typing:
    """After time has passed or the model has changed: a plan lapses, items get their numbers."""
    hands = typing.hands
    if hands.armed is not None and at - typing.armed_at <= CONFIRM_WITHIN:
        # a name takes longer to type than a key to press; all else disarms as it does there
        hands = replace(hands, armed=replace(hands.armed, at=at - 1.0))
    hands = rules.settle(hands, model, at)
    if not hands.service:
        hands = replace(hands, service=next(iter(services(model)), ""))
    numbers, read_at = dict(typing.numbers), dict(typing.read_at)
    for item in items(model):
        if item.id not in numbers:
            numbers[item.id] = max(numbers.values(), default=0) + 1
            read_at[item.id] = at
    return replace(typing, hands=hands, numbers=numbers, read_at=read_at)


def typed(typing: Typing, model: Model, rights: Rights, line: str, at: float) -> Heard:
    """The meaning of `line` at `at` (monotonic seconds). Raises nothing."""
    typing = settled(typing, model, at)
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    armed = typing.hands.armed
    if armed is not None and line.strip() == armed.service:
        if at - typing.armed_at < CONFIRM_FROM:
            early = (
                "Too soon after rollback, nothing was rolled back: hear the plan, type it again."
            )
            return Heard(typing, says=(early,))
        if not armed.hazard:
            return _pressed(typing, model, rights, "fire", typing.hands, at)
        named = replace(typing.hands, armed=replace(armed, typed=armed.service))
        return _pressed(typing, model, rights, "enter", named, at)
    word = SAME.get(word.lower(), word.lower())
    if not word:
        return Heard(_disarmed(typing, at), page="status")
    if word == "service":
        return _service(typing, model, rest, at)
    if all(word != action.id for action in SPOKEN):
        says = (f"There is no word {line.strip()[:40]!r} here. Type help.",)
        return Heard(_disarmed(typing, at), says=says)
    if word != "pause":
        typing = _disarmed(typing, at)
    if word == "write" and typing.page == "handover":  # it was read just now
        typing = replace(typing, hands=replace(typing.hands, page="handover"))
    if word in NEED_WHY and not rest:
        return Heard(_disarmed(typing, at), says=(f"It needs a reason: {NEED_WHY[word]}.",))
    if word in {"accept", "reject"}:
        return _answer(typing, model, rights, word, rest, at)
    heard = _pressed(typing, model, rights, word, typing.hands, at)
    if heard.typing.hands.entry is not None:
        return _with_reason(heard, model, rights, rest, at)
    return heard


def is_stop(line: str) -> bool:
    """Whether a line is one of the stops, which wait for nothing."""
    word = line.strip().partition(" ")[0].lower()
    return SAME.get(word, word) in {"pause", "takeover", "rollback"}


def _disarmed(typing: Typing, at: float) -> Typing:
    return replace(typing, hands=rules.disarm(typing.hands, at, "another word was typed"))


def _pressed(
    typing: Typing, model: Model, rights: Rights, word: str, hands: Hands, at: float
) -> Heard:
    before = hands.notice
    # The guards of single keys are not for whole words: no escape sequence looks like one.
    hands = replace(hands, last_key="", last_key_at=-1e9, acted_at=-1e9, stray_until=-1e9)
    hands, intents = rules.press(hands, model, rights, word, None, at)
    page = hands.page if hands.page != "first" else ""
    hands = replace(hands, page="first", notice=None) if page else hands
    says = (hands.notice.text,) if hands.notice is not None and hands.notice is not before else ()
    at = at if hands.armed is not None else 0.0
    typing = replace(typing, hands=hands, armed_at=at, page=page or typing.page)
    return Heard(typing, tuple(intents), says, page)


def _with_reason(heard: Heard, model: Model, rights: Rights, reason: str, at: float) -> Heard:
    """The rules ask for a reason: it came in the same line, or the word is as if not typed."""
    hands = heard.typing.hands
    entry = hands.entry
    assert entry is not None
    hands = replace(hands, entry=replace(entry, text=reason))
    done = _pressed(heard.typing, model, rights, "enter", hands, at)
    left = replace(done.typing, hands=replace(done.typing.hands, entry=None))
    return replace(done, typing=left)


def _answer(typing: Typing, model: Model, rights: Rights, word: str, rest: str, at: float) -> Heard:
    waiting = items(model)
    number, _, reason = rest.partition(" ")
    if not number.isdigit():
        if len(waiting) != 1:
            says = "nothing waits for you" if not waiting else f"say which: {word} NUMBER"
            return Heard(_disarmed(typing, at), says=(f"Nothing was sent: {says}.",))
        number, reason = str(typing.numbers[waiting[0].id]), rest
    item = next((i for i in waiting if typing.numbers[i.id] == int(number)), None)
    if item is None:
        says = f"Nothing was sent: item {number} does not wait (any more). Type status."
        return Heard(_disarmed(typing, at), says=(says,))
    hands = replace(typing.hands, focus=item.id, focus_at=typing.read_at[item.id])
    heard = _pressed(typing, model, rights, word, hands, at)
    if heard.typing.hands.entry is not None:
        return _with_reason(heard, model, rights, reason.strip(), at)
    return heard


def _service(typing: Typing, model: Model, name: str, at: float) -> Heard:
    typing = _disarmed(typing, at)
    known = services(model)
    if name not in known:
        return Heard(
            typing, says=(f"There is no service {name!r}. There are: {', '.join(known)}.",)
        )
    return Heard(replace(typing, hands=replace(typing.hands, service=name)), page="status")


def help_words() -> list[str]:
    """Every word and what it does."""
    said = ["status: how things are. An empty line does the same."]
    shapes = {
        "accept": "accept NUMBER", "reject": "reject NUMBER WHY", "release": "release WHY",
        "rollback": "rollback, then the name of the service",
    }  # fmt: skip
    for action in SPOKEN:
        text = WORDS.help(action).replace("before fire", "before the name of the service is typed")
        said.append(f"{shapes.get(action.id, action.id)}: {text}")
    said.append("service NAME: look at another service.")
    return said
