"""The registry of actions: which key does what. Help, hints and the rules of the keys read it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Rule = Literal["stop", "guarded", "free"]


class Action(NamedTuple):
    """`stop`: works at once, always. `guarded`: acts, so stray keys must not do it. `free`: looks."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    rule: Rule
    hint: bool = False  # named on the last row
    page: bool = False  # opens the page of this id


ACTIONS: tuple[Action, ...] = (
    Action("pause", ("p", "ctrl+p", "alt+p"), "pause", "Pause the agent. One key, from anywhere; stays paused until somebody gives back. Ctrl+P also while typing.", "stop"),
    Action("takeover", ("o",), "take over", "Take the wheel: the agent loses its write path. If another person has it, press twice.", "guarded"),
    Action("rollback", ("r",), "roll back", "Pause and show what a roll back would do. Nothing is rolled back yet.", "guarded"),
    Action("fire", ("f",), "fire", "After r, within 10 s: roll back. Any other key disarms.", "guarded"),
    Action("release", ("g",), "give back", "Give control back to the agent; asks for a reason.", "guarded", True),
    Action("accept", ("a",), "accept", "Say yes to the marked item, once it has been marked for 1 s. A yes to HIGH risk asks why.", "guarded", True),
    Action("reject", ("x",), "reject", "Say no to the marked item; asks for a reason (may be empty).", "guarded", True),
    Action("next", ("down", "tab", "j"), "next item", "Mark the next item that needs you; in a page, scroll down.", "free"),
    Action("previous", ("up", "shift+tab", "k"), "previous item", "Mark the previous item; in a page, scroll up.", "free"),
    Action("page_down", ("pagedown",), "page down", "In a page, scroll down by a screen.", "free"),
    Action("page_up", ("pageup",), "page up", "In a page, scroll up by a screen.", "free"),
    Action("home", ("home",), "to the beginning", "In a page, go to its beginning.", "free"),
    Action("end", ("end",), "to the end", "In a page, go to its end; a log then follows what comes in.", "free"),
    Action("left", ("left",), "before", "In the log: the job before.", "free"),
    Action("right", ("right",), "after", "In the log: the job after.", "free"),
    Action("search", ("slash",), "search", "In a page, search (or filter) as you type. Enter keeps it: then Down and Up go from match to match. Esc clears it.", "free"),
    Action("run", ("i",), "run", "The run: its stages and jobs, who decided what and when, and what takes the longest.", "free", True, True),
    Action("why", ("w",), "why", "The verdict, its reasons and the evidence.", "free", True, True),
    Action("changes", ("d",), "changes", "What ships: commits, files, risk.", "free", True, True),
    Action("log", ("l",), "log", "What the running stage prints.", "free", True, True),
    Action("keys", ("question_mark", "h"), "keys", "This page.", "free", True, True),
    Action("close", ("escape", "enter", "backspace"), "back", "Back to the first screen. There, Enter opens the run in detail.", "free"),
    Action("redraw", ("ctrl+l",), "redraw", "Draw the whole screen again.", "free"),
    Action("leave", ("q", "ctrl+c"), "leave", "Leave. Changes nothing: who is in control stays in control.", "free", True),
)  # fmt: skip

BY_KEY: dict[str, Action] = {key: action for action in ACTIONS for key in action.keys}
BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

_SHOWN = {
    "question_mark": "?", "escape": "Esc", "enter": "Enter", "backspace": "Backspace", "up": "Up",
    "down": "Down", "tab": "Tab", "shift+tab": "Shift+Tab", "ctrl+l": "Ctrl+L", "ctrl+c": "Ctrl+C",
    "ctrl+p": "Ctrl+P", "alt+p": "Esc p", "slash": "/", "pageup": "PageUp", "pagedown": "PageDown",
    "home": "Home", "end": "End", "left": "Left", "right": "Right",
}  # fmt: skip


def shown(key: str) -> str:
    """A key's name as people write it."""
    return _SHOWN.get(key, key)
