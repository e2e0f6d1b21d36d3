"""What happened last, what ships, and the big buttons."""

from __future__ import annotations

from typing import NamedTuple

from hatchway_tui import safe_text
from hatchway_tui.control import direct, live, who, why_not
from hatchway_tui.duty import NAMES, asks_oncall, for_me, handover_of, my_ask
from hatchway_tui.hands import Order
from hatchway_tui.keys import ACTIONS
from hatchway_tui.mirror import items
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.paint.needs import RISK
from hatchway_tui.paint.story import reasons
from hatchway_tui.pipelines import names
from hatchway_tui.view import View

NO_ANSWER = "no answer"
"""Neither backend nor governor answers: the key still tries, but nobody may count on it."""
TONES = {"plain": "acc", "good": "ok", "warn": "warn", "bad": "bad", "dim": "dim"}


def last(view: View, width: int, height: int) -> Canvas:
    """The newest lines of the journal, the newest first."""
    canvas = Canvas(width, height)
    audit = view.model.audit
    checked = f"chain verified to #{audit.verified_to}" if audit.verified_to and width > 40 else ""
    pad = 1 if width != 80 and width >= 60 else 0
    if height > 1:
        since = view.model.system.shift if view.model.system else ""
        since = since if since and safe_text.width(safe_text.safe(since)) < width - 16 else ""
        canvas.rule(0, "LAST", right=since or checked, x=pad)
    y = 1 if height > 1 else 0
    shown = audit.lines[-max(height - y, 0) :] if height > y else ()
    who_cells = min(max((safe_text.width(line.who) for line in shown), default=5), 10)
    for line in reversed(shown):
        canvas.say(
            pad, y, Piece(words.clock(line.at) + "  ", "dim"),
            Piece(_padded(line.who, who_cells) + "  ", TONES[line.tone]),
            Piece(line.text, "bad" if line.tone == "bad" else "txt"),
        )  # fmt: skip
        y += 1
    return canvas


def _padded(text: str, cells: int) -> str:
    text = safe_text.fit(text, cells)
    return text + " " * (cells - safe_text.width(text))


def ships(view: View, width: int, height: int) -> Canvas:
    """What this release brings: risk with reasons, what needs attention, commits."""
    canvas = Canvas(width, height)
    run = view.run
    canvas.rule(0, "WHAT SHIPS", right=run.commit[:10] if run else "")
    if run is None:
        return canvas
    if not (run.risk or run.changes or run.files):
        canvas.say(2, 1, Piece("known when the release is requested", "dim"))
        return canvas
    x = canvas.say(2, 1, Piece(run.risk or "risk not known", RISK.get(run.risk, "dim"), True)) + 2
    counts = f"{words.count(len(run.changes), 'commit')}, {words.count(len(run.files), 'file')}"
    canvas.say(x, 1, Piece(counts, "dim"))
    y = 2
    lines = [Piece(text, "warn") for text in run.attention[:2]]
    lines += [Piece(text) for text in reasons(run)]
    lines += [Piece(f"{change.commit[:7]} {change.title}", "dim") for change in run.changes]
    for piece in lines:
        for text in safe_text.wrap(piece.text, width - 3, 2):
            canvas.say(2, y, piece._replace(text=text))
            y += 1
    return canvas


def log(view: View, width: int, height: int) -> Canvas:
    """The newest lines that the running stage printed."""
    canvas = Canvas(width, height)
    run = view.run
    doc = view.model.logs.get(run.id) if run else None
    if doc is None or not doc.lines:
        return canvas
    canvas.rule(0, "LOG")
    for y, line in enumerate(doc.lines[-(height - 1) :], start=1):
        canvas.say(2, y, Piece(f"{line.job}  ", "dim"), Piece(line.text))
    return canvas


class Button(NamedTuple):
    """What one of the three big buttons says."""

    action: str  # whose key it names
    label: str
    sub: str
    tone: str


def buttons_of(view: View) -> tuple[Button, Button, Button]:
    """Pause, take over, roll back: what each would do now, or why it cannot."""
    if view.model.replay is not None:
        names = (("pause", "PAUSE AGENT"), ("takeover", "TAKE OVER"), ("rollback", "ROLL BACK"))
        first, second, third = (Button(action, name, "REPLAY", "faint") for action, name in names)
        return first, second, third
    pause, take, roll = _pause_button(view), _take_button(view), _roll_button(view)
    if view.hands.entry is None:
        return pause, take, roll
    # Their letters are text now: what they would do waits, and pause has its other key.
    take = take._replace(tone="faint", sub="not now")
    if view.hands.armed is None:
        roll = roll._replace(tone="faint", sub="not now")
    return pause, take, roll


def _order(view: View, kind: str) -> Order | None:
    """The newest command of a kind, while its words are worth showing."""
    for order in reversed(view.hands.orders):
        if order.kind == kind:
            fresh = not order.answered or (order.ok and view.at - order.sent_at < 20)
            return order if fresh else None
    return None


def _sub(view: View, kind: str, words_: str) -> tuple[str, str | None]:
    why = why_not(view.model, view.rights, kind, view.hands.service)
    if why:
        return why, "faint"
    if direct(view.model):
        return (NO_ANSWER if view.model.governor_trouble else "direct"), None
    return words_, None


def _mark(order: Order) -> str:
    return f"#{order.seq}" if order.seq else "direct" if order.direct else "confirmed"


def _pause_button(view: View) -> Button:
    sub, tone = _sub(view, "pause", "one key")
    order, mode = _order(view, "pause"), view.control.mode
    if order and not order.answered:
        return Button("pause", "PAUSING...", "sent", "warn")
    if view.control.stop_all:
        lets = view.keys.fill("{release} lets them in")
        return Button("pause", "STOPPED ALL", lets, tone or "dim")
    if mode == "paused":
        confirmed = _mark(order) if order else ""
        return Button(
            "pause", "PAUSED", f"{confirmed} {view.control.holder}".strip(), tone or "dim"
        )
    if asks_oncall(view.model, view.rights, "pause"):
        return _asking(view, "pause", "PAUSE")
    if tone and view.rights.read_only:
        return Button("pause", "PAUSE", "ask oncall to pause", tone)
    return Button("pause", "PAUSE AGENT", sub, tone or "acc")


def _asking(view: View, op: str, label: str) -> Button:
    """For whoever may not stop: the key calls those who may, and says what became of it."""
    order = _order(view, "ask")
    if order and not order.answered:
        return Button(op, label, "asking oncall...", "dim")
    ask = my_ask(view.model, view.rights, view.hands.service, view.now, op)
    sub = f"ask oncall to {NAMES[op]}"
    if ask is not None and ask.waits:
        sub = f"asked #{ask.seq}"
    return Button(op, label, sub, "dim")


def _take_button(view: View) -> Button:
    sub, tone = _sub(view, "takeover", "one key")
    order, control = _order(view, "takeover"), view.control
    if order and not order.answered:
        return Button("takeover", "TAKING OVER...", "sent", "warn")
    if control.mode == "person" and control.holder == who(view.model, view.rights):
        sub = _mark(order) if order else view.keys.fill("{release} gives back")
        return Button("takeover", "YOU HAVE IT", sub, tone or "dim")
    if asks_oncall(view.model, view.rights, "takeover"):
        return _asking(view, "takeover", "TAKE OVER")
    if control.mode == "person":
        return Button("takeover", "TAKE OVER", "twice", tone or "warn")
    return Button("takeover", "TAKE OVER", sub, tone or "warn")


def _roll_button(view: View) -> Button:
    then = view.keys.fill("then {fire}")
    sub, tone = _sub(view, "rollback", then)
    order, armed = _order(view, "rollback"), view.hands.armed
    if armed is not None:
        left = max(int(armed.until - view.at + 0.999), 0)
        if armed.hazard:
            return Button("rollback", "TYPE THE NAME", f"{left}s", "bad")
        return Button("fire", "ROLL BACK NOW", f"{left}s left", "bad")
    if order and not order.answered:
        return Button("rollback", "ROLLING BACK...", "sent", "bad")
    if order and order.ok:
        return Button("rollback", "ROLL BACK", f"ordered {_mark(order)}", tone or "bad")
    if asks_oncall(view.model, view.rights, "rollback"):
        return _asking(view, "rollback", "ROLL BACK")
    if not tone and sub == "direct":
        sub = f"{then}, direct"
    return Button("rollback", "ROLL BACK", sub, tone or "bad")


def buttons(view: View, width: int, height: int) -> Canvas:
    """Three buttons, `height` 3 (framed) or 1."""
    canvas = Canvas(width, height)
    pad = 1 if width >= 100 else 0
    gap = 3 if width >= 100 else 1
    each = (width - 2 * pad - 2 * gap) // 3
    x = pad
    for index, button in enumerate(buttons_of(view)):
        cells = each if index < 2 else width - pad - x
        _button(canvas, view, x, cells, height, button)
        x += each + gap
    return canvas


def button_at(width: int, x: int) -> str:
    """The action of the button under column `x`."""
    return ("pause", "takeover", "rollback")[max(0, min(2, x * 3 // max(width, 1)))]


def _button(canvas: Canvas, view: View, x: int, width: int, height: int, button: Button) -> None:
    tone, middle = button.tone, height // 2
    about = view.hands.service if view.hands.page == "board" else ""  # there it must be said
    canvas.fill(x, 0, width, height, "btn")
    inset = 0
    if height == 3:
        inset = 3 if width >= 30 else 2
        canvas.put(x, 0, "┏" + "━" * (width - 2) + "┓", tone)
        canvas.put(x, 1, "┃", tone)
        canvas.put(x + width - 1, 1, "┃", tone)
        canvas.put(x, 2, "┗" + "━" * (width - 2) + "┛", tone)
        if about:
            canvas.put(x + 2, 2, safe_text.fit(f" of {about} ", width - 4), "hi", True)
    label = f"{button.label} {about}" if about and height < 3 else button.label
    typing = button.action == "pause" and view.hands.entry is not None
    chip = f" {view.keys.while_typing() if typing else view.keys.of(button.action)} "
    room = width - 2 * inset - safe_text.width(chip) - 1
    if safe_text.width(f"{label} {button.sub}") > room:
        label = label.replace(" AGENT", "").replace(" NOW", "")
    dead = tone == "faint"
    at = canvas.put(x + inset, middle, chip, "ink", True, "faint" if dead else tone) + 1
    end = x + width - (1 if dead else max(inset, 1))
    sub = _fitting(button.sub, end - at - safe_text.width(label) - 1)
    at = canvas.say(at, middle, Piece(label, "dim" if dead else "hi", True), end=end)
    if sub:
        loud = sub in {"direct", NO_ANSWER}
        canvas.right(end, middle, Piece(sub, "warn" if loud else "dim"))


def _fitting(sub: str, cells: int) -> str:
    """All of it, else its one part that says most: half a word under a big button says nothing."""
    parts = (sub, sub.partition(":")[0], sub.partition(" to ")[0], sub.rpartition(", ")[2])
    for text in parts:
        if safe_text.width(text) <= cells:
            return text
    if sub.startswith("ask "):
        return "ask" if cells >= 3 else ""
    spare = sub == "one key" or sub.startswith("then ") or sub.endswith(" lets them in")
    return "" if spare else safe_text.fit(sub, cells)


def _place(view: View) -> str:
    """The environment, in capitals, as in every place where something is confirmed."""
    system = view.model.system
    return (system.environment.upper() if system else "") or "an unknown environment"


def hints(view: View, width: int) -> Canvas:
    """The last row: what is being typed, else what has to be said, else the keys."""
    entry, notice = view.hands.entry, view.hands.notice
    canvas = Canvas(width, 1, "panel" if entry or notice else "bg")
    pad = 1 if width >= 100 else 0
    if entry is not None:
        about = f" {view.hands.service}" if view.hands.page == "board" else ""
        ask = {
            "release": f"give back{about}, why?",
            "readmit": "let the agents in again, why?",
            "ask": f"ask oncall to {NAMES.get(entry.item, '')} {view.hands.service}, why?",
            "handover": "hand over: what to watch, what would you do?",
            "acknowledge": "acknowledge, in your words (may be empty):",
            "accept": f"HIGH risk in {_place(view)}: yes, why?",
            "reject": "reject, why?",
            "filter": "/",
            "palette": ":",
        }[entry.kind]
        ends = {"filter": "Enter keeps  Esc clears", "palette": "Enter does it  Esc leaves"}
        keys = ends.get(entry.kind, "Enter sends  Esc leaves")
        # at least half of the row is for what is typed
        keys = safe_text.fit(notice.text, width // 2 - pad) if notice else keys
        ask += " " if entry.kind not in ends else ""
        end = canvas.right(width - pad, 0, Piece(keys, "warn" if notice else "dim")) - 1
        x = canvas.say(pad, 0, Piece(ask, "acc", True), end=end)
        text = safe_text.safe(entry.text)
        while text and safe_text.width(text) > end - x - 2:
            text = text[1:]
        canvas.say(x, 0, Piece(text, "hi"), Piece(" ", "ink", False, "acc"), end=end)
        return canvas
    if notice is not None:
        tone = "hi" if notice.tone == "plain" else notice.tone
        canvas.say(pad, 0, Piece(notice.text, tone, True), end=width - pad)
        return canvas
    x, gap, hinted = pad, 3 if width >= 100 else 2, _worth_hinting(view)
    # how to get out is always there; what does not fit before it is left out
    last = [f"{key} {word}" for key, word in hinted if word == "leave"]
    for key, word in hinted:
        kept = sum(len(each) + gap for each in last) if word != "leave" else 0
        if word == "leave" and x + len(key) + 24 <= width - pad:
            word = "leave (changes nothing)"  # noqa: PLW2901 - the same in more words
        if x + len(key) + 1 + len(word) + kept > width - pad:
            continue
        x = canvas.say(x, 0, Piece(key, "txt", True), Piece(f" {word}", "dim")) + gap
    return canvas


def _of_handover(view: View) -> list[tuple[str, str]]:
    """What can be done on the hand-over's page, by whom it is for or by anybody."""
    doc = handover_of(view.model)
    waiting = doc.waiting if doc is not None else None
    if waiting is not None and for_me(view.model, view.rights, waiting):
        act, word = "accept", "acknowledge"
    else:
        act, word = "write", "write it down"
    right = "acknowledge" if act == "accept" else "handover"
    return [] if why_not(view.model, view.rights, right, "") else [(view.keys.of(act), word)]


_ON_THE_BOARD = (("close", "open"), ("search", "filter"), ("sort", "sort"))


def _worth_hinting(view: View) -> list[tuple[str, str]]:
    out = []
    for action in ACTIONS:
        if not action.hint:
            continue
        if action.id == "release" and view.control.mode not in {"paused", "person"}:
            continue
        if view.model.replay is not None and action.rule == "guarded":
            continue
        if action.id == "release" and view.control.stop_all:
            out.append((view.keys.of("release"), "let agents in"))
            continue
        if action.id == "board" and (view.hands.page == "board" or len(names(view.model)) < 2):
            continue
        if action.id in {"accept", "reject"} and view.hands.page == "handover":
            continue
        if action.id in {"accept", "reject"} and (
            not items(view.model)
            or not live(view.model)
            or view.rights.read_only
            or view.hands.page == "board"
        ):
            continue
        out.append((view.keys.of(action.id), action.label))
    if view.hands.page == "handover":
        out[:0] = _of_handover(view)
    if view.hands.page != "first":
        out[:0] = [(view.keys.of("close"), "back"), (view.keys.of("search"), "search")]
    if view.hands.page == "board":
        out[:2] = [(view.keys.of(id), word) for id, word in _ON_THE_BOARD]
    return out
