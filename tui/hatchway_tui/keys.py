"""The registry of actions: which key does what. Everything that names a key reads it here.

`python -m hatchway_tui.keys --markdown` prints it as the table of the README. A person's own keys
come from a file (`keymap.py`); what is shown follows them, so nothing may name a key by itself:
`Keymap.of("takeover")`, or `Keymap.fill("press {takeover} again")`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Literal, NamedTuple

from msgspec import Struct

Rule = Literal["stop", "guarded", "free"]


class Action(NamedTuple):
    """`stop`: works at once, always. `guarded`: acts, so stray keys must not do it. `free`: looks.

    `help` names other keys as `{id}`; its first sentence is the tooltip.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    rule: Rule
    hint: bool = False  # named on the last row
    page: bool = False  # opens the page of this id


ACTIONS: tuple[Action, ...] = (
    Action("pause", ("p", "ctrl+p", "alt+p"), "pause", "Pause the agent. One key, from anywhere, never asks; stays paused until somebody gives back. Ctrl+P also while typing.", "stop"),
    Action("takeover", ("o",), "take over", "Take the wheel: the agent loses its write path. If another person has it, press twice.", "guarded"),
    Action("rollback", ("r",), "roll back", "Pause and show what a roll back would do. Nothing is rolled back before {fire}.", "guarded"),
    Action("fire", ("f",), "fire", "After {rollback}, within 10 s: roll back. Any other key disarms. Where going back may not be safe, the service's name is typed instead.", "guarded"),
    Action("stop_all", ("ctrl+x",), "stop all", "Pause every service and bar every agent; press twice.", "guarded"),
    Action("release", ("g",), "give back", "Give control back to the agent; asks for a reason. It starts again by recommending. After stop all, let the agents in again first.", "guarded", True),
    Action("accept", ("a",), "accept", "Say yes to the marked item, once it has been marked for 1 s. A yes to HIGH risk asks why.", "guarded", True),
    Action("reject", ("x",), "reject", "Say no to the marked item; asks for a reason (may be empty).", "guarded", True),
    Action("write", ("ctrl+e",), "write it down", "On the hand-over page: write it down with your note. @NAME before the note names whom it is for.", "guarded"),
    Action("next", ("down", "tab", "j"), "next item", "Mark the next item that needs you; in a page, scroll down.", "free"),
    Action("previous", ("up", "shift+tab", "k"), "previous item", "Mark the previous item; in a page, scroll up.", "free"),
    Action("page_down", ("pagedown",), "page down", "In a page, scroll down by a screen.", "free"),
    Action("page_up", ("pageup",), "page up", "In a page, scroll up by a screen.", "free"),
    Action("home", ("home",), "to the beginning", "In a page, go to its beginning.", "free"),
    Action("end", ("end",), "to the end", "In a page, go to its end; a log then follows what comes in.", "free"),
    Action("left", ("left",), "before", "In the log: the job before.", "free"),
    Action("right", ("right",), "after", "In the log: the job after.", "free"),
    Action("earlier", ("left_square_bracket",), "earlier", "In a replay: to the record before that matters. Live it does nothing.", "free"),
    Action("later", ("right_square_bracket",), "later", "In a replay: to the next record that matters. Live it does nothing.", "free"),
    Action("much_earlier", ("left_curly_bracket",), "much earlier", "In a replay: ten of them back. On the first screen {page_up}, {home} and {end} step too.", "free"),
    Action("much_later", ("right_curly_bracket",), "much later", "In a replay: ten of them on.", "free"),
    Action("search", ("slash",), "search", "In a page, search (or filter) as you type. Enter keeps it: then {next} and {previous} go from match to match. Esc clears it.", "free"),
    Action("board", ("b",), "board", "All pipelines on one screen. The marked one is on the screen: {pause}, {takeover} and {rollback} are about it; {close} opens it.", "free", True, True),
    Action("sort", ("z",), "sort", "On the board: sort by what needs you, service, stage, risk, or since when.", "free"),
    Action("service_before", ("comma",), "service before", "The service before this one, by name. What was armed is disarmed.", "free"),
    Action("service_after", ("full_stop",), "service after", "The service after this one, by name. What was armed is disarmed.", "free"),
    Action("palette", ("colon",), "go to", "Find any action, page, service or open item by a few letters, and do it with Enter.", "free", True),
    Action("run", ("i",), "run", "The run: its stages and jobs, who decided what and when, and what takes the longest.", "free", True, True),
    Action("why", ("w",), "why", "The verdict, its reasons and the evidence.", "free", True, True),
    Action("changes", ("d",), "changes", "What ships: commits, files, risk.", "free", True, True),
    Action("log", ("l",), "log", "What the running stage prints.", "free", True, True),
    Action("item", ("e",), "evidence", "The marked item in full. What a yes changes, what it is bound to, who may, the evidence, and how often the rule was right.", "free", False, True),
    Action("policy", ("v",), "policy", "Why not? What the agent may do now. Which line of the policy says so, on which facts, and what stands in the way.", "free", False, True),
    Action("record", ("s",), "record", "How often the agent was right, wrong or harmful, and how often nobody knows, with bounds.", "free", False, True),
    Action("handover", ("h",), "hand-over", "What would be handed over now, what waits to be acknowledged, what the last one said.", "free", True, True),
    Action("keys", ("question_mark",), "keys", "Every key and what it does.", "free", True, True),
    Action("close", ("enter", "escape", "backspace"), "back", "Back to the first screen. There, {close} opens the run in detail.", "free"),
    Action("redraw", ("ctrl+l",), "redraw", "Draw the whole screen again.", "free"),
    Action("leave", ("q", "ctrl+c"), "leave", "Leave the dashboard. Changes nothing: who is in control stays in control.", "free", True),
)  # fmt: skip

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
ALWAYS = {"pause": ("ctrl+p",)}
"""Keys that no file can take away: Ctrl+P pauses also while a reason is typed."""
GO_BACK = {"enter", "backspace"}
"""Of the keys that close a page, those that do so also while a search is on."""
GROUPS: tuple[tuple[Rule, str], ...] = (
    ("stop", "STOPS: at once, from everywhere, never asked back"),
    ("guarded", "ACTING: ignored right after another key, and for 1 s after Esc, [ or O"),
    ("free", "LOOKING: changes nothing"),
)


class Keymap(Struct, frozen=True):
    """The keys as they are now: shipped, or with a person's own file in them."""

    keys: dict[str, tuple[str, ...]]  # by action, the one that is named on the screen first
    actions: dict[str, Action]  # by key
    source: str = ""  # the file that was read; empty when there is none
    own: frozenset[str] = frozenset()  # the actions that have keys out of it
    trouble: tuple[str, ...] = ()  # FILE:LINE: what is wrong; then the keys are the shipped ones

    def of(self, action: str) -> str:
        """The key of an action as people write it."""
        return shown(self.keys[action][0])

    def all_of(self, action: str) -> str:
        """All its keys."""
        return " ".join(shown(key) for key in self.keys[action])

    def fill(self, text: str) -> str:
        """A sentence of ours with every `{action}` replaced by its key; never of outside text."""
        return re.sub(r"\{(\w+)\}", lambda found: self.of(found[1]), text)

    def help(self, action: Action) -> str:
        """What it does, in sentences."""
        return self.fill(action.help)

    def tip(self, action: Action) -> str:
        """The first sentence of it, for where there is little room."""
        return self.help(action).partition(". ")[0].rstrip(".")

    def clears(self) -> str:
        """The key that takes a filter or a search away before it leaves the page; empty: none."""
        return next((shown(key) for key in self.keys["close"] if key not in GO_BACK), "")

    def while_typing(self) -> str:
        """The key that pauses where letters are text, as people write it."""
        return next(shown(key) for key in self.keys["pause"] if len(key) > 1)

    def pauses_while_typing(self, key: str, char: str | None) -> bool:
        """Whether `key` pauses also where letters are text."""
        action = self.actions.get(key)
        typed = char is not None and char.isprintable()
        return action is not None and action.id == "pause" and not typed


def keymap_of(
    own: dict[str, tuple[str, ...]], source: str = "", trouble: tuple[str, ...] = ()
) -> Keymap:
    """The shipped keys with those of `own` in their place; without conflicts, or `ValueError`."""
    keys: dict[str, tuple[str, ...]] = {}
    actions: dict[str, Action] = {}
    for action in ACTIONS:
        wanted = own.get(action.id, action.keys) + ALWAYS.get(action.id, ())
        if action.id == "pause":  # Esc and the key in one read: a false pause is cheap
            wanted += tuple(f"alt+{key}" for key in wanted if len(key) == 1)
        keys[action.id] = tuple(dict.fromkeys(wanted))
        for key in keys[action.id]:
            if key in actions:
                raise ValueError(f"{shown(key)} is the key of {actions[key].id} and of {action.id}")
            actions[key] = action
    return Keymap(keys, actions, source, frozenset(own), trouble)


_SHOWN = {
    "escape": "Esc", "enter": "Enter", "backspace": "Backspace", "up": "Up", "down": "Down",
    "left": "Left", "right": "Right", "home": "Home", "end": "End", "pageup": "PageUp",
    "pagedown": "PageDown", "insert": "Insert", "delete": "Delete", "tab": "Tab", "space": "Space",
}  # fmt: skip
_SHORTER = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at",
    "hyphen_minus": "minus", "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip


def key_of(char: str) -> str:
    """What a terminal's key is called that sends the character `char`."""
    if char.isalnum():
        return char
    name = unicodedata.name(char, char).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


_PUNCTUATION = {key_of(char): char for char in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}


def shown(key: str) -> str:
    """A key's name as people write it."""
    head, plus, last = key.rpartition("+")
    if head == "alt":
        return f"Esc {shown(last)}"
    if plus:
        return f"{head.capitalize()}+{last.upper() if len(last) == 1 else shown(last)}"
    if re.fullmatch(r"f\d+", key):
        return key.upper()
    return _SHOWN.get(key) or _PUNCTUATION.get(key, key)


SHIPPED = keymap_of({})
BY_KEY: dict[str, Action] = SHIPPED.actions


def markdown() -> str:
    """The shipped keys as the table of the README, grouped by rule."""
    lines = ["| key | does | |", "|---|---|---|"]
    for rule, title in GROUPS:
        lines.append(f"| | **{title.partition(':')[0]}** |{title.partition(':')[2]} |")
        for action in ACTIONS:
            if action.rule == rule:
                names = " ".join(f"`{shown(key)}`" for key in SHIPPED.keys[action.id])
                text = SHIPPED.fill(re.sub(r"(\{\w+\})", r"`\1`", action.help))
                lines.append(f"| {names} | {action.label} | {text} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--markdown"]:
        sys.exit("usage: python -m hatchway_tui.keys --markdown")
    sys.stdout.write(markdown())
